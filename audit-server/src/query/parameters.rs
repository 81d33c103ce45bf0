//! The parameters of a query as one table: what is accepted, and what the document says of it.

use crate::filter::{MAX_EXPRESSION_BYTES, MAX_WORDS_BYTES};

/// A query parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    /// A value that is accepted, as one types it. That of a cursor belongs to a question: see
    /// [`super::example_cursor`].
    pub(crate) example: &'static str,
    pub(crate) kind: Kind,
}

/// What the values of a parameter look like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// A text that a member may equal.
    Text,
    /// An event type, or the beginning of several; the parameter may be repeated.
    EventTypes,
    /// The part of an event type before its first dot.
    Category,
    /// One of these words.
    Word(&'static [&'static str]),
    /// A whole number that a record may hold.
    Whole,
    /// An object of names and texts: any leaf of `details`.
    Leaves,
    /// A language of its own, in a text of at most so many bytes.
    Language { max_bytes: usize },
    /// A date or a time.
    Time,
    /// An integer from 1 to [`super::MAX_LIMIT`].
    Limit,
    /// An integer from 1.
    Count,
    /// The id of a record.
    Id,
    /// Where the next page begins.
    Cursor,
    /// An integer from 1 to `most`.
    Days { default: u32, most: u32 },
    /// Names of regulations, separated by commas.
    Regulations,
    /// A number from 1 to 100.
    Threshold,
    /// An integer from 1 to `most`, without which nothing is taken for it.
    Within { most: u32 },
    /// What people call something: at most so many characters.
    Name { max_chars: usize },
    /// Names of members, separated by commas.
    Names,
    /// An integer from 1 to [`crate::stats::MAX_VALUES`].
    Values,
}

const fn of(
    name: &'static str,
    kind: Kind,
    description: &'static str,
    example: &'static str,
) -> Parameter {
    Parameter { name, description, example, kind }
}

const fn text(name: &'static str, description: &'static str, example: &'static str) -> Parameter {
    of(name, Kind::Text, description, example)
}

const fn word(
    name: &'static str,
    words: &'static [&'static str],
    description: &'static str,
    example: &'static str,
) -> Parameter {
    of(name, Kind::Word(words), description, example)
}

/// Every parameter of a query.
pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "event_type",
        description: "Only records of this event type, or with `auth.*` of all that begin so. Repeat it for records of any of several.",
        example: "auth.*",
        kind: Kind::EventTypes,
    },
    of(
        "category",
        Kind::Category,
        "Only records of this category, the part of the event type before the first dot.",
        "auth",
    ),
    word(
        "severity",
        &["debug", "info", "warning", "error", "critical"],
        "Only records at least as grave as this.",
        "warning",
    ),
    word(
        "level",
        &["TRACE", "DEBUG", "INFO", "WARN", "ERROR"],
        "Only records of this level, in upper or lower case.",
        "WARN",
    ),
    text("status", "Only records with this status.", "failure"),
    text("action", "Only records of this action.", "login"),
    text("user_id", "Only records of this user.", "u-1042"),
    text("username", "Only records of the user of this name.", "john.doe"),
    text("ip_address", "Only records of requests from this address.", "192.168.1.1"),
    text("request_id", "Only records of this request.", "req-12345"),
    text("correlation_id", "Only records of this business transaction.", "order-77"),
    text("session_id", "Only records of this session.", "s-9f2c"),
    text("trace_id", "Only records of this distributed trace.", "4bf92f3577b34da6a3ce929d0e0e4736"),
    text("span_id", "Only records of this span of a trace.", "00f067aa0ba902b7"),
    text(
        "stream",
        "Only records of this stream, the gapless sequence of one writer.",
        "payments@web-1~k3x9q2",
    ),
    text("logger", "Only records whose event had this target.", "audit::orders"),
    text("source", "Only records of the call at this `file:line`.", "src/orders.rs:42"),
    of(
        "duration_us",
        Kind::Whole,
        "Only records of work that took this many microseconds; `duration_us>=1000` of that many or more, and likewise `<=`, `<`, `>`.",
        "1500",
    ),
    text("resource", "Only records that acted upon this.", "/accounts/42"),
    text("tenant", "Only records of this tenant.", "acme"),
    word(
        "data_classification",
        &["public", "internal", "confidential", "restricted"],
        "Only records that concern data of exactly this classification; `data_classification>=confidential` of that or a narrower one, and likewise `<=`, `<`, `>`.",
        "confidential",
    ),
    text(
        "regulation",
        "Only records whose `regulatory_flags` have this member, and not as `false` or `null`.",
        "SOX",
    ),
    Parameter {
        name: "details",
        description: "Only records with this leaf of `details`: `details.symbol=ACME`, or `details[symbol]=ACME`. Nested names are joined with dots, and of an array any item may match. Numbers, also those in strings, can be compared: `details.amount>=1000`.",
        example: r#"{"symbol":"ACME"}"#,
        kind: Kind::Leaves,
    },
    of(
        "q",
        Kind::Language { max_bytes: MAX_WORDS_BYTES },
        "Full text: only records whose message and `details` have all of these words, `\"phrases\"` and `beginnings*`, in upper or lower case.",
        "\"login failed\" passw*",
    ),
    of(
        "filter",
        Kind::Language { max_bytes: MAX_EXPRESSION_BYTES },
        "An expression as in AIP-160: comparisons with `=`, `!=`, `<`, `<=`, `>`, `>=` and `:`, joined with `AND`, `OR`, `NOT` and parentheses; `OR` binds tighter than `AND`, and conditions side by side must all hold. `name = \"text*\"` asks for a beginning, `name:*` for any value, `name:\"words\"` for words that follow each other; a text alone is full text. It is one more condition beside the other parameters.",
        r#"event_type = "auth.*" AND details.amount > 1000 AND NOT user_id = "svc""#,
    ),
    of(
        "start_date",
        Kind::Time,
        "Only records from then on: a date, meaning its beginning in UTC, or RFC 3339.",
        "2026-11-21",
    ),
    of(
        "end_date",
        Kind::Time,
        "Only records up to then, inclusive: a date, meaning the whole of its day in UTC, or RFC 3339.",
        "2026-11-21T23:59:59Z",
    ),
    word(
        "order",
        &["desc", "asc", "arrival"],
        "`desc`, newest first, is the default; `asc` is oldest first; `arrival` is the order in which the database received the records, which differs when records were recovered or imported, and can be followed: its `next_cursor` leads on to what arrives later, and a page that is not `truncated` and has fewer records than `limit` is the last for now. `/audit/redis` and `/audit/combined` know only `desc`.",
        "desc",
    ),
    Parameter {
        name: "limit",
        description: "The most records of a page, 1 to 1000; 100 when absent.",
        example: "100",
        kind: Kind::Limit,
    },
    word(
        "count",
        &["exact", "estimate"],
        "Also count the records that match in all, as `count`: `exact` reads those that the index cannot decide, as far as the query's time allows, `estimate` reads none. Only for the views of the database. A cursor may be given with it or without it.",
        "estimate",
    ),
    Parameter {
        name: "cursor",
        description: "The `next_cursor` of the page before. It belongs to its query: every other parameter but `limit` stays as it was.",
        example: "",
        kind: Kind::Cursor,
    },
];
