//! The flat encoding of an event: made on the caller's thread, read by the pipeline.
//!
//! ```text
//! time i64 │ observed_at i64 │ id [u8; 16] │ callsite u32 │ entry…
//! entry:  key u16 │ tag u8 │ payload        payload: fixed by the tag, or length u32 and bytes
//! ```
//!
//! All integers are little-endian. `time` is microseconds since the Unix epoch; `observed_at` is
//! [`NOT_IMPORTED`] unless the event was imported. A key below [`FIRST_FIELD`] is a [`Member`];
//! above it, a field of the callsite by its index, so that no name is copied or compared while an
//! event is recorded. The top bit of a tag says that the value was cut; two more, what is still to be
//! done with it, until that is done: no frame in a journal has them.
//!
//! Rejected: `serde` formats (they walk a tree that an event does not have), names in the frame
//! (three times the bytes), an enum sent through the channel (an allocation a string).
//!
//! The file is long because both directions of the encoding, and the bounds that a record keeps
//! while it is written, stand or fall together.
//!
//! Invariant: a frame that does not follow this layout decodes to `None` at the first byte that is
//! off; it never panics.

use std::ops::Range;

use uuid::Uuid;

use crate::record::{MAX_RECORD_BYTES, MAX_VALUE_BYTES, Member, Value};

/// `observed_at` of an event that happened now.
pub(crate) const NOT_IMPORTED: i64 = i64::MIN;

/// The key of the first field of a callsite; below it are members.
const FIRST_FIELD: u16 = 256;

const TAG: Range<usize> = 0..8;
const OBSERVED: Range<usize> = 8..16;
const ID: Range<usize> = 16..32;
const CALLSITE: Range<usize> = 32..36;
pub(crate) const HEADER: usize = 36;

/// The longest frame that a journal takes.
pub(crate) const MAX_FRAME: usize = 128 * 1024;

const CUT: u8 = 0x80;
const MARKS: u8 = 0x30;

/// What is to be done with a value before the frame goes anywhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
#[repr(u8)]
pub(crate) enum Mark {
    /// Nothing.
    #[default]
    None = 0,
    /// Something within it is to be hashed or sealed.
    Within = 0x10,
    /// It is to be hashed.
    Hash = 0x20,
    /// It is to be sealed.
    Seal = 0x30,
}

impl Mark {
    fn of(tag: u8) -> Self {
        match tag & MARKS {
            0 => Self::None,
            0x10 => Self::Within,
            0x20 => Self::Hash,
            _ => Self::Seal,
        }
    }
}

/// What an entry of text or bytes begins with: key, tag and length.
const SIZED_HEAD: usize = 2 + 1 + 4;

/// What an entry sets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Key {
    /// A member of the record.
    Member(Member),
    /// The field of the callsite with that index.
    Field(usize),
}

impl Key {
    fn code(self) -> u16 {
        match self {
            Self::Member(member) => member as u16,
            Self::Field(index) => {
                FIRST_FIELD.saturating_add(u16::try_from(index).unwrap_or(u16::MAX))
            }
        }
    }

    /// Whether its value is cut so that those of other members, which say who did what and when,
    /// fit into the record.
    fn gives_way(self) -> bool {
        match self {
            Self::Field(_) => true,
            Self::Member(member) => matches!(member, Member::Details | Member::RegulatoryFlags),
        }
    }

    fn from_code(code: u16) -> Option<Self> {
        match code.checked_sub(FIRST_FIELD) {
            Some(index) => Some(Self::Field(usize::from(index))),
            None => Member::from_index(usize::from(code)).map(Self::Member),
        }
    }
}

