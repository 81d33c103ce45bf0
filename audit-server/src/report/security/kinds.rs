//! What a kind of records is to this report.

use audit_layer::event_type;

use crate::fact::{Kind, KindId};

/// Some of the things that a kind of records may be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Meaning(u16);

impl Meaning {
    /// Someone was not let in: see [`super`].
    pub(super) const FAILED_LOGIN: Self = Self(1);
    /// Someone was let in.
    pub(super) const LOGIN: Self = Self(1 << 1);
    pub(super) const LOCKED: Self = Self(1 << 2);
    pub(super) const RATE_LIMITED: Self = Self(1 << 3);
    pub(super) const BLOCKED: Self = Self(1 << 4);
    pub(super) const WHITELIST: Self = Self(1 << 5);
    pub(super) const DENIED: Self = Self(1 << 6);
    pub(super) const PRIVILEGED: Self = Self(1 << 7);
    /// The category `security`.
    pub(super) const SECURITY: Self = Self(1 << 8);
    /// The status says that it did not succeed.
    pub(super) const FAILED: Self = Self(1 << 9);

    /// That of a kind.
    pub(super) fn of(kind: &Kind) -> Self {
        let login = &*kind.event_type == event_type::AUTH_LOGIN;
        let succeeded = matches!(&*kind.status, "" | "success");
        let mut meaning = Self::default();
        let mut is = |what: Self, holds: bool| {
            if holds {
                meaning.0 |= what.0;
            }
        };
        let event_type = &*kind.event_type;
        is(Self::FAILED_LOGIN, event_type == event_type::AUTH_FAILED || login && kind.failed());
        is(Self::LOGIN, login && succeeded);
        is(Self::LOCKED, event_type == event_type::SECURITY_ACCOUNT_LOCKED);
        is(Self::RATE_LIMITED, event_type == event_type::SECURITY_RATE_LIMITED);
        is(Self::BLOCKED, event_type == event_type::SECURITY_IP_BLOCKED);
        is(Self::WHITELIST, event_type == event_type::SECURITY_IP_WHITELIST_VIOLATION);
        is(Self::DENIED, event_type == event_type::AUTH_PERMISSION_DENIED);
        is(Self::PRIVILEGED, is_privileged(kind));
        is(Self::SECURITY, kind.category() == "security");
        if meaning != Self::default() {
            meaning.0 |= if kind.failed() { Self::FAILED.0 } else { 0 };
        }
        meaning
    }

    pub(super) fn has(self, what: Self) -> bool {
        self.0 & what.0 != 0
    }

    /// Whether the report wants no more of it than that it was there.
    pub(super) fn is_nothing(self) -> bool {
        self.0 == 0
    }
}

/// Whether only few may do it: see [`super`].
fn is_privileged(kind: &Kind) -> bool {
    kind.category() == "admin"
        || matches!(
            &*kind.event_type,
            event_type::RISK_OVERRIDE
                | event_type::SECURITY_ACCOUNT_UNLOCKED
                | event_type::DATA_EXPORT
                | event_type::DATA_SECRET_ACCESS
        )
}

/// The kinds so far, with how many records there are of each.
#[derive(Debug, Default)]
pub(super) struct Kinds(Vec<(Meaning, u64)>);

impl Kinds {
    /// Takes in those that it does not know yet.
    pub(super) fn extend(&mut self, kinds: &[Kind]) {
        let new = kinds.get(self.0.len()..).unwrap_or_default();
        self.0.extend(new.iter().map(|kind| (Meaning::of(kind), 0)));
    }

    /// Counts a record of that kind.
    pub(super) fn count(&mut self, kind: KindId) -> Meaning {
        match self.0.get_mut(kind.index()) {
            Some((meaning, count)) => {
                *count += 1;
                *meaning
            }
            None => Meaning::default(),
        }
    }

    /// How many records there are of each kind, in the order of their numbers.
    pub(super) fn counts(&self) -> impl Iterator<Item = u64> {
        self.0.iter().map(|(_, count)| *count)
    }
}
