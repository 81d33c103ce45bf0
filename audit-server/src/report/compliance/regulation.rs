//! Which regulations are known, and how people spell them.

use poem_openapi::Enum;
use serde::Serialize;

/// The longest name that an error repeats, in characters.
const MAX_NAME_CHARS: usize = 64;

/// A regulation, a standard or an act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Enum)]
#[oai(rename = "Regulation")]
pub(crate) enum Regulation {
    /// The Sarbanes-Oxley Act.
    #[oai(rename = "SOX")]
    #[serde(rename = "SOX")]
    Sox,
    /// The General Data Protection Regulation.
    #[oai(rename = "GDPR")]
    #[serde(rename = "GDPR")]
    Gdpr,
    /// The Payment Card Industry Data Security Standard 4.0.1.
    #[oai(rename = "PCI-DSS")]
    #[serde(rename = "PCI-DSS")]
    PciDss,
    /// The HIPAA Security Rule.
    #[oai(rename = "HIPAA")]
    #[serde(rename = "HIPAA")]
    Hipaa,
    /// The SOC 2 trust services criteria.
    #[oai(rename = "SOC2")]
    #[serde(rename = "SOC2")]
    Soc2,
    /// ISO/IEC 27001:2022, annex A.
    #[oai(rename = "ISO27001")]
    #[serde(rename = "ISO27001")]
    Iso27001,
    /// The second Markets in Financial Instruments Directive, with what belongs to it.
    #[oai(rename = "MIFID2")]
    #[serde(rename = "MIFID2")]
    Mifid2,
}

impl Regulation {
    /// Every regulation.
    pub(crate) const ALL: [Self; 7] = [
        Self::Sox,
        Self::Gdpr,
        Self::PciDss,
        Self::Hipaa,
        Self::Soc2,
        Self::Iso27001,
        Self::Mifid2,
    ];

    /// The name by which it is asked for.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sox => "SOX",
            Self::Gdpr => "GDPR",
            Self::PciDss => "PCI-DSS",
            Self::Hipaa => "HIPAA",
            Self::Soc2 => "SOC2",
            Self::Iso27001 => "ISO27001",
            Self::Mifid2 => "MIFID2",
        }
    }

    /// Its name in full, with the version that the controls are of.
    pub(crate) const fn title(self) -> &'static str {
        match self {
            Self::Sox => "Sarbanes-Oxley Act of 2002",
            Self::Gdpr => "General Data Protection Regulation, (EU) 2016/679",
            Self::PciDss => "PCI DSS 4.0.1, requirement 10",
            Self::Hipaa => "HIPAA Security Rule, 45 CFR part 164 subpart C",
            Self::Soc2 => "SOC 2, trust services criteria of 2017",
            Self::Iso27001 => "ISO/IEC 27001:2022, annex A",
            Self::Mifid2 => "MiFID II and MiFIR, with RTS 25 on business clocks, (EU) 2017/574",
        }
    }

    /// The regulation of that name, in upper or lower case and with or without its hyphens.
    fn named(name: &str) -> Option<Self> {
        let letters = name.chars().filter(|c| !matches!(c, '-' | '_' | ' ' | '/'));
        let plain: String = letters.take(MAX_NAME_CHARS).map(|c| c.to_ascii_uppercase()).collect();
        Some(match &*plain {
            "SOX" => Self::Sox,
            "GDPR" => Self::Gdpr,
            "PCIDSS" | "PCI" => Self::PciDss,
            "HIPAA" => Self::Hipaa,
            "SOC2" | "SOCII" => Self::Soc2,
            "ISO27001" | "ISOIEC27001" => Self::Iso27001,
            "MIFID2" | "MIFIDII" => Self::Mifid2,
            _ => return None,
        })
    }

    /// Those of a list with commas, each once, in the order in which they are named first. A list
    /// that is not given asks for [`Self::ALL`].
    ///
    /// # Errors
    /// The first name that is unknown or missing, and which are known.
    pub(crate) fn list(text: &str) -> Result<Vec<Self>, String> {
        let mut found = Vec::new();
        for name in text.split(',').map(str::trim) {
            let regulation = Self::named(name).ok_or_else(|| {
                let known = Self::ALL.map(Self::as_str).join(", ");
                let name: String = name.chars().take(MAX_NAME_CHARS).collect();
                format!("{name:?} is none of {known}")
            })?;
            if !found.contains(&regulation) {
                found.push(regulation);
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_list_names_each_regulation_in_any_spelling_and_has_it_once() {
        let all = Regulation::ALL.map(Regulation::as_str).join(",");
        assert_eq!(Regulation::list(&all).unwrap(), Regulation::ALL);
        let spelt = "mifid-ii, sox,PCIDSS,pci_dss,Sox,iso-27001,SOC 2,MiFID2,ISO/IEC 27001";
        let expected = [
            Regulation::Mifid2,
            Regulation::Sox,
            Regulation::PciDss,
            Regulation::Iso27001,
            Regulation::Soc2,
        ];
        assert_eq!(Regulation::list(spelt).unwrap(), expected);
    }

    #[test]
    fn a_name_that_is_unknown_is_refused_with_those_that_are_known() {
        for bad in ["BASEL", "", "SOX,", "SOX,,GDPR", "SOX GDPR", "SOXX", "SOX;GDPR"] {
            let error = Regulation::list(bad).unwrap_err();
            let known = Regulation::ALL.iter().all(|one| error.contains(one.as_str()));
            assert!(known, "{bad}: {error}");
        }
        assert!(Regulation::list(&"x".repeat(10_000)).unwrap_err().len() < 200);
    }

    #[test]
    fn the_name_in_json_is_the_one_that_is_asked_for() {
        for regulation in Regulation::ALL {
            let json = serde_json::to_value(regulation).unwrap();
            assert_eq!(json, regulation.as_str());
            assert_eq!(poem_openapi::types::ToJSON::to_json(&regulation), Some(json));
        }
    }
}
