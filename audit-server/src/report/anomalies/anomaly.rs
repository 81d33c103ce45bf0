//! What is said of an anomaly.

use poem_openapi::{Enum, Object};
use serde::Serialize;

use crate::report::{Header, Top};

/// The most anomalies that are listed.
pub(crate) const MAX_ANOMALIES: usize = 200;

/// What is unusual in a stretch of time, measured by what was before it.
#[derive(Debug, Clone, PartialEq, Serialize, Object)]
#[oai(rename = "Anomalies")]
pub(crate) struct Anomalies {
    /// Of what, and when it was made.
    pub(crate) header: Header,
    /// How unusual something must be, in robust standard deviations, if it were the only thing that is
    /// looked at. With thousands of series the bar is higher for each.
    pub(crate) threshold: f64,
    /// How many days before the window were there to compare with.
    pub(crate) baseline_days: u64,
    /// The most unusual first, 200 at most.
    pub(crate) anomalies: Top<Anomaly>,
    /// What was not looked at, and why.
    pub(crate) left_out: Vec<String>,
}

/// Something unusual.
#[derive(Debug, Clone, PartialEq, Serialize, Object)]
#[oai(rename = "Anomaly")]
pub(crate) struct Anomaly {
    /// In which way it is unusual.
    pub(crate) kind: AnomalyKind,
    /// How far it is above what makes a finding: `low`, `medium` from one and a half times as far,
    /// `high` from three times.
    pub(crate) severity: Grade,
    /// How many robust standard deviations it is from what was expected, or what is as unlikely.
    pub(crate) score: f64,
    /// From which score on it is a finding: the threshold, or more where much is looked at at once or
    /// where the days before were as unusual.
    pub(crate) bar: f64,
    /// What it is about: every member that is there narrows it.
    pub(crate) subject: Subject,
    /// What was seen and what was expected, in a sentence.
    pub(crate) explanation: String,
    /// The beginning of the time in which it was, UTC.
    pub(crate) from: String,
    /// The end, inclusive.
    pub(crate) to: String,
    /// How many records it is about; 0 for a silence.
    pub(crate) count: u64,
    /// What was seen: a decimal number.
    pub(crate) observed: String,
    /// What was expected: a decimal number.
    pub(crate) expected: String,
    /// What these numbers count.
    pub(crate) unit: String,
    /// On how many observations before the window the expectation rests: hours, days or records.
    pub(crate) baseline_observations: u64,
    /// The parameters of `GET /audit/logs` that show its records.
    pub(crate) query: String,
}

/// In which way something is unusual.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Enum)]
#[oai(rename_all = "snake_case", rename = "AnomalyKind")]
#[serde(rename_all = "snake_case")]
pub(crate) enum AnomalyKind {
    /// Far more records than usual.
    VolumeSpike,
    /// Far more of the records failed than usual.
    FailureSpike,
    /// No records where there always were some.
    Silence,
    /// A user came from addresses that are new for the user.
    NewAddress,
    /// A user did something for the first time.
    NewEventType,
    /// A user acted upon a kind of resource for the first time.
    NewResource,
    /// A user was active at hours of the week at which the user hardly ever is.
    UnusualHours,
    /// An amount far above what the agent or user usually moves.
    UnusualAmount,
}

/// How far something is above what makes a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Enum)]
#[oai(rename_all = "snake_case", rename = "AnomalySeverity")]
#[serde(rename_all = "snake_case")]
pub(crate) enum Grade {
    /// Just above.
    Low,
    /// One and a half times as far.
    Medium,
    /// Three times as far.
    High,
}

impl Grade {
    /// Of a score as a multiple of what makes a finding.
    pub(super) fn of(times: f64) -> Self {
        if times >= 3.0 {
            Self::High
        } else if times >= 1.5 {
            Self::Medium
        } else {
            Self::Low
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

impl AnomalyKind {
    /// As people call it.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::VolumeSpike => "volume",
            Self::FailureSpike => "failures",
            Self::Silence => "silence",
            Self::NewAddress => "new address",
            Self::NewEventType => "new event type",
            Self::NewResource => "new resource",
            Self::UnusualHours => "unusual hours",
            Self::UnusualAmount => "unusual amount",
        }
    }
}

/// What an anomaly is about; without any member, the whole trail.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Object)]
#[oai(rename = "AnomalySubject")]
pub(crate) struct Subject {
    /// All event types of this category.
    pub(crate) category: Option<String>,
    /// The event type.
    pub(crate) event_type: Option<String>,
    /// The user.
    pub(crate) user_id: Option<String>,
    /// The address.
    pub(crate) ip_address: Option<String>,
    /// The class of resources: numbers in it are `*`.
    pub(crate) resource: Option<String>,
    /// The agent.
    pub(crate) agent: Option<String>,
}

impl Subject {
    /// Its name for people.
    pub(super) fn name(&self) -> String {
        let mut parts = Vec::new();
        for (what, text) in [
            ("category ", &self.category),
            ("", &self.event_type),
            ("user ", &self.user_id),
            ("agent ", &self.agent),
            ("address ", &self.ip_address),
            ("resource ", &self.resource),
        ] {
            if let Some(text) = text {
                parts.push(format!("{what}{text}"));
            }
        }
        if parts.is_empty() { "the whole trail".to_owned() } else { parts.join(", ") }
    }
}