/// A value as it was captured.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Captured<'f> {
    /// A value that is written as it stands.
    Plain(Value<'f>),
    /// JSON text, not yet canonical.
    Json(&'f str),
}

impl<'f> Captured<'f> {
    /// The text that a member which is text takes from it. JSON has some when it is a number, a
    /// truth value, or a string without escapes: text that needs them is captured as text.
    pub(crate) fn as_text(&self) -> Option<&'f str> {
        match self {
            Self::Plain(Value::Str(text)) => Some(text),
            Self::Plain(_) => None,
            Self::Json(json) => match json.as_bytes().first()? {
                b'{' | b'[' | b'n' => None,
                b'"' => json
                    .strip_prefix('"')
                    .and_then(|json| json.strip_suffix('"'))
                    .filter(|text| !text.contains('\\')),
                _ => Some(json),
            },
        }
    }

    /// The whole number of microseconds that it is.
    pub(crate) fn as_duration_us(&self) -> Option<u64> {
        match self {
            Self::Plain(Value::U64(value)) => Some(*value),
            Self::Plain(Value::I64(value)) => u64::try_from(*value).ok(),
            Self::Plain(Value::I128(value)) => u64::try_from(*value).ok(),
            Self::Plain(Value::U128(value)) => u64::try_from(*value).ok(),
            Self::Plain(Value::Str(text)) | Self::Json(text) => text.parse().ok(),
            Self::Plain(_) => None,
        }
        // Beyond 2^53 the member would have to be a string.
        .filter(|value| *value <= 1 << 53)
    }

    /// The bytes of its value that count towards the bound of a record: those of text and bytes.
    fn size(&self) -> usize {
        match self {
            Self::Plain(Value::Str(text)) | Self::Json(text) => text.len(),
            Self::Plain(Value::Bytes(bytes)) => bytes.len(),
            Self::Plain(_) => 0,
        }
    }

    /// Whether it sets the member, or is only kept in `details`.
    pub(crate) fn sets(&self, member: Member) -> bool {
        match member {
            Member::DurationUs => self.as_duration_us().is_some(),
            Member::Details | Member::RegulatoryFlags => true,
            _ => self.as_text().is_some_and(|text| !text.is_empty()),
        }
    }
}

/// Appends entries to a buffer within the bounds of a record.
#[derive(Debug)]
pub(crate) struct Entries<'b> {
    pub(crate) bytes: &'b mut Vec<u8>,
    /// Where the first entry begins.
    start: usize,
    /// Bytes of values that the record may still take.
    room: usize,
    /// What is to be done with the values that come next.
    pub(crate) mark: Mark,
}

macro_rules! fixed {
    ($($name:ident $tag:literal $type:ty;)+) => {
        $(pub(crate) fn $name(&mut self, key: Key, value: $type) {
            self.head(key, $tag);
            self.bytes.extend_from_slice(&value.to_le_bytes());
            self.room = self.room.saturating_sub(size_of::<$type>());
        })+
    };
}

impl<'b> Entries<'b> {
    pub(crate) fn new(bytes: &'b mut Vec<u8>) -> Self {
        let start = bytes.len();
        Self { bytes, start, room: MAX_RECORD_BYTES, mark: Mark::None }
    }

    /// Counts anew what there is room for, when other values have taken the place of some.
    pub(crate) fn recount(&mut self) {
        let entries = EntryIter::of(self.bytes.get(self.start..).unwrap_or_default());
        let taken = entries.map(|entry| entry.taken()).sum();
        self.room = MAX_RECORD_BYTES.saturating_sub(taken);
    }

    fn head(&mut self, key: Key, tag: u8) {
        self.bytes.extend_from_slice(&key.code().to_le_bytes());
        self.bytes.push(tag | self.mark as u8);
    }

    fixed! {
        i64 2 i64;
        u64 3 u64;
        i128 4 i128;
        u128 5 u128;
        f64 6 f64;
    }

    pub(crate) fn bool(&mut self, key: Key, value: bool) {
        self.head(key, u8::from(value));
    }

    pub(crate) fn str(&mut self, key: Key, value: &str) {
        self.with_text(key, |text| text.push(value));
    }

    /// Appends a text that needs no cutting, nor any other to be cut; else returns `false`.
    #[inline]
    pub(crate) fn try_str(&mut self, key: Key, value: &str) -> bool {
        if value.len() > MAX_VALUE_BYTES.min(self.room) {
            return false;
        }
        let ([key_low, key_high], [a, b, c, d]) = (key.code().to_le_bytes(), length(value.len()));
        self.bytes.reserve(SIZED_HEAD + value.len());
        self.bytes.extend_from_slice(&[key_low, key_high, 7 | self.mark as u8, a, b, c, d]);
        self.bytes.extend_from_slice(value.as_bytes());
        self.room -= value.len();
        true
    }

