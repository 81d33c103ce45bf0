//! A record before it is written, and the line that it becomes.

use std::{borrow::Cow, ops::Range};

use base64::{Engine, engine::general_purpose::STANDARD};
use uuid::Uuid;

use super::{Hash, Member, Severity, VERSION, canonical, event_type, json, time::push_timestamp};

/// The value of a member of `details` or `regulatory_flags`.
#[derive(Debug, Clone, PartialEq)]
pub enum Value<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number, or a string beyond ±2^53.
    I64(i64),
    /// A number, or a string beyond 2^53.
    U64(u64),
    /// A number, or a string beyond ±2^53.
    I128(i128),
    /// A number, or a string beyond 2^53.
    U128(u128),
    /// A number, or a string when it is not finite.
    F64(f64),
    /// A string.
    Str(&'a str),
    /// A string of standard base64 with padding.
    Bytes(&'a [u8]),
    /// JSON that is canonical already.
    Json(Cow<'a, [u8]>),
}

impl Value<'_> {
    /// Appends the canonical JSON of the value.
    pub fn push(&self, out: &mut Vec<u8>) {
        match self {
            Value::Null => out.extend_from_slice(b"null"),
            Value::Bool(value) => out.extend_from_slice(if *value { b"true" } else { b"false" }),
            Value::I64(value) => canonical::push_i64(out, *value),
            Value::U64(value) => canonical::push_u64(out, *value),
            Value::I128(value) => canonical::push_i128(out, *value),
            Value::U128(value) => canonical::push_u128(out, *value),
            Value::F64(value) => canonical::push_f64(out, *value),
            Value::Str(value) => canonical::push_str(out, value),
            Value::Bytes(value) => canonical::push_str(out, &STANDARD.encode(value)),
            Value::Json(value) => out.extend_from_slice(value),
        }
    }
}

/// Everything that a record says, in any order; [`Draft::seal`] sorts and hashes it.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    /// The stream that the record belongs to.
    pub stream: &'a str,
    /// Its position there, from 1.
    pub seq: u64,
    /// The hash of the record before it.
    pub prev_hash: Hash,
    /// UUIDv7.
    pub id: Uuid,
    /// Microseconds since the Unix epoch.
    pub timestamp: i64,
    /// When an imported record was taken in, in microseconds since the Unix epoch.
    pub observed_at: Option<i64>,
    /// `TRACE` to `ERROR`.
    pub level: &'a str,
    /// The target of the event.
    pub logger: &'a str,
    /// `file:line`.
    pub source: Option<&'a str>,
    /// A valid event type; the category is taken from it.
    pub event_type: &'a str,
    /// How grave the event is.
    pub severity: Severity,
    /// Integer microseconds.
    pub duration_us: Option<u64>,
    /// The members of `regulatory_flags`.
    pub regulatory_flags: Vec<(Cow<'a, str>, Value<'a>)>,
    /// The members of `details`.
    pub details: Vec<(Cow<'a, str>, Value<'a>)>,
    /// Names that an event used twice, beside those that are twice in `details`.
    pub duplicates: Vec<Cow<'a, str>>,
    /// The paths of values that were cut.
    pub truncated: Vec<Cow<'a, str>>,
    text: [Option<&'a str>; Member::COUNT],
}

/// A finished record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The canonical JSON with its hash, without a line feed.
    pub text: Box<str>,
    /// The hash of the record.
    pub hash: Hash,
}

impl<'a> Draft<'a> {
    /// A record that says only what every record must.
    #[must_use]
    pub fn new(
        stream: &'a str,
        seq: u64,
        prev_hash: Hash,
        event_type: &'a str,
        level: &'a str,
    ) -> Self {
        Self {
            stream,
            seq,
            prev_hash,
            id: Uuid::nil(),
            timestamp: 0,
            observed_at: None,
            level,
            logger: "audit",
            source: None,
            event_type,
            severity: Severity::from_level(level),
            duration_us: None,
            regulatory_flags: Vec::new(),
            details: Vec::new(),
            duplicates: Vec::new(),
            truncated: Vec::new(),
            text: [None; Member::COUNT],
        }
    }

    /// Sets a member that is plain text and that events or spans may set. An empty text is absent.
    pub fn set_text(&mut self, member: Member, text: &'a str) {
        self.text[member as usize] = (!text.is_empty()).then_some(text);
    }

