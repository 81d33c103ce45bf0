//! What stands beside a record in a database, held against the record: the columns of
//! `audit_logs`, and the rows of `security_events` and `financial_audit_logs`.

use std::borrow::Cow;

use audit_layer::{
    is_financial, is_security_event,
    record::{parse_timestamp, push_timestamp},
};
use rusqlite::{
    Row, Rows, fallible_streaming_iterator::FallibleStreamingIterator, types::ValueRef,
};
use serde_json::value::RawValue;

use super::{
    Cause, Place,
    database::Halt,
    line::Members,
    scan::{RawStr, Scanner},
    trail::Trail,
};

pub(super) const SECURITY: &str = "security_events";
pub(super) const FINANCIAL: &str = "financial_audit_logs";

/// The members of `details` that `financial_audit_logs` has as columns.
const DETAILS: [&str; 6] = ["amount", "currency", "symbol", "side", "quantity", "price"];

/// The rows of a side table, walked in step with `audit_logs`.
pub(super) struct SideRows<'s> {
    table: &'static str,
    rows: Rows<'s>,
    /// Of the row that the walk is at.
    arrival: Option<i64>,
}

impl<'s> SideRows<'s> {
    /// Begins before the first row.
    pub(super) fn new(table: &'static str, rows: Rows<'s>) -> Result<Self, Halt> {
        let mut side = Self { table, rows, arrival: None };
        side.advance()?;
        Ok(side)
    }

    fn advance(&mut self) -> Result<(), Halt> {
        self.rows.advance()?;
        self.arrival = match self.rows.get() {
            Some(row) => Some(arrival(row, self.arrival, self.table)?),
            None => None,
        };
        Ok(())
    }

    /// Passes the rows before `arrival`, all of them when it is `None`: no record was there to
    /// which they belong.
    pub(super) fn pass_before(
        &mut self,
        arrival: Option<i64>,
        trail: &mut Trail<'_>,
    ) -> Result<(), Halt> {
        while let Some(own) = self.arrival.filter(|own| arrival.is_none_or(|limit| *own < limit)) {
            let place = Place::Row { arrival: own };
            trail.break_at(None, None, Some(place), Cause::RowUnexpected(self.table));
            self.advance()?;
        }
        Ok(())
    }

    /// The row of the record that arrived as `arrival`.
    pub(super) fn row_of(&self, arrival: i64) -> Option<&Row<'s>> {
        self.rows.get().filter(|_| self.arrival == Some(arrival))
    }

    /// Passes the row of the record that arrived as `arrival`.
    pub(super) fn pass(&mut self, arrival: i64) -> Result<(), Halt> {
        if self.arrival == Some(arrival) { self.advance() } else { Ok(()) }
    }
}

/// The `arrival` of a row, its first column. It grows from row to row, or a walk might never end.
pub(super) fn arrival(row: &Row<'_>, before: Option<i64>, table: &str) -> Result<i64, Halt> {
    integer(row, 0)
        .filter(|own| before.is_none_or(|before| *own > before))
        .ok_or_else(|| Halt::Damaged(format!("{table} is not in the order of arrival")))
}

pub(super) fn integer(row: &Row<'_>, column: usize) -> Option<i64> {
    match row.get_ref(column) {
        Ok(ValueRef::Integer(value)) => Some(value),
        _ => None,
    }
}

pub(super) fn text<'r>(row: &'r Row<'_>, column: usize) -> Option<&'r [u8]> {
    match row.get_ref(column) {
        Ok(ValueRef::Text(value)) => Some(value),
        _ => None,
    }
}

/// Compares columns with members; keeps the buffer that a timestamp is written into.
#[derive(Default)]
pub(super) struct Comparison {
    timestamp: Vec<u8>,
}

impl Comparison {
    /// What differs first. `log` has arrival, stream, seq, id, timestamp, `event_type`.
    pub(super) fn difference(
        &mut self,
        members: &Members<'_>,
        log: &Row<'_>,
        security: Option<&Row<'_>>,
        financial: Option<&Row<'_>>,
    ) -> Option<Cause> {
        const LOGS: &str = "audit_logs";
        let differs = |equal: bool, column| (!equal).then_some(Cause::Column(LOGS, column));
        let time = integer(log, 4);
        let seq = integer(log, 2).and_then(|seq| u64::try_from(seq).ok());
        differs(text(log, 1) == Some(members.stream.as_bytes()), "stream")
            .or_else(|| differs(seq == Some(members.seq), "seq"))
            .or_else(|| differs(holds(log, 3, Some(members.id)), "id"))
            .or_else(|| differs(self.is_time(time, members), "timestamp"))
            .or_else(|| differs(holds(log, 5, Some(members.event_type)), "event_type"))
            .or_else(|| compare_security(members, time, security))
            .or_else(|| compare_financial(members, time, financial))
    }

    fn is_time(&mut self, time: Option<i64>, members: &Members<'_>) -> bool {
        let Some(micros) = time else { return false };
        self.timestamp.clear();
        push_timestamp(&mut self.timestamp, micros);
        // Writing is cheaper than reading; a timestamp in another form is still the same time.
        members.timestamp.is(&self.timestamp)
            || members.timestamp.resolve().and_then(|text| parse_timestamp(&text)) == Some(micros)
    }
}