    /// Appends whole entries that another buffer holds, if all of them fit; else returns `false`.
    pub(crate) fn copy_all(&mut self, entries: &[u8]) -> bool {
        let fits = entries.len() <= self.room;
        if fits {
            self.bytes.extend_from_slice(entries);
            // Their heads count here, which one by one they would not: room is left over at worst.
            self.room -= entries.len();
        }
        fits
    }

    pub(crate) fn bytes(&mut self, key: Key, value: &[u8]) {
        let kept = &value[..value.len().min(MAX_VALUE_BYTES).min(self.room)];
        self.head(key, 8 | if kept.len() < value.len() { CUT } else { 0 });
        self.bytes.extend_from_slice(&length(kept.len()));
        self.bytes.extend_from_slice(kept);
        self.room -= kept.len();
    }

    /// Appends a text value piece by piece. What `write` says of the text when it is done decides
    /// whether it is kept as text or as JSON; JSON that had to be cut is text.
    pub(crate) fn with_text<R>(&mut self, key: Key, write: impl FnOnce(&mut Text<'_>) -> R) -> R {
        self.head(key, 7);
        let tag_at = self.bytes.len() - 1;
        self.bytes.extend_from_slice(&[0; 4]);
        let start = self.bytes.len();
        let limit = if key.gives_way() { MAX_VALUE_BYTES.min(self.room) } else { MAX_VALUE_BYTES };
        let mark = self.mark;
        let mut text = Text { bytes: self.bytes, start, limit, cut: false, json: false, mark };
        let result = write(&mut text);
        let (cut, json, mark) = (text.cut, text.json, text.mark);
        let written = self.bytes.len() - start;
        let tag = match (cut, json) {
            (true, _) => 7 | CUT,
            (false, true) => 9,
            (false, false) => 7,
        };
        self.bytes[tag_at] = tag | mark as u8;
        self.bytes[start - 4..start].copy_from_slice(&length(written));
        if written > self.room {
            self.make_room(written);
        }
        self.room = self.room.saturating_sub(written);
        result
    }

    /// Appends an entry with another text, or its bytes, in the place of its value.
    pub(crate) fn with_value(&mut self, entry: &RawEntry<'_>, value: &str) {
        self.mark = entry.mark;
        self.with_bytes_or_text(entry, value);
        self.mark = Mark::None;
    }

    fn with_bytes_or_text(&mut self, entry: &RawEntry<'_>, value: &str) {
        if let Captured::Plain(Value::Bytes(_)) = entry.value {
            let tag = self.bytes.len() + 2;
            self.bytes(entry.key, value.as_bytes());
            if entry.cut {
                self.bytes[tag] |= CUT;
            }
            return;
        }
        self.with_text(entry.key, |text| {
            text.push(value);
            text.cut |= entry.cut;
            text.json = matches!(entry.value, Captured::Json(_));
        });
    }

    /// Appends an entry as it is, with the mark that it has now, whatever there is room for.
    pub(crate) fn put(&mut self, entry: &RawEntry<'_>) {
        let tag = self.bytes.len() + 2;
        self.bytes.extend_from_slice(entry.bytes);
        if let Some(tag) = self.bytes.get_mut(tag) {
            *tag = *tag & !MARKS | entry.mark as u8;
        }
    }

    /// The same with a text in the place of its value.
    pub(crate) fn put_text(&mut self, entry: &RawEntry<'_>, text: &str) {
        self.put_sized(entry, 7, text);
    }

    /// The same with another text, or the bytes of it, in the place of that text.
    pub(crate) fn put_other(&mut self, entry: &RawEntry<'_>, text: &str) {
        let is_bytes = matches!(entry.value, Captured::Plain(Value::Bytes(_)));
        self.put_sized(entry, if is_bytes { 8 } else { 7 }, text);
    }

    /// The same with JSON in the place of its value.
    pub(crate) fn put_json(&mut self, entry: &RawEntry<'_>, json: &str) {
        self.put_sized(entry, 9, json);
    }

    fn put_sized(&mut self, entry: &RawEntry<'_>, tag: u8, value: &str) {
        self.bytes.extend_from_slice(&entry.key.code().to_le_bytes());
        self.bytes.push(tag | entry.mark as u8 | if entry.cut { CUT } else { 0 });
        self.bytes.extend_from_slice(&length(value.len()));
        self.bytes.extend_from_slice(value.as_bytes());
    }

    /// Cuts the last values that give way until a value of `needed` bytes has room, or, when that
    /// is not enough, the last value of all.
    #[cold]
    fn make_room(&mut self, needed: usize) {
        while self.room < needed {
            let mut at = self.start;
            let (mut gives_way, mut last) = (None, None);
            for entry in EntryIter::of(&self.bytes[self.start..]) {
                if entry.value.size() > 0 && entry.bytes.len() >= SIZED_HEAD {
                    last = Some(at);
                    if entry.key.gives_way() {
                        gives_way = last;
                    }
                }
                at += entry.bytes.len();
            }
            let Some(at) = gives_way.or(last) else { return };
            self.room += self.cut(at, needed - self.room);
            if gives_way.is_none() {
                return;
            }
        }
    }

    /// Takes `over` bytes off the end of the text or bytes whose entry begins at `at`, and as many
    /// more as their last character needs. Returns how many.
    fn cut(&mut self, at: usize, over: usize) -> usize {
        let Some(entry) = EntryIter::of(&self.bytes[at..]).next() else { return 0 };
        let (size, entry_mark) = (entry.value.size(), entry.mark as u8);
        let (tag, keep) = match entry.value {
            Captured::Plain(Value::Str(text)) | Captured::Json(text) => {
                (7, text.floor_char_boundary(size.saturating_sub(over)))
            }
            _ => (8, size.saturating_sub(over)),
        };
        let value = at + SIZED_HEAD;
        self.bytes.drain(value + keep..value + size);
        self.bytes[at + 2] = tag | CUT | entry_mark;
        self.bytes[value - 4..value].copy_from_slice(&length(keep));
        size - keep
    }

    /// Copies whole entries that another buffer holds.
    pub(crate) fn copy(&mut self, entry: &RawEntry<'_>) {
        self.mark = entry.mark;
        self.copy_marked(entry);
        self.mark = Mark::None;
    }

    fn copy_marked(&mut self, entry: &RawEntry<'_>) {
        let size = entry.value.size();
        match entry.value {
            Captured::Plain(Value::Str(text)) | Captured::Json(text) if size > self.room => {
                self.str(entry.key, text);
            }
            Captured::Plain(Value::Bytes(bytes)) if size > self.room => {
                self.bytes(entry.key, bytes);
            }
            _ => {
                self.bytes.extend_from_slice(entry.bytes);
                self.room = self.room.saturating_sub(entry.taken());
            }
        }
    }
}

fn length(bytes: usize) -> [u8; 4] {
    // A value is at most `MAX_VALUE_BYTES` long.
    u32::try_from(bytes).unwrap_or(u32::MAX).to_le_bytes()
}

/// A text value that is being written; what goes over its bound is cut at a character boundary.
#[derive(Debug)]
pub(crate) struct Text<'b> {
    bytes: &'b mut Vec<u8>,
    start: usize,
    limit: usize,
    cut: bool,
    json: bool,
    mark: Mark,
}

