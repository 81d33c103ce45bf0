//! Compliance: what the records of a window show for regulations, control by control.
//!
//! A catalogue of controls ([`catalogue`]) says for each which records are its evidence, as an
//! expression that a reader can run, and which checks must hold. One evaluator counts. It is written
//! against [`Evidence`], a handful of questions that a trail answers.
//!
//! # What a state means
//! `met`: there are records, and every check holds. `gap`: there are records, and some check fails;
//! the reason counts what is wrong. `no_data`: there are no records of the kind, or a check could
//! not be made, as when nobody has verified the chain. So that nothing happened and that nothing was
//! recorded look alike, and neither is a pass. A retention that is shorter than demanded is a gap
//! also where the system is younger than that: the reason says whether anything was removed.
//!
//! Rejected: a score in percent, which weighs a missing address against a broken chain; a guess at
//! the records of a regulation from their classification, which makes passes out of other data.
//!
//! # What it costs
//! Seven regulations ask for some eighty different counts, each answered by bitmaps. Two counts a
//! day beside these read only the chunks of that day. Equal questions are asked once, samples are
//! fetched only where there are records, and a count that is not exact ends the report: a figure that
//! may be too small would be a pass that is none.
//!
//! # Invariant
//! Every expression of the catalogue parses, and so does what the evaluator makes of it; a test
//! holds the whole catalogue against that.

mod answer;
mod catalogue;
mod control;
mod days;
mod evaluation;
mod evidence;
mod page;
mod regulation;
#[cfg(test)]
mod tests;
mod whole;

pub(crate) use answer::{Compliance, ControlState, Days, Lack, Lost, RegulationState, State};
pub(crate) use evaluation::compliance;
pub(crate) use evidence::{ChainVerdict, Evidence, TrailEvidence};
pub(crate) use regulation::Regulation;
