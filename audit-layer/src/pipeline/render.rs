//! From a frame to a record's line.
//!
//! What an event says of a member is taken at its word only when it fits the member. What does not
//! fit is kept in `details` under the same name, so that nothing an event said is lost.

use std::{borrow::Cow, ops::Deref, time::Duration};

use super::lines::Lines;
use crate::{
    capture::{Plan, Role},
    clock,
    journal::frame::{self, Captured, Key, NOT_IMPORTED},
    record::{
        Classification, DEFAULT_EVENT_TYPE, Draft, EventType, Hash, Member, Severity, Value,
        canonicalise, canonicalise_object,
    },
};

/// The lines know it.
const NO_STREAM: &str = "";

/// Writes the line of the record `seq`. `plan_of` knows the callsites by their numbers. Returns
/// whether the frame could be read.
pub(super) fn render<P: Deref<Target = Plan>>(
    frame: &[u8],
    plan_of: impl FnOnce(u32) -> Option<P>,
    seq: u64,
    lines: &mut Lines,
) -> bool {
    let Some(header) = frame::header(frame) else { return false };
    let Some(plan) = plan_of(header.callsite) else { return false };
    let mut draft = Draft::new(NO_STREAM, seq, Hash::ZERO, DEFAULT_EVENT_TYPE, plan.level.as_str());
    draft.id = header.id;
    draft.timestamp = header.time;
    draft.observed_at = (header.observed_at != NOT_IMPORTED).then_some(header.observed_at);
    draft.logger = &plan.target;
    draft.source = plan.source.as_deref();

    draft.details.reserve(plan.roles.len());
    let mut filler = Filler { draft: &mut draft, plan: &plan, seen: 0 };
    for entry in frame::entries(frame) {
        filler.entry(entry.key, entry.value, entry.cut);
    }
    lines.push(&mut draft);
    true
}

/// Writes the line in the place of an event that was accepted and cannot be read any more. It is
/// the same record whenever it is made: `time` is that of the next event that could be read.
pub(super) fn render_lost(time: i64, seq: u64, lines: &mut Lines) {
    let stream = lines.stream();
    let event_type = EventType::SystemAuditGap;
    let random = Hash::of(format!("{stream} {seq} lost").as_bytes());
    let (_, random) = random.as_bytes().split_at(16);
    let random = random.first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes));
    let mut draft = Draft::new(NO_STREAM, seq, Hash::ZERO, event_type.as_str(), "INFO");
    draft.id = clock::uuid_v7(Duration::from_micros(time.unsigned_abs()), random);
    draft.timestamp = time;
    draft.severity = Severity::Error;
    draft.set_text(Member::Status, "failure");
    draft.set_text(Member::Message, "an event that was accepted was damaged in the journal");
    draft.set_text(Member::DataClassification, Classification::Internal.as_str());
    draft.details = vec![("cause".into(), Value::Str("damaged")), ("count".into(), Value::U64(1))];
    lines.push(&mut draft);
}

struct Filler<'d, 'f> {
    draft: &'d mut Draft<'f>,
    plan: &'f Plan,
    /// Members that an entry has set, as bits.
    seen: u64,
}

impl<'f> Filler<'_, 'f> {
    fn entry(&mut self, key: Key, value: Captured<'f>, cut: bool) {
        match key {
            Key::Member(member) => self.member(member, value, cut),
            Key::Field(index) => match self.plan.roles.get(index) {
                Some(Role::Detail(name)) => self.detail(name, value, cut),
                Some(Role::Flag(name)) => {
                    if cut {
                        self.draft.truncated.push(format!("regulatory_flags.{name}").into());
                    }
                    let value = plain(value);
                    self.draft.regulatory_flags.push((Cow::Borrowed(name), value));
                }
                // Members are keyed by themselves, and an index that the plan lacks is damage.
                Some(Role::Member(_)) | None => {}
            },
        }
    }

    fn detail(&mut self, name: &'f str, value: Captured<'f>, cut: bool) {
        if cut {
            self.draft.truncated.push(format!("details.{name}").into());
        }
        self.draft.details.push((Cow::Borrowed(name), plain(value)));
    }

    fn member(&mut self, member: Member, value: Captured<'f>, cut: bool) {
        // A value that turns out not to fit leaves the member as it was.
        let fits = match member {
            Member::Details | Member::RegulatoryFlags => return self.merge(member, value, cut),
            Member::DurationUs => value.as_duration_us().is_some(),
            _ => match value.as_text() {
                Some("") if !cut => return,
                Some(text) => member.fits(text),
                None => false,
            },
        };
        if !fits {
            return self.detail(member.name(), value, cut);
        }
        if cut {
            self.draft.truncated.push(member.name().into());
        }
        let bit = 1 << member as u8;
        if self.seen & bit != 0 {
            self.draft.duplicates.push(member.name().into());
        }
        self.seen |= bit;
        match (member, value.as_text()) {
            (Member::DurationUs, _) => self.draft.duration_us = value.as_duration_us(),
            (Member::EventType, Some(text)) => self.event_type(text),
            (Member::Severity, Some(text)) => {
                self.draft.severity = Severity::read(text).unwrap_or(self.draft.severity);
            }
            (_, Some(text)) => self.draft.set_text(member, text),
            (_, None) => {}
        }
    }

    fn event_type(&mut self, text: &'f str) {
        match EventType::from_plain_name(text) {
            Some(standard) => {
                self.draft.event_type = standard.as_str();
                self.detail("event_type", Captured::Plain(Value::Str(text)), false);
            }
            None => self.draft.event_type = text,
        }
    }

    /// Takes in an object, or text that is one, member by member.
    fn merge(&mut self, member: Member, value: Captured<'f>, cut: bool) {
        let (Captured::Json(text) | Captured::Plain(Value::Str(text))) = &value else {
            return self.detail(member.name(), value, cut);
        };
        match canonicalise_object(text) {
            Ok(members) => {
                if cut {
                    self.draft.truncated.push(member.name().into());
                }
                let into = match member {
                    Member::RegulatoryFlags => &mut self.draft.regulatory_flags,
                    _ => &mut self.draft.details,
                };
                into.extend(
                    members
                        .into_iter()
                        .map(|(name, json)| (Cow::Owned(name), Value::Json(Cow::Owned(json)))),
                );
            }
            Err(_) if member == Member::RegulatoryFlags && text.is_empty() && !cut => {}
            Err(_) => self.detail(member.name(), value, cut),
        }
    }
}

fn plain(value: Captured<'_>) -> Value<'_> {
    match value {
        Captured::Plain(value) => value,
        Captured::Json(text) => {
            let mut json = Vec::with_capacity(text.len());
            match canonicalise(text, &mut json) {
                Ok(()) => Value::Json(Cow::Owned(json)),
                Err(_) => Value::Str(text),
            }
        }
    }
}
