//! One line or `record` column, read as far as a verifier needs it.
//!
//! Two readers, one meaning. The layer's own lines have their members in order, and a [`Scanner`]
//! walks them: members in strictly ascending order can't repeat. Whatever it doesn't take goes to
//! `serde_json`, which refuses a second member of any name that we know. Either way a forger can't
//! hide a second `seq` behind the first.

use std::borrow::Cow;

use audit_layer::record::{Hash, Member, Record, VERSION, split_hash};
use serde::Deserialize;
use sha2::{Digest, Sha256};

use super::scan::{RawStr, Scanner};

/// A record, and whether its bytes have the hash that it states.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) intact: bool,
    pub(super) stated: Hash,
    /// The 64 digits of `stated`.
    pub(super) digits: [u8; 64],
    pub(super) members: Members<'a>,
}

/// The members that a verifier compares.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Members<'a> {
    pub(super) v: u64,
    pub(super) stream: Cow<'a, str>,
    pub(super) seq: u64,
    pub(super) prev_hash: Cow<'a, str>,
    pub(super) id: Cow<'a, str>,
    pub(super) timestamp: Cow<'a, str>,
    pub(super) category: Cow<'a, str>,
    pub(super) event_type: Cow<'a, str>,
    pub(super) severity: Cow<'a, str>,
    pub(super) status: Option<Cow<'a, str>>,
    pub(super) user_id: Option<Cow<'a, str>>,
    pub(super) username: Option<Cow<'a, str>>,
    pub(super) ip_address: Option<Cow<'a, str>>,
    pub(super) resource: Option<Cow<'a, str>>,
    pub(super) correlation_id: Option<Cow<'a, str>>,
    /// The JSON as it stands.
    pub(super) details: Option<&'a str>,
}

/// Bytes that are not a record of this version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NotARecord {
    /// They are no record at all; a sentence says why.
    Malformed(String),
    /// They are one of a later version.
    Newer(u64),
}

impl<'a> Line<'a> {
    /// Reads a line without its line feed.
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, NotARecord> {
        let malformed = |why: &str| Err(NotARecord::Malformed(why.to_owned()));
        let Ok(text) = std::str::from_utf8(bytes) else {
            return malformed("it is not UTF-8");
        };
        let Some((open, stated)) = split_hash(bytes) else {
            return match later_version(text) {
                Some(v) => Err(NotARecord::Newer(v)),
                None => malformed("it does not end in a hash"),
            };
        };
        let computed: [u8; 32] =
            Sha256::new().chain_update(open).chain_update(b"}").finalize().into();
        let intact = computed == *stated.as_bytes();
        let mut digits = [0; 64];
        // 32 bytes always fill 64 digits.
        let _ = hex::encode_to_slice(computed, &mut digits);
        let members = match text.get(..open.len()).and_then(scan) {
            Some(members) => members,
            None => match parse(text) {
                Ok(members) => members,
                // Only what is intact is believed to be of a later version.
                Err(why) => match later_version(text) {
                    Some(v) if intact => return Err(NotARecord::Newer(v)),
                    _ => return malformed(why),
                },
            },
        };
        if members.v > VERSION && intact {
            return Err(NotARecord::Newer(members.v));
        }
        if members.v != VERSION && intact {
            return malformed("it states a version that never was");
        }
        if members.seq == 0 {
            return malformed("its seq is 0, and streams begin at 1");
        }
        Ok(Self { intact, stated, digits, members })
    }
}

impl<'a> RawStr<'a> {
    /// Resolves the escapes.
    pub(super) fn resolve(self) -> Option<Cow<'a, str>> {
        if self.escaped {
            serde_json::from_str(&format!("\"{}\"", self.raw)).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(self.raw))
        }
    }
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

