//! What a control is: a line of the catalogue.

/// A control of a regulation: what it demands, and which records show it.
#[derive(Debug)]
pub(super) struct Control {
    /// Its section. Where two controls are of one section, a word tells them apart.
    pub(super) id: &'static str,
    pub(super) title: &'static str,
    /// What is demanded, and which records this report takes for it, in our own words.
    pub(super) demands: &'static str,
    /// The records that are its evidence: an expression of `filter=`. Without any it is `no_data`.
    pub(super) evidence: &'static str,
    /// What must hold for it to be met.
    pub(super) checks: &'static [Check],
}

/// Something that must hold.
#[derive(Debug)]
pub(super) enum Check {
    /// Each of these records has what is required.
    Has(Kind, Required),
    /// There is no record in the window for which this expression holds; the words name such records.
    No(&'static str, &'static str),
    /// Each day of the window has a record.
    EveryDay,
    /// Each day of the window has a heartbeat.
    Heartbeats,
    /// The chain is intact.
    Chain,
    /// No record tells of events that were lost.
    NothingLost,
    /// No record is of a time that is yet to come.
    NothingInTheFuture,
    /// The trail goes back so many days.
    GoesBack {
        days: u32,
        /// As the regulation counts them.
        demanded: &'static str,
    },
}

/// Records of which something is required.
#[derive(Debug)]
pub(super) enum Kind {
    /// Those that are the evidence of the control.
    All,
    /// Those of the evidence for which this expression holds, and what to call them.
    Of(&'static str, &'static str),
}

/// A member that a record must have.
#[derive(Debug)]
pub(super) struct Required {
    /// Its name, or the names of those of which any will do.
    pub(super) name: &'static str,
    /// The expression that holds when it is there.
    pub(super) has: &'static str,
}

/// Who it was.
pub(super) const USER: Required =
    Required { name: "user_id or username", has: "user_id:* OR username:*" };
/// Whether it succeeded.
pub(super) const STATUS: Required = Required { name: "status", has: "status:*" };
/// Where it came from.
pub(super) const ORIGIN: Required = Required { name: "ip_address", has: "ip_address:*" };
/// What was acted upon.
pub(super) const RESOURCE: Required = Required { name: "resource", has: "resource:*" };
/// How much the data is to be protected.
pub(super) const CLASSIFICATION: Required =
    Required { name: "data_classification", has: "data_classification:*" };
/// Whose data it is.
pub(super) const DATA_SUBJECT: Required =
    Required { name: "regulatory_flags.data_subject", has: "regulatory_flags.data_subject:*" };
/// Which business transaction it belongs to.
pub(super) const CORRELATION: Required =
    Required { name: "correlation_id", has: "correlation_id:*" };
/// How much money.
pub(super) const AMOUNT: Required = Required { name: "details.amount", has: "details.amount:*" };
/// What was traded.
pub(super) const INSTRUMENT: Required = Required {
    name: "details.symbol, details.isin or details.instrument",
    has: "details.symbol:* OR details.isin:* OR details.instrument:*",
};
