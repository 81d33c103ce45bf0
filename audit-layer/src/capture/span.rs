//! What a span gives to the events inside it, and the record that an audit span becomes.

use std::{
    sync::atomic::{AtomicU8, Ordering::Relaxed},
    time::Instant,
};

use super::{
    encoder::{Members, Outcome},
    plan::Plan,
};
use crate::{
    journal::frame::{Entries, EntryIter, Key, Mark},
    record::Member,
    wipe::wipe,
};

/// The state of one layer in a span's extensions.
#[derive(Debug)]
pub(crate) struct SpanState {
    /// Which layer of the process it belongs to.
    layer: usize,
    /// Entries of every field that matters; of a span that is not an audit span, its context only.
    entries: Vec<u8>,
    set: Members,
    /// The entries are context that sets something, each member once: they can be copied together.
    is_plain: bool,
    /// For a span that becomes a record when it closes.
    pub(crate) own: Option<OwnRecord>,
}

#[derive(Debug)]
pub(crate) struct OwnRecord {
    pub(crate) plan: &'static Plan,
    pub(crate) started: Instant,
    /// Whether the span began while a panic unwound already.
    unwinding: bool,
    worst: AtomicU8,
}

impl OwnRecord {
    pub(crate) fn new(plan: &'static Plan) -> Self {
        Self {
            plan,
            started: Instant::now(),
            unwinding: std::thread::panicking(),
            worst: AtomicU8::new(0),
        }
    }

    /// Takes note of a panic that unwinds through the span now.
    pub(crate) fn see_panic(&self) {
        if std::thread::panicking() && !self.unwinding {
            self.saw(Outcome::Error);
        }
    }

    fn saw(&self, outcome: Outcome) {
        self.worst.fetch_max(outcome as u8, Relaxed);
    }

    /// The gravest outcome of what happened inside.
    pub(crate) fn outcome(&self) -> Outcome {
        match self.worst.load(Relaxed) {
            0 => Outcome::Success,
            1 => Outcome::Denied,
            2 => Outcome::Failure,
            _ => Outcome::Error,
        }
    }
}

impl SpanState {
    pub(crate) fn new(layer: usize, entries: &[u8], own: Option<OwnRecord>) -> Self {
        let set = set_members(entries);
        Self { layer, entries: entries.to_vec(), set, is_plain: is_plain(entries, set), own }
    }

    /// Something with that outcome happened inside.
    pub(crate) fn saw(&self, outcome: Outcome) {
        if let Some(own) = &self.own {
            own.saw(outcome);
        }
    }

    /// Takes in what was recorded later: a field that is set again takes the place of what it was.
    pub(crate) fn update(&mut self, later: &[u8]) {
        let replaced: Vec<Key> = EntryIter::of(later).map(|entry| entry.key).collect();
        let mut entries = Vec::with_capacity(self.entries.len() + later.len());
        for entry in EntryIter::of(&self.entries) {
            if !replaced.contains(&entry.key) {
                entries.extend_from_slice(entry.bytes);
            }
        }
        entries.extend_from_slice(later);
        if self.set.marked {
            wipe(&mut self.entries);
        }
        self.set = set_members(&entries);
        self.is_plain = is_plain(&entries, self.set);
        self.entries = entries;
    }

    pub(crate) fn entries(&self) -> &[u8] {
        &self.entries
    }

    pub(crate) fn set(&self) -> Members {
        self.set
    }

    /// The text that the span set the member to, if it did.
    pub(crate) fn text(&self, member: Member) -> Option<&str> {
        EntryIter::of(&self.entries)
            .filter(|entry| entry.key == Key::Member(member) && entry.sets(member))
            .last()
            .and_then(|entry| entry.value.as_text())
    }

    /// Copies the context that `set` lacks.
    pub(crate) fn copy_context(&self, into: &mut Entries<'_>, set: &mut Members) {
        // Of two equal names in one span both are copied: the record says so.
        let lacked = *set;
        if self.is_plain && !lacked.has_any(self.set) && into.copy_all(&self.entries) {
            set.insert_all(self.set);
            return;
        }
        for entry in EntryIter::of(&self.entries) {
            let Key::Member(member) = entry.key else { continue };
            if member.is_context() && !lacked.has(member) && entry.sets(member) {
                into.copy(&entry);
                set.insert(member);
                set.marked |= entry.mark != Mark::None;
            }
        }
    }
}

impl Drop for SpanState {
    fn drop(&mut self) {
        if self.set.marked {
            wipe(&mut self.entries);
        }
    }
}

/// Whether every entry is context that sets its member, and no member is there twice.
fn is_plain(entries: &[u8], set: Members) -> bool {
    let mut count = 0;
    EntryIter::of(entries).all(|entry| {
        count += 1;
        matches!(entry.key, Key::Member(member) if member.is_context() && entry.sets(member))
    }) && count == set.len()
}

fn set_members(entries: &[u8]) -> Members {
    let mut set = Members::default();
    for entry in EntryIter::of(entries) {
        set.marked |= entry.mark != Mark::None;
        if let Key::Member(member) = entry.key
            && entry.sets(member)
        {
            set.insert(member);
        }
    }
    set
}

/// The states of all audit layers that see a span: nearly always one.
#[derive(Debug, Default)]
pub(crate) struct SpanStates(Vec<SpanState>);

impl SpanStates {
    pub(crate) fn push(&mut self, state: SpanState) {
        self.0.push(state);
    }

    pub(crate) fn get(&self, layer: usize) -> Option<&SpanState> {
        self.0.iter().find(|state| state.layer == layer)
    }

    pub(crate) fn get_mut(&mut self, layer: usize) -> Option<&mut SpanState> {
        self.0.iter_mut().find(|state| state.layer == layer)
    }

    pub(crate) fn take(&mut self, layer: usize) -> Option<SpanState> {
        let at = self.0.iter().position(|state| state.layer == layer)?;
        Some(self.0.swap_remove(at))
    }
}
