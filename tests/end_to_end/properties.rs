//! Whatever an event says, its line is canonical and says just that.
//!
//! `Recorded` holds every line against a library of RFC 8785 and checks its hash and link.

use proptest::prelude::*;
use serde_json::{Value, json};
use tests::{Recorded, Trail};

const EXACT: u128 = 1 << 53;

/// One value for each way in which `tracing` hands values over.
#[derive(Debug, Clone)]
struct Fields {
    text: String,
    display: String,
    bytes: Vec<u8>,
    signed: i64,
    unsigned: u64,
    wide: i128,
    unsigned_wide: u128,
    float: f64,
    flag: bool,
    user_id: String,
    status: Option<String>,
    span_user: String,
    span_tenant: String,
    message: String,
}

fn fields() -> impl Strategy<Value = Fields> {
    let texts = (any::<String>(), any::<String>(), prop::collection::vec(any::<u8>(), 0..64));
    // The bounds are likelier than any() makes them.
    let signed = prop_oneof![any::<i64>(), (-3_i64..=3).prop_map(|d| (1 << 53) + d)];
    let numbers = (signed, any::<u64>(), any::<i128>(), any::<u128>());
    let float = prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(-0.0)];
    let members = (any::<String>(), any::<Option<String>>(), any::<String>(), any::<String>());
    (texts, numbers, float, any::<bool>(), members, any::<String>()).prop_map(
        |(texts, numbers, float, flag, members, message)| Fields {
            text: texts.0,
            display: texts.1,
            bytes: texts.2,
            signed: numbers.0,
            unsigned: numbers.1,
            wide: numbers.2,
            unsigned_wide: numbers.3,
            float,
            flag,
            user_id: members.0,
            status: members.1,
            span_user: members.2,
            span_tenant: members.3,
            message,
        },
    )
}

/// Numbers at random may be those of payment cards.
fn as_given(emit: impl FnOnce()) -> Recorded {
    Trail::in_file().with(|builder| builder.redact_values(false)).record(emit)
}

fn emit(fields: &Fields) {
    let span = tracing::info_span!(
        "request",
        user_id = %fields.span_user,
        tenant = tracing::field::Empty
    );
    span.record("tenant", fields.span_tenant.as_str());
    let _entered = span.enter();
    tracing::info!(
        target: "audit",
        user_id = fields.user_id,
        status = fields.status.as_deref(),
        text = fields.text,
        display = %fields.display,
        debug = ?fields.display,
        bytes = &*fields.bytes,
        signed = fields.signed,
        unsigned = fields.unsigned,
        wide = fields.wide,
        unsigned_wide = fields.unsigned_wide,
        float = fields.float,
        flag = fields.flag,
        "{}", fields.message
    );
}

fn integer(digits: String, magnitude: u128) -> Value {
    if magnitude <= EXACT { serde_json::from_str(&digits).unwrap() } else { json!(digits) }
}

/// What a reader that holds numbers in doubles gets.
fn float(value: f64) -> Value {
    if value.is_nan() {
        json!("NaN")
    } else if value.is_infinite() {
        json!(if value > 0.0 { "Infinity" } else { "-Infinity" })
    } else {
        json!(value)
    }
}

/// Equal, with every number as the double that it is.
fn same(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

fn expected_details(fields: &Fields) -> Value {
    use base64::{Engine, engine::general_purpose::STANDARD};
    json!({
        "text": fields.text,
        "display": fields.display,
        "debug": format!("{:?}", fields.display),
        "bytes": STANDARD.encode(&fields.bytes),
        "signed": integer(fields.signed.to_string(), fields.signed.unsigned_abs().into()),
        "unsigned": integer(fields.unsigned.to_string(), fields.unsigned.into()),
        "wide": integer(fields.wide.to_string(), fields.wide.unsigned_abs()),
        "unsigned_wide": integer(fields.unsigned_wide.to_string(), fields.unsigned_wide),
        "float": float(fields.float),
        "flag": fields.flag,
    })
}

fn member(texts: &[&str]) -> Value {
    texts.iter().find(|text| !text.is_empty()).map_or(Value::Null, |text| json!(text))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_values_are_recorded_as_they_were_given(
        events in prop::collection::vec(fields(), 1..40)
    ) {
        let recorded = as_given(|| events.iter().for_each(emit));
        let records = recorded.events();
        prop_assert_eq!(records.len(), events.len());
        for (record, fields) in records.iter().zip(&events) {
            let details = expected_details(fields);
            prop_assert!(same(&record["details"], &details), "{} is not {}", record["details"], details);
            prop_assert_eq!(&record["message"], &member(&[&fields.message]));
            prop_assert_eq!(&record["user_id"], &member(&[&fields.user_id, &fields.span_user]));
            prop_assert_eq!(&record["tenant"], &member(&[&fields.span_tenant]));
            prop_assert_eq!(
                &record["status"],
                &member(&[fields.status.as_deref().unwrap_or_default()])
            );
            prop_assert!(record.get("truncated").is_none());
        }
    }

    #[test]
    fn any_json_object_is_merged_as_it_was_given(
        objects in prop::collection::vec(object(), 1..20)
    ) {
        let recorded = as_given(|| {
            for object in &objects {
                tracing::info!(target: "audit", details = %object, "hello");
            }
        });
        for (record, object) in recorded.events().iter().zip(&objects) {
            let details = record.get("details").cloned().unwrap_or_else(|| json!({}));
            prop_assert!(same(&details, object), "{} is not {}", details, object);
        }
    }
}

/// A JSON object of numbers that a double can hold.
fn object() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-(1_i64 << 53)..=1 << 53).prop_map(Value::from),
        any::<f64>().prop_filter("finite", |float| float.is_finite()).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    let any_value = leaf.prop_recursive(4, 30, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map(any::<String>(), inner, 0..6)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    prop::collection::hash_map(any::<String>(), any_value, 0..6)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}
