//! A document as a page: for a browser, and to be printed.
//!
//! A page is handed on, by mail or on paper, and opened where nobody knows it. So it is one file that
//! loads nothing, runs nothing and names its only style by its hash; the policy that says so is sent
//! with it ([`POLICY`]) and stands in it too, for when it is opened from a disk.
//!
//! The names and addresses in it are what somebody chose who perhaps did not mean well. The template
//! sees no text of a document, only [`Shown`] ones: what a screen would act upon is escaped before
//! (see [`crate::visible`]), and the template escapes what HTML would. There is one exception to the
//! latter, the style, which is ours.
//!
//! The bars of a chart are SVG whose attributes are whole numbers, and its labels are HTML around
//! it: so it is as wide as the page, and its letters are not. What the bars say stands as numbers
//! below them, for who cannot see them or wants to count.

use std::{fmt, sync::LazyLock};

use askama::Template;
use base64::{Engine, engine::general_purpose::STANDARD};
use sha2::{Digest, Sha256};

use super::{Align, Block, Cell, Document, Section, Table, Tone, series};
use crate::{Error, visible::shown};

/// The only style of a page. It does not depend on the document, nor does its hash.
const STYLE: &str = include_str!("../../templates/report.css");

/// What a page may do in a browser: look as it does. Without what only a header can say.
static OWN_POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; style-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        STANDARD.encode(Sha256::digest(STYLE))
    )
});

/// What the header `Content-Security-Policy` of a page is.
pub(crate) static POLICY: LazyLock<String> =
    LazyLock::new(|| format!("{}; frame-ancestors 'none'", *OWN_POLICY));

/// How high the highest bar is, and how wide a place for one, in the units of the drawing.
const HIGH: u32 = 1000;
const WIDE: usize = 10;

/// The most points that each have their name below, and how long such a name may be.
const MOST_NAMES: usize = 8;
const LONGEST_NAME: usize = 12;

/// With so many points there is no gap between two bars.
const MOST_GAPS: usize = 60;

/// With so few points the drawing is narrow.
const FEW: usize = 3;

/// The longest word that is never broken: most names, addresses and types.
const SHORT_WORD: usize = 24;

/// The longest that is broken only on paper: ids and times. A screen scrolls.
const LONG_WORD: usize = 40;

/// A section with a table of more columns is printed across.
const UPRIGHT: usize = 6;

/// The page that shows a document, encoded as UTF-8, for the media type `text/html; charset=utf-8`.
///
/// # Errors
/// [`Error::Internal`] when the template fails, which it has no reason to.
pub(crate) fn page(document: &Document) -> Result<String, Error> {
    let page = Page {
        policy: &OWN_POLICY,
        style: STYLE,
        title: Shown(&document.title),
        sections: document.sections.iter().map(Chapter::of).collect(),
        is_marked: document.is_marked(),
    };
    page.render().map_err(Error::internal)
}

/// A text of a document, fit for a screen: the template cannot write it in another way.
#[derive(Clone, Copy)]
struct Shown<'d>(&'d str);

impl Shown<'_> {
    fn is_empty(self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(self.0))
    }
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'d> {
    policy: &'d str,
    style: &'static str,
    title: Shown<'d>,
    sections: Vec<Chapter<'d>>,
    is_marked: bool,
}

struct Chapter<'d> {
    heading: Shown<'d>,
    blocks: Vec<Part<'d>>,
}

enum Part<'d> {
    Text(Shown<'d>),
    Pairs(Vec<(Shown<'d>, About<'d>)>),
    Grid(Grid<'d>),
    Chart(Chart<'d>),
}

/// A cell.
struct About<'d> {
    text: Shown<'d>,
    tone: Tone,
}

struct Grid<'d> {
    table: &'d Table,
    names: Vec<Shown<'d>>,
    rows: Vec<Vec<About<'d>>>,
    note: Shown<'d>,
}

struct Chart<'d> {
    unit: Shown<'d>,
    summary: String,
    greatest: u64,
    bars: Vec<Bar<'d>>,
}

struct Bar<'d> {
    name: Shown<'d>,
    value: u64,
    left: usize,
    wide: usize,
    high: u32,
}

impl<'d> Chapter<'d> {
    fn of(section: &'d Section) -> Self {
        let blocks = section.blocks.iter().map(Part::of).collect();
        Self { heading: Shown(&section.heading), blocks }
    }

