//! The Sarbanes-Oxley Act: internal control over financial reporting, and what must not be
//! destroyed.

use super::{
    super::control::{
        AMOUNT, CORRELATION,
        Check::{Chain, GoesBack, Has, No, NothingLost},
        Control,
        Kind::All,
        RESOURCE, STATUS, USER,
    },
    ALL, CHANGES, TRIMMED,
};

pub(super) const CONTROLS: &[Control] = &[
    Control {
        id: "§404 changes",
        title: "Internal control: changes",
        demands: "Management assesses each year whether internal control over financial reporting works, of which control over changes is a part. Taken for it are changes of configuration, roles, accounts and keys; each must say who made it, and of what.",
        evidence: CHANGES,
        checks: &[Has(All, USER), Has(All, RESOURCE)],
    },
    Control {
        id: "§404 financial records",
        title: "Internal control: financial records",
        demands: "Transactions can be followed from their beginning to the books. Taken for it is the category financial; each record must say who acted, whether that succeeded, for how much, and to which transaction it belongs.",
        evidence: r#"category = "financial""#,
        checks: &[
            Has(All, USER),
            Has(All, STATUS),
            Has(All, AMOUNT),
            Has(All, CORRELATION),
            NothingLost,
            Chain,
        ],
    },
    Control {
        id: "§802",
        title: "Retention",
        demands: "Records that bear on an audit or an inquiry are neither destroyed nor changed; those of an audit are kept for seven years under the rule that implements it. Shown by the chain of hashes, by no sink that lost what it had, and by a trail that goes back so far.",
        evidence: ALL,
        checks: &[
            Chain,
            No(TRIMMED, "records of a sink that lost what it had"),
            GoesBack { days: 2557, demanded: "7 years" },
        ],
    },
];
