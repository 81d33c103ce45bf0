//! How often the rules for values are wrong, in either direction, over a million values from a seed.
//!
//! # What is in the mix
//! What the fields of audit records hold, each kind as often as any other: identifiers (UUIDs of version 4 and
//! 7, hexadecimal ones of 16, 32 and 64 digits, snowflakes, counted ones of 8 to 12 digits, order numbers of 12
//! to 20 digits that begin with a date, such with a prefix, article numbers, device numbers, account numbers
//! of 8 to 12 digits), times in five forms, amounts and measurements, telephone numbers in four forms, IBANs
//! in groups and without, addresses, user agents, base64 of random bytes, URLs, sentences.
//!
//! What is *not* in it: identifiers of 13 to 19 digits at random. Those begin like a card and have its check
//! digit by chance; `numbers_at_random_are_taken_for_cards_so_often` says how often. Were one value in a
//! hundred of the mix such a number of 16 digits, 23 in 100,000 of all values would be taken out.

use base64::{Engine, engine::general_purpose::STANDARD};
use fastrand::Rng;

use super::{cards, values};

const VALUES: usize = 1_000_000;

fn digits(rng: &mut Rng, count: usize) -> String {
    (0..count).map(|_| rng.digit(10)).collect()
}

fn hex(rng: &mut Rng, count: usize) -> String {
    (0..count).map(|_| rng.digit(16)).collect()
}

fn uuid(rng: &mut Rng) -> String {
    let version = if rng.bool() { 4 } else { 7 };
    let head = if version == 7 { "0193".to_owned() + &hex(rng, 4) } else { hex(rng, 8) };
    let (a, b, c, d) = (hex(rng, 4), hex(rng, 3), hex(rng, 3), hex(rng, 12));
    format!("{head}-{a}-{version}{b}-{}{c}-{d}", ['8', '9', 'a', 'b'][rng.usize(..4)])
}

fn date(rng: &mut Rng) -> (u32, u32, u32) {
    (rng.u32(2015..2035), rng.u32(1..13), rng.u32(1..29))
}

fn words(rng: &mut Rng) -> String {
    const WORDS: [&str; 24] = [
        "user", "order", "executed", "transfer", "the", "of", "bearer", "basic", "plan", "account",
        "for", "after", "token", "was", "refused", "by", "rule", "limit", "panic", "key", "July",
        "card", "closed", "reader",
    ];
    let count = rng.usize(1..14);
    (0..count).map(|_| WORDS[rng.usize(..WORDS.len())]).collect::<Vec<_>>().join(" ")
}

fn iban(rng: &mut Rng) -> String {
    let (country, length) =
        [("DE", 18), ("AT", 16), ("LT", 16), ("ES", 20), ("FR", 23), ("CH", 17), ("BE", 12)]
            [rng.usize(..7)];
    let account = digits(rng, length);
    let number = |check: u32| {
        format!("{account}{country}{check:02}").bytes().fold(0, |rest, byte| match byte {
            b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
            _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
        })
    };
    format!("{country}{:02}{account}", 98 - number(0))
}

fn grouped(text: &str) -> String {
    text.as_bytes().chunks(4).map(String::from_utf8_lossy).collect::<Vec<_>>().join(" ")
}

fn article(rng: &mut Rng) -> String {
    let number = format!("4{}", digits(rng, 11));
    let weighted = number.bytes().zip([1, 3].into_iter().cycle());
    let sum: u32 = weighted.map(|(digit, weight)| u32::from(digit - b'0') * weight).sum();
    format!("{number}{}", (10 - sum % 10) % 10)
}

