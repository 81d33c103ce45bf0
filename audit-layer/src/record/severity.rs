//! The two closed vocabularies of a record.

use std::{fmt, str::FromStr};

macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident, $what:literal { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$variant_doc])* $variant),+ }

        impl $name {
            /// Every value, least first.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word that a record carries.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl FromStr for $name {
            type Err = String;

            /// # Errors
            /// A sentence that names the words which are known.
            fn from_str(text: &str) -> Result<Self, String> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|value| value.as_str() == text)
                    .ok_or_else(|| format!(concat!($what, " is one of ", vocabulary!(@list $($text),+), ", not {:?}"), text))
            }
        }
    };
    (@list $first:literal $(, $rest:literal)*) => { concat!($first $(, ", ", $rest)*) };
}

vocabulary! {
    /// How grave an event is; ordered, least first.
    Severity, "a severity" {
        /// For developers.
        Debug = "debug",
        /// Normal operation.
        Info = "info",
        /// Worth a look.
        Warning = "warning",
        /// Something failed.
        Error = "error",
        /// Someone must act now. Never derived from a level, only set by the event.
        Critical = "critical",
    }
}

vocabulary! {
    /// How widely the data that an event concerns may be known; ordered, widest first.
    Classification, "a data classification" {
        /// May be published.
        Public = "public",
        /// For the organisation.
        Internal = "internal",
        /// For those who need it.
        Confidential = "confidential",
        /// For named persons.
        Restricted = "restricted",
    }
}

impl Severity {
    /// The severity that an event names, in whatever case, `warn` included.
    pub(crate) fn read(text: &str) -> Option<Self> {
        match text.parse() {
            Ok(severity) => Some(severity),
            Err(_) if text.eq_ignore_ascii_case("warn") => Some(Self::Warning),
            Err(_) => text.to_ascii_lowercase().parse().ok(),
        }
    }

    /// The severity of an event that sets none, from the name of its level.
    #[must_use]
    pub fn from_level(level: &str) -> Self {
        match level {
            "TRACE" | "DEBUG" => Self::Debug,
            "WARN" => Self::Warning,
            "ERROR" => Self::Error,
            _ => Self::Info,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_are_ordered_and_an_unknown_word_names_the_known_ones() {
        assert!(Severity::Debug < Severity::Info && Severity::Error < Severity::Critical);
        assert_eq!("warning".parse(), Ok(Severity::Warning));
        assert_eq!(
            "high".parse::<Severity>().unwrap_err(),
            "a severity is one of debug, info, warning, error, critical, not \"high\""
        );
    }
}
