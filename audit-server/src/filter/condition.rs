//! The filter itself: conditions, joined.

use std::{borrow::Cow, collections::BTreeSet, str::FromStr, sync::Arc};

use audit_layer::{
    event_type::{self, is_event_type},
    record::{Member, Record, parse_timestamp},
};

use super::{Decimal, Field, Opener, SealedText, Text, TimeRange, Words, raised};

/// The classification of data that only few may see.
pub(crate) const RESTRICTED: &str = "restricted";

/// What a record must be. [`Filter::ANY`] lets every record pass.
///
/// In this order several are asked once they are in one form: what may have to be opened comes last.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Filter {
    /// A text of this name passes the test.
    Is(Field, Test),
    /// The timestamp lies in here.
    During(TimeRange),
    /// A flag of this name is neither `false` nor `null`.
    Raises(Text),
    /// The message and `details` say this.
    Says(Words),
    /// This does not hold.
    Not(Box<Self>),
    /// At least one of these holds.
    Any(Vec<Self>),
    /// Each of these holds.
    All(Vec<Self>),
    /// This text stands sealed under this name.
    Seals(SealedText),
}

/// What a text must be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Test {
    /// This.
    Equals(Text),
    /// This at its beginning.
    StartsWith(Text),
    /// There at all, and not empty.
    Present,
    /// A number, and so compared with this.
    Number(Comparison, Decimal),
    /// A text that says this.
    Says(Words),
}

/// How a number compares with the one asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Comparison {
    /// `<`
    Less,
    /// `<=`
    AtMost,
    /// `>`
    Greater,
    /// `>=`
    AtLeast,
}

impl Comparison {
    /// Whether `found` compares so with `wanted`.
    pub(crate) fn holds<T: Ord + ?Sized>(self, found: &T, wanted: &T) -> bool {
        match self {
            Self::Less => found < wanted,
            Self::AtMost => found <= wanted,
            Self::Greater => found > wanted,
            Self::AtLeast => found >= wanted,
        }
    }
}

impl Test {
    fn passes(&self, found: &str) -> bool {
        match self {
            Self::Equals(wanted) => *wanted.as_str() == *found,
            Self::StartsWith(wanted) => found.starts_with(wanted.as_str()),
            Self::Present => !found.is_empty(),
            Self::Number(comparison, wanted) => {
                Decimal::read(found).is_some_and(|found| comparison.holds(&found, wanted))
            }
            Self::Says(words) => words.said_by(found),
        }
    }
}

impl Filter {
    /// Lets every record pass.
    pub(crate) const ANY: Self = Self::All(Vec::new());

