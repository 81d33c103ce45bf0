//! Values are hashed and sealed once all of an event is known, before it goes anywhere.
//!
//! While an event is recorded, and while what is in the spans around it is copied, a value that is to be hashed or sealed is in the
//! buffer of the thread as it came, with a [`Mark`]. What it is sealed under is known only behind the last of them: the `tenant` may
//! come from a span, or from a field behind; `data_subject` and `data_classification` may, too; a value may be
//! recorded into a span later. So all that is marked is done here, in one go, into another buffer, and the old one is
//! wiped. What the journal gets has no mark left: a frame that has one cannot be read ([`frame`](crate::journal::frame)).
//!
//! The stream is that of the journal that the event goes into. It never changes while a layer lives: a journal that is lost or held by
//! another process means another stream before the first event, a forked child records nothing through the layer
//! of its parent, and the journal of a dead writer is delivered under its own name.
//!
//! # What wins
//! 1. *Redacted* by name, which is done already: `[redacted]` is neither sealed nor hashed.
//! 2. *Sealed*, by its name or by [`sealed`](crate::sealed).
//! 3. *Hashed*, by its name or by [`hashed`](crate::hashed).
//! 4. *Sealed* because the record is classified so: every other value that becomes a detail.
//!
//! # Where a mark stands
//! In the place of the value. A member of a record that is text cannot hold the object that a sealed value is, and what does not fit a
//! member is a detail of the same name. Of `details` and `regulatory_flags` as a whole, each member is sealed by itself; if
//! these are so many that their marks have no room in a frame, all of them as one member.
//! A text with something within it that is to be sealed by its name is sealed as a whole.
//!
//! When there is no key to be had, the keyring being locked, full or gone, the value is `[redacted]`, and counted: rather
//! lost than in clear.
//!
//! Rejected: to seal while a field is visited (its tenant may come behind it), or in the pipeline (what is in the
//! journal is on a disk).

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use super::{
    redaction::{Marks, Members, REDACTED, Rules, is_structured},
    role::Role,
};
use crate::{
    diagnostics,
    journal::frame::{self, Captured, Entries, EntryIter, HEADER, Key, MAX_FRAME, Mark, RawEntry},
    keyring::{HashingKey, Keys, Place, SealingKey},
    record::{self, Classification, Member, Value, push_name, text_of_json},
    wipe::wipe,
};

/// What a layer hashes and seals with.
#[derive(Debug)]
pub(crate) struct Protection {
    stream: Box<str>,
    keys: Option<Arc<Keys>>,
    /// Values that should have been hashed or sealed, and are `[redacted]`.
    withheld: AtomicU64,
}

impl Protection {
    pub(crate) fn new(stream: &str, keys: Option<Arc<Keys>>) -> Self {
        Self { stream: stream.into(), keys, withheld: AtomicU64::new(0) }
    }

    pub(crate) fn has_keys(&self) -> bool {
        self.keys.is_some()
    }

    pub(crate) fn keys(&self) -> Option<&Keys> {
        self.keys.as_deref()
    }

    /// How many values should have been hashed or sealed, and are `[redacted]`.
    pub(crate) fn withheld(&self) -> u64 {
        self.withheld.load(Relaxed)
    }

    /// Counts values that are withheld, and says so the first time.
    pub(crate) fn withhold(&self, count: u64, why: impl fmt::Display) {
        if count > 0 && self.withheld.fetch_add(count, Relaxed) == 0 {
            diagnostics::warn(&format!(
                "a value that was to be hashed or sealed is recorded as {REDACTED}: {why}"
            ));
        }
    }

