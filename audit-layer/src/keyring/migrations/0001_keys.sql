-- The keys of a host.

CREATE TABLE keys (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    id      TEXT    NOT NULL UNIQUE,
    purpose TEXT    NOT NULL CHECK (purpose IN ('hash', 'seal', 'index', 'names')),
    subject BLOB    CHECK (length(subject) = 32),  -- HMAC-SHA256 of the subject, under the key for names
    created INTEGER NOT NULL,                      -- microseconds since the Unix epoch, UTC, as are these two
    retired INTEGER,                               -- from when on it only opens what it sealed
    erased  INTEGER CHECK (erased IS NULL OR (subject IS NOT NULL AND retired IS NOT NULL)),
    CHECK (subject IS NULL OR purpose = 'seal')
) STRICT;

-- One that is in use, for each purpose and for each subject.
CREATE UNIQUE INDEX keys_in_use ON keys (purpose, coalesce(subject, x'')) WHERE retired IS NULL;
CREATE INDEX keys_subject ON keys (subject) WHERE subject IS NOT NULL;

-- What must not be left anywhere when it is erased stands in a table of its own. Rows are only added at its end, and
-- only overwritten with as many bytes, so that SQLite has no cause to move or copy one.
CREATE TABLE secrets (
    number INTEGER PRIMARY KEY REFERENCES keys (number),
    key    BLOB    NOT NULL CHECK (length(key) = 32)  -- zeros when it was erased
) STRICT;

PRAGMA application_id = 1096107091;  -- "AUDS" in ASCII
PRAGMA user_version = 1;
