//! GDPR: what shows that personal data is handled as it must be.

use super::{
    super::control::{
        CLASSIFICATION,
        Check::{Chain, Has, NothingLost},
        Control, DATA_SUBJECT,
        Kind::{All, Of},
        ORIGIN, RESOURCE, STATUS, USER,
    },
    REFUSED,
};

/// Records of personal data.
const PERSONAL: &str = "regulatory_flags.GDPR = true OR regulatory_flags.data_subject:*";

pub(super) const CONTROLS: &[Control] = &[
    Control {
        id: "Art. 5(1)(c)",
        title: "Data minimisation",
        demands: "No more personal data is used than its purpose needs, which can be judged only when it is known how sensitive the data was. Taken for it are records with the flag GDPR or data_subject; each must have a data_classification.",
        evidence: PERSONAL,
        checks: &[Has(All, CLASSIFICATION)],
    },
    Control {
        id: "Art. 5(1)(f)",
        title: "Integrity and confidentiality",
        demands: "Personal data is protected against unlawful use, loss and damage, and so is what is known of its use. Shown by the chain of hashes over the records with the flag GDPR or data_subject, and by no record that tells of lost events.",
        evidence: PERSONAL,
        checks: &[Chain, NothingLost],
    },
    Control {
        id: "Art. 5(2)",
        title: "Accountability",
        demands: "Whoever is responsible for personal data can show that its use was lawful. Each record with the flag GDPR or data_subject says who used the data, and whether that succeeded.",
        evidence: PERSONAL,
        checks: &[Has(All, USER), Has(All, STATUS)],
    },
    Control {
        id: "Art. 15",
        title: "Access by the data subject",
        demands: "A person is told on request what was done with their data, and to whom it was disclosed. It can be found when each record with the flag GDPR names the person in regulatory_flags.data_subject.",
        evidence: PERSONAL,
        checks: &[Has(All, DATA_SUBJECT)],
    },
    Control {
        id: "Art. 30",
        title: "Records of processing",
        demands: "A register says which processing of personal data there is, for what, and of which kinds of data. Records of the category data with the flag GDPR or data_subject support it when each says what was processed, of which classification, and by whom; the purposes stand in the register itself.",
        evidence: r#"category = "data" AND (regulatory_flags.GDPR = true OR regulatory_flags.data_subject:*)"#,
        checks: &[Has(All, RESOURCE), Has(All, CLASSIFICATION), Has(All, USER)],
    },
    Control {
        id: "Art. 32",
        title: "Security of processing",
        demands: "Measures that fit the risk keep processing confidential, intact and available, and are tested. Shown by records of who was let in and who was not, which say of refused attempts where they came from, by the chain of hashes, and by no record that tells of lost events.",
        evidence: r#"category = "auth" OR category = "security" OR status = "denied""#,
        checks: &[Has(Of(REFUSED, "of refused attempts"), ORIGIN), Chain, NothingLost],
    },
];