    /// Does in a frame what its marks say, and what the classification of the event does.
    #[cold]
    pub(crate) fn apply(&self, rules: &Rules, bytes: &mut Vec<u8>, roles: &[Role]) {
        let Some(header) = frame::header(bytes) else { return };
        let (head, values) = bytes.split_at_checked(HEADER).unwrap_or_default();
        let event = Event::of(values, roles, rules);
        if !event.is_marked && !event.is_classified {
            return;
        }
        let mut marker = Marker {
            protection: self,
            subject: event.subject,
            id: header.id.hyphenated().to_string(),
            tenant: String::new(),
            hashing: None,
            sealing: None,
            room: MAX_FRAME.saturating_sub(bytes.len()),
            is_full: false,
            withheld: 0,
            why: None,
        };
        let mut hashed = Vec::with_capacity(values.len() + 128);
        let mut entries = Entries::new(&mut hashed);
        EntryIter::of(values).for_each(|entry| marker.hash(entry, rules, roles, &mut entries));
        marker.tenant = tenant(&hashed).to_owned();
        marker.room = MAX_FRAME.saturating_sub(HEADER + hashed.len());
        let mut out = Vec::with_capacity(bytes.len() * 2 + 256);
        out.extend_from_slice(head);
        let mut entries = Entries::new(&mut out);
        for entry in EntryIter::of(&hashed) {
            marker.seal(entry, event.is_classified, rules, roles, &mut entries);
        }
        self.withhold(marker.withheld, marker.why.as_deref().unwrap_or("there is no room for it"));
        std::mem::swap(bytes, &mut out);
        wipe(&mut out);
        wipe(&mut hashed);
    }
}

/// What has to be known of an event before anything in it is sealed.
#[derive(Debug, Default)]
struct Event {
    subject: Option<String>,
    is_classified: bool,
    is_marked: bool,
}

impl Event {
    fn of(values: &[u8], roles: &[Role], rules: &Rules) -> Self {
        let mut event = Self::default();
        for entry in EntryIter::of(values) {
            event.is_marked |= entry.mark != Mark::None;
            match entry.key {
                Key::Member(Member::DataClassification) => {
                    let read =
                        entry.value.as_text().and_then(|text| text.parse::<Classification>().ok());
                    if let (Some(read), Some(from)) = (read, rules.classified()) {
                        event.is_classified = from <= read;
                    }
                }
                Key::Member(Member::RegulatoryFlags) => {
                    let (Captured::Json(text) | Captured::Plain(Value::Str(text))) = entry.value
                    else {
                        continue;
                    };
                    let members = record::members(text).unwrap_or_default();
                    for (_, value) in members.iter().filter(|(name, _)| name == SUBJECT) {
                        event.subject = subject(value.get());
                    }
                }
                Key::Field(index) => {
                    if matches!(roles.get(index), Some(Role::Flag(name)) if **name == *SUBJECT) {
                        event.subject = subject(&json_of(&entry.value));
                    }
                }
                Key::Member(_) => {}
            }
        }
        event
    }
}

/// The flag that names who a record concerns.
const SUBJECT: &str = "data_subject";

/// Whom a value names: a text, or a number as it is written.
fn subject(json: &str) -> Option<String> {
    let is_name = matches!(json.as_bytes().first()?, b'"' | b'-' | b'0'..=b'9');
    let text = text_of_json(json);
    (is_name && !text.is_empty() && text != REDACTED).then(|| text.into_owned())
}

/// What the member `tenant` of the record will be; empty when it has none.
fn tenant(hashed: &[u8]) -> &str {
    let mut tenant = "";
    for entry in EntryIter::of(hashed) {
        if entry.key == Key::Member(Member::Tenant)
            && matches!(entry.mark, Mark::None | Mark::Hash)
            && let Some(text) = entry.value.as_text()
            && (!text.is_empty() || entry.cut)
        {
            tenant = text;
        }
    }
    tenant
}

/// The canonical JSON of a value.
fn json_of(value: &Captured<'_>) -> String {
    let mut json = Vec::new();
    match value {
        Captured::Plain(value) => value.push(&mut json),
        Captured::Json(text) => {
            if record::canonicalise(text, &mut json).is_err() {
                record::push_str(&mut json, text);
            }
        }
    }
    // All that is written there is text.
    String::from_utf8(json).unwrap_or_default()
}

