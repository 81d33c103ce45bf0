//! What a condition is about.

use std::{fmt, str::FromStr};

use audit_layer::record::{Member, Record};

use super::Text;

/// A member of a record, or a leaf under one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Field {
    /// A member that is a text or a number.
    Member(Member),
    /// A leaf of `details`, by its path.
    Detail(Text),
    /// A leaf of `regulatory_flags`, by its path.
    Flag(Text),
}

impl Field {
    /// Whether it is a detail, or tells the names of some.
    pub(crate) fn is_in_details(&self) -> bool {
        matches!(self, Self::Detail(_) | Self::Member(Member::Truncated))
    }

    /// Gives each text of the record that stands under this name.
    pub(crate) fn each(&self, record: &Record<'_>, mut visit: impl FnMut(&str)) {
        let (object, name) = match self {
            Self::Member(member) => return of_member(record, *member, visit),
            Self::Detail(name) => (record.details, name),
            Self::Flag(name) => (record.regulatory_flags, name),
        };
        if let Some(object) = object {
            super::leaves(object, |path, leaf| {
                if path == name.as_str() {
                    visit(leaf.text);
                }
            });
        }
    }
}

/// Gives the text of the member, when the record has it.
pub(crate) fn of_member(record: &Record<'_>, member: Member, mut visit: impl FnMut(&str)) {
    let text = match member {
        Member::Action => record.action.as_deref(),
        Member::Category => Some(&*record.category),
        Member::CorrelationId => record.correlation_id.as_deref(),
        Member::DataClassification => record.data_classification.as_deref(),
        Member::EventType => Some(&*record.event_type),
        Member::Id => Some(&*record.id),
        Member::IpAddress => record.ip_address.as_deref(),
        Member::Level => Some(&*record.level),
        Member::Logger => Some(&*record.logger),
        Member::Message => record.message.as_deref(),
        Member::ObservedAt => record.observed_at.as_deref(),
        Member::PrevHash => Some(&*record.prev_hash),
        Member::RequestId => record.request_id.as_deref(),
        Member::Resource => record.resource.as_deref(),
        Member::SessionId => record.session_id.as_deref(),
        Member::Severity => Some(&*record.severity),
        Member::Source => record.source.as_deref(),
        Member::SpanId => record.span_id.as_deref(),
        Member::Status => record.status.as_deref(),
        Member::Stream => Some(&*record.stream),
        Member::Tenant => record.tenant.as_deref(),
        Member::Timestamp => Some(&*record.timestamp),
        Member::TraceId => record.trace_id.as_deref(),
        Member::UserId => record.user_id.as_deref(),
        Member::Username => record.username.as_deref(),
        Member::Truncated => return record.truncated.iter().for_each(|path| visit(path)),
        Member::Seq => return visit(itoa::Buffer::new().format(record.seq)),
        Member::V => return visit(itoa::Buffer::new().format(record.v)),
        Member::DurationUs => {
            if let Some(duration) = record.duration_us {
                visit(itoa::Buffer::new().format(duration));
            }
            return;
        }
        // Asked for leaf by leaf.
        Member::Details | Member::RegulatoryFlags => None,
    };
    if let Some(text) = text {
        visit(text);
    }
}

impl FromStr for Field {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        for (object, field) in
            [("details", Self::Detail as fn(Text) -> Self), ("regulatory_flags", Self::Flag)]
        {
            if let Some(rest) = name.strip_prefix(object) {
                if let Some(path) = rest.strip_prefix('.') {
                    return path.parse().map(field);
                }
                if rest.is_empty() {
                    return Err(format!(
                        "{object} is an object: name a member of it, {object}.<name>"
                    ));
                }
            }
        }
        Member::ALL
            .iter()
            .find(|member| member.name() == name)
            .map(|member| Self::Member(*member))
            .ok_or_else(|| {
                format!(
                    "there is no member {name:?}; what is not of the envelope is details.{name}"
                )
            })
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(member) => f.write_str(member.name()),
            Self::Detail(name) => write!(f, "details.{}", name.as_str()),
            Self::Flag(name) => write!(f, "regulatory_flags.{}", name.as_str()),
        }
    }
}