impl Text<'_> {
    pub(crate) fn push(&mut self, text: &str) {
        let room = self.limit - self.len();
        if text.len() <= room && !self.cut {
            self.bytes.extend_from_slice(text.as_bytes());
        } else if !self.cut {
            let end = text.floor_char_boundary(room);
            self.bytes.extend_from_slice(&text.as_bytes()[..end]);
            self.cut = true;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.start
    }

    pub(crate) fn is_cut(&self) -> bool {
        self.cut
    }

    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Forgets what was written from `len` on.
    pub(crate) fn truncate(&mut self, len: usize) {
        self.bytes.truncate(self.start + len);
        self.cut = false;
    }

    pub(crate) fn mark_json(&mut self) {
        self.json = true;
    }

    pub(crate) fn mark(&self) -> Mark {
        self.mark
    }

    /// What is to be done with it, unless more is already.
    pub(crate) fn raise_mark(&mut self, mark: Mark) {
        self.mark = self.mark.max(mark);
    }

    /// Nothing is to be done with it: what it says is nobody's secret.
    pub(crate) fn clear_mark(&mut self) {
        self.mark = Mark::None;
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[self.start..]
    }
}

impl std::fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.push(text);
        Ok(())
    }
}

/// What a frame begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Microseconds since the Unix epoch.
    pub(crate) time: i64,
    /// When an imported event was taken in; else [`NOT_IMPORTED`].
    pub(crate) observed_at: i64,
    pub(crate) id: Uuid,
    /// The number of the callsite's plan.
    pub(crate) callsite: u32,
}

