//! What a record must be: conditions, and whether a record fulfils them.
//!
//! One [`Filter`] serves the HTTP API, the command line and the Rust builder, SQLite, the read
//! model and Redis alike. Whatever finds candidates, by an index or by walking, [`Filter::matches`]
//! has the last word on the line itself. So an index may find too many and never too few, and a
//! line that was changed behind its index is not taken for what it was.
//!
//! # What a condition sees
//! A record is looked at as texts under names. A member of the envelope has its own name. `details`
//! and `regulatory_flags` are taken apart into *leaves*: each scalar in them under the names that
//! lead to it, joined with dots; the items of an array stand under the name of the array. A
//! condition holds when any leaf of its name fulfils it, so `details.tags = "red"` asks for a red
//! among the tags, and `details.http.method` finds `{"http.method":…}` and `{"http":{"method":…}}`
//! alike, which a Rust program writes in either way without thinking of it.
//!
//! Equality is that of text: of a string its characters, of anything else its JSON. Numbers are
//! compared as decimals of any length, also those in strings, where money belongs.
//!
//! A value that was sealed is a leaf that says `[sealed]`; those who may open it find it by what it says, too: see
//! [`Opener`].
//!
//! # Negation
//! `status != "success"` is `NOT status = "success"`: records without a status fulfil it. AIP-160
//! leaves it open; who looks for all that did not succeed must not lose what says nothing.

mod condition;
pub(crate) mod date;
mod decimal;
mod expression;
mod field;
mod leaves;
pub(crate) mod member;
mod opener;
mod sealed;
mod text;
mod time_range;
mod words;

pub(crate) use condition::{Comparison, EventPattern, Filter, RESTRICTED, Test};
pub(crate) use decimal::Decimal;
pub(crate) use expression::{MAX_BYTES as MAX_EXPRESSION_BYTES, expression, printed};
pub(crate) use field::{Field, of_member};
pub(crate) use leaves::{leaves, raised};
pub(crate) use member::MAX_WHOLE;
pub(crate) use opener::{Opener, Shown, clear_leaves};
pub(crate) use sealed::SealedText;
pub(crate) use text::Text;
pub(crate) use time_range::TimeRange;
pub(crate) use words::{MAX_BYTES as MAX_WORDS_BYTES, Wanted, Words, push_folded, words};
