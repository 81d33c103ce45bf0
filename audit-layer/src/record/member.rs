//! The members of a record, in the order in which they are written.

use super::{Classification, EventType, Severity, event_type};

/// Who may set a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SetBy {
    /// The layer alone: an event's field of that name goes to `details`.
    Layer,
    /// The event's own field.
    Event,
    /// The event's own field, else the innermost span that has it.
    Context,
}

macro_rules! members {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $by:ident;)+) => {
        /// A member of a record. Declared, and so ordered, as RFC 8785 sorts the names; `hash` is
        /// not among them, since it stands outside of what is hashed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Member { $($(#[$doc])* $variant),+ }

        impl Member {
            /// Every member in the order of a line.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// How many there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The name in the record.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }

            /// The name as it stands in a line: a comma, quotes and a colon around it.
            pub(super) const fn label(self) -> &'static str {
                match self { $(Self::$variant => concat!(",\"", $name, "\":")),+ }
            }

            /// Who may set it.
            #[must_use]
            pub const fn set_by(self) -> SetBy {
                match self { $(Self::$variant => SetBy::$by),+ }
            }
        }
    };
}

members! {
    /// What was done, in a word or two.
    Action = "action", Event;
    /// The part of `event_type` before the first dot.
    Category = "category", Layer;
    /// Ties together the records of one business transaction.
    CorrelationId = "correlation_id", Context;
    /// `public`, `internal`, `confidential` or `restricted`.
    DataClassification = "data_classification", Event;
    /// An object: everything that is not a member of its own.
    Details = "details", Event;
    /// Integer microseconds.
    DurationUs = "duration_us", Event;
    /// A dotted lower-case name, such as `auth.login`.
    EventType = "event_type", Event;
    /// UUIDv7, taken at the call.
    Id = "id", Layer;
    /// The address that the request came from.
    IpAddress = "ip_address", Context;
    /// The level of the event: `TRACE` to `ERROR`.
    Level = "level", Layer;
    /// The target of the event.
    Logger = "logger", Layer;
    /// What happened, for people.
    Message = "message", Event;
    /// When an imported record was taken in; its `timestamp` is the original's.
    ObservedAt = "observed_at", Layer;
    /// The hash of the record before it in the stream.
    PrevHash = "prev_hash", Layer;
    /// An object: which rules the event concerns, and what they want known.
    RegulatoryFlags = "regulatory_flags", Event;
    /// The request that caused the event.
    RequestId = "request_id", Context;
    /// What was acted upon.
    Resource = "resource", Event;
    /// The position in the stream, from 1, gapless.
    Seq = "seq", Layer;
    /// The user's session.
    SessionId = "session_id", Context;
    /// `debug`, `info`, `warning`, `error` or `critical`.
    Severity = "severity", Event;
    /// `file:line` of the call.
    Source = "source", Layer;
    /// The span of a distributed trace.
    SpanId = "span_id", Context;
    /// `success`, `failure`, `denied`, `error`, `pending` or another word.
    Status = "status", Event;
    /// The stream that the record belongs to.
    Stream = "stream", Layer;
    /// The customer of a service that has several.
    Tenant = "tenant", Context;
    /// UTC with microseconds, taken at the call.
    Timestamp = "timestamp", Layer;
    /// The distributed trace.
    TraceId = "trace_id", Context;
    /// The paths of values that were cut.
    Truncated = "truncated", Layer;
    /// Who acted.
    UserId = "user_id", Context;
    /// Who acted, by name.
    Username = "username", Context;
    /// The version of the format.
    V = "v", Layer;
}

impl Member {
    /// The member of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|member| member.name() == name)
    }

    /// The member with that number in [`Member::ALL`].
    pub(crate) fn from_index(index: usize) -> Option<Self> {
        Self::ALL.get(index).copied()
    }

    /// Whether a text can be what this member, which is text, says. What cannot be is a detail.
    pub(crate) fn fits(self, text: &str) -> bool {
        match self {
            Self::EventType => {
                event_type::is_event_type(text) || EventType::from_plain_name(text).is_some()
            }
            Self::Severity => Severity::read(text).is_some(),
            Self::DataClassification => text.parse::<Classification>().is_ok(),
            _ => true,
        }
    }

    /// Whether spans give this member to the events inside them.
    #[must_use]
    pub fn is_context(self) -> bool {
        self.set_by() == SetBy::Context
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_declared_in_the_order_of_a_line() {
        assert!(Member::ALL.is_sorted_by_key(|member| member.name()));
        for (index, member) in Member::ALL.iter().enumerate() {
            assert_eq!(*member as usize, index);
            assert_eq!(Member::from_name(member.name()), Some(*member));
        }
    }
}