impl Header {
    pub(crate) fn push(&self, bytes: &mut Vec<u8>) {
        let mut header = [0; HEADER];
        header[TAG].copy_from_slice(&self.time.to_le_bytes());
        header[OBSERVED].copy_from_slice(&self.observed_at.to_le_bytes());
        header[ID].copy_from_slice(self.id.as_bytes());
        header[CALLSITE].copy_from_slice(&self.callsite.to_le_bytes());
        bytes.extend_from_slice(&header);
    }
}

/// The time in a frame; 0 when it is too short to have one.
pub(crate) fn time(frame: &[u8]) -> i64 {
    frame.first_chunk().map_or(0, |bytes| i64::from_le_bytes(*bytes))
}

/// A whole event in its encoding.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame(Box<[u8]>);

impl Frame {
    pub(crate) fn new(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

/// Reads the header of a frame; `None` when it is too short.
pub(crate) fn header(frame: &[u8]) -> Option<Header> {
    let part = |range: Range<usize>| frame.get(range);
    Some(Header {
        time: i64::from_le_bytes(part(TAG)?.try_into().ok()?),
        observed_at: i64::from_le_bytes(part(OBSERVED)?.try_into().ok()?),
        id: Uuid::from_slice(part(ID)?).ok()?,
        callsite: u32::from_le_bytes(part(CALLSITE)?.try_into().ok()?),
    })
}

/// Walks the entries of a frame.
pub(crate) fn entries(frame: &[u8]) -> EntryIter<'_> {
    EntryIter { bytes: frame.get(HEADER..).unwrap_or_default(), is_final: true }
}

/// What is in the entries of text and of bytes, unread: whoever looks for something in all of it is done
/// before [`entries`] has made sure that each is what it says.
pub(crate) fn texts(mut entries: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        loop {
            let ([_, _, tag], rest) = entries.split_first_chunk()?;
            let size = match tag & !(CUT | MARKS) {
                0 | 1 => 0,
                2 | 3 | 6 => 8,
                4 | 5 => 16,
                _ => {
                    let (length, rest) = rest.split_first_chunk()?;
                    let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
                    let (text, rest) = rest.split_at_checked(length)?;
                    entries = rest;
                    return Some(text);
                }
            };
            entries = rest.get(size..)?;
        }
    })
}

/// An entry as it was written.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct RawEntry<'f> {
    pub(crate) key: Key,
    pub(crate) value: Captured<'f>,
    pub(crate) cut: bool,
    pub(crate) mark: Mark,
    pub(crate) bytes: &'f [u8],
}

impl RawEntry<'_> {
    /// Whether it sets the member. What is to be sealed does not, but nothing else is to be taken for it.
    pub(crate) fn sets(&self, member: Member) -> bool {
        self.mark == Mark::Seal || self.value.sets(member)
    }

    /// The bytes of its value that count towards the bound of a record.
    fn taken(&self) -> usize {
        match self.value.size() {
            // A number has no length before it.
            0 => self.bytes.len().saturating_sub(3),
            size => size,
        }
    }
}