    /// The text of a member that [`Draft::set_text`] sets.
    #[must_use]
    pub fn text(&self, member: Member) -> Option<&'a str> {
        self.text[member as usize]
    }

    /// Appends the canonical line to `out`, without a hash of its own.
    pub(crate) fn write_into(&mut self, out: &mut Vec<u8>) -> Open {
        self.settle_duplicates();
        if !self.duplicates.is_empty() {
            // A detail of that name gives way to the list, which then names it too.
            let details = self.details.len();
            self.details.retain(|(name, _)| name != "duplicates");
            if self.details.len() < details && !self.duplicates.iter().any(|n| n == "duplicates") {
                self.duplicates.push(Cow::Borrowed("duplicates"));
                self.duplicates.sort_unstable();
            }
            let mut listed = Vec::new();
            push_strings(&mut listed, &self.duplicates);
            self.details.push((Cow::Borrowed("duplicates"), Value::Json(listed.into())));
            json::sort_members(&mut self.details, |(name, _)| name);
        }
        write(self, out)
    }

    /// Writes and seals the record.
    #[must_use]
    pub fn seal(mut self) -> Line {
        let mut out = Vec::with_capacity(1024);
        self.write_into(&mut out);
        let hash = Hash::seal(&mut out, 0);
        let text = match String::from_utf8(out) {
            Ok(text) => text,
            // Only strings, and JSON that was read from one, are ever written.
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        Line { text: text.into_boxed_str(), hash }
    }

    /// Sorts both objects, keeps the last of equal names and lists the names in `duplicates`.
    fn settle_duplicates(&mut self) {
        let duplicates = &mut self.duplicates;
        keep_last(&mut self.details, |name| duplicates.push(name));
        keep_last(&mut self.regulatory_flags, |name| {
            duplicates.push(Cow::Owned(format!("regulatory_flags.{name}")));
        });
        if duplicates.len() > 1 {
            duplicates.sort_unstable();
            duplicates.dedup();
        }
    }
}

fn keep_last<'a>(
    members: &mut Vec<(Cow<'a, str>, Value<'a>)>,
    mut twice: impl FnMut(Cow<'a, str>),
) {
    json::sort_members(members, |(name, _)| name);
    // `dedup_by` keeps the first of a run, so the run's later value is moved there.
    members.dedup_by(|later, kept| {
        let same = later.0 == kept.0;
        if same {
            std::mem::swap(&mut kept.1, &mut later.1);
            twice(later.0.clone());
        }
        same
    });
}

/// A line that lacks its own hash, and where it says what.
#[derive(Debug, Clone)]
pub(crate) struct Open {
    pub(crate) seq: u64,
    pub(crate) timestamp: i64,
    /// Places in the line.
    pub(crate) event_type: Range<usize>,
    pub(crate) id: Range<usize>,
    prev_hash: Range<usize>,
}

impl Open {
    /// Chains the line, which begins at `start` and ends `text`, to the record before it, and seals it.
    pub(crate) fn seal(&self, text: &mut Vec<u8>, start: usize, before: Hash) -> Hash {
        let place = start + self.prev_hash.start..start + self.prev_hash.end;
        if let Some(digits) = text.get_mut(place) {
            before.write_hex(digits);
        }
        Hash::seal(text, start)
    }
}

fn write(draft: &Draft<'_>, out: &mut Vec<u8>) -> Open {
    let (seq, timestamp) = (draft.seq, draft.timestamp);
    let mut open = Open { seq, timestamp, event_type: 0..0, id: 0..0, prev_hash: 0..0 };
    let mut object = Object { start: out.len(), out };
    for &member in Member::ALL {
        let name = member.label();
        match member {
            Member::Category => {
                object.str(name, event_type::category(draft.event_type));
            }
            Member::EventType => open.event_type = object.str(name, draft.event_type),
            Member::Stream => {
                object.str(name, draft.stream);
            }
            Member::Level => {
                object.str(name, draft.level);
            }
            Member::Logger => {
                object.str(name, draft.logger);
            }
            Member::Severity => {
                object.str(name, draft.severity.as_str());
            }
            Member::Source => {
                if let Some(source) = draft.source {
                    object.str(name, source);
                }
            }
            Member::Id => {
                let mut text = Uuid::encode_buffer();
                open.id = object.str(name, draft.id.hyphenated().encode_lower(&mut text));
            }
            Member::Timestamp => object.timestamp(name, draft.timestamp),
            Member::ObservedAt => {
                if let Some(observed_at) = draft.observed_at {
                    object.timestamp(name, observed_at);
                }
            }
            Member::PrevHash => {
                object.name(name).push(b'"');
                let start = object.out.len() - object.start;
                draft.prev_hash.push_hex(object.out);
                open.prev_hash = start..object.out.len() - object.start;
                object.out.push(b'"');
            }
            Member::Seq => canonical::push_u64(object.name(name), draft.seq),
            Member::V => canonical::push_u64(object.name(name), VERSION),
            Member::DurationUs => {
                if let Some(duration_us) = draft.duration_us {
                    canonical::push_u64(object.name(name), duration_us);
                }
            }
            Member::Details => object.members(name, &draft.details),
            Member::RegulatoryFlags => object.members(name, &draft.regulatory_flags),
            Member::Truncated => {
                if !draft.truncated.is_empty() {
                    push_strings(object.name(name), &draft.truncated);
                }
            }
            Member::Action
            | Member::CorrelationId
            | Member::DataClassification
            | Member::IpAddress
            | Member::Message
            | Member::RequestId
            | Member::Resource
            | Member::SessionId
            | Member::SpanId
            | Member::Status
            | Member::Tenant
            | Member::TraceId
            | Member::UserId
            | Member::Username => {
                if let Some(text) = draft.text(member) {
                    object.str(name, text);
                }
            }
        }
    }
    out.push(b'}');
    open
}