    /// Whether it has a table that needs a page across. Its heading stays with it.
    fn is_wide(&self) -> bool {
        let is_wide = |part: &Part<'_>| match part {
            Part::Grid(grid) => grid.names.len() > UPRIGHT,
            _ => false,
        };
        self.blocks.iter().any(is_wide)
    }
}

impl<'d> Part<'d> {
    fn of(block: &'d Block) -> Self {
        match block {
            Block::Text(text) => Self::Text(Shown(text)),
            Block::Pairs(pairs) => {
                let pairs = pairs.iter().map(|(name, cell)| (Shown(name), About::of(cell)));
                Self::Pairs(pairs.collect())
            }
            Block::Table(table) => Self::Grid(Grid::of(table)),
            Block::Series { unit, points } => Self::Chart(Chart::of(unit, points)),
        }
    }
}

impl<'d> About<'d> {
    fn of(cell: &'d Cell) -> Self {
        Self { text: Shown(&cell.text), tone: cell.tone }
    }

    /// How it may be broken into lines.
    fn breaks(&self) -> &'static str {
        let text = shown(self.text.0);
        let longest = text.split(' ').map(|word| word.chars().count()).max().unwrap_or(0);
        match longest {
            0..=SHORT_WORD if text.contains(' ') => "words",
            0..=SHORT_WORD => "name",
            0..=LONG_WORD if !text.contains(' ') => "id",
            _ => "long",
        }
    }

    fn class(&self) -> &'static str {
        match self.tone {
            Tone::Plain => "plain",
            Tone::Good => "good",
            Tone::Bad => "bad",
            Tone::Unknown => "unknown",
        }
    }
}

impl<'d> Grid<'d> {
    fn of(table: &'d Table) -> Self {
        let width = table.width();
        let named = table.columns.iter().map(|(name, _)| Shown(name));
        let row = |row: &'d Vec<Cell>| row.iter().map(About::of).collect();
        Self {
            table,
            names: named.chain(std::iter::repeat(Shown(""))).take(width).collect(),
            rows: table.rows.iter().map(row).collect(),
            note: Shown(&table.note),
        }
    }

    fn is_number(&self, column: &usize) -> bool {
        self.table.align(*column) == Align::Right
    }

    fn span(&self) -> usize {
        self.names.len().max(1)
    }
}

impl<'d> Chart<'d> {
    fn of(unit: &'d str, points: &'d [(String, u64)]) -> Self {
        let greatest = points.iter().map(|(_, value)| *value).max().unwrap_or(0);
        // A few bars as wide as the page look like a wall, and gaps between many are uneven.
        let wide = match points.len() {
            0..=MOST_NAMES => WIDE / 2,
            MOST_GAPS.. => WIDE,
            _ => WIDE - 2,
        };
        let bar = |(at, (name, value)): (usize, &'d (String, u64))| Bar {
            name: Shown(name),
            value: *value,
            left: at * WIDE + (WIDE - wide) / 2,
            wide,
            high: series::height(*value, greatest, HIGH),
        };
        Self {
            unit: Shown(unit),
            summary: shown(&series::summary(points)).into_owned(),
            greatest,
            bars: points.iter().enumerate().map(bar).collect(),
        }
    }

    fn is_narrow(&self) -> bool {
        self.bars.len() <= FEW
    }

    fn width(&self) -> usize {
        self.bars.len() * WIDE
    }

    /// Whether each point has its name below.
    fn names_each(&self) -> bool {
        let short = |bar: &Bar<'_>| bar.name.0.chars().count() <= LONGEST_NAME;
        self.bars.len() <= MOST_NAMES && self.bars.iter().all(short)
    }

    /// The names that stand below.
    fn places(&self) -> Vec<Shown<'d>> {
        let (first, last) = match &*self.bars {
            [first, .., last] if !self.names_each() => (first, last),
            bars => return bars.iter().map(|bar| bar.name).collect(),
        };
        vec![first.name, last.name]
    }
}