/// A value as the fields of audit records hold them.
fn ordinary(rng: &mut Rng) -> String {
    let (year, month, day) = date(rng);
    let (hour, minute, second) = (rng.u32(..24), rng.u32(..60), rng.u32(..60));
    match rng.usize(..30) {
        0 | 1 => uuid(rng),
        2 => hex(rng, 64),
        3 => hex(rng, 16),
        4 => hex(rng, 32),
        5 => (rng.u64(100_000_000_000..400_000_000_000) << 22 | rng.u64(..1 << 22)).to_string(),
        6 => {
            let count = rng.usize(8..13);
            digits(rng, count)
        }
        7 => {
            let count = rng.usize(4..13);
            format!("{year}{month:02}{day:02}{}", digits(rng, count))
        }
        8 => {
            let count = rng.usize(6..13);
            format!("{}{}", ["ORD-", "inv_", "C", "PO/"][rng.usize(..4)], digits(rng, count))
        }
        9 => article(rng),
        10 => format!("35{}", digits(rng, 13)),
        11 => format!("{}-{}-{}", digits(rng, 3), digits(rng, 7), digits(rng, 7)),
        12 => format!(
            "{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{}Z",
            digits(rng, 6)
        ),
        13 => format!(
            "{year}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{}",
            digits(rng, 9)
        ),
        14 => format!("{year}{month:02}{day:02}{hour:02}{minute:02}{second:02}"),
        15 => {
            rng.u64(1_400_000_000..1_999_999_999).to_string()
                + ["", "000", "000000", "000000000"][rng.usize(..4)]
        }
        16 => {
            let count = [9, 12, 15, 18][rng.usize(..4)];
            format!("1{}", digits(rng, count))
        }
        17 => {
            let most = 1 << rng.u32(1..60);
            format!("{}.{:02}", rng.u64(..most), rng.u32(..100))
        }
        18 => (rng.f64() * 1000.0).to_string(),
        19 => format!("+49 {} {} {}", digits(rng, 3), digits(rng, 4), digits(rng, 4)),
        20 => {
            let (country, count) =
                [("44", 10), ("4915", 9), ("43664", 7), ("1", 10), ("33", 9)][rng.usize(..5)];
            format!("{}{country}{}", if rng.bool() { "+" } else { "" }, digits(rng, count))
        }
        21 => format!("0{} {}-{}", digits(rng, 3), digits(rng, 6), digits(rng, 2)),
        22 => iban(rng),
        23 => grouped(&iban(rng)),
        24 => format!("{}.{}.{}.{}", rng.u8(..), rng.u8(..), rng.u8(..), rng.u8(..)),
        25 => (0..8).map(|_| hex(rng, 4)).collect::<Vec<_>>().join(":"),
        26 => {
            let count = rng.usize(9..96);
            STANDARD.encode((0..count).map(|_| rng.u8(..)).collect::<Vec<_>>())
        }
        27 => format!(
            "https://shop.example.com/orders/{}/items/{}?page={}&ref={}",
            digits(rng, 9),
            uuid(rng),
            rng.u32(..99),
            hex(rng, 12)
        ),
        28 => format!(
            "Mozilla/5.0 (X11; Linux x86_64; rv:{}.0) Gecko/20100101 Firefox/{}.0",
            rng.u32(90..140),
            rng.u32(90..140)
        ),
        _ => words(rng),
    }
}

/// The digits with the one behind that makes them a card's.
fn with_check_digit(mut number: String) -> String {
    number.push('0');
    let last = number.len() - 1;
    for digit in '0'..='9' {
        number.replace_range(last.., &digit.to_string());
        let sum: u32 = number
            .bytes()
            .rev()
            .enumerate()
            .map(|(at, digit)| {
                let digit = u32::from(digit - b'0') * if at % 2 == 1 { 2 } else { 1 };
                digit / 10 + digit % 10
            })
            .sum();
        if sum.is_multiple_of(10) {
            break;
        }
    }
    number
}

fn card(rng: &mut Rng) -> String {
    let (head, length) = [
        ("4", 16),
        ("51", 16),
        ("55", 16),
        ("2221", 16),
        ("2720", 16),
        ("34", 15),
        ("37", 15),
        ("6011", 16),
        ("65", 16),
        ("36", 14),
        ("305", 14),
        ("3528", 16),
        ("62", 16),
        ("62", 19),
        ("6759", 16),
        ("62", 19),
    ][rng.usize(..16)];
    let number = with_check_digit(head.to_owned() + &digits(rng, length - head.len() - 1));
    let groups: &[usize] = match length {
        14 => &[4, 6, 4],
        15 => &[4, 6, 5],
        16 => &[4, 4, 4, 4],
        _ => &[4, 4, 4, 4, 3],
    };
    let Some(separator) =
        ["", " ", "-"].get(rng.usize(..3)).filter(|separator| !separator.is_empty())
    else {
        return number;
    };
    let mut rest = number.as_str();
    let groups = groups.iter().map(|length| {
        let (group, behind) = rest.split_at(*length);
        rest = behind;
        group
    });
    groups.collect::<Vec<_>>().join(separator)
}

