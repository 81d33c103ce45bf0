//! MiFID II: the clocks by which trading is recorded, and the orders.
//!
//! RTS 25 asks members of a trading venue for timestamps to the microsecond, and a clock within 100 µs
//! of UTC, when they trade at high frequency; else for milliseconds, or seconds. How far a clock was
//! from UTC no record tells; that it was set, each writer records.

use super::{
    super::control::{
        CORRELATION,
        Check::{Chain, GoesBack, Has, Heartbeats, No, NothingInTheFuture, NothingLost},
        Control, INSTRUMENT,
        Kind::All,
        USER,
    },
    CLOCK_STEPS,
};

/// Records of trading.
const TRADES: &str = r#"category = "trade""#;

pub(super) const CONTROLS: &[Control] = &[
    Control {
        id: "MiFIR Art. 25(1) orders",
        title: "Records of orders",
        demands: "Firms keep the data of all orders and transactions in financial instruments, so that each can be followed from the decision to the execution. Taken for it is the category trade; each record must say to which order it belongs, who acted, and in which instrument.",
        evidence: TRADES,
        checks: &[Has(All, CORRELATION), Has(All, USER), Has(All, INSTRUMENT), NothingLost, Chain],
    },
    Control {
        id: "MiFIR Art. 25(1) retention",
        title: "Retention of orders",
        demands: "These records are at the disposal of the authority for five years. Shown by a trail that goes back so far.",
        evidence: TRADES,
        checks: &[GoesBack { days: 1827, demanded: "5 years" }],
    },
    Control {
        id: "RTS 25 Art. 1",
        title: "Reference time",
        demands: "Clocks are synchronised with UTC. Each record has its time in UTC; shown by heartbeats on each day, and by no record of a time that is yet to come.",
        evidence: TRADES,
        checks: &[Heartbeats, NothingInTheFuture],
    },
    Control {
        id: "RTS 25 Art. 3",
        title: "Accuracy of clocks",
        demands: "Who trades at high frequency records times to the microsecond, by a clock that is never more than 100 microseconds from UTC; other electronic trading to the millisecond, trading by voice to the second. Each record has microseconds, unless it was imported from a system whose clock is not known. A wall clock that was set, by a second or more, had been further from UTC than that; a lesser divergence is to be shown by what keeps the clock.",
        evidence: TRADES,
        checks: &[
            No(CLOCK_STEPS, "records of a wall clock that was set"),
            No(
                r#"category = "trade" AND observed_at:*"#,
                "imported records of trading, by a clock that is not known",
            ),
        ],
    },
];
