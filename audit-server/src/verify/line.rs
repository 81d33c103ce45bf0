//! One line or `record` column, read as far as a verifier needs it.
//!
//! Two readers, one meaning. The layer's own lines have their members in order, and a [`Scanner`]
//! walks them: members in strictly ascending order can't repeat. Whatever it doesn't take goes to
//! `serde_json`, which refuses a second member of any name that we know. Either way a forger can't
//! hide a second `seq` behind the first.

use audit_layer::record::{HASH_SUFFIX_LEN, Hash, Link, Member, Record, VERSION, split_hash};
use serde::Deserialize;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::scan::{RawStr, Scanner};

/// The lower-case hex digits of a hash.
pub(super) type Digits = [u8; 64];

/// A record, and whether its bytes have the hash that it states. One of a later version counts only
/// when they have.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) intact: bool,
    /// Of the hash that the bytes have. Two hashes are compared by their digits, so that none has
    /// to be decoded.
    pub(super) digits: Digits,
    pub(super) members: Members<'a>,
}

/// The members that a verifier compares, as they stand in the line.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(super) struct Members<'a> {
    pub(super) v: u64,
    pub(super) seq: u64,
    pub(super) stream: &'a str,
    pub(super) prev_hash: &'a str,
    pub(super) id: RawStr<'a>,
    pub(super) timestamp: RawStr<'a>,
    pub(super) category: RawStr<'a>,
    pub(super) event_type: RawStr<'a>,
    pub(super) severity: RawStr<'a>,
    pub(super) status: Option<RawStr<'a>>,
    pub(super) user_id: Option<RawStr<'a>>,
    pub(super) username: Option<RawStr<'a>>,
    pub(super) ip_address: Option<RawStr<'a>>,
    pub(super) resource: Option<RawStr<'a>>,
    pub(super) correlation_id: Option<RawStr<'a>>,
    pub(super) details: Option<&'a str>,
}

/// Bytes that are not a record that can be followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotARecord {
    /// They are no record at all; a sentence says why.
    Malformed(String),
    /// They are one of a later version, which has not all that links a record of this one.
    Newer(u64),
}

impl<'a> Line<'a> {
    /// Reads a line without its line feed.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, NotARecord> {
        let malformed = |why: &str| Err(NotARecord::Malformed(why.to_owned()));
        let Ok(text) = std::str::from_utf8(bytes) else {
            return malformed("it is not UTF-8");
        };
        let Some((open, stated)) = split(text) else {
            return malformed("it does not end in a hash");
        };
        let digits =
            hex_digits(Sha256::new().chain_update(open).chain_update(b"}").finalize().into());
        let intact = digits == stated.as_bytes();
        if !intact && split_hash(bytes).is_none() {
            return malformed("it ends in a hash that is not 64 lower-case hex digits");
        }
        let mut members = Members::default();
        let members = match scan(open, &mut members) {
            Some(()) => members,
            None => match parse(text) {
                Ok(members) => members,
                // Only what is intact is believed to be of a later version.
                Err(why) => match later_version(text) {
                    Some(v) if intact => links(text).ok_or(NotARecord::Newer(v))?,
                    _ => return malformed(why),
                },
            },
        };
        if members.v < VERSION && intact {
            return malformed("it states a version that never was");
        }
        if members.seq == 0 {
            return malformed("its seq is 0, and streams begin at 1");
        }
        Ok(Self { intact, digits, members })
    }
}

/// Splits a line as [`split_hash`] does, without looking at the digits: they are compared anyway.
fn split(line: &str) -> Option<(&str, &str)> {
    let (open, suffix) = line.split_at_checked(line.len().checked_sub(HASH_SUFFIX_LEN)?)?;
    Some((open, suffix.strip_prefix(",\"hash\":\"")?.strip_suffix("\"}")?))
}

fn hex_digits(hash: [u8; 32]) -> Digits {
    const PAIRS: [[u8; 2]; 256] = {
        let hex = b"0123456789abcdef";
        let mut pairs = [[0; 2]; 256];
        let mut byte = 0;
        while byte < 256 {
            pairs[byte] = [hex[byte >> 4], hex[byte & 15]];
            byte += 1;
        }
        pairs
    };
    let mut digits = [0; 64];
    for (pair, byte) in digits.as_chunks_mut::<2>().0.iter_mut().zip(hash) {
        // A byte is always less than 256.
        *pair = PAIRS[usize::from(byte)];
    }
    digits
}