fn base64url(rng: &mut Rng, bytes: usize) -> String {
    let bytes: Vec<_> = (0..bytes).map(|_| rng.u8(..)).collect();
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

/// A secret, and what is in front of it that stays.
fn secret(rng: &mut Rng) -> (&'static str, String) {
    match rng.usize(..5) {
        0 => ("Bearer ", base64url(rng, 24)),
        1 => ("bAsIc ", STANDARD.encode(digits(rng, 13))),
        2 => {
            let header = base64::engine::general_purpose::URL_SAFE_NO_PAD
                .encode(r#"{"alg":"ES256","typ":"JWT"}"#);
            ("", format!("{header}.{}.{}", base64url(rng, 40), base64url(rng, 64)))
        }
        3 => {
            let name = ["", "RSA ", "EC ", "OPENSSH ", "ENCRYPTED "][rng.usize(..5)];
            let line = ["\n", "\\n", "\r\n"][rng.usize(..3)];
            (
                "",
                format!(
                    "-----BEGIN {name}PRIVATE KEY-----{line}{}{line}-----END {name}PRIVATE KEY-----",
                    base64url(rng, 99)
                ),
            )
        }
        _ => ("", card(rng)),
    }
}

#[test]
fn of_a_million_ordinary_values_at_most_ten_are_taken_for_secrets() {
    let mut rng = Rng::with_seed(1);
    let wrong: Vec<_> = (0..VALUES)
        .map(|_| ordinary(&mut rng))
        .filter(|value| values::are_in(value.as_bytes()))
        .collect();
    println!("{} of {VALUES}: {wrong:?}", wrong.len());
    assert!(wrong.len() <= VALUES / 100_000, "{} of {VALUES}: {wrong:?}", wrong.len());
}

#[test]
fn numbers_at_random_are_taken_for_cards_so_often() {
    let mut rng = Rng::with_seed(2);
    let mut share = |count: &dyn Fn(&mut Rng) -> usize| {
        let found = (0..VALUES).filter(|_| {
            let count = count(&mut rng);
            cards::is_in(digits(&mut rng, count).as_bytes())
        });
        found.count() as f64 / VALUES as f64
    };
    let (sixteen, any) = (share(&|_| 16), share(&|rng| rng.usize(8..21)));
    let wide = (0..VALUES).filter(|_| cards::is_number(rng.u64(..).into())).count();
    println!("of 16 digits {sixteen}, of 8 to 20 {any}, of 64 bits {wide} in {VALUES}");
    // As the head of `cards` and the README say.
    assert!((0.0225..0.0240).contains(&sixteen), "{sixteen}");
    assert!(any < 0.005, "{any}");
    assert!(wide < VALUES / 1000, "{wide}");
}

#[test]
fn a_secret_in_ordinary_text_is_found_and_the_text_stays() {
    let mut rng = Rng::with_seed(3);
    for _ in 0..VALUES / 10 {
        let mut around = || {
            let count = rng.usize(..3);
            (0..count).map(|_| ordinary(&mut rng)).collect::<Vec<_>>().join(", ")
        };
        let (first, last) = (around(), around());
        let before = [" ", ": ", "=", "=\"", "(", "\n", "\\n", "; ", ", ", "\t"][rng.usize(..10)];
        let behind = [" and ", "\n", "\"", ")", "; ", ", ", "\\n", " - "][rng.usize(..8)];
        let (stays, secret) = secret(&mut rng);
        let text = |secret: &str| format!("{first} |{before}{stays}{secret}{behind}{last}");
        assert_eq!(
            values::redact(&text(&secret), false).as_deref(),
            Some(text("[redacted]").as_str()),
            "{}",
            text(&secret)
        );
    }
}
