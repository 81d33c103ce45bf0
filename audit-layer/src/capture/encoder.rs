//! The visitor that writes an event's fields into a frame.

use std::{
    fmt::{self, Write as _},
    panic::{AssertUnwindSafe, catch_unwind},
};

use tracing_core::field::{Field, Visit};

use super::{
    plan::Plan,
    protection::Protection,
    redaction::{REDACTED, Rules},
    role::Role,
    value,
};
use crate::{
    config::Durable,
    journal::frame::{Captured, Entries, Key, Mark, Text},
    record::{Member, Value},
};

/// What a value whose formatting panicked is recorded as.
const PANICKED: &str = "[panicked while formatting]";

/// A set of members.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Members {
    bits: u64,
    /// Whether something is still to be hashed or sealed, in any value that came with them.
    pub(crate) marked: bool,
}

impl Members {
    pub(crate) fn insert(&mut self, member: Member) {
        self.bits |= 1 << member as u8;
    }

    pub(crate) fn has(self, member: Member) -> bool {
        self.bits & (1 << member as u8) != 0
    }

    pub(crate) fn has_any(self, others: Self) -> bool {
        self.bits & others.bits != 0
    }

    pub(crate) fn insert_all(&mut self, others: Self) {
        self.bits |= others.bits;
        self.marked |= others.marked;
    }

    pub(crate) fn len(self) -> u32 {
        self.bits.count_ones()
    }
}

/// How an event turned out; ordered, gravest last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Outcome {
    #[default]
    Success,
    Denied,
    Failure,
    Error,
}

impl Outcome {
    pub(crate) fn of_status(status: &str) -> Self {
        match status {
            "denied" => Self::Denied,
            "failure" => Self::Failure,
            "error" => Self::Error,
            _ => Self::Success,
        }
    }

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Success => "success",
            Self::Denied => "denied",
            Self::Failure => "failure",
            Self::Error => "error",
        }
    }
}

/// Writes fields as entries. Members that hold text get it here, whatever type the field has.
#[derive(Debug)]
pub(crate) struct Encoder<'e, 'b> {
    pub(crate) entries: &'e mut Entries<'b>,
    pub(crate) plan: &'e Plan,
    /// What else is taken out than the fields that the plan says.
    pub(crate) rules: &'e Rules,
    /// What values are hashed and sealed with.
    pub(crate) protection: &'e Protection,
    /// Members that the fields set to something.
    pub(crate) set: Members,
    pub(crate) outcome: Outcome,
    /// Only members that spans give to the events inside them are wanted.
    pub(crate) context_only: bool,
    /// Which events are durable at once, if any are.
    pub(crate) durable: Option<&'e Durable>,
    /// Whether this one is.
    pub(crate) is_durable: bool,
}

/// Where a field goes, and whether its value must be text.
struct Place {
    key: Key,
    text: Option<Member>,
}

impl Encoder<'_, '_> {
    /// Where the field goes; none when it goes nowhere, or is a secret, of which is written that it was there.
    fn place(&mut self, field: &Field) -> Option<Place> {
        let place = self.open_place(field)?;
        if self.plan.is_secret(field.index()) {
            self.hide(&place);
            return None;
        }
        Some(place)
    }

    #[cold]
    fn hide(&mut self, place: &Place) {
        self.entries.mark = Mark::None;
        self.text(place, |text| text.push(REDACTED));
    }

    /// The same of a value that tells no secret, whatever its name is.
    fn open_place(&mut self, field: &Field) -> Option<Place> {
        let index = field.index();
        let mark = self.plan.mark(index);
        self.entries.mark = mark;
        self.set.marked |= mark != Mark::None;
        match self.plan.roles.get(index)? {
            Role::Member(member) => {
                if self.context_only && !member.is_context() {
                    return None;
                }
                let typed = matches!(
                    member,
                    Member::DurationUs | Member::Details | Member::RegulatoryFlags
                );
                Some(Place { key: Key::Member(*member), text: (!typed).then_some(*member) })
            }
            Role::Detail(_) | Role::Flag(_) => {
                (!self.context_only).then_some(Place { key: Key::Field(index), text: None })
            }
        }
    }

