//! The HIPAA Security Rule: what shows that use of health information is recorded.

use super::super::control::{
    Check::{Chain, EveryDay, Has, NothingLost},
    Control,
    Kind::All,
    ORIGIN, USER,
};

/// Records of electronic protected health information.
const HEALTH: &str =
    "regulatory_flags.HIPAA = true OR regulatory_flags.PHI = true OR regulatory_flags.ePHI = true";

pub(super) const CONTROLS: &[Control] = &[
    Control {
        id: "164.308(a)(5)(ii)(C)",
        title: "Log-in monitoring",
        demands: "Attempts to log in are watched, and what is unusual among them is reported. Taken for it are logins and failed logins; each must say where it came from.",
        evidence: r#"event_type = "auth.login" OR event_type = "auth.failed""#,
        checks: &[Has(All, ORIGIN)],
    },
    Control {
        id: "164.312(b)",
        title: "Audit controls",
        demands: "Systems that hold or use electronic protected health information record what is done there, so that it can be examined. Taken for it are records with the flag HIPAA, PHI or ePHI, each of which must say who it was; the trail must have records on each day, and none that tells of lost events.",
        evidence: HEALTH,
        checks: &[Has(All, USER), EveryDay, NothingLost],
    },
    Control {
        id: "164.312(c)(1)",
        title: "Integrity",
        demands: "Electronic protected health information is not changed or destroyed improperly. Records with the flag HIPAA, PHI or ePHI tell what was done with it, and the chain of hashes shows that these are as they were written.",
        evidence: HEALTH,
        checks: &[Chain],
    },
];
