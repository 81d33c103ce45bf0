//! The filter: what a record must be.

use std::{borrow::Cow, collections::BTreeSet, fmt, str::FromStr};

use audit_layer::{
    event_type::{self, is_event_type},
    record::{Classification, Record, Severity},
};
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::Text;
use crate::store::Predicate;

/// Conditions that a record must all fulfil; none is set at first. Time is not among them: it
/// bounds the scan itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[allow(
    missing_docs,
    reason = "each field is the parameter of its name, described in `parameters`"
)]
pub(crate) struct Filter {
    /// Any of these, when there are any.
    pub(crate) event_types: Vec<EventPattern>,
    pub(crate) category: Option<Text>,
    /// At least this.
    pub(crate) severity: Option<Severity>,
    /// In upper case.
    pub(crate) level: Option<Text>,
    pub(crate) status: Option<Text>,
    pub(crate) action: Option<Text>,
    pub(crate) user_id: Option<Text>,
    pub(crate) username: Option<Text>,
    pub(crate) ip_address: Option<Text>,
    pub(crate) request_id: Option<Text>,
    pub(crate) correlation_id: Option<Text>,
    pub(crate) session_id: Option<Text>,
    pub(crate) resource: Option<Text>,
    pub(crate) tenant: Option<Text>,
    pub(crate) data_classification: Option<Classification>,
    /// A member of `regulatory_flags` that is neither `false` nor `null`.
    pub(crate) regulation: Option<Text>,
}

/// An event type, or all that begin alike: `auth.*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum EventPattern {
    /// This one.
    Exact(Box<str>),
    /// Those that begin so; it ends in a dot.
    Under(Box<str>),
}

impl EventPattern {
    fn matches(&self, event_type: &str) -> bool {
        match self {
            Self::Exact(name) => **name == *event_type,
            Self::Under(prefix) => event_type.starts_with(&**prefix),
        }
    }

    fn category(&self) -> &str {
        match self {
            Self::Exact(name) | Self::Under(name) => event_type::category(name),
        }
    }
}

impl FromStr for EventPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        // A name that could stand in the place of the `*` tells whether the rest is well-formed.
        if let Some(prefix) = text.strip_suffix('*')
            && prefix.ends_with('.')
            && is_event_type(&format!("{prefix}x"))
        {
            return Ok(Self::Under(prefix.into()));
        }
        if is_event_type(text) {
            return Ok(Self::Exact(text.into()));
        }
        Err("it is an event type such as auth.login, or auth.* for all that begin so".to_owned())
    }
}

impl Filter {
    fn matches(&self, record: &Record<'_>) -> bool {
        let equal = |wanted: &Option<Text>, found: &Option<Cow<'_, str>>| {
            wanted.as_ref().is_none_or(|wanted| found.as_deref() == Some(wanted.as_str()))
        };
        self.admits(&record.event_type)
            && self.category.as_ref().is_none_or(|wanted| *wanted.as_str() == *record.category)
            && self.severity.is_none_or(|least| {
                record.severity.parse::<Severity>().is_ok_and(|severity| severity >= least)
            })
            && self.level.as_ref().is_none_or(|wanted| *wanted.as_str() == *record.level)
            && equal(&self.status, &record.status)
            && equal(&self.action, &record.action)
            && equal(&self.user_id, &record.user_id)
            && equal(&self.username, &record.username)
            && equal(&self.ip_address, &record.ip_address)
            && equal(&self.request_id, &record.request_id)
            && equal(&self.correlation_id, &record.correlation_id)
            && equal(&self.session_id, &record.session_id)
            && equal(&self.resource, &record.resource)
            && equal(&self.tenant, &record.tenant)
            && self
                .data_classification
                .is_none_or(|wanted| record.data_classification.as_deref() == Some(wanted.as_str()))
            && self.regulation.as_ref().is_none_or(|wanted| {
                record.regulatory_flags.is_some_and(|flags| raises(flags, wanted.as_str()))
            })
    }

    fn admits(&self, event_type: &str) -> bool {
        (self.event_types.is_empty()
            || self.event_types.iter().any(|pattern| pattern.matches(event_type)))
            && self
                .category
                .as_ref()
                .is_none_or(|wanted| wanted.as_str() == event_type::category(event_type))
    }
}

impl Predicate for Filter {
    fn admits(&self, event_type: &str) -> bool {
        Filter::admits(self, event_type)
    }

    fn matches(&self, record: &Record<'_>) -> bool {
        Filter::matches(self, record)
    }

    fn categories(&self) -> Option<BTreeSet<&str>> {
        let of_types = || self.event_types.iter().map(EventPattern::category).collect();
        match &self.category {
            Some(category) => Some(BTreeSet::from([category.as_str()])),
            None if self.event_types.is_empty() => None,
            None => Some(of_types()),
        }
    }
}

/// Whether the object has a member of that name which is neither `false` nor `null`.
fn raises(flags: &RawValue, wanted: &str) -> bool {
    struct Flags<'w>(&'w str);

    impl<'de> Visitor<'de> for Flags<'_> {
        type Value = bool;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<bool, A::Error> {
            let mut raised = false;
            while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                if name == self.0 {
                    let value = map.next_value::<&'de RawValue>()?.get();
                    raised = value != "false" && value != "null";
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(raised)
        }
    }

    serde_json::Deserializer::from_str(flags.get()).deserialize_map(Flags(wanted)).unwrap_or(false)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_whole_parts_only() {
        let under: EventPattern = "auth.*".parse().unwrap();
        assert!(under.matches("auth.login") && under.matches("auth.x.y"));
        assert!(!under.matches("authx.login"));
        for bad in ["*", "auth*", "auth.lo*", "*.login", "auth", "Auth.login", "auth.%", ""] {
            assert!(bad.parse::<EventPattern>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_flag_that_is_false_or_null_is_not_raised() {
        let flags = r#"{"GDPR":false,"HIPAA":null,"PCI\u002dDSS":"level 1","SOX":true,"n":0}"#;
        let flags: &RawValue = serde_json::from_str(flags).unwrap();
        for (name, raised) in
            [("SOX", true), ("PCI-DSS", true), ("n", true), ("GDPR", false), ("HIPAA", false)]
        {
            assert_eq!(raises(flags, name), raised, "{name}");
        }
        assert!(!raises(flags, "MiFID"));
        assert!(!raises(serde_json::from_str("[1]").unwrap(), "SOX"));
    }
}
