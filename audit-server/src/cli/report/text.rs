//! A document as lines of a terminal, or of a file.
//!
//! Nothing is cut: what does not fit is wrapped. What is marked is so by a sign before it, and by a
//! colour where there are some.

use std::io::{self, Write};

use super::{
    super::output::Target,
    chart,
    grid::{Grid, Item},
    wrap::{width, wrap},
};
use crate::{
    report::{Align, Block, Document, Section, Table, Tone},
    visible::shown,
};

/// How a piece of text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Heading,
    /// The name of a column, or of what stands beside it.
    Name,
    Good,
    Bad,
    Unknown,
    Bar,
}

impl Style {
    fn color(self) -> Option<&'static str> {
        match self {
            Self::Plain => None,
            Self::Heading => Some("\x1b[1m"),
            Self::Name => Some("\x1b[2m"),
            Self::Good => Some("\x1b[32m"),
            Self::Bad => Some("\x1b[1;31m"),
            Self::Unknown => Some("\x1b[33m"),
            Self::Bar => Some("\x1b[36m"),
        }
    }
}

/// Where lines are put together from pieces.
pub(super) struct Screen<'o> {
    target: Target,
    out: &'o mut dyn Write,
    /// How much of the line is written.
    written: usize,
}

impl Screen<'_> {
    /// How wide a line may be; without a terminal as wide as can be.
    pub(super) fn width(&self) -> usize {
        self.target.terminal.unwrap_or(usize::MAX)
    }

    /// Writes a text that takes so many columns, from a column on that the line has not reached.
    pub(super) fn put(
        &mut self,
        start: usize,
        text: &str,
        taken: usize,
        style: Style,
    ) -> io::Result<()> {
        // Blanks before a text and not after one: no line ends in them.
        if text.is_empty() {
            return Ok(());
        }
        let blanks = start.saturating_sub(self.written);
        write!(self.out, "{:blanks$}", "")?;
        match style.color().filter(|_| self.target.colored) {
            Some(color) => write!(self.out, "{color}{text}\x1b[0m")?,
            None => self.out.write_all(text.as_bytes())?,
        }
        self.written = start.saturating_add(taken);
        Ok(())
    }

    pub(super) fn end_line(&mut self) -> io::Result<()> {
        self.written = 0;
        self.out.write_all(b"\n")
    }

    /// Writes a text that is shown already in as many lines as it takes, all but the first further
    /// to the right by `hang`.
    pub(super) fn paragraph(
        &mut self,
        text: &str,
        style: Style,
        indent: usize,
        hang: usize,
    ) -> io::Result<()> {
        let lines = wrap(text, self.width().saturating_sub(indent), hang);
        for (at, (line, taken)) in lines.into_iter().enumerate() {
            let start = if at > 0 { indent + hang } else { indent };
            self.put(start, line, taken, style)?;
            self.end_line()?;
        }
        Ok(())
    }
}

/// Prints the document.
///
/// # Errors
/// When it cannot be written.
pub(super) fn print(document: &Document, target: Target, out: &mut dyn Write) -> io::Result<()> {
    let mut screen = Screen { target, out, written: 0 };
    let title = shown(&document.title);
    screen.paragraph(&title, Style::Heading, 0, 0)?;
    let line = "═".repeat(width(&title).min(screen.width()).min(80));
    screen.paragraph(&line, Style::Heading, 0, 0)?;
    document.sections.iter().try_for_each(|section| print_section(section, &mut screen))?;
    if document.is_marked() {
        let legend = Tone::MARKED.map(|tone| format!("{} {}", tone.mark(), tone.meaning()));
        screen.end_line()?;
        screen.paragraph(&legend.join("   "), Style::Name, 0, 0)?;
    }
    Ok(())
}

