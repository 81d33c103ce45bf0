//! The leaves of `details` and `regulatory_flags`.

use std::{borrow::Cow, fmt};

use audit_layer::record::push_f64;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// A scalar as its text: of a string its characters, of anything else its JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leaf<'l> {
    pub(crate) text: &'l str,
    /// Whether it was a string.
    pub(crate) quoted: bool,
}

/// What a sealed value is to a condition.
const SEALED: &str = "[sealed]";

/// The name under which a mark says what was sealed.
const MARK: &str = "$sealed";

/// Gives each leaf of the object to `visit`, with the names that lead to it joined by dots. Of what
/// is no JSON, which no sink writes, the leaves before the mistake are given. What is sealed is a leaf that says so.
pub(crate) fn leaves(object: &RawValue, mut visit: impl FnMut(&str, Leaf<'_>)) {
    let mut path = String::new();
    let walk = Walk { path: &mut path, visit: &mut visit };
    let _ = walk.deserialize(&mut serde_json::Deserializer::from_str(object.get()));
}

struct Walk<'w, F> {
    path: &'w mut String,
    visit: &'w mut F,
}

impl<F: FnMut(&str, Leaf<'_>)> Walk<'_, F> {
    fn found(self, text: &str, quoted: bool) {
        (self.visit)(self.path, Leaf { text, quoted });
    }
}

impl<'de, F: FnMut(&str, Leaf<'_>)> DeserializeSeed<'de> for Walk<'_, F> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, F: FnMut(&str, Leaf<'_>)> Visitor<'de> for Walk<'_, F> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.found(text, true);
        Ok(())
    }

    fn visit_bool<E>(self, value: bool) -> Result<(), E> {
        self.found(if value { "true" } else { "false" }, false);
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        self.found("null", false);
        Ok(())
    }

    fn visit_u64<E>(self, value: u64) -> Result<(), E> {
        self.found(itoa::Buffer::new().format(value), false);
        Ok(())
    }

    fn visit_i64<E>(self, value: i64) -> Result<(), E> {
        self.found(itoa::Buffer::new().format(value), false);
        Ok(())
    }

    fn visit_f64<E>(self, value: f64) -> Result<(), E> {
        let mut text = Vec::with_capacity(24);
        push_f64(&mut text, value);
        self.found(std::str::from_utf8(&text).unwrap_or_default(), false);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let Self { path, visit } = self;
        while seq.next_element_seed(Walk { path: &mut *path, visit: &mut *visit })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { path, visit } = self;
        let length = path.len();
        while let Some(name) = map.next_key::<Cow<'de, str>>()? {
            if name == MARK {
                visit(path, Leaf { text: SEALED, quoted: false });
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            if length > 0 {
                path.push('.');
            }
            path.push_str(&name);
            let value = map.next_value_seed(Walk { path: &mut *path, visit: &mut *visit });
            path.truncate(length);
            value?;
        }
        Ok(())
    }
}

/// Gives the name of each flag that is neither `false` nor `null`.
pub(crate) fn raised(flags: &RawValue, mut visit: impl FnMut(&str)) {
    struct Flags<'f, F>(&'f mut F);

    impl<'de, F: FnMut(&str)> Visitor<'de> for Flags<'_, F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(name) = map.next_key::<Cow<'de, str>>()? {
                let value = map.next_value::<&'de RawValue>()?.get();
                if value != "false" && value != "null" {
                    (self.0)(&name);
                }
            }
            Ok(())
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
            Ok(())
        }
    }

    let mut deserializer = serde_json::Deserializer::from_str(flags.get());
    let _ = deserializer.deserialize_any(Flags(&mut visit));
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn scalars_stand_under_the_names_that_lead_to_them() {
        let object =
            r#"{"a":{"b":[1,{"c":"x\ty"}],"e":{}},"d.e":true,"f":null,"g":-0.5,"h":1e21,"i":[[]]}"#;
        let mut found = Vec::new();
        leaves(serde_json::from_str(object).unwrap(), |path, leaf| {
            found.push(format!("{path}={}{}", leaf.text, if leaf.quoted { "\"" } else { "" }));
        });
        let expected = ["a.b=1", "a.b.c=x\ty\"", "d.e=true", "f=null", "g=-0.5", "h=1e+21"];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_sealed_value_is_a_leaf_that_says_so() {
        let object =
            r#"{"a":{"$sealed":{"c":"x","k":"y","n":"z"}},"b":[{"$sealed":7},"c"],"$sealed":[1]}"#;
        let mut found = Vec::new();
        leaves(serde_json::from_str(object).unwrap(), |path, leaf| {
            found.push(format!("{path}={}{}", leaf.text, if leaf.quoted { "\"" } else { "" }));
        });
        assert_eq!(found, ["a=[sealed]", "b=[sealed]", "b=c\"", "=[sealed]"]);
    }

    #[test]
    fn a_flag_that_is_false_or_null_is_not_raised() {
        let names = |flags: &str| {
            let mut names = Vec::new();
            raised(serde_json::from_str(flags).unwrap(), |name| names.push(name.to_owned()));
            names
        };
        let flags = r#"{"GDPR":false,"HIPAA":null,"PCI\u002dDSS":"level 1","SOX":true,"n":0}"#;
        assert_eq!(names(flags), ["PCI-DSS", "SOX", "n"]);
        assert!(names("[1]").is_empty() && names("true").is_empty());
    }
}