/// An object that is being written: knows only whether a comma is due.
struct Object<'o> {
    start: usize,
    out: &'o mut Vec<u8>,
}

impl Object<'_> {
    /// `label` begins with a comma, in whose place the first one has a brace.
    fn name(&mut self, label: &str) -> &mut Vec<u8> {
        let is_first = self.out.len() == self.start;
        self.out.extend_from_slice(label.as_bytes());
        if is_first && let Some(comma) = self.out.get_mut(self.start) {
            *comma = b'{';
        }
        self.out
    }

    /// Returns where the text stands in the object, if it needs no escapes.
    fn str(&mut self, name: &str, text: &str) -> Range<usize> {
        canonical::push_str(self.name(name), text);
        let end = self.out.len() - self.start - 1;
        end - text.len()..end
    }

    fn timestamp(&mut self, name: &str, micros: i64) {
        let out = self.name(name);
        out.push(b'"');
        push_timestamp(out, micros);
        out.push(b'"');
    }

    fn members(&mut self, name: &str, members: &[(Cow<'_, str>, Value<'_>)]) {
        if members.is_empty() {
            return;
        }
        let out = self.name(name);
        for (at, (name, value)) in members.iter().enumerate() {
            out.push(if at == 0 { b'{' } else { b',' });
            canonical::push_str(out, name);
            out.push(b':');
            value.push(out);
        }
        out.push(b'}');
    }
}

fn push_strings(out: &mut Vec<u8>, strings: &[Cow<'_, str>]) {
    out.push(b'[');
    for (at, text) in strings.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        canonical::push_str(out, text);
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minimal() -> Draft<'static> {
        Draft::new("payments@web-1~k3x9q2", 1, Hash::ZERO, "auth.login", "INFO")
    }

    #[test]
    fn a_line_is_canonical_json_with_its_hash_at_the_end() {
        let mut draft = minimal();
        draft.set_text(Member::UserId, "u-1");
        draft.set_text(Member::Message, "hello \"you\"\n");
        draft.set_text(Member::Username, "");
        draft.duration_us = Some(5);
        draft.truncated.push("details.x".into());
        draft.details = vec![("z".into(), Value::Null), ("a".into(), Value::Bytes(b"\x00\xff"))];
        draft.regulatory_flags = vec![("SOX".into(), Value::Bool(true))];
        let line = draft.seal();

        let value: serde_json::Value = serde_json::from_str(&line.text).unwrap();
        assert!(value.get("username").is_none(), "an empty member is absent");
        let mut without_hash = value.clone();
        without_hash.as_object_mut().unwrap().remove("hash");
        let library = serde_json_canonicalizer::to_string(&without_hash).unwrap();
        assert_eq!(line.hash, Hash::of(library.as_bytes()));
        assert_eq!(
            line.text.as_ref(),
            format!("{},\"hash\":\"{}\"}}", &library[..library.len() - 1], line.hash)
        );
        assert_eq!(value["details"], serde_json::json!({"a": "AP8=", "z": null}));
    }

    #[test]
    fn of_two_equal_names_the_last_wins_and_the_name_is_listed() {
        let mut draft = minimal();
        draft.details = vec![
            ("b".into(), Value::I64(1)),
            ("a".into(), Value::I64(2)),
            ("b".into(), Value::I64(3)),
        ];
        draft.regulatory_flags =
            vec![("SOX".into(), Value::Bool(true)), ("SOX".into(), Value::Bool(false))];
        draft.duplicates.push("user_id".into());
        let line = draft.seal();
        let value: serde_json::Value = serde_json::from_str(&line.text).unwrap();
        assert_eq!(
            value["details"],
            serde_json::json!({"a": 2, "b": 3, "duplicates": ["b", "regulatory_flags.SOX", "user_id"]})
        );
        assert_eq!(value["regulatory_flags"], serde_json::json!({"SOX": false}));
    }
}