/// The hash that these digits are of.
pub(super) fn hash_of(digits: &Digits) -> Option<Hash> {
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// The members that every record has, beside its hash.
const REQUIRED: u32 = bits(&[
    Member::V,
    Member::Id,
    Member::Stream,
    Member::Seq,
    Member::Timestamp,
    Member::Level,
    Member::Logger,
    Member::Category,
    Member::EventType,
    Member::Severity,
    Member::PrevHash,
]);

const fn bits(members: &[Member]) -> u32 {
    let mut bits = 0;
    let mut rest = members;
    while let [first, others @ ..] = rest {
        bits |= 1 << *first as u32;
        rest = others;
    }
    bits
}

/// The names of [`Member::ALL`].
static NAMES: [&str; Member::COUNT] = {
    let mut names = [""; Member::COUNT];
    let mut at = 0;
    while at < Member::COUNT {
        names[at] = Member::ALL[at].name();
        at += 1;
    }
    names
};

/// Reads a canonical object that lacks its closing brace. `None` when it is not canonical, or has
/// something that the layer rarely writes, or never, such as a member of an unknown name.
fn scan<'a>(open: &'a str, members: &mut Members<'a>) -> Option<()> {
    let mut scanner = Scanner::new(open);
    let mut seen = 0;
    // Names are looked for behind the last one only: none can be there twice.
    let mut known = Member::ALL.iter().zip(&NAMES);
    scanner.eat(b'{')?;
    loop {
        let name = scanner.string()?;
        let (member, _) = known.find(|(_, known)| **known == name.raw)?;
        scanner.eat(b':')?;
        seen |= bits(&[*member]);
        read_member(*member, &mut scanner, members)?;
        if scanner.is_at_end() {
            break;
        }
        scanner.eat(b',')?;
    }
    (seen & REQUIRED == REQUIRED).then_some(())
}

#[inline]
fn read_member<'a>(
    member: Member,
    scanner: &mut Scanner<'a>,
    members: &mut Members<'a>,
) -> Option<()> {
    match member {
        Member::V => members.v = scanner.unsigned()?,
        Member::Seq => members.seq = scanner.unsigned()?,
        Member::DurationUs => drop(scanner.unsigned()?),
        Member::RegulatoryFlags => drop(scanner.raw_value()?),
        Member::Details => members.details = Some(scanner.raw_value()?).filter(|v| *v != "null"),
        Member::Truncated => return None,
        _ => {
            let text = scanner.string()?;
            match member {
                Member::Stream => members.stream = text.raw,
                Member::PrevHash => members.prev_hash = text.raw,
                Member::Id => members.id = text,
                Member::Timestamp => members.timestamp = text,
                Member::Category => members.category = text,
                Member::EventType => members.event_type = text,
                Member::Severity => members.severity = text,
                Member::Status => members.status = Some(text),
                Member::UserId => members.user_id = Some(text),
                Member::Username => members.username = Some(text),
                Member::IpAddress => members.ip_address = Some(text),
                Member::Resource => members.resource = Some(text),
                Member::CorrelationId => members.correlation_id = Some(text),
                _ => {}
            }
        }
    }
    Some(())
}

/// Reads any line. The sentence for people carries nothing from the line, which may be personal or
/// hold control characters.
fn parse(text: &str) -> Result<Members<'_>, &'static str> {
    let why = |error: serde_json::Error| {
        if error.is_data() {
            "a member that every record has is missing, is there twice, or is of the wrong kind"
        } else {
            "it is not JSON"
        }
    };
    let record = Record::parse(text).map_err(why)?;
    let raw: RawMembers<'_> = serde_json::from_str(text).map_err(why)?;
    Ok(Members {
        v: record.v,
        seq: record.seq,
        stream: inside(raw.stream).raw,
        prev_hash: inside(raw.prev_hash).raw,
        id: inside(raw.id),
        timestamp: inside(raw.timestamp),
        category: inside(raw.category),
        event_type: inside(raw.event_type),
        severity: inside(raw.severity),
        status: raw.status.map(inside),
        user_id: raw.user_id.map(inside),
        username: raw.username.map(inside),
        ip_address: raw.ip_address.map(inside),
        resource: raw.resource.map(inside),
        correlation_id: raw.correlation_id.map(inside),
        details: raw.details.map(RawValue::get),
    })
}