    /// Writes a value that is text by itself, or becomes text.
    fn text(&mut self, place: &Place, write: impl FnOnce(&mut Text<'_>)) {
        let durable = self.durable;
        let mut is_durable = false;
        let mut mark = Mark::None;
        let outcome = self.entries.with_text(place.key, |text| {
            write(text);
            mark = text.mark();
            if let Some((durable, member)) = durable.zip(place.text) {
                is_durable = durable.wants(member, text.as_bytes());
            }
            // Most is plain text, which sets a member unless it is empty: nothing is read again.
            let read = || {
                let written = str::from_utf8(text.as_bytes()).unwrap_or_default();
                if text.is_json() {
                    Captured::Json(written)
                } else {
                    Captured::Plain(Value::Str(written))
                }
            };
            let sets = match place.text {
                Some(member) if text.is_json() && mark != Mark::Seal => read().sets(member),
                _ => text.len() > 0,
            };
            sets.then(|| match place.text {
                Some(Member::Status) => Outcome::of_status(read().as_text().unwrap_or_default()),
                _ => Outcome::Success,
            })
        });
        self.is_durable |= is_durable;
        self.set.marked |= mark != Mark::None;
        if let (Some(outcome), Key::Member(member)) = (outcome, place.key) {
            self.set.insert(member);
            self.outcome = self.outcome.max(outcome);
        }
    }
}

macro_rules! typed {
    ($($record:ident $entry:ident $type:ty, $place:ident, $is_secret:expr;)+) => {
        $(fn $record(&mut self, field: &Field, value: $type) {
            let Some(place) = self.$place(field) else { return };
            if let Key::Field(index) = place.key
                && self.entries.mark == Mark::None
                && $is_secret(self.rules, value)
                && !self.plan.is_kept(index)
            {
                return self.hide(&place);
            }
            if place.text.is_some() {
                self.text(&place, |text| {
                    // Writing into a buffer does not fail.
                    let _ = write!(text, "{value}");
                });
            } else {
                if let Key::Member(member) = place.key {
                    self.set.insert(member);
                }
                self.entries.$entry(place.key, value);
            }
        })+
    };
}

impl Visit for Encoder<'_, '_> {
    typed! {
        record_i64 i64 i64, place, Rules::hide_number;
        record_u64 u64 u64, place, Rules::hide_number;
        record_i128 i128 i128, place, Rules::hide_number;
        record_u128 u128 u128, place, Rules::hide_number;
        record_f64 f64 f64, place, |_, _| false;
        record_bool bool bool, open_place, |_, _| false;
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let Some(place) = self.place(field) else { return };
        if !self.entries.try_str(place.key, value) {
            return self.text(&place, |text| text.push(value));
        }
        if let Some(member) = place.text
            && !value.is_empty()
        {
            self.set.insert(member);
            if member == Member::Status {
                self.outcome = self.outcome.max(Outcome::of_status(value));
            } else if let Some(durable) = self.durable {
                self.is_durable |= durable.wants(member, value.as_bytes());
            }
        } else if let Key::Member(member) = place.key
            && !value.is_empty()
        {
            self.set.insert(member);
        }
    }

    fn record_bytes(&mut self, field: &Field, value: &[u8]) {
        let Some(place) = self.place(field) else { return };
        if place.text.is_some() {
            use base64::{Engine, engine::general_purpose::STANDARD};
            let kept = &value[..value.len().min(crate::record::MAX_VALUE_BYTES)];
            self.text(&place, |text| text.push(&STANDARD.encode(kept)));
        } else {
            self.entries.bytes(place.key, value);
        }
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let Some(place) = self.place(field) else { return };
        self.text(&place, |text| {
            formatted(text, |text| {
                write!(text, "{value}")?;
                let mut cause = value.source();
                while let Some(error) = cause {
                    write!(text, ": {error}")?;
                    cause = error.source();
                }
                Ok(())
            });
        });
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let Some(place) = self.place(field) else { return };
        let protection = self.protection;
        self.text(&place, |text| formatted(text, |text| value::format(text, value, protection)));
    }

    #[cfg(tracing_unstable)]
    fn record_value(&mut self, field: &Field, value: valuable::Value<'_>) {
        let Some(place) = self.place(field) else { return };
        self.text(&place, |text| {
            formatted(text, |text| {
                if value::write_text(text, &value)? {
                    return Ok(());
                }
                value::write_json(text, &value);
                if !text.is_cut() {
                    text.mark_json();
                }
                Ok(())
            });
        });
    }
}

/// Formats in a net: a panic of the value's own code leaves a mark in place of the value.
fn formatted(text: &mut Text<'_>, format: impl FnOnce(&mut Text<'_>) -> fmt::Result) {
    // The buffer is cut back to where the value began, so no half-written state is seen.
    if !matches!(catch_unwind(AssertUnwindSafe(|| format(text))), Ok(Ok(()))) {
        text.truncate(0);
        text.clear_mark();
        text.push(PANICKED);
    }
}
