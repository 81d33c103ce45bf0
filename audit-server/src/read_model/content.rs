//! What of a record goes into the index.
//!
//! Each name under which a condition may look (see [`crate::filter`]) with each of its texts is a
//! *key*; the texts of `details` and `regulatory_flags` that are numbers become codes as well; the
//! message and the texts of `details` are taken apart into words. Where a key ends up, in a bitmap
//! or in the term index, is not decided here.

use audit_layer::{
    event_type,
    record::{Member, Record},
};

use super::number::Code;
use crate::filter::{Decimal, Text, leaves, of_member, push_folded, raised, words};

/// Members whose texts are keys.
pub(super) const KEYED: &[Member] = &[
    Member::Action,
    Member::Category,
    Member::CorrelationId,
    Member::DataClassification,
    Member::EventType,
    Member::IpAddress,
    Member::Level,
    Member::Logger,
    Member::RequestId,
    Member::Resource,
    Member::SessionId,
    Member::Severity,
    Member::Source,
    Member::SpanId,
    Member::Status,
    Member::Stream,
    Member::Tenant,
    Member::TraceId,
    Member::UserId,
    Member::Username,
];

/// Members that not every record has, and of which it is known which have them.
const OPTIONAL: &[Member] = &[Member::Message, Member::ObservedAt, Member::DurationUs];

/// The name under which the flags that are raised stand.
pub(super) const RAISED: &str = "regulation";

/// The name under which what the event type has before its first dot stands. It is `category` in each
/// record that the layer made; in one that was changed it need not be.
pub(super) const TYPE_CATEGORY: &str = "category of event_type";

/// The name under which two words stand that follow each other. It is none that a record has.
pub(super) const PAIR: &str = "pair of words";

/// Stands for a text that is longer than any that can be asked for. It may yet begin as asked for.
pub(super) const LONG: &str = "\0";

/// The longest word of the term index, in bytes. Of a longer one its beginning stands there.
pub(super) const MAX_WORD: usize = 64;

/// What an index takes from a record.
pub(super) trait Sink {
    /// A text, not empty, stands under this name.
    fn present(&mut self, name: &str);
    /// This text, not empty, stands under this name.
    fn key(&mut self, name: &str, text: &str);
    /// A number stands under this name.
    fn number(&mut self, name: &str, code: Code);
    /// The record says this word, in lower case.
    fn word(&mut self, word: &str);
    /// The record says these two words one after the other, with a blank between them here.
    fn pair(&mut self, pair: &str);
}

/// Gives the index everything that it takes from the record.
pub(super) fn read(record: &Record<'_>, sink: &mut impl Sink) {
    for member in KEYED {
        of_member(record, *member, |text| keyed(sink, member.name(), text));
    }
    keyed(sink, TYPE_CATEGORY, event_type::category(&record.event_type));
    for member in OPTIONAL {
        of_member(record, *member, |text| {
            if !text.is_empty() {
                sink.present(member.name());
            }
        });
    }
    if let Some(duration) = record.duration_us
        && let Some(code) = Code::of(itoa::Buffer::new().format(duration))
    {
        sink.number(Member::DurationUs.name(), code);
    }
    let mut said = Said::default();
    if let Some(message) = &record.message {
        said.take(sink, message);
    }
    let mut name = String::new();
    if let Some(details) = record.details {
        leaves(details, |path, leaf| {
            under(&mut name, "details.", path);
            valued(sink, &name, leaf.text);
            if leaf.quoted && !Decimal::is_one(leaf.text) {
                said.take(sink, leaf.text);
            }
        });
    }
    if let Some(flags) = record.regulatory_flags {
        leaves(flags, |path, leaf| {
            under(&mut name, "regulatory_flags.", path);
            valued(sink, &name, leaf.text);
        });
        raised(flags, |flag| keyed(sink, RAISED, flag));
    }
}

fn under(name: &mut String, object: &str, path: &str) {
    name.clear();
    name.push_str(object);
    name.push_str(path);
}

fn valued(sink: &mut impl Sink, name: &str, text: &str) {
    keyed(sink, name, text);
    if let Some(code) = Code::of(text) {
        sink.number(name, code);
    }
}

fn keyed(sink: &mut impl Sink, name: &str, text: &str) {
    if !text.is_empty() {
        sink.key(name, if text.len() <= Text::MAX_BYTES { text } else { LONG });
    }
}

/// The words of a text, one after the other.
#[derive(Default)]
struct Said {
    /// The word before, and behind a blank the one that is looked at.
    pair: String,
}

impl Said {
    fn take(&mut self, sink: &mut impl Sink, text: &str) {
        self.pair.clear();
        for piece in words(text) {
            let start = self.pair.len();
            push_folded(&mut self.pair, piece);
            self.pair.truncate(start + cut(&self.pair[start..]).len());
            sink.word(&self.pair[start..]);
            if start > 0 && may_be_paired(&self.pair) {
                sink.pair(&self.pair);
            }
            self.pair.drain(..start);
            self.pair.push(' ');
        }
    }
}

/// Whether a pair of words is indexed. With a digit it is a number of something, and such pairs are as
/// many as there are records.
pub(super) fn may_be_paired(pair: &str) -> bool {
    !pair.bytes().any(|b| b.is_ascii_digit())
}

/// The longest word that is certain to stand there whole: one that was cut has at least this length,
/// and up to three bytes more.
pub(super) const MAX_WHOLE_WORD: usize = MAX_WORD - 4;

/// The word as it stands in the term index.
pub(super) fn cut(word: &str) -> &str {
    &word[..word.floor_char_boundary(MAX_WORD)]
}
