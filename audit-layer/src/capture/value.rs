//! `valuable` values as nested JSON.
//!
//! Under `--cfg tracing_unstable` such a value reaches the visitor as what it is. On stable Rust
//! `tracing` only passes on `Debug`, so [`val`] wraps it in a `Debug` that writes JSON while our
//! visitor formats it and prints as usual for everyone else. The two agree through a cell of the
//! thread: the visitor says that it is formatting, the wrapper says how long its JSON is, and only
//! if that is all there is the value is taken for JSON. A wrapper inside of another `Debug` is
//! therefore text.
//!
//! [`hashed`] and [`sealed`] go the same way, with one more turn: what they print is `[hashed]` or `[sealed]` for whoever
//! asks, and for our visitor they lay the value beside that. Only if the words are all there is to the text, the value takes
//! their place. So it is in clear nowhere, however it is formatted and within whatever.
//!
//! The JSON written here need not be canonical; the pipeline makes it so.

use std::{
    cell::Cell,
    fmt::{self, Write as _},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use tracing_core::field::DebugValue;
use valuable::{NamedValues, Slice, Valuable, Value, Visit};

use super::{protection::Protection, redaction::REDACTED};
use crate::{
    journal::frame::{Mark, Text},
    record::{self, MAX_VALUE_BYTES},
    wipe::wipe,
};

/// How deep values may nest; what is deeper is the string `"[nested too deep]"`.
const MAX_DEPTH: usize = record::MAX_JSON_DEPTH - 4;

thread_local! {
    static FORMATTING: Cell<State> = const { Cell::new(State::Elsewhere) };
    /// The value of the last wrapper that our visitor met, while it is formatting.
    static BESIDE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

#[derive(Clone, Copy, PartialEq)]
enum State {
    /// Whoever formats a value on this thread is not our visitor.
    Elsewhere,
    /// Our visitor formats a value.
    Ours,
    /// The value wrote that many bytes of JSON.
    Json(usize),
    /// The value lies beside, as JSON or as text, and that is to be done with it.
    Beside(Mark, bool),
}

/// Records a [`Valuable`] value as nested JSON in an audit event.
///
/// For every other layer it prints as its `Debug` does.
///
/// ```
/// use audit_layer::val;
/// use valuable::Valuable;
///
/// #[derive(Valuable)]
/// struct Order { symbol: &'static str, quantity: u32 }
///
/// let order = Order { symbol: "ACME", quantity: 3 };
/// tracing::info!(target: "audit", event_type = "trade.decision", order = val(&order));
/// // … "details":{"order":{"quantity":3,"symbol":"ACME"}} …
/// ```
pub fn val<V: Valuable + ?Sized>(value: &V) -> DebugValue<Val<'_>> {
    tracing_core::field::debug(Val(value.as_value()))
}

/// A value that audit events record as nested JSON; made by [`val`].
#[derive(Clone, Copy)]
pub struct Val<'a>(Value<'a>);

impl fmt::Debug for Val<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if FORMATTING.get() != State::Ours {
            return fmt::Debug::fmt(&self.0, f);
        }
        if write_text(f, &self.0)? {
            return Ok(());
        }
        let mut counted = Counted { inner: f, bytes: 0 };
        write_json(&mut counted, &self.0);
        FORMATTING.set(State::Json(counted.bytes));
        Ok(())
    }
}

/// Records a [`Valuable`] value as a keyed hash: `hmac:<key id>:<hex>`.
///
/// Equal values have equal marks, so that records can be told to concern the same account without saying which; without
/// the key of the host nobody finds out by trying all there are. A text is hashed as it is, anything else by its
/// canonical JSON. For every other layer it prints `[hashed]`. Without a keyring ([`Builder::keyring`](crate::Builder::keyring)) it is
/// recorded as `[redacted]`.
///
/// ```
/// # let account = "DE89370400440532013000";
/// tracing::info!(target: "audit", event_type = "financial.transfer", account = audit_layer::hashed(&account));
/// // … "details":{"account":"hmac:4t7q0yzkc2:1f0c…"} …
/// ```
pub fn hashed<V: Valuable + ?Sized>(value: &V) -> DebugValue<Hashed<'_>> {
    tracing_core::field::debug(Hashed(value.as_value()))
}

