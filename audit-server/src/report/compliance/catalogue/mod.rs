//! The controls, a file a regulation.
//!
//! The sections are those of the texts; what they demand is said in our own words, and always with
//! the records that are taken for it, because that choice is ours and may be argued with. Where
//! records of a regulation cannot be told by their type, its name as a flag tells them:
//! `regulatory_flags.GDPR = true`. A guess from the classification would turn records of other data
//! into a pass.
//!
//! # What an expression may ask
//! Each is one count of the whole window and each [`super::control::Check::Has`] another; equal ones
//! are counted once, so those that more than one control asks for have a name here. All must be
//! answered by bitmaps, over ten million records: whether a member is there, and values of members
//! that have few. A member with many values, such as a resource, may be asked for one value and
//! joined by nothing else with `OR`; a beginning such as `resource = "x*"` would be read record by
//! record.

mod gdpr;
mod hipaa;
mod iso_27001;
mod mifid2;
mod pci_dss;
mod soc2;
mod sox;

use super::{Regulation, control::Control};

impl Regulation {
    /// Its controls, in the order of their sections.
    pub(super) const fn controls(self) -> &'static [Control] {
        match self {
            Self::Sox => sox::CONTROLS,
            Self::Gdpr => gdpr::CONTROLS,
            Self::PciDss => pci_dss::CONTROLS,
            Self::Hipaa => hipaa::CONTROLS,
            Self::Soc2 => soc2::CONTROLS,
            Self::Iso27001 => iso_27001::CONTROLS,
            Self::Mifid2 => mifid2::CONTROLS,
        }
    }
}

/// Every record: each has a type.
const ALL: &str = "event_type:*";

/// Attempts that were refused.
const REFUSED: &str = r#"event_type = "auth.failed" OR event_type = "auth.permission_denied" OR event_type = "security.intrusion" OR event_type = "security.ip_whitelist_violation" OR status = "denied" OR (category = "auth" AND status = "failure")"#;

/// Changes of who may do what, and of how the system is set up.
const CHANGES: &str = r#"event_type = "admin.config_changed" OR event_type = "admin.role_changed" OR event_type = "admin.user_created" OR event_type = "admin.key_created" OR event_type = "admin.key_revoked""#;

/// What people and programs do that is to be accounted for.
const AUDITABLE: &str = r#"category = "auth" OR category = "admin" OR category = "data""#;

/// The clock of a writer was set.
const CLOCK_STEPS: &str = r#"event_type = "system.clock_step""#;

/// A sink other than by rotation lost what it had.
const TRIMMED: &str = r#"event_type = "system.audit_trimmed" AND status = "failure""#;
