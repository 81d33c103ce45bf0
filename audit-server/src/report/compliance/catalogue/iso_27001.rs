//! ISO/IEC 27001:2022, annex A: logging and clocks.

use super::{
    super::control::{
        Check::{Chain, EveryDay, Has, Heartbeats, No, NothingInTheFuture, NothingLost},
        Control,
        Kind::Of,
        USER,
    },
    ALL, AUDITABLE, CLOCK_STEPS,
};

pub(super) const CONTROLS: &[Control] = &[
    Control {
        id: "A.8.15",
        title: "Logging",
        demands: "Logs of activities, exceptions and faults are made, kept, protected and analysed. Shown by records on each day, of which those of the categories auth, admin and data say who it was, by the chain of hashes, and by no record that tells of lost events.",
        evidence: ALL,
        checks: &[
            EveryDay,
            Has(Of(AUDITABLE, "of the categories auth, admin and data"), USER),
            Chain,
            NothingLost,
        ],
    },
    Control {
        id: "A.8.17",
        title: "Clock synchronisation",
        demands: "Clocks are kept together by approved sources of time. Each writer compares its wall clock with one that cannot be set, and records every step of a second or more. Shown by heartbeats on each day, by no such step, and by no record of a time that is yet to come.",
        evidence: r#"event_type = "system.heartbeat" OR event_type = "system.clock_step""#,
        checks: &[
            Heartbeats,
            No(CLOCK_STEPS, "records of a wall clock that was set"),
            NothingInTheFuture,
        ],
    },
];