/// Reads a canonical object that lacks its closing brace. `None` when it is not canonical, or has
/// something that the layer rarely writes.
fn scan(open: &str) -> Option<Members<'_>> {
    let mut scanner = Scanner::new(open);
    let mut members = Members::default();
    let mut known = Member::ALL.iter().copied();
    let mut candidate = known.next();
    let mut previous = "";
    let mut seen = 0;
    scanner.eat(b'{')?;
    loop {
        let name = scanner.string()?;
        if name.escaped || name.raw <= previous || name.raw == "hash" {
            return None;
        }
        previous = name.raw;
        scanner.eat(b':')?;
        while candidate.is_some_and(|member| member.name() < name.raw) {
            candidate = known.next();
        }
        match candidate.filter(|member| member.name() == name.raw) {
            Some(member) => {
                seen |= bits(&[member]);
                read_member(member, &mut scanner, &mut members)?;
            }
            None => drop(scanner.raw_value()?),
        }
        if scanner.is_at_end() {
            break;
        }
        scanner.eat(b',')?;
    }
    (seen & REQUIRED == REQUIRED).then_some(members)
}

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
                Member::Stream => members.stream = text.resolve()?,
                Member::PrevHash => members.prev_hash = text.resolve()?,
                Member::Id => members.id = text.resolve()?,
                Member::Timestamp => members.timestamp = text.resolve()?,
                Member::Category => members.category = text.resolve()?,
                Member::EventType => members.event_type = text.resolve()?,
                Member::Severity => members.severity = text.resolve()?,
                Member::Status => members.status = Some(text.resolve()?),
                Member::UserId => members.user_id = Some(text.resolve()?),
                Member::Username => members.username = Some(text.resolve()?),
                Member::IpAddress => members.ip_address = Some(text.resolve()?),
                Member::Resource => members.resource = Some(text.resolve()?),
                Member::CorrelationId => members.correlation_id = Some(text.resolve()?),
                _ => {}
            }
        }
    }
    Some(())
}

/// Reads any line. The sentence for people carries nothing from the line, which may be personal or
/// hold control characters.
fn parse(text: &str) -> Result<Members<'_>, &'static str> {
    let record = Record::parse(text).map_err(|error| {
        if error.is_data() {
            "a member that every record has is missing, is there twice, or is of the wrong kind"
        } else {
            "it is not JSON"
        }
    })?;
    Ok(Members {
        v: record.v,
        stream: record.stream,
        seq: record.seq,
        prev_hash: record.prev_hash,
        id: record.id,
        timestamp: record.timestamp,
        category: record.category,
        event_type: record.event_type,
        severity: record.severity,
        status: record.status,
        user_id: record.user_id,
        username: record.username,
        ip_address: record.ip_address,
        resource: record.resource,
        correlation_id: record.correlation_id,
        details: record.details.map(serde_json::value::RawValue::get),
    })
}

fn later_version(text: &str) -> Option<u64> {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    serde_json::from_str(text).ok().map(|Version { v }| v).filter(|v| *v > VERSION)
}

#[cfg(test)]
mod tests {
    use audit_layer::record::{Draft, Value};
    use proptest::prelude::*;

    use super::*;

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
        let members = scan(line.split(",\"hash\"").next().unwrap()).unwrap();
        assert_eq!((members.seq, &*members.stream), (7, "s@h~abcdef"));
        assert_eq!(members.resource.as_deref(), Some("a\"b"));
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
        assert_eq!(Line::read(newer.as_bytes()).unwrap_err(), NotARecord::Newer(2));
        let changed = seal(&canonical("")).replace("\"v\":1", "\"v\":2");
        assert!(!Line::read(changed.as_bytes()).unwrap().intact);
        let other_suffix = r#"{"hash3":"0","v":3}"#;
        assert_eq!(Line::read(other_suffix.as_bytes()).unwrap_err(), NotARecord::Newer(3));
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
            let scanned = scan(&line[..open.len()]);
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
            if let Some(members) = scan(&object) {
                let line = seal(&format!("{object}}}"));
                prop_assert_eq!(parse(&line).ok(), Some(members), "{}", line);
            }
        }
    }
}
