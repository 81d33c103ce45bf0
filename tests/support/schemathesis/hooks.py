"""What JSON Schema cannot say of a request that is meant to be accepted.

In such requests, and in no others, values that the document allows and the server must refuse are
replaced by ones that it must accept; what is refused all the same is a failure. Nothing is
replaced in requests that are meant to be refused, and no answer is excused.
"""

import zlib

import schemathesis

# Languages of their own: any text is allowed by the document, and few are sentences.
LANGUAGES = {
    "q": ["login", '"user login"', "passw*", "ord* fill*", "überweisung"],
    "filter": [
        'severity >= "warning"',
        'event_type = "auth.*" OR event_type = "trade.*"',
        'NOT status = "success" AND (category = "auth" OR details.amount > 1000)',
        "level:* -user_id:*",
        'timestamp >= "2020-01-01" login',
    ],
}

# A list of networks, which no pattern of a sensible length describes.
LANGUAGES["networks"] = ["10.0.0.0/8", "192.0.2.7,2001:db8::/32", "::1"]

# Bytes are counted, and one name stands for all.
LANGUAGES["tenant"] = ["acme", "Überall GmbH & Co"]

# The server counts bytes, JSON Schema counts characters.
MAX_TEXT_BYTES = 1024


def pick(values, text):
    """One of the values, the same for the same text."""
    return values[zlib.crc32(repr(text).encode()) % len(values)]


def shortened(text):
    return text.encode()[:MAX_TEXT_BYTES].decode(errors="ignore")


def acceptable(query):
    """The query with what the document cannot rule out put right."""
    query = dict(query)
    for name, sentences in LANGUAGES.items():
        if name in query:
            query[name] = pick(sentences, query[name])
    # A cursor belongs to its question: only the example, alone, is known to.
    if set(query) - {"cursor", "limit"}:
        query.pop("cursor", None)
    # An admin is not one of a tenant.
    if query.get("role") == "admin":
        query.pop("tenant", None)
    # It names a record of the trail, and a cursor says as much.
    query.pop("after", None)
    # Two parameters are compared.
    if "start_date" in query and "end_date" in query:
        del query[pick(["start_date", "end_date"], query["start_date"])]
    # How many buckets there would be is said by the time and the interval together.
    if query.get("interval") in ("minute", "hour", "day", "week"):
        query["interval"] = "day"
        if "start_date" in query or "end_date" in query:
            del query["interval"]
    # OpenAPI 3.0 has no schema for the names of an object's members.
    for name in [name for name in query if name.startswith("details[")]:
        query[f"details[a.b{zlib.crc32(name.encode())}]"] = query.pop(name)
    return {
        name: shortened(value) if isinstance(value, str) else value
        for name, value in query.items()
    }


@schemathesis.hook
def before_call(context, case, kwargs):
    if case.query and case.meta and case.meta.generation.mode.is_positive:
        case.query = acceptable(case.query)
        # It is still a request to be accepted. Without this schemathesis judges the query anew, does
        # not know `details[name]` again, and would expect neither acceptance nor refusal.
        case._record_starting_state()
