//! Whom a record is about: a user, a name, or an address.
//!
//! A user is known by his `user_id`. A login that fails often names none: what was typed is a
//! `username`, which may be nobody's. It stands for the user then, and the report says which of both it
//! shows, since `u-17` as a name and as an id are two.

use crate::fact::{Fact, Facts, Legend, Texts, ValueId, ValueKind};

use super::SubjectMember;

/// The number of a user, a name or an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Subject(u64);

impl Subject {
    /// The record has none.
    pub(super) const NONE: Self = Self(0);

    pub(super) fn new(kind: ValueKind, id: ValueId) -> Self {
        if id.is_some() { Self((kind as u64) << 32 | u64::from(id.0)) } else { Self::NONE }
    }

    /// Who did it: the user, else the name.
    pub(super) fn user(facts: &Facts<'_>, fact: &Fact) -> Self {
        if fact.user.is_some() {
            Self::new(ValueKind::User, fact.user)
        } else {
            Self::new(ValueKind::Name, facts.name(fact))
        }
    }

    pub(super) fn address(fact: &Fact) -> Self {
        Self::new(ValueKind::Address, fact.address)
    }

    pub(super) fn is_some(self) -> bool {
        self != Self::NONE
    }

    fn kind(self) -> ValueKind {
        const NAME: u64 = ValueKind::Name as u64;
        const ADDRESS: u64 = ValueKind::Address as u64;
        match self.0 >> 32 {
            NAME => ValueKind::Name,
            ADDRESS => ValueKind::Address,
            _ => ValueKind::User,
        }
    }

    fn id(self) -> ValueId {
        ValueId(self.0 as u32)
    }

    /// In which member its text stands.
    pub(super) fn member(self) -> SubjectMember {
        match self.kind() {
            ValueKind::User => SubjectMember::UserId,
            ValueKind::Name => SubjectMember::Username,
            ValueKind::Address => SubjectMember::IpAddress,
        }
    }

    /// What stands for it whatever else there is: numbers depend on what was met first, this does not. It
    /// decides between those that are equal in all else.
    pub(super) fn hash(self, legend: &Legend) -> u64 {
        legend.values(self.kind()).known(self.id()).map_or(0, |(hash, _)| hash)
    }

    pub(super) fn text(self, texts: &mut dyn Texts) -> Box<str> {
        texts.value(self.kind(), self.id())
    }

    /// Its text; none when there is none.
    pub(super) fn named(self, texts: &mut dyn Texts) -> Option<String> {
        self.is_some().then(|| self.text(texts).into())
    }
}
