//! Every way in which `tracing` hands over a value.

use std::fmt;

use serde_json::json;
use tests::Recorded;
use tracing::field::Empty;

struct Shown;

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("displayed")
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Debugged { x: 1 }")
    }
}

fn details(emit: impl FnOnce()) -> serde_json::Value {
    Recorded::one(emit)["details"].clone()
}

#[test]
fn every_kind_of_value_is_a_detail_of_its_own_type() {
    let string = String::from("a String");
    assert_eq!(
        details(|| {
            tracing::info!(
                target: "audit",
                str = "a str",
                string = string,
                borrowed = &string,
                boxed = Box::new("a box"),
                display = %Shown,
                debug = ?Shown,
                debug_str = ?"quoted",
                unsigned = 3_u8,
                signed = -3_i16,
                size = 7_usize,
                wide = 7_i128,
                yes = true,
                no = false,
                float = 0.5,
                single = 0.5_f32,
                whole = 2.0,
                nonzero = std::num::NonZeroU32::new(4),
                some = Some("some"),
                format = format_args!("{}-{}", 1, 2),
            );
        }),
        json!({
            "str": "a str",
            "string": "a String",
            "borrowed": "a String",
            "boxed": "a box",
            "display": "displayed",
            "debug": "Debugged { x: 1 }",
            "debug_str": "\"quoted\"",
            "unsigned": 3,
            "signed": -3,
            "size": 7,
            "wide": 7,
            "yes": true,
            "no": false,
            "float": 0.5,
            "single": 0.5,
            "whole": 2,
            "nonzero": 4,
            "some": "some",
            "format": "1-2",
        })
    );
}

#[test]
fn every_kind_of_value_is_text_in_a_member_that_is_text() {
    let text = |emit: fn()| Recorded::one(emit)["user_id"].clone();
    assert_eq!(text(|| tracing::info!(target: "audit", user_id = String::from("s"))), "s");
    assert_eq!(text(|| tracing::info!(target: "audit", user_id = %Shown)), "displayed");
    assert_eq!(text(|| tracing::info!(target: "audit", user_id = ?Shown)), "Debugged { x: 1 }");
    assert_eq!(text(|| tracing::info!(target: "audit", user_id = 42)), "42");
    assert_eq!(text(|| tracing::info!(target: "audit", user_id = -42_i64)), "-42");
    assert_eq!(
        text(|| tracing::info!(target: "audit", user_id = u128::MAX)),
        u128::MAX.to_string()
    );
    assert_eq!(
        text(|| tracing::info!(target: "audit", user_id = i128::MIN)),
        i128::MIN.to_string()
    );
    assert_eq!(text(|| tracing::info!(target: "audit", user_id = true)), "true");
    assert_eq!(text(|| tracing::info!(target: "audit", user_id = 1.5)), "1.5");
    assert_eq!(text(|| tracing::info!(target: "audit", user_id = &b"\x00\xff"[..])), "AP8=");
    assert_eq!(text(|| tracing::info!(target: "audit", user_id = Some(7_u8))), "7");
}

#[test]
fn none_and_empty_are_absent_everywhere() {
    let record = Recorded::one(|| {
        tracing::info!(
            target: "audit",
            user_id = None::<&str>,
            action = Empty,
            duration_us = None::<u64>,
            nothing = None::<u32>,
            empty = Empty,
            kept = Some(1),
        );
    });
    assert!(record.get("user_id").is_none() && record.get("action").is_none());
    assert!(record.get("duration_us").is_none());
    assert_eq!(record["details"], json!({"kept": 1}));
}

#[test]
fn numbers_that_a_double_cannot_hold_are_strings() {
    assert_eq!(
        details(|| {
            tracing::info!(
                target: "audit",
                largest = 1_u64 << 53,
                beyond = (1_u64 << 53) + 1,
                least = -(1_i64 << 53),
                below = -(1_i64 << 53) - 1,
                u64 = u64::MAX,
                i64 = i64::MIN,
                u128 = u128::MAX,
                i128 = i128::MIN,
                small_u128 = 5_u128,
                nan = f64::NAN,
                infinite = f64::INFINITY,
                minus = f64::NEG_INFINITY,
                zero = -0.0,
                large = 1e300,
            );
        }),
        json!({
            "largest": 9_007_199_254_740_992_u64,
            "beyond": "9007199254740993",
            "least": -9_007_199_254_740_992_i64,
            "below": "-9007199254740993",
            "u64": "18446744073709551615",
            "i64": "-9223372036854775808",
            "u128": "340282366920938463463374607431768211455",
            "i128": "-170141183460469231731687303715884105728",
            "small_u128": 5,
            "nan": "NaN",
            "infinite": "Infinity",
            "minus": "-Infinity",
            "zero": 0,
            "large": 1e300,
        })
    );
}

#[test]
fn a_float_of_32_bits_keeps_its_own_digits() {
    let record = Recorded::from(|| tracing::info!(target: "audit", exact = 0.5_f32));
    assert_eq!(record.only()["details"]["exact"], 0.5);
}

#[test]
fn bytes_are_base64() {
    assert_eq!(
        details(|| {
            tracing::info!(target: "audit", bytes = &[0_u8, 1, 254, 255][..], none = &[0_u8; 0][..]);
        }),
        json!({"bytes": "AAH+/w==", "none": ""})
    );
}

#[test]
fn an_error_is_its_message_and_its_causes() {
    #[derive(Debug)]
    struct Outer(std::num::ParseIntError);
    impl fmt::Display for Outer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("cannot read the amount")
        }
    }
    impl std::error::Error for Outer {
        fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
            Some(&self.0)
        }
    }
    let outer = Outer("x".parse::<i32>().unwrap_err());
    let error: &(dyn std::error::Error + 'static) = &outer;
    assert_eq!(
        details(|| tracing::info!(target: "audit", error)),
        json!({"error": "cannot read the amount: invalid digit found in string"})
    );
}

#[test]
fn forty_fields_are_forty_details() {
    let record = Recorded::one(|| {
        tracing::info!(
            target: "audit",
            a0 = 0, a1 = 1, a2 = 2, a3 = 3, a4 = 4, a5 = 5, a6 = 6, a7 = 7, a8 = 8, a9 = 9,
            b0 = 10, b1 = 11, b2 = 12, b3 = 13, b4 = 14, b5 = 15, b6 = 16, b7 = 17, b8 = 18, b9 = 19,
            c0 = 20, c1 = 21, c2 = 22, c3 = 23, c4 = 24, c5 = 25, c6 = 26, c7 = 27, c8 = 28, c9 = 29,
            d0 = 30, d1 = 31, d2 = 32, d3 = 33, d4 = 34, d5 = 35, d6 = 36, d7 = 37, d8 = 38, d9 = 39,
        );
    });
    let details = record["details"].as_object().unwrap();
    assert_eq!(details.len(), 40);
    assert_eq!(details["d9"], 39);
}

#[test]
fn a_value_with_a_name_of_its_own_is_taken_whole() {
    // The shorthand, the sigils and `name:` of the macros.
    let (user_id, attempt, shown) = ("u-1", 3, Shown);
    let record = Recorded::one(|| {
        tracing::event!(
            name: "named",
            target: "audit",
            tracing::Level::INFO,
            user_id,
            attempt,
            %shown,
            "hello {user_id}"
        );
    });
    assert_eq!(record["user_id"], "u-1");
    assert_eq!(record["message"], "hello u-1");
    assert_eq!(record["details"], json!({"attempt": 3, "shown": "displayed"}));
}