/// Makes the marks of one event.
struct Marker<'p> {
    protection: &'p Protection,
    subject: Option<String>,
    id: String,
    tenant: String,
    /// The keys, once one was asked for; none when there is none to be had.
    hashing: Option<Option<HashingKey>>,
    sealing: Option<Option<SealingKey>>,
    /// How much longer the frame may become.
    room: usize,
    /// A mark found no room.
    is_full: bool,
    withheld: u64,
    why: Option<String>,
}

impl Marker<'_> {
    /// Copies an entry, and hashes it, or what is within its text, if that is to be. One that is hashed keeps
    /// its mark: it is not sealed then.
    fn hash(
        &mut self,
        mut entry: RawEntry<'_>,
        rules: &Rules,
        roles: &[Role],
        into: &mut Entries<'_>,
    ) {
        let mut text = None;
        match entry.mark {
            Mark::Hash => {
                let json = json_of(&entry.value);
                let said = text_of_json(&json);
                if said != REDACTED && json != "null" {
                    text = Some(self.hash_mark(&said));
                }
            }
            Mark::Within if !is_structured(&entry) => {
                if rules.seals_in_text(&entry, roles) {
                    entry.mark = Mark::Seal;
                } else {
                    entry.mark = Mark::None;
                    text = rules.hash_in_text(&entry, roles, &mut |said| self.hash_mark(said));
                }
            }
            _ => {}
        }
        let Some(mut text) = text else { return into.put(&entry) };
        let growth = text.len().saturating_sub(entry.bytes.len());
        if growth > self.room {
            self.withheld += 1;
            entry.cut = true;
            text = REDACTED.to_owned();
        } else {
            self.room -= growth;
        }
        if entry.mark == Mark::Hash {
            into.put_text(&entry, &text);
        } else {
            into.put_other(&entry, &text);
        }
    }

    /// Copies an entry, and seals it, or what is within, if that is to be.
    fn seal(
        &mut self,
        mut entry: RawEntry<'_>,
        is_classified: bool,
        rules: &Rules,
        roles: &[Role],
        into: &mut Entries<'_>,
    ) {
        let Some(landing) = Landing::of(&entry, roles) else { return };
        let mark = std::mem::take(&mut entry.mark);
        let members = match mark {
            Mark::Seal => Members::All,
            Mark::None | Mark::Within if is_classified && landing.is_detail => Members::Unhashed,
            Mark::Within => Members::Named,
            Mark::None | Mark::Hash => return into.put(&entry),
        };
        self.room += entry.bytes.len();
        let (room, withheld) = (self.room, self.withheld);
        self.is_full = false;
        let mut json = None;
        if landing.is_merged || members == Members::Named {
            json = rules.mark_in_json(&entry, roles, &landing.pointer, members, self);
        }
        // What cannot be read, or has more members than there is room for marks, is sealed as a whole.
        if self.is_full || json.as_ref().is_none_or(|json| json.len() > room) {
            (self.room, self.withheld, self.is_full) = (room, withheld, false);
            json = self.seal_whole(&entry, &landing);
        }
        entry.cut |= self.is_full;
        let length = json.as_ref().map_or(entry.bytes.len(), String::len);
        self.room = room.saturating_sub(length);
        match json {
            Some(json) => into.put_json(&entry, &json),
            None => into.put(&entry),
        }
    }

    /// The JSON in the place of an entry; none when all of it was taken out before.
    fn seal_whole(&mut self, entry: &RawEntry<'_>, landing: &Landing) -> Option<String> {
        let json = json_of(&entry.value);
        (text_of_json(&json) != REDACTED).then(|| {
            let mark = self.seal_mark(&landing.whole, &json);
            match landing.wrap {
                Some(name) => format!(r#"{{"{name}":{mark}}}"#),
                None => mark,
            }
        })
    }

    fn hash_mark(&mut self, text: &str) -> String {
        let Self { protection, hashing, why, .. } = self;
        let key = hashing.get_or_insert_with(|| {
            let key = protection.keys()?.hashing();
            key.map_err(|error| *why = Some(error.to_string())).ok()
        });
        match key {
            Some(key) => key.mark(text),
            None => {
                self.withheld += 1;
                REDACTED.to_owned()
            }
        }
    }

    /// The JSON of a mark.
    fn seal_mark(&mut self, pointer: &str, json: &str) -> String {
        let Self { protection, sealing, why, subject, .. } = self;
        let key = sealing.get_or_insert_with(|| {
            let key = protection.keys()?.sealing(subject.as_deref());
            key.map_err(|error| *why = Some(error.to_string())).ok()
        });
        let place = Place { stream: &protection.stream, id: &self.id, tenant: &self.tenant };
        let mark = key.as_ref().and_then(|key| key.seal(&place, pointer, json.as_bytes()));
        match mark {
            Some(mark) if mark.len() <= self.room => {
                self.room -= mark.len();
                mark
            }
            other => {
                self.is_full |= other.is_some();
                self.withheld += 1;
                format!("\"{REDACTED}\"")
            }
        }
    }
}

