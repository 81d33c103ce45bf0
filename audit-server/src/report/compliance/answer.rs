//! The report as it is given out.

use poem_openapi::{Enum, Object};
use serde::Serialize;

use super::{ChainVerdict, Regulation};
use crate::report::Header;

/// What the records of a window show for regulations. A control is met as far as records can show
/// it: what people, contracts and other systems do is to be shown by other means. A control without
/// records is never met.
#[derive(Debug, Clone, PartialEq, Serialize, Object)]
#[oai(rename = "Compliance")]
pub(crate) struct Compliance {
    /// What the report is about.
    pub(crate) header: Header,
    /// The regulations, in the order in which they were asked for.
    pub(crate) regulations: Vec<RegulationState>,
    /// Members that are required, and that records lack. A member that several controls require is
    /// named for each.
    pub(crate) lacking: Vec<Lack>,
    /// Days without any record, and without a heartbeat.
    pub(crate) days: Days,
    /// What records tell of events that were lost.
    pub(crate) lost: Lost,
    /// How many records are of a time that was yet to come when the report was made, by more than a
    /// minute.
    pub(crate) future_records: u64,
    /// Whether the records are those that were written.
    pub(crate) chain: ChainVerdict,
}

/// The controls of a regulation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "ComplianceRegulation")]
pub(crate) struct RegulationState {
    /// Which one.
    pub(crate) regulation: Regulation,
    /// Its name in full, with the version that the controls are of.
    pub(crate) title: String,
    /// How many controls are met.
    pub(crate) met: u64,
    /// How many have a gap.
    pub(crate) gaps: u64,
    /// For how many there is no data.
    pub(crate) no_data: u64,
    /// The controls, in the order of their sections.
    pub(crate) controls: Vec<ControlState>,
}

/// A control, and what records show of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "ComplianceControl")]
pub(crate) struct ControlState {
    /// Its section.
    pub(crate) id: String,
    /// What it is about.
    pub(crate) title: String,
    /// What it demands, and which records are taken for it.
    pub(crate) demands: String,
    /// Which records are its evidence: an expression for `filter` of `/audit/logs`.
    pub(crate) filter: String,
    /// The request that lists these records.
    pub(crate) query: String,
    /// How many there are.
    pub(crate) records: u64,
    /// The ids of the newest three.
    pub(crate) samples: Vec<String>,
    /// How it stands.
    pub(crate) state: State,
    /// Why it stands so.
    pub(crate) reason: String,
}

/// How a control stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Enum)]
#[oai(rename_all = "snake_case", rename = "ComplianceState")]
#[serde(rename_all = "snake_case")]
pub(crate) enum State {
    /// There are records for it, and all that is asked of them holds.
    Met,
    /// There are records for it, and something is missing or wrong.
    Gap,
    /// There are no records for it, or what is to be known of them is not known.
    NoData,
}

/// Records that lack a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "ComplianceLack")]
pub(crate) struct Lack {
    /// Which regulation requires it.
    pub(crate) regulation: Regulation,
    /// For which control.
    pub(crate) control: String,
    /// The member, or those of which any will do.
    pub(crate) member: String,
    /// How many records lack it.
    pub(crate) lacking: u64,
    /// Of how many that must have it.
    pub(crate) records: u64,
    /// Which records lack it: an expression for `filter` of `/audit/logs`.
    pub(crate) filter: String,
    /// The request that lists these records.
    pub(crate) query: String,
}

/// Days that lack something. Days are those of UTC; the first of the window is taken whole, and one
/// that is not over is not judged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "ComplianceDays")]
pub(crate) struct Days {
    /// How many days were judged.
    pub(crate) judged: u64,
    /// Those without any record, such as `2026-11-21`, oldest first.
    pub(crate) without_records: Vec<String>,
    /// Those without a `system.heartbeat`, oldest first.
    pub(crate) without_heartbeat: Vec<String>,
}

/// What `system.audit_gap` records tell of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "ComplianceLost")]
pub(crate) struct Lost {
    /// How many such records there are.
    pub(crate) records: u64,
    /// How many of these tell of events that were not recorded. The others tell of a sink beside the
    /// trail that was skipped.
    pub(crate) of_lost_events: u64,
    /// How many events were not recorded, by what the newest 1000 of these tell.
    pub(crate) events: u64,
    /// Whether these are all: `false` when there are more such records, or one that does not tell.
    pub(crate) events_complete: bool,
    /// The request that lists the records of events that were not recorded.
    pub(crate) query: String,
}
