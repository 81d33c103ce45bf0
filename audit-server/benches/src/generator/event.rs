//! What happened, before it is numbered and sealed.

use std::borrow::Cow;

use audit_layer::{
    event_type,
    record::{Draft, Hash, Line, Member, Severity, Value},
};
use uuid::Uuid;

use super::{
    expected::Fact,
    kinds::{self, Kind},
};

pub(crate) type Text = Cow<'static, str>;

/// The value of a member of `details` or `regulatory_flags`.
#[derive(Debug, Clone)]
pub enum Detail {
    /// A string.
    Text(Cow<'static, str>),
    /// A whole number.
    Number(i64),
    /// A number from 0 to 1.
    Ratio(f64),
    /// `true` or `false`.
    Flag(bool),
}

impl Detail {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Text(text) => Value::Str(text),
            Self::Number(number) => Value::I64(*number),
            Self::Ratio(ratio) => Value::F64(*ratio),
            Self::Flag(flag) => Value::Bool(*flag),
        }
    }
}

impl From<Text> for Detail {
    fn from(text: Text) -> Self {
        Self::Text(text)
    }
}

impl From<&'static str> for Detail {
    fn from(text: &'static str) -> Self {
        Self::Text(text.into())
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Self {
        Self::Text(text.into())
    }
}

/// An event that arrived at the trail.
#[derive(Debug, Clone)]
pub struct Event {
    /// Which of [`super::STREAMS`] it belongs to.
    pub stream: usize,
    /// Its number there, from 1.
    pub seq: u64,
    pub(crate) id: Uuid,
    /// Microseconds since the Unix epoch.
    pub timestamp: i64,
    /// A standard event type.
    pub event_type: &'static str,
    /// `INFO` to `ERROR`.
    pub level: &'static str,
    /// How grave it is.
    pub severity: Severity,
    /// `""` for none.
    pub status: &'static str,
    pub(crate) source: &'static str,
    pub(crate) logger: &'static str,
    pub(crate) duration_us: Option<u64>,
    texts: Vec<(Member, Text)>,
    flags: Vec<(&'static str, Detail)>,
    details: Vec<(&'static str, Detail)>,
    pub(crate) fact: Fact,
}

impl Event {
    pub(crate) fn new(stream: usize, timestamp: i64, event_type: &'static str) -> Self {
        let Kind { action, source, logger, .. } = *kinds::kind(event_type);
        let mut texts = Vec::with_capacity(12);
        // Empty where the type says it all.
        texts.push((Member::Action, action.into()));
        Self {
            stream,
            seq: 0,
            id: Uuid::nil(),
            timestamp,
            event_type,
            level: "INFO",
            severity: Severity::Info,
            status: "",
            source,
            logger,
            duration_us: None,
            texts,
            flags: Vec::new(),
            details: Vec::new(),
            fact: Fact::None,
        }
    }

    pub(crate) fn text(mut self, member: Member, text: impl Into<Text>) -> Self {
        self.set(member, text.into());
        self
    }

    pub(crate) fn set(&mut self, member: Member, text: Text) {
        self.texts.push((member, text));
    }

    pub(crate) fn status(mut self, status: &'static str) -> Self {
        self.status = status;
        self
    }

    pub(crate) fn detail(mut self, name: &'static str, value: impl Into<Detail>) -> Self {
        self.details.push((name, value.into()));
        self
    }

    pub(crate) fn flag(mut self, name: &'static str, value: impl Into<Detail>) -> Self {
        self.flags.push((name, value.into()));
        self
    }

    pub(crate) fn took(mut self, micros: i64) -> Self {
        self.duration_us = Some(micros.unsigned_abs());
        self
    }

    pub(crate) fn graver(mut self, severity: Severity) -> Self {
        self.severity = severity;
        self.level = match severity {
            Severity::Debug | Severity::Info => "INFO",
            Severity::Warning => "WARN",
            Severity::Error | Severity::Critical => "ERROR",
        };
        self
    }

    pub(crate) fn fact(mut self, fact: Fact) -> Self {
        self.fact = fact;
        self
    }

    /// The category of its type.
    #[must_use]
    pub fn category(&self) -> &'static str {
        event_type::category(self.event_type)
    }

    /// The text of its `id`.
    #[must_use]
    pub fn id_text(&self) -> String {
        self.id.hyphenated().to_string()
    }

    /// A member that is text.
    #[must_use]
    pub fn member(&self, member: Member) -> Option<&str> {
        self.texts.iter().find(|(name, _)| *name == member).map(|(_, text)| &**text)
    }

    /// A detail that is text.
    #[must_use]
    pub fn detail_text(&self, name: &str) -> Option<&str> {
        self.details.iter().find_map(|(known, value)| match value {
            Detail::Text(text) if *known == name => Some(&**text),
            _ => None,
        })
    }

    /// The line of the record, chained to the one before it in its stream.
    #[must_use]
    pub fn seal(&self, stream: &str, before: Hash) -> Line {
        let mut draft = Draft::new(stream, self.seq, before, self.event_type, self.level);
        draft.id = self.id;
        draft.timestamp = self.timestamp;
        draft.severity = self.severity;
        draft.source = Some(self.source);
        draft.logger = self.logger;
        draft.duration_us = self.duration_us;
        draft.set_text(Member::Status, self.status);
        for (member, text) in &self.texts {
            draft.set_text(*member, text);
        }
        draft.details =
            self.details.iter().map(|(name, value)| ((*name).into(), value.value())).collect();
        draft.regulatory_flags =
            self.flags.iter().map(|(name, value)| ((*name).into(), value.value())).collect();
        draft.seal()
    }
}
