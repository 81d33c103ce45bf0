//! SOC 2: the common criteria that a trail bears on.

use super::{
    super::control::{
        Check::{Has, Heartbeats, NothingLost},
        Control,
        Kind::{All, Of},
        ORIGIN, RESOURCE, USER,
    },
    CHANGES, REFUSED,
};

pub(super) const CONTROLS: &[Control] = &[
    Control {
        id: "CC6.1",
        title: "Logical access",
        demands: "Only those who may have it are given access to information. Taken for it is the category auth; each record must say who asked for access.",
        evidence: r#"category = "auth""#,
        checks: &[Has(All, USER)],
    },
    Control {
        id: "CC7.2",
        title: "Monitoring of anomalies",
        demands: "The system is watched for what is unusual and may come from an attack, a fault or a mistake. Taken for it are the category security, refused attempts and what is of severity error or critical. Refused attempts must say where they came from, each day must have a heartbeat, and no record may tell of lost events.",
        evidence: r#"category = "security" OR event_type = "auth.failed" OR event_type = "auth.permission_denied" OR status = "denied" OR severity >= "error""#,
        checks: &[Has(Of(REFUSED, "of refused attempts"), ORIGIN), Heartbeats, NothingLost],
    },
    Control {
        id: "CC8.1",
        title: "Changes",
        demands: "Changes are authorised, documented and carried out as planned. Taken for it are changes of configuration, roles, accounts and keys; each must say who made it, and of what.",
        evidence: CHANGES,
        checks: &[Has(All, USER), Has(All, RESOURCE)],
    },
];
