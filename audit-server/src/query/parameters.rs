//! The parameters of a query as one table: what is accepted, and what the document says of it.

/// A query parameter.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) description: &'static str,
    /// What a value may look like, where the name alone does not say so.
    pub(crate) example: Option<&'static str>,
    pub(crate) kind: Kind,
}

/// What the values of a parameter look like.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Kind {
    /// Any text.
    Text,
    /// Any text; the parameter may be repeated.
    Texts,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An integer from 1 to [`super::MAX_LIMIT`].
    Limit,
}

const fn text(name: &'static str, description: &'static str, example: &'static str) -> Parameter {
    Parameter { name, description, example: Some(example), kind: Kind::Text }
}

const fn word(
    name: &'static str,
    words: &'static [&'static str],
    description: &'static str,
) -> Parameter {
    Parameter { name, description, example: None, kind: Kind::Word(words) }
}

/// Every parameter of a query.
pub(crate) const PARAMETERS: &[Parameter] = &[
    Parameter {
        name: "event_type",
        description: "Only records of this event type, or with `auth.*` of all that begin so. Repeat it for records of any of several.",
        example: Some("auth.*"),
        kind: Kind::Texts,
    },
    text(
        "category",
        "Only records of this category, the part of the event type before the first dot.",
        "auth",
    ),
    word(
        "severity",
        &["debug", "info", "warning", "error", "critical"],
        "Only records at least as grave as this.",
    ),
    word(
        "level",
        &["TRACE", "DEBUG", "INFO", "WARN", "ERROR"],
        "Only records of this level, in upper or lower case.",
    ),
    text("status", "Only records with this status.", "failure"),
    text("action", "Only records of this action.", "login"),
    text("user_id", "Only records of this user.", "u-1042"),
    text("username", "Only records of the user of this name.", "john.doe"),
    text("ip_address", "Only records of requests from this address.", "192.168.1.1"),
    text("request_id", "Only records of this request.", "req-12345"),
    text("correlation_id", "Only records of this business transaction.", "order-77"),
    text("session_id", "Only records of this session.", "s-9f2c"),
    text("resource", "Only records that acted upon this.", "/accounts/42"),
    text("tenant", "Only records of this tenant.", "acme"),
    word(
        "data_classification",
        &["public", "internal", "confidential", "restricted"],
        "Only records that concern data of exactly this classification.",
    ),
    text(
        "regulation",
        "Only records whose `regulatory_flags` have this member, and not as `false` or `null`.",
        "SOX",
    ),
    text(
        "start_date",
        "Only records from then on: a date, meaning its beginning in UTC, or RFC 3339.",
        "2026-11-21",
    ),
    text(
        "end_date",
        "Only records up to then, inclusive: a date, meaning the whole of its day in UTC, or RFC 3339.",
        "2026-11-21T23:59:59Z",
    ),
    word(
        "order",
        &["desc", "asc", "arrival"],
        "`desc`, newest first, is the default; `asc` is oldest first; `arrival` is the order in which the database received the records, which differs when records were recovered or imported, and can be followed: its `next_cursor` leads on to what arrives later, and a page that is not `truncated` and has fewer records than `limit` is the last for now. `/audit/redis` and `/audit/combined` know only `desc`.",
    ),
    Parameter {
        name: "limit",
        description: "The most records of a page, 1 to 1000; 100 when absent.",
        example: None,
        kind: Kind::Limit,
    },
    Parameter {
        name: "cursor",
        description: "The `next_cursor` of the page before. It belongs to its query: every other parameter but `limit` stays as it was.",
        example: None,
        kind: Kind::Text,
    },
];
