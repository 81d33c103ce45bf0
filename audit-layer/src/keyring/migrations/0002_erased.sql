-- To find the keys that were erased: whoever keeps an index of what they sealed looks for them often.

CREATE INDEX keys_erased ON keys (id) WHERE erased IS NOT NULL;

PRAGMA user_version = 2;
