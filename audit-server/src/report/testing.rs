//! Documents for tests.

use proptest::prelude::*;

use super::{Align, Block, Cell, Document, Section, Table, Tone};

/// What somebody might be called who wants to be taken for markup, for an order to the terminal, or
/// for somebody else.
pub(crate) const EVIL: &str =
    "<script>alert('x')</script>\" onload=\"&amp;\u{1b}[2J\u{202e}\u{2066}nimda\u{2069}\u{0}\r\n";

/// A document with every kind of block.
pub(crate) fn example() -> Document {
    let pairs = vec![
        ("from".to_owned(), Cell::from("2026-11-14T00:00:00.000001Z")),
        ("to".to_owned(), Cell::from("2026-11-21T00:00:00.000000Z")),
        ("records".to_owned(), Cell::from(1_204_331)),
        ("chain".to_owned(), Cell::toned("no record is missing", Tone::Good)),
        ("not covered".to_owned(), Cell::toned("the first two days", Tone::Bad)),
        ("receipts".to_owned(), Cell::toned("none was given", Tone::Unknown)),
    ];
    let mut users = Table::new(["user", "address", "#failed", "#locked", "verdict"]);
    let mut user = |name: &str, address: &str, failed: u64, locked: u64, verdict: Cell| {
        users.push([name.into(), address.into(), failed.into(), locked.into(), verdict]);
    };
    user("john.doe", "192.0.2.7", 3, 0, Cell::toned("usual", Tone::Good));
    user("漢字太郎", "2001:db8::1", 12_345, 12, Cell::toned("twelve times locked", Tone::Bad));
    user(EVIL, "198.51.100.23", 41, 1, Cell::toned("new", Tone::Unknown));
    users.note = "the first 3 of 57".to_owned();
    let days = [12, 9, 0, 7, 31, 15, 8];
    let days = days.iter().zip(14..).map(|(value, day)| (format!("2026-11-{day}"), *value));
    let hours = (0..168_u64).map(|hour| {
        let value = [3, 1, 0, 0, 2, 5, 14, 40, 55, 38, 21, 9][(hour % 24 / 2) as usize] + hour / 9;
        (format!("2026-11-{}T{:02}", 14 + hour / 24, hour % 24), value)
    });
    Document::new("Security, seven days")
        .section("What this report is about", [Block::Pairs(pairs)])
        .section(
            "Failed logins",
            [
                Block::Text(
                    "Attempts that were refused, by user. A user who was locked out is marked, and \
                     so is one who was never seen before."
                        .to_owned(),
                ),
                Block::Table(users),
                Block::Series { unit: "failed logins".to_owned(), points: days.collect() },
            ],
        )
        .section(
            "Hour by hour",
            [Block::Series { unit: "records".to_owned(), points: hours.collect() }],
        )
        .section("Intrusions", [Block::Table(Table::new(["time", "#score"]))])
}

/// Texts of which some are hostile.
pub(crate) fn text() -> impl Strategy<Value = String> {
    let pieces = prop_oneof![
        4 => "[a-z ]{0,12}",
        2 => any::<String>(),
        2 => "[<>&\"'/=#;{}%-]{1,6}",
        2 => "[漢字かな\u{308}é]{1,6}",
        1 => "[\u{0}-\u{1f}\u{7f}-\u{9f}\u{200b}-\u{200f}\u{202a}-\u{202e}\u{2066}-\u{2069}]{1,3}",
        1 => Just(EVIL.to_owned()),
    ];
    prop::collection::vec(pieces, 0..4).prop_map(|pieces| pieces.concat())
}

fn cell() -> impl Strategy<Value = Cell> {
    let tone = prop::sample::select(vec![Tone::Plain, Tone::Good, Tone::Bad, Tone::Unknown]);
    (text(), tone).prop_map(|(text, tone)| Cell { text, tone })
}

fn table() -> impl Strategy<Value = Table> {
    let align = prop::sample::select(vec![Align::Left, Align::Right]);
    let columns = prop::collection::vec((text(), align), 0..5);
    // Longer and shorter ones than there are names.
    let rows = prop::collection::vec(prop::collection::vec(cell(), 0..6), 0..4);
    (columns, rows, text()).prop_map(|(columns, rows, note)| Table { columns, rows, note })
}

fn block() -> impl Strategy<Value = Block> {
    let values = prop_oneof![Just(0), 1..100_u64, any::<u64>()];
    let points = prop_oneof![
        prop::collection::vec((text(), values.clone()), 0..9),
        prop::collection::vec((text(), values), 30..80),
    ];
    prop_oneof![
        text().prop_map(Block::Text),
        prop::collection::vec((text(), cell()), 0..5).prop_map(Block::Pairs),
        table().prop_map(Block::Table),
        (text(), points).prop_map(|(unit, points)| Block::Series { unit, points }),
    ]
}

/// Documents of all kinds.
pub(crate) fn document() -> impl Strategy<Value = Document> {
    let section = (text(), prop::collection::vec(block(), 0..3))
        .prop_map(|(heading, blocks)| Section { heading, blocks });
    (text(), prop::collection::vec(section, 0..4))
        .prop_map(|(title, sections)| Document { title, sections })
}

/// Every text of a document.
pub(crate) fn texts(document: &Document) -> Vec<String> {
    let mut texts = vec![document.title.clone()];
    for section in &document.sections {
        texts.push(section.heading.clone());
        for block in &section.blocks {
            match block {
                Block::Text(text) => texts.push(text.clone()),
                Block::Pairs(pairs) => {
                    texts.extend(pairs.iter().flat_map(|(n, c)| [n.clone(), c.text.clone()]));
                }
                Block::Table(table) => {
                    texts.extend(table.columns.iter().map(|(name, _)| name.clone()));
                    texts.extend(table.rows.iter().flatten().map(|cell| cell.text.clone()));
                    texts.push(table.note.clone());
                }
                Block::Series { unit, points } => {
                    texts.push(unit.clone());
                    texts.extend(points.iter().flat_map(|(n, v)| [n.clone(), v.to_string()]));
                }
            }
        }
    }
    texts
}

/// Compares with a golden file, or writes it when `UPDATE_GOLDEN` is set.
pub(crate) fn assert_golden(path: &str, made: &str) {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(golden.parent().unwrap()).unwrap();
        std::fs::write(&golden, made).unwrap();
    }
    let kept = std::fs::read_to_string(&golden).unwrap_or_default();
    assert!(made == kept, "it differs from {path}: UPDATE_GOLDEN=1 rewrites it\n{made}");
}