/// What [`Record`] found to be strings, as they stand.
#[derive(Deserialize)]
struct RawMembers<'a> {
    #[serde(borrow)]
    stream: &'a RawValue,
    #[serde(borrow)]
    prev_hash: &'a RawValue,
    #[serde(borrow)]
    id: &'a RawValue,
    #[serde(borrow)]
    timestamp: &'a RawValue,
    #[serde(borrow)]
    category: &'a RawValue,
    #[serde(borrow)]
    event_type: &'a RawValue,
    #[serde(borrow)]
    severity: &'a RawValue,
    #[serde(borrow, default)]
    status: Option<&'a RawValue>,
    #[serde(borrow, default)]
    user_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    username: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ip_address: Option<&'a RawValue>,
    #[serde(borrow, default)]
    resource: Option<&'a RawValue>,
    #[serde(borrow, default)]
    correlation_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    details: Option<&'a RawValue>,
}

/// What stands between the quotes of a value that is known to be a string.
fn inside(string: &RawValue) -> RawStr<'_> {
    let raw = string.get().trim_matches(|c: char| c.is_ascii_whitespace());
    let raw = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"')).unwrap_or_default();
    RawStr { raw, escaped: raw.contains('\\') }
}

/// Reads of a record of a later version only what links it.
fn links(text: &str) -> Option<Members<'_>> {
    #[derive(Deserialize)]
    struct Links<'a> {
        v: u64,
        seq: u64,
        #[serde(borrow)]
        stream: &'a RawValue,
        #[serde(borrow)]
        prev_hash: &'a RawValue,
    }
    Link::parse(text).ok()?;
    let Links { v, seq, stream, prev_hash } = serde_json::from_str(text).ok()?;
    let (stream, prev_hash) = (inside(stream).raw, inside(prev_hash).raw);
    Some(Members { v, seq, stream, prev_hash, ..Members::default() })
}