fn compare_security(
    members: &Members<'_>,
    time: Option<i64>,
    row: Option<&Row<'_>>,
) -> Option<Cause> {
    let status = members.status.and_then(RawStr::resolve);
    let category = members.category.resolve().unwrap_or_default();
    let belongs = is_security_event(&category, status.as_deref());
    let row = match presence(SECURITY, belongs, row) {
        Ok(row) => row?,
        Err(cause) => return Some(cause),
    };
    if integer(row, 1) != time {
        return Some(Cause::Column(SECURITY, "timestamp"));
    }
    [
        ("event_type", Some(members.event_type)),
        ("severity", Some(members.severity)),
        ("status", members.status),
        ("user_id", members.user_id),
        ("username", members.username),
        ("ip_address", members.ip_address),
        ("resource", members.resource),
    ]
    .iter()
    .zip(2..)
    .find(|((_, member), column)| !holds(row, *column, *member))
    .map(|((name, _), _)| Cause::Column(SECURITY, name))
}

fn compare_financial(
    members: &Members<'_>,
    time: Option<i64>,
    row: Option<&Row<'_>>,
) -> Option<Cause> {
    let belongs = is_financial(&members.category.resolve().unwrap_or_default());
    let row = match presence(FINANCIAL, belongs, row) {
        Ok(row) => row?,
        Err(cause) => return Some(cause),
    };
    if integer(row, 1) != time {
        return Some(Cause::Column(FINANCIAL, "timestamp"));
    }
    let details = members.details.map(details).unwrap_or_default();
    [
        ("event_type", Some(members.event_type)),
        ("status", members.status),
        ("user_id", members.user_id),
        ("correlation_id", members.correlation_id),
    ]
    .into_iter()
    .chain(DETAILS.into_iter().zip(details))
    .zip(2..)
    .find(|((_, member), column)| !holds(row, *column, *member))
    .map(|((name, _), _)| Cause::Column(FINANCIAL, name))
}

fn presence<'r, 's>(
    table: &'static str,
    belongs: bool,
    row: Option<&'r Row<'s>>,
) -> Result<Option<&'r Row<'s>>, Cause> {
    match (belongs, row) {
        (true, None) => Err(Cause::RowMissing(table)),
        (false, Some(_)) => Err(Cause::RowUnexpected(table)),
        (_, row) => Ok(row),
    }
}

fn holds(row: &Row<'_>, column: usize, expected: Option<RawStr<'_>>) -> bool {
    match row.get_ref(column) {
        Ok(ValueRef::Null) => expected.is_none(),
        Ok(ValueRef::Text(value)) => expected.is_some_and(|text| text.is(value)),
        _ => false,
    }
}

type DetailTexts<'a> = [Option<RawStr<'a>>; DETAILS.len()];

/// A string's content, a number as it is written, else nothing, for each of [`DETAILS`].
fn details(json: &str) -> DetailTexts<'_> {
    scan_details(json).unwrap_or_else(|| parse_details(json))
}

fn scan_details(json: &str) -> Option<DetailTexts<'_>> {
    let mut scanner = Scanner::new(json);
    let mut texts = DetailTexts::default();
    scanner.eat(b'{')?;
    loop {
        let name = scanner.string()?;
        if name.escaped {
            return None;
        }
        scanner.eat(b':')?;
        let value = scanner.raw_value()?;
        let slot = DETAILS.iter().position(|wanted| *wanted == name.raw);
        if let Some(text) = slot.and_then(|slot| texts.get_mut(slot)) {
            *text = content(value);
        }
        if scanner.eat(b'}').is_some() {
            return scanner.is_at_end().then_some(texts);
        }
        scanner.eat(b',')?;
    }
}

fn parse_details(json: &str) -> DetailTexts<'_> {
    let members: std::collections::HashMap<Cow<'_, str>, &RawValue> =
        serde_json::from_str(json).unwrap_or_default();
    DETAILS.map(|name| content(members.get(name)?.get()))
}

fn content(value: &str) -> Option<RawStr<'_>> {
    match value.as_bytes().first()? {
        b'"' => {
            let raw = value.strip_prefix('"')?.strip_suffix('"')?;
            Some(RawStr { raw, escaped: raw.contains('\\') })
        }
        b'-' | b'0'..=b'9' => Some(RawStr { raw: value, escaped: false }),
        _ => None,
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in tests")]
mod tests {
    use super::*;

    #[test]
    fn details_are_text_whichever_reader_reads_them() {
        let json = r#"{"amount":"1.50","currency":"E\"R","note":{"amount":3},"price":-1.5e+21,"quantity":7,"side":null,"symbol":[1]}"#;
        let expected = ["1.50", "E\"R", "", "", "7", "-1.5e+21"];
        let scanned = scan_details(json).unwrap();
        assert_eq!(scanned, parse_details(json));
        assert_eq!(
            scanned.map(|text| text.unwrap_or_default().resolve().unwrap().into_owned()),
            expected
        );
    }

    #[test]
    fn what_is_no_object_has_no_details() {
        for json in ["[]", "\"amount\"", "{}", "7"] {
            assert_eq!(details(json), DetailTexts::default(), "{json}");
        }
    }
}
