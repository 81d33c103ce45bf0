//! One `name=value` of a query string.
//!
//! A condition on a member is written as one reads it: `status=failure`, `status!=success`,
//! `duration_us>=1000`, `details.amount<10`. Since a query string splits at the first `=`, the
//! operator ends up at the end of the name, and with `<` and `>` the value in the name as well; the
//! two are put together again here. In an address `<` and `>` are escaped, as browsers and libraries
//! do by themselves: a raw one is refused before it gets here.

use std::fmt;

use audit_layer::record::Member;

use super::{InvalidValue, PARAMETERS, UnknownParameter, parameters::Kind};
use crate::{
    Error,
    filter::{Comparison, Field, Filter, Test, Text, member},
};

/// What a name and its value ask for.
#[derive(Debug)]
pub(super) enum Asked<'q> {
    /// The parameter of that name.
    Plain { name: &'static str, value: &'q str },
    /// A condition on a member.
    Condition { field: Field, relation: Relation, value: &'q str },
}

/// What stands between a name and a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Relation {
    Is,
    IsNot,
    Compares(Comparison),
}

impl<'q> Asked<'q> {
    pub(super) fn read(name: &'q str, value: &'q str) -> Result<Self, Error> {
        let (name, relation, value) = split(name, value);
        let unknown = || UnknownParameter { name: name.chars().take(64).collect() };
        let leaf = name.strip_prefix("details").filter(|rest| !rest.is_empty());
        if let Some(rest) = leaf {
            let invalid = |reason| InvalidValue { name: name.chars().take(64).collect(), reason };
            let path = match rest.strip_prefix('.') {
                Some(path) => path,
                None => bracketed(rest).ok_or_else(unknown)?.map_err(invalid)?,
            };
            let path: Text = path.parse().map_err(invalid)?;
            return Ok(Self::Condition { field: Field::Detail(path), relation, value });
        }
        let parameter = PARAMETERS.iter().find(|known| known.name == name).ok_or_else(unknown)?;
        let member = Member::from_name(parameter.name).filter(|_| parameter.name != "event_type");
        match (member, relation) {
            (Some(member), _) if !matches!(parameter.kind, Kind::Leaves) => {
                Ok(Self::Condition { field: Field::Member(member), relation, value })
            }
            (None, Relation::Is) => Ok(Self::Plain { name: parameter.name, value }),
            (None, Relation::IsNot) if parameter.name == "event_type" => {
                let field = Field::Member(Member::EventType);
                Ok(Self::Condition { field, relation, value })
            }
            _ => {
                let reason = match parameter.kind {
                    Kind::Leaves => "name a member of it: details.<name>=value".to_owned(),
                    _ => format!("it cannot be negated or compared: {}=value", parameter.name),
                };
                Err(InvalidValue { name: parameter.name.to_owned(), reason }.into())
            }
        }
    }

    /// The name as it is told of in an error, with its operator when that is no `=`.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Plain { name, .. } => (*name).to_owned(),
            Self::Condition { field, relation: Relation::Is, .. } => field.to_string(),
            Self::Condition { field, relation, .. } => format!("{field}{relation}"),
        }
    }

    /// Whether it may be given more than once: any of several types, and all that a member is not.
    pub(super) fn may_repeat(&self) -> bool {
        matches!(
            self,
            Self::Plain { name: "event_type", .. }
                | Self::Condition { relation: Relation::IsNot, .. }
        )
    }
}

/// The name, with its operator, and the text of the condition that a name and a value of a query string ask for; none when they
/// ask for something else.
pub(crate) fn condition_of<'q>(name: &'q str, value: &'q str) -> Option<(String, &'q str)> {
    match Asked::read(name, value).ok()? {
        asked @ Asked::Condition { value, .. } => Some((asked.name(), value)),
        Asked::Plain { .. } => None,
    }
}

/// The path in `[path]`. `details[a][b]` is how others write what is nested; taken for the name `a][b`,
/// it would be answered with an empty page.
fn bracketed(rest: &str) -> Option<Result<&str, String>> {
    let path = rest.strip_prefix('[')?.strip_suffix(']')?;
    Some(if path.contains("][") {
        Err("nested names are joined with dots: details[a.b]".to_owned())
    } else {
        Ok(path)
    })
}

fn split<'q>(name: &'q str, value: &'q str) -> (&'q str, Relation, &'q str) {
    if let Some(name) = name.strip_suffix('!') {
        return (name, Relation::IsNot, value);
    }
    let Some(at) = name.find(['<', '>']) else { return (name, Relation::Is, value) };
    let (before, rest) = name.split_at(at);
    let greater = rest.starts_with('>');
    let (comparison, value) = match &rest[1..] {
        "" if greater => (Comparison::AtLeast, value),
        "" => (Comparison::AtMost, value),
        value if greater => (Comparison::Greater, value),
        value => (Comparison::Less, value),
    };
    (before, Relation::Compares(comparison), value)
}

impl Relation {
    /// The condition that a member stands in this relation to the value.
    ///
    /// # Errors
    /// Why the value cannot be one of that member.
    pub(super) fn condition(self, field: Field, value: &str) -> Result<Filter, String> {
        let comparison = match self {
            Self::Is | Self::IsNot => None,
            Self::Compares(comparison) => Some(comparison),
        };
        let condition = match (&field, comparison) {
            // What is as grave as that, not what is graver.
            (Field::Member(member), _) if self == Self::IsNot => member::equals(*member, value)?,
            (Field::Member(member), _) => of_member(*member, comparison, value)?,
            (_, None) => Filter::Is(field, Test::Equals(value.parse()?)),
            (_, Some(comparison)) => Filter::Is(field, Test::Number(comparison, value.parse()?)),
        };
        Ok(if self == Self::IsNot { condition.negated() } else { condition })
    }
}

fn of_member(
    member: Member,
    comparison: Option<Comparison>,
    value: &str,
) -> Result<Filter, String> {
    match (member, comparison) {
        // Without an operator, at least as grave: what one asks for when one looks for trouble.
        (Member::Severity, None) => member::compares(member, Comparison::AtLeast, value),
        (_, Some(comparison)) => member::compares(member, comparison, value),
        (_, None) => member::equals(member, value),
    }
}

impl fmt::Display for Relation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Is => "=",
            Self::IsNot => "!=",
            Self::Compares(Comparison::Less) => "<",
            Self::Compares(Comparison::AtMost) => "<=",
            Self::Compares(Comparison::Greater) => ">",
            Self::Compares(Comparison::AtLeast) => ">=",
        })
    }
}