/// Records a [`Valuable`] value encrypted: `{"$sealed":{…}}`. Whoever has the keyring reads it again as what it was.
///
/// If the event has a `regulatory_flags.data_subject`, it is sealed with a key of that person, and can be erased with it
/// ([`keyring`](crate::keyring)). A member that is text, such as `user_id`, is then a detail of that name. For every other layer
/// it prints `[sealed]`. Without a keyring ([`Builder::keyring`](crate::Builder::keyring)) it is recorded as `[redacted]`.
///
/// ```
/// # let diagnosis = vec!["E11.9"];
/// tracing::info!(
///     target: "audit",
///     event_type = "data.update",
///     regulatory_flags.data_subject = "p-17",
///     diagnosis = audit_layer::sealed(&diagnosis),
/// );
/// ```
pub fn sealed<V: Valuable + ?Sized>(value: &V) -> DebugValue<Sealed<'_>> {
    tracing_core::field::debug(Sealed(value.as_value()))
}

/// A value that audit events record as a keyed hash; made by [`hashed`].
#[derive(Clone, Copy)]
pub struct Hashed<'a>(Value<'a>);

/// A value that audit events record encrypted; made by [`sealed`].
#[derive(Clone, Copy)]
pub struct Sealed<'a>(Value<'a>);

const HASHED: &str = "[hashed]";
const SEALED: &str = "[sealed]";

impl fmt::Debug for Hashed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lay_beside(&self.0, Mark::Hash)?;
        f.write_str(HASHED)
    }
}

impl fmt::Debug for Sealed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        lay_beside(&self.0, Mark::Seal)?;
        f.write_str(SEALED)
    }
}

/// Gives the value to our visitor, if it is that which is formatting.
fn lay_beside(value: &Value<'_>, mark: Mark) -> fmt::Result {
    if FORMATTING.get() == State::Elsewhere {
        return Ok(());
    }
    let mut beside = Bounded(BESIDE.try_with(Cell::take).unwrap_or_default());
    wipe(&mut beside.0);
    let is_text = write_text(&mut beside, value)?;
    if !is_text {
        write_json(&mut beside, value);
    }
    let _ = BESIDE.try_with(|cell| cell.set(std::mem::take(&mut beside.0)));
    FORMATTING.set(State::Beside(mark, !is_text));
    Ok(())
}

/// A text that takes no more than tells that it is too long.
struct Bounded(Vec<u8>);

impl fmt::Write for Bounded {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = (MAX_VALUE_BYTES + 4).saturating_sub(self.0.len());
        let text = &text[..text.floor_char_boundary(room)];
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

struct Counted<'c, 'f> {
    inner: &'c mut fmt::Formatter<'f>,
    bytes: usize,
}

impl fmt::Write for Counted<'_, '_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes += text.len();
        self.inner.write_str(text)
    }
}

/// Formats a value for our visitor: JSON when it is a [`Val`], what it is when it is [`Hashed`] or [`Sealed`], which is then still
/// to be done, else its `Debug`.
pub(super) fn format(
    text: &mut Text<'_>,
    value: &dyn fmt::Debug,
    protection: &Protection,
) -> fmt::Result {
    struct Restore(State, Vec<u8>);
    impl Drop for Restore {
        fn drop(&mut self) {
            FORMATTING.set(self.0);
            let mut beside = BESIDE.try_with(|cell| cell.replace(std::mem::take(&mut self.1)));
            if let Ok(beside) = &mut beside {
                wipe(beside);
            }
        }
    }
    // A value that logs while it is formatted comes here again.
    let beside = BESIDE.try_with(Cell::take).unwrap_or_default();
    let _restore = Restore(FORMATTING.replace(State::Ours), beside);
    write!(text, "{value:?}")?;
    match FORMATTING.get() {
        State::Json(length) if length == text.len() && !text.is_cut() => text.mark_json(),
        State::Beside(mark, is_json) => take_beside(text, mark, is_json, protection),
        _ => {}
    }
    Ok(())
}

#[cold]
fn take_beside(text: &mut Text<'_>, mark: Mark, is_json: bool, protection: &Protection) {
    let words = if mark == Mark::Hash { HASHED } else { SEALED };
    if text.as_bytes() != words.as_bytes() {
        return;
    }
    text.truncate(0);
    if !protection.has_keys() {
        text.clear_mark();
        text.push(REDACTED);
        return protection.withhold(1, "there is no keyring");
    }
    let mut beside = BESIDE.try_with(Cell::take).unwrap_or_default();
    text.push(std::str::from_utf8(&beside).unwrap_or(REDACTED));
    text.raise_mark(mark);
    if is_json && !text.is_cut() {
        text.mark_json();
    }
    wipe(&mut beside);
}

/// Writes a value that is nothing but text as that text, which fits members that are text, and
/// says whether it was. As a detail it is the same JSON string.
pub(super) fn write_text(out: &mut dyn fmt::Write, value: &Value<'_>) -> Result<bool, fmt::Error> {
    match *value {
        Value::String(text) => out.write_str(text)?,
        Value::Char(character) => out.write_char(character)?,
        Value::Path(path) => out.write_str(&path.to_string_lossy())?,
        Value::Error(error) => write!(out, "{error}")?,
        _ => return Ok(false),
    }
    Ok(true)
}