/// Walks entries until they end, or until a byte that no encoder writes.
#[derive(Debug, Clone)]
pub(crate) struct EntryIter<'f> {
    bytes: &'f [u8],
    /// Nothing is left to be done with any value.
    is_final: bool,
}

impl<'f> EntryIter<'f> {
    pub(crate) fn of(bytes: &'f [u8]) -> Self {
        Self { bytes, is_final: false }
    }
}

impl<'f> Iterator for EntryIter<'f> {
    type Item = RawEntry<'f>;

    fn next(&mut self) -> Option<RawEntry<'f>> {
        let whole = self.bytes;
        let (key, rest) = whole.split_first_chunk()?;
        let key = Key::from_code(u16::from_le_bytes(*key))?;
        let (&tag, rest) = rest.split_first()?;
        let mark = Mark::of(tag);
        if self.is_final && mark != Mark::None {
            return None;
        }
        let (value, rest) = decode(tag & !(CUT | MARKS), rest)?;
        let bytes = whole.get(..whole.len() - rest.len())?;
        self.bytes = rest;
        Some(RawEntry { key, value, cut: tag & CUT != 0, mark, bytes })
    }
}

fn decode(tag: u8, bytes: &[u8]) -> Option<(Captured<'_>, &[u8])> {
    fn number<const N: usize>(bytes: &[u8]) -> Option<([u8; N], &[u8])> {
        bytes.split_first_chunk().map(|(number, rest)| (*number, rest))
    }
    fn sized(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
        let (length, rest) = number(bytes)?;
        rest.split_at_checked(usize::try_from(u32::from_le_bytes(length)).ok()?)
    }
    let (value, rest) = match tag {
        0 => (Value::Bool(false), bytes),
        1 => (Value::Bool(true), bytes),
        2 => number(bytes).map(|(n, rest)| (Value::I64(i64::from_le_bytes(n)), rest))?,
        3 => number(bytes).map(|(n, rest)| (Value::U64(u64::from_le_bytes(n)), rest))?,
        4 => number(bytes).map(|(n, rest)| (Value::I128(i128::from_le_bytes(n)), rest))?,
        5 => number(bytes).map(|(n, rest)| (Value::U128(u128::from_le_bytes(n)), rest))?,
        6 => number(bytes).map(|(n, rest)| (Value::F64(f64::from_le_bytes(n)), rest))?,
        7 => {
            let (text, rest) = sized(bytes)?;
            (Value::Str(std::str::from_utf8(text).ok()?), rest)
        }
        8 => sized(bytes).map(|(bytes, rest)| (Value::Bytes(bytes), rest))?,
        9 => {
            let (text, rest) = sized(bytes)?;
            return Some((Captured::Json(std::str::from_utf8(text).ok()?), rest));
        }
        _ => return None,
    };
    Some((Captured::Plain(value), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decoded(bytes: &[u8]) -> Vec<(Key, Captured<'_>, bool)> {
        EntryIter::of(bytes).map(|entry| (entry.key, entry.value, entry.cut)).collect()
    }

    #[test]
    fn every_kind_of_value_comes_back() {
        let mut bytes = Vec::new();
        let mut entries = Entries::new(&mut bytes);
        entries.bool(Key::Field(0), true);
        entries.i64(Key::Field(1), -1);
        entries.u64(Key::Field(2), u64::MAX);
        entries.i128(Key::Field(3), i128::MIN);
        entries.u128(Key::Field(4), u128::MAX);
        entries.f64(Key::Field(5), 0.5);
        entries.str(Key::Member(Member::UserId), "u-1");
        entries.bytes(Key::Field(6), b"\x00\x01");
        entries.with_text(Key::Field(7), |text| {
            text.push("[1]");
            text.mark_json();
        });
        let plain = Captured::Plain;
        assert_eq!(
            decoded(&bytes),
            vec![
                (Key::Field(0), plain(Value::Bool(true)), false),
                (Key::Field(1), plain(Value::I64(-1)), false),
                (Key::Field(2), plain(Value::U64(u64::MAX)), false),
                (Key::Field(3), plain(Value::I128(i128::MIN)), false),
                (Key::Field(4), plain(Value::U128(u128::MAX)), false),
                (Key::Field(5), plain(Value::F64(0.5)), false),
                (Key::Member(Member::UserId), plain(Value::Str("u-1")), false),
                (Key::Field(6), plain(Value::Bytes(b"\x00\x01")), false),
                (Key::Field(7), Captured::Json("[1]"), false),
            ]
        );
    }

    #[test]
    fn a_value_over_its_bound_is_cut_at_a_character_and_says_so() {
        let mut bytes = Vec::new();
        let long = "é".repeat(MAX_VALUE_BYTES);
        Entries::new(&mut bytes).str(Key::Field(0), &format!("x{long}"));
        let entries = decoded(&bytes);
        let [(_, Captured::Plain(Value::Str(text)), true)] = entries.as_slice() else {
            panic!("{entries:?}")
        };
        assert_eq!(text.len(), MAX_VALUE_BYTES - 1);
    }

    #[test]
    fn a_record_over_its_bound_keeps_every_key_and_cuts_the_last_values() {
        let mut bytes = Vec::new();
        let mut entries = Entries::new(&mut bytes);
        let value = "x".repeat(MAX_VALUE_BYTES);
        for field in 0..10 {
            entries.str(Key::Field(field), &value);
        }
        let lengths: Vec<_> = EntryIter::of(&bytes)
            .map(|entry| match entry.value {
                Captured::Plain(Value::Str(text)) => (text.len(), entry.cut),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(lengths[..4], vec![(MAX_VALUE_BYTES, false); 4]);
        assert_eq!(lengths[4..], vec![(0, true); 6]);
    }

    #[test]
    fn a_value_with_which_something_is_to_be_done_is_in_no_frame_that_can_be_read() {
        for mark in [Mark::Within, Mark::Hash, Mark::Seal] {
            let mut bytes = vec![0; HEADER];
            let mut written = Entries::new(&mut bytes);
            written.u64(Key::Field(0), 1);
            written.mark = mark;
            written.str(Key::Field(1), "plain");
            let marks: Vec<_> =
                EntryIter::of(&bytes[HEADER..]).map(|entry| (entry.key, entry.mark)).collect();
            assert_eq!(marks, [(Key::Field(0), Mark::None), (Key::Field(1), mark)]);
            assert_eq!(entries(&bytes).count(), 1);
        }
    }

    #[test]
    fn a_mark_stays_when_a_value_is_copied_cut_or_given_another_text() {
        let long = "x".repeat(MAX_VALUE_BYTES);
        let mut source = Vec::new();
        let mut entries = Entries::new(&mut source);
        entries.mark = Mark::Seal;
        entries.str(Key::Field(9), &long);
        let entry = EntryIter::of(&source).next().unwrap();
        let mut bytes = Vec::new();
        let mut entries = Entries::new(&mut bytes);
        (0..6).for_each(|_| entries.copy(&entry));
        entries.with_value(&entry, "y");
        entries.str(Key::Member(Member::UserId), &long);
        let found: Vec<_> = EntryIter::of(&bytes).map(|entry| (entry.mark, entry.cut)).collect();
        assert!(found[..7].iter().all(|(mark, _)| *mark == Mark::Seal), "{found:?}");
        assert!(found[3].1 && found[5].1 && found[7] == (Mark::None, false), "{found:?}");
    }

    #[test]
    fn room_that_is_counted_anew_is_what_is_left() {
        let mut bytes = Vec::new();
        let mut entries = Entries::new(&mut bytes);
        entries.u64(Key::Field(0), 7);
        entries.str(Key::Field(1), "text");
        let left = entries.room;
        entries.recount();
        assert_eq!(entries.room, left);
        entries.bytes.clear();
        entries.recount();
        assert_eq!(entries.room, MAX_RECORD_BYTES);
    }

    proptest! {
        #[test]
        fn any_bytes_decode_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = header(&bytes);
            let _ = entries(&bytes).count();
        }
    }
}
