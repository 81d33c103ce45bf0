//! PCI DSS 4.0.1, requirement 10: log and monitor all access.

use super::{
    super::control::{
        Check::{Chain, EveryDay, GoesBack, Has, Heartbeats, No, NothingInTheFuture, NothingLost},
        Control,
        Kind::{All, Of},
        ORIGIN, RESOURCE, STATUS, USER,
    },
    ALL, AUDITABLE, REFUSED, TRIMMED,
};

pub(super) const CONTROLS: &[Control] = &[
    Control {
        id: "10.2.1",
        title: "Logging is switched on",
        demands: "Every component of the system, and all that touches cardholder data, keeps an audit log without interruption. Shown by records and heartbeats on each day, and by no record that tells of lost events.",
        evidence: ALL,
        checks: &[EveryDay, Heartbeats, NothingLost],
    },
    Control {
        id: "10.2.1.1",
        title: "Access to cardholder data",
        demands: "Each access of a person to cardholder data leaves a record that names the person. Taken for it are records with the flag PCI, PCI_DSS or PCI-DSS.",
        evidence: r#"regulatory_flags.PCI = true OR regulatory_flags.PCI_DSS = true OR regulatory_flags.PCI-DSS = true"#,
        checks: &[Has(All, USER)],
    },
    Control {
        id: "10.2.1.2",
        title: "Administrative actions",
        demands: "All that is done with administrative rights is recorded with who did it, also what a person does through an account of an application or of the system. Taken for it is the category admin.",
        evidence: r#"category = "admin""#,
        checks: &[Has(All, USER)],
    },
    Control {
        id: "10.2.1.3",
        title: "Access to audit logs",
        demands: "Each access to the audit logs is itself recorded, with who had it. Taken for it are records whose resource is audit_logs.",
        evidence: r#"resource = "audit_logs""#,
        checks: &[Has(All, USER)],
    },
    Control {
        id: "10.2.1.4",
        title: "Invalid access attempts",
        demands: "Attempts to get in, or to reach something, that were refused are recorded. Taken for it are failed logins, denied permissions, intrusions and whatever has the status denied; each must say where it came from, since who it was is often not known.",
        evidence: REFUSED,
        checks: &[Has(All, ORIGIN)],
    },
    Control {
        id: "10.2.1.5",
        title: "Changes of credentials",
        demands: "Changes to how users are identified and authenticated are recorded: new accounts, more rights, and what is added to, changed of or taken from accounts with administrative rights. Taken for it are password resets, second factors, revoked tokens, new accounts, roles and keys.",
        evidence: r#"event_type = "auth.password_reset" OR event_type = "auth.mfa" OR event_type = "auth.token_revoked" OR event_type = "admin.user_created" OR event_type = "admin.role_changed" OR event_type = "admin.key_created" OR event_type = "admin.key_revoked""#,
        checks: &[Has(All, USER)],
    },
    Control {
        id: "10.2.1.6",
        title: "Starts and stops of the logs",
        demands: "It is recorded when an audit log is begun anew, and when one starts, stops or pauses. Taken for it is what each writer records of itself; a day without a heartbeat is a stop of which nothing tells.",
        evidence: r#"event_type = "system.startup" OR event_type = "system.shutdown" OR event_type = "system.stream_opened" OR event_type = "system.audit_gap" OR event_type = "system.audit_recovered""#,
        checks: &[Heartbeats],
    },
    Control {
        id: "10.2.1.7",
        title: "Creation and deletion of system objects",
        demands: "It is recorded when objects that the system needs for its work are made or deleted, such as tables, programs and their configuration. Taken for it are new accounts and keys, and administrative records whose action is to create, delete, drop, install or remove; each must name what it concerned.",
        evidence: r#"event_type = "admin.user_created" OR event_type = "admin.key_created" OR event_type = "admin.key_revoked" OR (category = "admin" AND (action = "create" OR action = "delete" OR action = "drop" OR action = "install" OR action = "remove"))"#,
        checks: &[Has(All, USER), Has(All, RESOURCE)],
    },
    Control {
        id: "10.2.2",
        title: "What each record says",
        demands: "Each record of an auditable event says who it was, of which type the event is, when it was, whether it succeeded, where it came from, and which data, component or service it concerned. Taken for it are the categories auth, admin and data. Each record has a type, a time and, in its stream, the service; what was acted upon must stand in records of the categories admin and data.",
        evidence: AUDITABLE,
        checks: &[
            Has(All, USER),
            Has(All, STATUS),
            Has(All, ORIGIN),
            Has(
                Of(
                    r#"category = "admin" OR category = "data""#,
                    "of the categories admin and data",
                ),
                RESOURCE,
            ),
            No(r#"event_type = "audit.event""#, "records that do not say of which type they are"),
            NothingInTheFuture,
        ],
    },
    Control {
        id: "10.3",
        title: "Protection of the logs",
        demands: "Nobody can destroy or change audit logs unnoticed: they are protected and backed up, and a change of what is written is found. Shown by the chain of hashes, and by no sink that lost what it had.",
        evidence: ALL,
        checks: &[Chain, No(TRIMMED, "records of a sink that lost what it had")],
    },
    Control {
        id: "10.5.1",
        title: "Retention",
        demands: "Audit logs are kept for twelve months, of which the latest three are at hand for analysis. Shown by a trail that goes back so far; all of it is at hand.",
        evidence: ALL,
        checks: &[GoesBack { days: 365, demanded: "12 months" }],
    },
];