/// Writes a value as JSON: structs and maps as objects, tuples and lists as arrays, enums as the
/// name of the variant or an object of that one name, bytes as base64, floats that are not finite
/// and integers beyond 64 bits as strings.
pub(super) fn write_json(out: &mut dyn fmt::Write, value: &Value<'_>) {
    Writer { out, depth: 0 }.value(value);
}

struct Writer<'w> {
    out: &'w mut dyn fmt::Write,
    depth: usize,
}

impl Writer<'_> {
    // A `fmt::Error` here can only come from the formatter around us; what was written is kept.
    fn raw(&mut self, text: &str) {
        let _ = self.out.write_str(text);
    }

    fn string(&mut self, text: &str) {
        let mut quoted = Vec::with_capacity(text.len() + 2);
        record::push_str(&mut quoted, text);
        self.raw(&String::from_utf8_lossy(&quoted));
    }

    fn number(&mut self, push: impl FnOnce(&mut Vec<u8>)) {
        let mut digits = Vec::with_capacity(24);
        push(&mut digits);
        self.raw(&String::from_utf8_lossy(&digits));
    }

    fn value(&mut self, value: &Value<'_>) {
        match *value {
            Value::Unit => self.raw("null"),
            Value::Bool(value) => self.raw(if value { "true" } else { "false" }),
            Value::Char(value) => self.string(value.encode_utf8(&mut [0; 4])),
            Value::F32(value) => self.number(|out| record::push_f64(out, shortest(value))),
            Value::F64(value) => self.number(|out| record::push_f64(out, value)),
            Value::String(value) => self.string(value),
            Value::Path(value) => self.string(&value.to_string_lossy()),
            Value::Error(value) => self.string(&value.to_string()),
            Value::U128(value) => self.number(|out| record::push_u128(out, value)),
            Value::I128(value) => self.number(|out| record::push_i128(out, value)),
            Value::Listable(value) => self.nested(|writer| {
                let mut list = List { writer, items: 0, bytes: None };
                value.visit(&mut list);
                list.end();
            }),
            Value::Tuplable(value) => self.nested(|writer| {
                let mut list = List { writer, items: 0, bytes: None };
                value.visit(&mut list);
                list.end();
            }),
            Value::Mappable(value) => self.nested(|writer| {
                writer.raw("{");
                let mut object = Object { writer, members: 0 };
                value.visit(&mut object);
                writer.raw("}");
            }),
            Value::Structable(value) => self.nested(|writer| {
                if value.definition().fields().is_named() {
                    writer.raw("{");
                    value.visit(&mut Object { writer, members: 0 });
                    writer.raw("}");
                } else {
                    let mut list = List { writer, items: 0, bytes: None };
                    value.visit(&mut list);
                    list.end();
                }
            }),
            Value::Enumerable(value) => self.variant(value),
            ref integer => match (integer.as_u64(), integer.as_i64()) {
                (Some(value), _) => self.number(|out| record::push_u64(out, value)),
                (None, Some(value)) => self.number(|out| record::push_i64(out, value)),
                (None, None) => self.string(&format!("{integer:?}")),
            },
        }
    }

    fn variant(&mut self, value: &dyn valuable::Enumerable) {
        let variant = value.variant();
        if variant.is_named_fields() {
            return self.nested(|writer| {
                writer.raw("{");
                writer.string(variant.name());
                writer.raw(":{");
                value.visit(&mut Object { writer, members: 0 });
                writer.raw("}}");
            });
        }
        // An enum is visited with all of its unnamed fields at once.
        let mut fields = Fields { writer: self, name: variant.name(), written: false };
        value.visit(&mut fields);
        if !fields.written {
            self.string(variant.name());
        }
    }

    fn nested(&mut self, write: impl FnOnce(&mut Writer<'_>)) {
        if self.depth >= MAX_DEPTH {
            return self.string("[nested too deep]");
        }
        write(&mut Writer { out: self.out, depth: self.depth + 1 });
    }
}

/// A single as the double of the same decimal digits: 0.1 stays 0.1.
fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

struct Object<'o, 'w> {
    writer: &'o mut Writer<'w>,
    members: usize,
}

impl Object<'_, '_> {
    fn member(&mut self, name: &str, value: &Value<'_>) {
        if self.members > 0 {
            self.writer.raw(",");
        }
        self.members += 1;
        self.writer.string(name);
        self.writer.raw(":");
        self.writer.value(value);
    }
}