impl Marks for Marker<'_> {
    fn hash(&mut self, text: &str) -> String {
        format!("\"{}\"", self.hash_mark(text))
    }

    fn seal(&mut self, pointer: &str, json: &str) -> String {
        self.seal_mark(pointer, json)
    }
}

/// Where in the record the value of an entry will stand.
#[derive(Debug)]
struct Landing {
    /// A JSON pointer.
    pointer: String,
    /// Where the mark stands when it is sealed as a whole.
    whole: String,
    /// The name that the mark has to be given then: as it is it would be taken for the object that `details` is.
    wrap: Option<&'static str>,
    /// Its members become those of `details` or `regulatory_flags`.
    is_merged: bool,
    is_detail: bool,
}

impl Landing {
    /// None when the value does not reach the record.
    fn of(entry: &RawEntry<'_>, roles: &[Role]) -> Option<Self> {
        let pointer = |names: &[&str]| {
            let mut pointer = String::new();
            names.iter().for_each(|name| push_name(&mut pointer, name));
            pointer
        };
        let at = |parent: Member, name: &str, is_detail| {
            let whole = pointer(&[parent.name(), name]);
            Self { pointer: whole.clone(), whole, wrap: None, is_merged: false, is_detail }
        };
        let is_absent = entry.value.as_text() == Some("") && !entry.cut;
        Some(match entry.key {
            Key::Field(index) => match roles.get(index)? {
                Role::Detail(name) => at(Member::Details, name, true),
                Role::Flag(name) => at(Member::RegulatoryFlags, name, false),
                Role::Member(_) => return None,
            },
            Key::Member(member @ (Member::Details | Member::RegulatoryFlags)) => {
                let name = member.name();
                let is_merged = is_structured(entry) && is_object(&entry.value);
                let is_flags = member == Member::RegulatoryFlags;
                Self {
                    pointer: if is_merged { pointer(&[name]) } else { pointer(&["details", name]) },
                    whole: pointer(&[name, name]),
                    wrap: Some(name),
                    is_merged,
                    is_detail: !(is_flags && (is_merged || is_absent)),
                }
            }
            Key::Member(member) => {
                let fits = match member {
                    Member::DurationUs => entry.value.as_duration_us().is_some(),
                    _ => entry.value.as_text().is_some_and(|text| member.fits(text)),
                };
                at(Member::Details, member.name(), !fits && !is_absent)
            }
        })
    }
}

fn is_object(value: &Captured<'_>) -> bool {
    match value {
        Captured::Json(text) | Captured::Plain(Value::Str(text)) => {
            text.trim_start().starts_with('{')
        }
        Captured::Plain(_) => false,
    }
}