impl Bar<'_> {
    fn top(&self) -> u32 {
        HIGH.saturating_sub(self.high)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::testing;

    fn between<'p>(page: &'p str, begin: &str, end: &str) -> &'p str {
        page.split_once(begin).unwrap().1.split_once(end).unwrap().0
    }

    /// What a browser makes of the entities that a page may have.
    fn unescaped(page: &str) -> String {
        let mut text = page.to_owned();
        for (entity, character) in
            [("&#60;", "<"), ("&#62;", ">"), ("&#34;", "\""), ("&#39;", "'"), ("&#38;", "&")]
        {
            text = text.replace(entity, character);
        }
        text
    }

    /// The page without what the texts of a document become: only its tags, their names.
    fn tags(page: &str) -> impl Iterator<Item = &str> {
        page.split('<').skip(1).map(|tag| {
            tag.split(|c: char| c == '>' || c.is_ascii_whitespace()).next().unwrap_or_default()
        })
    }

    #[test]
    fn the_page_is_the_golden_file() {
        let page = page(&testing::example()).unwrap();
        testing::assert_golden("src/report/golden/page.html", &page);
    }

    #[test]
    fn the_policy_names_the_style_that_the_page_has() {
        let page = page(&testing::example()).unwrap();
        let style = between(&page, "<style>", "</style>");
        // As a browser reads it.
        assert!(!style.contains('\r') && !style.contains('\0'));
        let hash = STANDARD.encode(Sha256::digest(style));
        assert!(POLICY.contains(&format!("style-src 'sha256-{hash}'")), "{}", *POLICY);
        assert!(POLICY.starts_with("default-src 'none';") && !POLICY.contains("unsafe"));
        let own = unescaped(between(&page, "Content-Security-Policy\" content=\"", "\">"));
        assert_eq!(*POLICY, format!("{own}; frame-ancestors 'none'"));
    }

    #[test]
    fn a_page_loads_and_runs_nothing() {
        let page = page(&testing::example()).unwrap();
        for tag in ["script", "link", "img", "iframe", "object", "embed", "form", "base", "use"] {
            assert!(!tags(&page).any(|name| name == tag), "{tag}");
        }
        // Nor does its style, and no attribute is one, which the policy would forbid.
        for text in ["url(", "@import", "http://", "https://", " style=", " onload=\"", "src="] {
            assert!(!page.contains(text), "{text}");
        }
        assert!(page.matches("href=").count() == page.matches("href=\"#s").count());
    }

    #[test]
    fn hostile_texts_stand_where_they_are_and_do_nothing() {
        let page = page(&testing::example()).unwrap();
        assert!(page.contains("&#60;script&#62;alert(&#39;x&#39;)&#60;/script&#62;&#34; onload="));
        assert!(page.contains(r"&#38;amp;\u{1b}[2J\u{202e}\u{2066}nimda\u{2069}\u{0}\r\n"));
        assert!(!page.contains("<script"));
    }

    #[test]
    fn rows_that_are_longer_than_the_names_lose_nothing() {
        let mut table = Table::new(["a"]);
        table.push(["1".into(), "beyond".into()]);
        let made = page(&Document::new("t").section("s", [Block::Table(table)])).unwrap();
        assert_eq!(made.matches("<th ").count(), 2);
        assert!(made.contains(">beyond</td>"));
    }

    #[test]
    fn a_chart_shows_the_least_that_is_there_and_nothing_where_nothing_is() {
        let points = [("a", 1), ("b", 0), ("c", u64::MAX)];
        let points = points.map(|(name, value)| (name.to_owned(), value)).to_vec();
        let series = Block::Series { unit: "logins".to_owned(), points };
        let page = page(&Document::new("t").section("s", [series])).unwrap();
        let svg = between(&page, "<svg", "</svg>");
        assert_eq!(svg.matches("<rect").count(), 2);
        assert!(svg.contains("y=\"999\" width=\"5\" height=\"1\"><title>a: 1<"), "{svg}");
        assert!(svg.contains("y=\"0\" width=\"5\" height=\"1000\"><title>c: 1844"), "{svg}");
    }

    proptest! {
        #[test]
        fn every_text_of_a_document_stands_in_its_page_and_nothing_raw(
            document in testing::document(),
        ) {
            let page = page(&document).unwrap();
            let read = unescaped(&page);
            for text in testing::texts(&document) {
                prop_assert!(read.contains(&*shown(&text)), "{text:?}");
            }
            prop_assert!(page.lines().all(|line| *shown(line) == *line));
            for tag in tags(&page) {
                let name = tag.trim_start_matches(['/', '!']);
                let known = "DOCTYPE a b body dd details div dl dt figcaption figure footer h1 h2 head header html li main \
                    meta nav ol p rect section span style summary svg table tbody td th thead title tr";
                prop_assert!(known.split_whitespace().any(|known| known == name), "{tag}");
            }
        }
    }
}