    /// Both hold; this is asked first.
    #[must_use]
    pub(crate) fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::All(mut all), Self::All(more)) => {
                all.extend(more);
                Self::All(all)
            }
            (Self::All(mut all), one) => {
                all.push(one);
                Self::All(all)
            }
            (one, Self::All(mut all)) => {
                all.insert(0, one);
                Self::All(all)
            }
            (one, other) => Self::All(vec![one, other]),
        }
    }

    /// It does not hold.
    #[must_use]
    pub(crate) fn negated(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            other => Self::Not(Box::new(other)),
        }
    }

    /// The member equals one of these.
    pub(crate) fn member_is_any<'t>(
        member: Member,
        texts: impl IntoIterator<Item = &'t str>,
    ) -> Self {
        let is = |text: &str| Self::Is(Field::Member(member), Test::Equals(Text::known(text)));
        let mut any: Vec<_> = texts.into_iter().map(is).collect();
        match any.pop() {
            Some(only) if any.is_empty() => only,
            Some(last) => {
                any.push(last);
                Self::Any(any)
            }
            None => Self::Any(any),
        }
    }

    /// Records that are not classified as restricted.
    pub(crate) fn unrestricted() -> Self {
        Self::member_is_any(Member::DataClassification, [RESTRICTED]).negated()
    }

    /// The same for one who may open what is sealed: what a leaf is to equal may be sealed, too.
    #[must_use]
    pub(crate) fn opening(self, opener: &Arc<Opener>) -> Self {
        let each =
            |filters: Vec<Self>| filters.into_iter().map(|one| one.opening(opener)).collect();
        match self {
            Self::All(all) => Self::All(each(all)),
            Self::Any(any) => Self::Any(each(any)),
            Self::Not(inner) => Self::Not(Box::new(inner.opening(opener))),
            Self::Is(field @ (Field::Detail(_) | Field::Flag(_)), Test::Equals(text)) => {
                let opener = opener.clone();
                let sealed = SealedText { field: field.clone(), text: text.clone(), opener };
                Self::Any(vec![Self::Is(field, Test::Equals(text)), Self::Seals(sealed)])
            }
            other => other,
        }
    }

    /// How many conditions may have to be opened.
    pub(crate) fn opened(&self) -> usize {
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().map(Self::opened).sum(),
            Self::Not(inner) => inner.opened(),
            Self::Seals(_) => 1,
            _ => 0,
        }
    }

    /// Whether anything is asked of `details`.
    pub(crate) fn looks_into_details(&self) -> bool {
        self.any(&|one| match one {
            Self::Is(field, _) => field.is_in_details(),
            one => matches!(one, Self::Says(_)),
        })
    }

    /// Whether it asks of such a field.
    pub(crate) fn asks(&self, is: &dyn Fn(&Field) -> bool) -> bool {
        self.any(&|one| matches!(one, Self::Is(field, _) if is(field)))
    }

    /// Whether one of its conditions is such a one.
    fn any(&self, is: &dyn Fn(&Self) -> bool) -> bool {
        match self {
            Self::All(filters) | Self::Any(filters) => filters.iter().any(|one| one.any(is)),
            Self::Not(inner) => inner.any(is),
            one => is(one),
        }
    }

    /// Whether the record is what is asked for.
    pub(crate) fn matches(&self, record: &Record<'_>) -> bool {
        match self {
            Self::All(all) => all.iter().all(|filter| filter.matches(record)),
            Self::Any(any) => any.iter().any(|filter| filter.matches(record)),
            Self::Not(inner) => !inner.matches(record),
            Self::Is(field, test) => {
                let mut holds = false;
                field.each(record, |found| holds |= test.passes(found));
                holds
            }
            Self::Seals(sealed) => sealed.is_in(record),
            Self::Says(words) => words.said_in(record),
            Self::Raises(wanted) => {
                let mut holds = false;
                if let Some(flags) = record.regulatory_flags {
                    raised(flags, |name| holds |= name == wanted.as_str());
                }
                holds
            }
            Self::During(range) => {
                parse_timestamp(&record.timestamp).is_some_and(|time| range.contains(time))
            }
        }
    }

    /// Whether it holds, when the type of the event alone decides that.
    fn decided_by(&self, event_type: &str) -> Option<bool> {
        match self {
            Self::All(all) => all
                .iter()
                .try_fold(true, |so_far, filter| match (so_far, filter.decided_by(event_type)) {
                    (_, Some(false)) => None,
                    (_, known) => Some(so_far && known == Some(true)),
                })
                .map_or(Some(false), |all_true| all_true.then_some(true)),
            Self::Any(any) => any
                .iter()
                .try_fold(true, |all_false, filter| match filter.decided_by(event_type) {
                    Some(true) => None,
                    known => Some(all_false && known == Some(false)),
                })
                .map_or(Some(true), |all_false| all_false.then_some(false)),
            Self::Not(inner) => inner.decided_by(event_type).map(|holds| !holds),
            Self::Is(Field::Member(Member::EventType), test) => Some(test.passes(event_type)),
            Self::Is(Field::Member(Member::Category), test) => {
                Some(test.passes(event_type::category(event_type)))
            }
            _ => None,
        }
    }

    /// A text, in lower case and ASCII, that every line which matches has in it, in either case.
    pub(crate) fn needle(&self) -> Option<&str> {
        match self {
            Self::Says(words) => words.needle(),
            Self::All(all) => all.iter().find_map(Self::needle),
            _ => None,
        }
    }

    /// The part of time outside of which nothing can match.
    pub(crate) fn time(&self) -> TimeRange {
        match self {
            Self::During(range) => *range,
            Self::All(all) => all.iter().map(Self::time).fold(TimeRange::ALL, TimeRange::and),
            _ => TimeRange::ALL,
        }
    }

    /// How many conditions it has.
    pub(crate) fn size(&self) -> usize {
        match self {
            Self::All(inner) | Self::Any(inner) => inner.iter().map(Self::size).sum::<usize>(),
            Self::Not(inner) => inner.size(),
            _ => 1,
        }
    }

    /// The same question in one form: what is joined in whatever order and however often.
    pub(crate) fn normalise(&mut self) {
        match self {
            Self::All(inner) | Self::Any(inner) => {
                inner.iter_mut().for_each(Self::normalise);
                inner.sort_unstable();
                inner.dedup();
            }
            Self::Not(inner) => inner.normalise(),
            _ => {}
        }
    }

    /// Whether records of this type can match at all, which is known before the record is fetched.
    pub(crate) fn admits(&self, event_type: &str) -> bool {
        self.decided_by(event_type) != Some(false)
    }

    /// The only categories that can match, when they are known.
    pub(crate) fn categories(&self) -> Option<BTreeSet<Cow<'_, str>>> {
        match self {
            Self::All(all) => all.iter().filter_map(Self::categories).reduce(|a, b| &a & &b),
            Self::Any(any) => any.iter().try_fold(BTreeSet::new(), |so_far, filter| {
                filter.categories().map(|categories| &so_far | &categories)
            }),
            Self::Is(Field::Member(Member::EventType), Test::Equals(name)) => {
                Some(BTreeSet::from([event_type::category(name.as_str()).into()]))
            }
            Self::Is(Field::Member(Member::EventType), Test::StartsWith(name)) => {
                let (category, _) = name.as_str().split_once('.')?;
                Some(BTreeSet::from([category.into()]))
            }
            Self::Is(Field::Member(Member::Category), Test::Equals(name)) => {
                Some(BTreeSet::from([name.as_str().into()]))
            }
            _ => None,
        }
    }
}