fn print_section(section: &Section, screen: &mut Screen<'_>) -> io::Result<()> {
    screen.end_line()?;
    screen.paragraph(&format!("── {} ──", shown(&section.heading)), Style::Heading, 0, 0)?;
    for block in &section.blocks {
        screen.end_line()?;
        match block {
            Block::Text(text) => screen.paragraph(&shown(text), Style::Plain, 0, 0)?,
            Block::Pairs(pairs) => {
                let row = |(name, cell)| vec![Item::new(name, Style::Name), Item::of(cell)];
                let rows = pairs.iter().map(|(name, cell)| row((name, cell))).collect();
                Grid { heads: None, aligns: vec![Align::Left; 2], rows }.print(screen)?;
            }
            Block::Table(table) => print_table(table, screen)?,
            Block::Series { unit, points } => chart::print(unit, points, screen)?,
        }
    }
    Ok(())
}

fn print_table(table: &Table, screen: &mut Screen<'_>) -> io::Result<()> {
    let heads = table.columns.iter().map(|(name, _)| Item::new(name, Style::Name));
    let rows = table.rows.iter().map(|row| row.iter().map(Item::of).collect());
    Grid {
        heads: Some(heads.collect()),
        aligns: (0..table.width()).map(|column| table.align(column)).collect(),
        rows: rows.collect(),
    }
    .print(screen)?;
    if table.rows.is_empty() {
        screen.paragraph("none", Style::Plain, 0, 0)?;
    }
    if !table.note.is_empty() {
        screen.paragraph(&format!("({})", shown(&table.note)), Style::Name, 0, 0)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::{Cell, testing};

    fn printed(document: &Document, terminal: Option<usize>, colored: bool) -> String {
        let mut out = Vec::new();
        print(document, Target { terminal, colored }, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_report_is_the_golden_file() {
        let mut made = String::new();
        for columns in [120, 72, 36] {
            made += &format!("{:#^columns$}\n", format!(" {columns} columns "));
            made += &printed(&testing::example(), Some(columns), false);
        }
        testing::assert_golden("src/cli/report/golden/report.txt", &made);
    }

    #[test]
    fn a_mark_stands_before_the_text_with_colours_and_without() {
        let pair = ("chain".to_owned(), Cell::toned("broken", Tone::Bad));
        let document = Document::new("t").section("s", [Block::Pairs(vec![pair])]);
        let plain = printed(&document, Some(80), false);
        assert!(plain.contains("chain  ! broken\n") && !plain.contains('\u{1b}'), "{plain}");
        let colored = printed(&document, Some(80), true);
        assert!(colored.contains("\u{1b}[1;31m! broken\u{1b}[0m\n"), "{colored}");
    }

    #[test]
    fn what_has_no_width_is_written_all_the_same() {
        assert!(printed(&Document::new("\u{308}"), Some(80), false).starts_with("\u{308}\n"));
    }

    #[test]
    fn wide_characters_take_two_columns() {
        let mut table = Table::new(["name", "#count"]);
        table.push(["漢字".into(), 1.into()]);
        table.push(["abc".into(), 22.into()]);
        let document = Document::new("t").section("s", [Block::Table(table)]);
        let printed = printed(&document, Some(80), false);
        assert!(printed.ends_with("name  count\n漢字      1\nabc      22\n"), "{printed}");
    }

    #[test]
    fn a_file_gets_lines_as_long_as_they_are() {
        let text = "word ".repeat(100);
        let document = Document::new("t").section("s", [Block::Text(text.trim_end().to_owned())]);
        assert!(printed(&document, None, false).contains(text.trim_end()));
    }

    proptest! {
        #[test]
        fn nothing_acts_upon_the_terminal_or_is_wider_than_it(
            document in testing::document(), columns in 2..130_usize,
        ) {
            for line in printed(&document, Some(columns), false).lines() {
                prop_assert_eq!(&*shown(line), line);
                prop_assert!(width(line) <= columns, "{line}");
            }
        }

        #[test]
        fn no_text_is_lost_but_of_long_series(document in testing::document()) {
            let is_long = |block: &Block| {
                matches!(block, Block::Series { points, .. } if points.len() > 31)
            };
            let mut short = document.clone();
            for section in &mut short.sections {
                section.blocks.retain(|block| !is_long(block));
            }
            let solid = |text: &str| text.replace([' ', '\n'], "");
            let read = solid(&printed(&short, None, false));
            for text in testing::texts(&short) {
                prop_assert!(read.contains(&solid(&shown(&text))), "{text:?}");
            }
        }
    }
}