impl Visit for Object<'_, '_> {
    fn visit_value(&mut self, _: Value<'_>) {}

    fn visit_named_fields(&mut self, fields: &NamedValues<'_>) {
        for (field, value) in fields {
            self.member(field.name(), value);
        }
    }

    fn visit_entry(&mut self, key: Value<'_>, value: Value<'_>) {
        match key {
            Value::String(name) => self.member(name, &value),
            other => {
                let mut name = String::new();
                write_json(&mut name, &other);
                self.member(name.trim_matches('"'), &value);
            }
        }
    }
}

struct List<'l, 'w> {
    writer: &'l mut Writer<'w>,
    items: usize,
    bytes: Option<Vec<u8>>,
}

impl List<'_, '_> {
    fn item(&mut self, value: &Value<'_>) {
        self.writer.raw(if self.items == 0 { "[" } else { "," });
        self.items += 1;
        self.writer.value(value);
    }

    fn end(self) {
        match (self.bytes, self.items) {
            (Some(bytes), _) => self.writer.string(&STANDARD.encode(bytes)),
            (None, 0) => self.writer.raw("[]"),
            (None, _) => self.writer.raw("]"),
        }
    }
}

impl Visit for List<'_, '_> {
    fn visit_value(&mut self, value: Value<'_>) {
        self.item(&value);
    }

    fn visit_unnamed_fields(&mut self, values: &[Value<'_>]) {
        for value in values {
            self.item(value);
        }
    }

    fn visit_primitive_slice(&mut self, slice: Slice<'_>) {
        if let Slice::U8(bytes) = slice {
            self.bytes.get_or_insert_default().extend_from_slice(bytes);
            return;
        }
        for value in slice {
            self.item(&value);
        }
    }
}

struct Fields<'f, 'w> {
    writer: &'f mut Writer<'w>,
    name: &'f str,
    written: bool,
}

impl Visit for Fields<'_, '_> {
    fn visit_value(&mut self, _: Value<'_>) {}

    fn visit_unnamed_fields(&mut self, values: &[Value<'_>]) {
        let name = self.name;
        self.written = true;
        match values {
            [] => self.writer.string(name),
            // `Some(x)` and other one-field variants.
            [value] => self.writer.nested(|writer| {
                writer.raw("{");
                writer.string(name);
                writer.raw(":");
                writer.value(value);
                writer.raw("}");
            }),
            values => self.writer.nested(|writer| {
                writer.raw("{");
                writer.string(name);
                writer.raw(":");
                let mut list = List { writer, items: 0, bytes: None };
                list.visit_unnamed_fields(values);
                list.end();
                writer.raw("}");
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[derive(Valuable)]
    struct Order {
        symbol: &'static str,
        legs: Vec<Leg>,
        note: Option<String>,
        raw: Vec<u8>,
        tags: BTreeMap<u32, f64>,
        pair: (u8, i128),
        side: Side,
        missing: Option<u32>,
    }

    #[derive(Valuable)]
    struct Leg(u64, f32);

    #[derive(Valuable)]
    enum Side {
        Buy,
        Limit { price: &'static str },
        Both(u8, u8),
    }

    fn json(value: &dyn Valuable) -> serde_json::Value {
        let mut out = String::new();
        write_json(&mut out, &value.as_value());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}"))
    }

    #[test]
    fn every_shape_of_a_value_is_json() {
        let order = Order {
            symbol: "A\"C",
            legs: vec![Leg(1, 0.1), Leg(u64::MAX, f32::NAN)],
            note: Some("x".into()),
            raw: vec![0, 255],
            tags: BTreeMap::from([(7, 0.5)]),
            pair: (1, -5),
            side: Side::Limit { price: "1.10" },
            missing: None,
        };
        assert_eq!(
            json(&order),
            serde_json::json!({
                "symbol": "A\"C",
                "legs": [[1, 0.1], ["18446744073709551615", "NaN"]],
                "note": "x",
                "raw": "AP8=",
                "tags": {"7": 0.5},
                "pair": [1, -5],
                "side": {"Limit": {"price": "1.10"}},
                "missing": null,
            })
        );
        assert_eq!(json(&Side::Buy), serde_json::json!("Buy"));
        assert_eq!(json(&Side::Both(1, 2)), serde_json::json!({"Both": [1, 2]}));
        assert_eq!(json(&Vec::<u32>::new()), serde_json::json!([]));
    }

    #[test]
    fn for_others_it_prints_as_usual() {
        assert_eq!(format!("{:?}", val(&Leg(1, 0.5))), "Leg(1, 0.5)");
    }
}