fn later_version(text: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    serde_json::from_str(text).ok().map(|Version { v }| v).filter(|v| *v > VERSION)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in tests")]
mod tests {
    use audit_layer::record::{Draft, Value};
    use proptest::prelude::*;

    use super::*;

    fn scanned(open: &str) -> Option<Members<'_>> {
        let mut members = Members::default();
        scan(open, &mut members).map(|()| members)
    }

    fn seal(object: &str) -> String {
        let open = object.strip_suffix('}').unwrap();
        format!("{open},\"hash\":\"{}\"}}", Hash::of(object.as_bytes()))
    }

    fn canonical(extra: &str) -> String {
        format!(
            "{{\"category\":\"auth\",\"event_type\":\"auth.login\",\"id\":\"i\",\"level\":\"INFO\",\
             \"logger\":\"audit\",\"prev_hash\":\"p\",{extra}\"seq\":7,\"severity\":\"info\",\
             \"stream\":\"s@h~abcdef\",\"timestamp\":\"t\",\"v\":1}}"
        )
    }

    #[test]
    fn a_canonical_line_is_read_without_the_general_parser() {
        let line = seal(&canonical("\"resource\":\"a\\\"b\","));
        let members = scanned(line.split(",\"hash\"").next().unwrap()).unwrap();
        assert_eq!((members.seq, members.stream), (7, "s@h~abcdef"));
        assert!(members.resource.unwrap().is(b"a\"b"));
        assert!(Line::read(line.as_bytes()).unwrap().intact);
    }

    #[test]
    fn a_second_member_of_any_name_we_know_is_refused() {
        for member in Member::ALL.iter().map(|m| m.name()).chain(["hash"]) {
            let value = match member {
                "seq" | "v" | "duration_us" => "8",
                "details" | "regulatory_flags" => "{}",
                "truncated" => "[]",
                _ => "\"x\"",
            };
            let twice = format!("\"{member}\":{value},\"{member}\":{value},");
            // At the front, where a parser that keeps the last would be misled, and in its place.
            for object in [canonical("").replacen('{', &format!("{{{twice}"), 1), canonical(&twice)]
            {
                let line = seal(&object);
                let read = Line::read(line.as_bytes());
                assert!(matches!(read, Err(NotARecord::Malformed(_))), "{member}: {read:?}");
            }
        }
    }

    #[test]
    fn spaces_and_another_order_are_read_by_the_general_parser() {
        let object = canonical("").replacen("\"category\":\"auth\",", "", 1);
        let line = seal(&object.replacen("\"v\":1", "\"v\":1, \"category\":\"auth\"", 1));
        assert_eq!(Line::read(line.as_bytes()).unwrap().members.seq, 7);
    }

    #[test]
    fn a_later_version_is_told_from_a_changed_one() {
        let newer = seal(&canonical("").replace("\"v\":1", "\"v\":2"));
        assert_eq!(Line::read(newer.as_bytes()).unwrap().members.v, 2);
        let foreign = seal("{\"v\":2}");
        assert_eq!(Line::read(foreign.as_bytes()).unwrap_err(), NotARecord::Newer(2));
        let changed = seal(&canonical("")).replace("\"v\":1", "\"v\":2");
        assert!(!Line::read(changed.as_bytes()).unwrap().intact);
        let not_sealed = Line::read(br#"{"hash3":"0","v":3}"#);
        assert!(matches!(not_sealed, Err(NotARecord::Malformed(_))));
    }

    #[test]
    fn a_record_without_one_of_the_required_members_is_refused() {
        for member in ["category", "event_type", "id", "level", "logger", "prev_hash", "seq", "v"] {
            let line = seal(&canonical("").replacen(&format!("\"{member}\":"), "\"zz\":", 1));
            assert!(Line::read(line.as_bytes()).is_err(), "{member}");
        }
    }

    fn drafted(seq: u64, texts: &[(Member, String)], details: &[(String, f64)]) -> String {
        let mut draft = Draft::new("s@h~abcdef", seq, Hash::ZERO, "auth.login", "INFO");
        for (member, text) in texts {
            draft.set_text(*member, text);
        }
        draft.details =
            details.iter().map(|(name, value)| (name.into(), Value::F64(*value))).collect();
        draft.seal().text.into_string()
    }

    prop_compose! {
        fn any_line()(
            seq in 1_u64..1 << 53,
            texts in prop::collection::vec((prop::sample::select(vec![
                Member::Action, Member::CorrelationId, Member::IpAddress, Member::Message,
                Member::Resource, Member::Status, Member::UserId, Member::Username,
            ]), any::<String>()), 0..6),
            details in prop::collection::vec((any::<String>(), any::<f64>()), 0..4),
        ) -> String {
            drafted(seq, &texts, &details)
        }
    }

    proptest! {
        #[test]
        fn the_layers_own_lines_are_scanned_as_the_general_parser_reads_them(line in any_line()) {
            let (open, _) = split_hash(line.as_bytes()).unwrap();
            let scanned = scanned(&line[..open.len()]);
            prop_assert_eq!(scanned, Some(parse(&line).unwrap()));
        }

        #[test]
        fn what_is_scanned_is_never_what_the_general_parser_refuses(
            line in any_line(),
            edits in prop::collection::vec((any::<prop::sample::Index>(), r#"[-a-z0-9"\\:,{}\[\] ]{0,3}"#, 0_usize..4), 1..4),
        ) {
            let (open, _) = split_hash(line.as_bytes()).unwrap();
            let mut object = line[..open.len()].to_owned();
            for (at, text, cut) in edits {
                let mut from = at.index(object.len() + 1);
                while !object.is_char_boundary(from) { from -= 1; }
                let mut to = (from + cut).min(object.len());
                while !object.is_char_boundary(to) { to += 1; }
                object.replace_range(from..to, &text);
            }
            if let Some(members) = scanned(&object) {
                let line = seal(&format!("{object}}}"));
                prop_assert_eq!(parse(&line).ok(), Some(members), "{}", line);
            }
        }
    }
}