/// An event type, or all that begin alike: `auth.*`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EventPattern(pub(crate) Test);

impl FromStr for EventPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A name that could stand in the place of the `*` tells whether the rest is well-formed.
        if let Some(prefix) = text.strip_suffix('*')
            && prefix.ends_with('.')
            && is_event_type(&format!("{prefix}x"))
        {
            return Ok(Self(Test::StartsWith(prefix.parse()?)));
        }
        if is_event_type(text) {
            return Ok(Self(Test::Equals(text.parse()?)));
        }
        Err("it is an event type such as auth.login, or auth.* for all that begin so".to_owned())
    }
}

impl From<EventPattern> for Filter {
    fn from(pattern: EventPattern) -> Self {
        Self::Is(Field::Member(Member::EventType), pattern.0)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of_type(pattern: &str) -> Filter {
        pattern.parse::<EventPattern>().unwrap().into()
    }

    #[test]
    fn a_wildcard_stands_for_whole_parts_only() {
        let under = of_type("auth.*");
        assert!(under.admits("auth.login") && under.admits("auth.x.y"));
        assert!(!under.admits("authx.login"));
        for bad in ["*", "auth*", "auth.lo*", "*.login", "auth", "Auth.login", "auth.%", ""] {
            assert!(bad.parse::<EventPattern>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_type_is_refused_only_when_nothing_of_it_can_match() {
        let user = || Filter::Is(Field::Member(Member::UserId), Test::Equals("u".parse().unwrap()));
        let auth = || of_type("auth.*");
        let cases = [
            (Filter::ANY, true, true),
            (auth().and(user()), true, false),
            (auth().negated().and(user()), false, true),
            (auth().and(user()).negated(), true, true),
            (Filter::Any(vec![auth(), user()]), true, true),
            (Filter::Any(vec![auth(), user()]).negated(), false, true),
            (Filter::Any(vec![]), false, false),
            (Filter::member_is_any(Member::Category, ["auth", "x"]), true, false),
        ];
        for (filter, of_auth, of_trade) in cases {
            assert_eq!(filter.admits("auth.login"), of_auth, "{filter:?}");
            assert_eq!(filter.admits("trade.executed"), of_trade, "{filter:?}");
        }
    }

    #[test]
    fn categories_are_named_only_when_no_other_can_match() {
        let user = Filter::Is(Field::Member(Member::UserId), Test::Present);
        let names = |filter: &Filter| {
            filter.categories().map(|names| names.into_iter().collect::<Vec<_>>().join(","))
        };
        let any = |filters| Filter::Any(filters);
        assert_eq!(names(&Filter::ANY), None);
        assert_eq!(names(&user), None);
        assert_eq!(names(&user.clone().and(of_type("auth.*"))).as_deref(), Some("auth"));
        assert_eq!(names(&any(vec![of_type("auth.*"), user.clone()])), None);
        let both = any(vec![of_type("auth.login"), of_type("trade.*")]);
        assert_eq!(names(&both).as_deref(), Some("auth,trade"));
        assert_eq!(names(&both.clone().and(of_type("trade.x"))).as_deref(), Some("trade"));
        assert_eq!(names(&both.negated()), None);
    }
}
