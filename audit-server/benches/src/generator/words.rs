//! Words of the house, the common ones first: each list is drawn from by rank.

pub(crate) const NOUNS: &[&str] = &[
    "account",
    "order",
    "portfolio",
    "balance",
    "report",
    "statement",
    "position",
    "invoice",
    "customer",
    "contract",
    "ledger",
    "mandate",
    "receipt",
    "schedule",
    "quote",
    "margin",
    "reserve",
    "collateral",
    "settlement",
    "reconciliation",
    "custody",
    "dividend",
    "coupon",
    "hedge",
    "spread",
    "benchmark",
    "forecast",
    "audit",
    "archive",
    "template",
    "gateway",
    "connector",
    "batch",
    "queue",
    "snapshot",
    "replica",
    "certificate",
    "calendar",
    "holiday",
    "prospectus",
    "warrant",
    "annuity",
    "covenant",
    "escrow",
    "tranche",
    "arbitrage",
    "novation",
    "indenture",
    "debenture",
    "tontine",
];

pub(crate) const ADJECTIVES: &[&str] = &[
    "open",
    "new",
    "monthly",
    "daily",
    "large",
    "small",
    "pending",
    "late",
    "regular",
    "foreign",
    "quarterly",
    "joint",
    "frozen",
    "dormant",
    "unusual",
    "provisional",
    "corrected",
    "duplicate",
    "disputed",
    "urgent",
    "exceptional",
    "legacy",
    "retroactive",
    "fractional",
    "contingent",
    "irrevocable",
    "subordinate",
    "fiduciary",
    "testamentary",
    "usufructuary",
];

pub(crate) const VERBS: &[&str] =
    &["changed", "checked", "moved", "renamed", "closed", "opened", "merged", "signed", "rejected"];

pub(crate) const FIRST_NAMES: &[&str] = &[
    "ada", "alan", "amir", "anna", "ben", "carla", "chen", "dana", "emil", "eva", "farid", "grace",
    "hana", "igor", "ines", "jan", "jo", "karl", "lena", "leo", "mara", "mei", "nils", "noor",
    "olga", "omar", "pia", "ravi", "rosa", "sam", "sara", "tariq", "tom", "uma", "vera", "yuki",
];

pub(crate) const LAST_NAMES: &[&str] = &[
    "abel", "baker", "berg", "brandt", "carter", "cole", "dietz", "ebert", "fischer", "ford",
    "garcia", "haas", "hill", "ito", "jansen", "keller", "kim", "lang", "lopez", "mason", "meyer",
    "novak", "ortiz", "park", "quinn", "reed", "sato", "silva", "stone", "tanaka", "vogel", "wolf",
];

pub(crate) const AGENT_STYLES: &[&str] =
    &["momentum", "meanrev", "carry", "breakout", "pairs", "rebalance", "hedger", "scalper"];

pub(crate) const LOGIN_FAILURES: &[&str] =
    &["wrong password", "unknown user", "expired password", "second factor missing"];

pub(crate) const CANCELLATIONS: &[&str] =
    &["market closed", "price moved away", "not enough margin", "withdrawn", "limit reached"];

pub(crate) const FAULTS: &[&str] =
    &["did not answer", "was busy", "was unreachable", "lost its lock", "ran out of time"];

pub(crate) const EXCEPTIONS: &[&str] = &[
    "TimeoutError",
    "ConnectionReset",
    "DeadlockDetected",
    "ParseError",
    "NullReference",
    "QuotaExceeded",
    "ChecksumMismatch",
    "UpstreamUnavailable",
];

pub(crate) const PERMISSIONS: &[&str] =
    &["read", "write", "approve", "export", "delete", "trade", "configure", "impersonate"];

pub(crate) const LIMITS: &[&str] =
    &["daily loss limit", "position limit", "order size limit", "exposure limit"];

pub(crate) const SETTINGS: &[&str] = &[
    "retention.days",
    "login.max_failures",
    "rate.per_minute",
    "risk.max_position",
    "mail.sender",
    "feature.dark_mode",
    "trade.venues",
    "export.formats",
];

pub(crate) const VENUES: &[&str] = &["north", "south", "harbour", "bridge", "dark-1"];
