//! Tables that fit the terminal.
//!
//! When there is no room the widest columns of text become narrower, all to one width, and what they
//! hold is wrapped; numbers stay in one piece. When that would leave columns that nobody can read,
//! each row becomes a list of its cells with their names.

use std::io;

use super::{
    text::{Screen, Style},
    wrap::{width, wrap},
};
use crate::{
    report::{Align, Cell, Tone},
    visible::shown,
};

/// Blanks between two columns.
const GAP: usize = 2;

/// The narrowest that a column of text is made.
const NARROWEST: usize = 8;

/// How far all lines of a text but the first are indented.
const HANG: usize = 2;

/// What stands in a place of the table.
pub(super) struct Item {
    text: String,
    style: Style,
}

/// A table, ready to be laid out.
pub(super) struct Grid {
    /// The names of the columns, when they have some.
    pub(super) heads: Option<Vec<Item>>,
    /// How each column stands, of as many as the longest row has.
    pub(super) aligns: Vec<Align>,
    pub(super) rows: Vec<Vec<Item>>,
}

impl Item {
    pub(super) fn new(text: &str, style: Style) -> Self {
        Self { text: shown(text).into_owned(), style }
    }

    pub(super) fn of(cell: &Cell) -> Self {
        let text = shown(&cell.text);
        let text = match cell.tone.mark() {
            "" => text.into_owned(),
            mark if text.is_empty() => mark.to_owned(),
            mark => format!("{mark} {text}"),
        };
        let style = match cell.tone {
            Tone::Plain => Style::Plain,
            Tone::Good => Style::Good,
            Tone::Bad => Style::Bad,
            Tone::Unknown => Style::Unknown,
        };
        Self { text, style }
    }
}

impl Grid {
    pub(super) fn print(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        match self.widths(screen.width()) {
            Some(widths) => self.all().try_for_each(|row| self.print_row(row, &widths, screen)),
            None => self.print_lists(screen),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Vec<Item>> {
        self.heads.iter().chain(&self.rows)
    }

    /// How wide each column is; none when there is no room for columns.
    fn widths(&self, room: usize) -> Option<Vec<usize>> {
        let mut natural = vec![0; self.aligns.len()];
        for row in self.all() {
            for (most, item) in natural.iter_mut().zip(row) {
                *most = width(&item.text).max(*most);
            }
        }
        let room = room.saturating_sub(GAP * self.aligns.len().saturating_sub(1));
        let within = |cap: usize| {
            let columns = natural.iter().zip(&self.aligns);
            let width = move |(natural, align): (&usize, &Align)| match align {
                Align::Left => cap.min(*natural),
                Align::Right => *natural,
            };
            columns.map(width)
        };
        let fits = |cap: &usize| within(*cap).fold(0, usize::saturating_add) <= room;
        if fits(&usize::MAX) {
            return Some(natural);
        }
        let cap = (NARROWEST..=room).rev().find(fits)?;
        Some(within(cap).collect())
    }

    fn print_row(&self, row: &[Item], widths: &[usize], screen: &mut Screen<'_>) -> io::Result<()> {
        let cells: Vec<_> = row
            .iter()
            .zip(widths)
            .map(|(item, width)| wrap(&item.text, *width, HANG.min(width / 4)))
            .collect();
        let height = cells.iter().map(Vec::len).max().unwrap_or(0);
        for at in 0..height {
            let mut start = 0;
            for (((lines, item), column), align) in
                cells.iter().zip(row).zip(widths).zip(&self.aligns)
            {
                if let Some((text, taken)) = lines.get(at) {
                    let before = match align {
                        Align::Right => column.saturating_sub(*taken),
                        Align::Left if at > 0 => HANG.min(column / 4),
                        Align::Left => 0,
                    };
                    screen.put(start + before, text, *taken, item.style)?;
                }
                start += column + GAP;
            }
            screen.end_line()?;
        }
        Ok(())
    }

    /// Each row as its cells below each other, with a blank line between two.
    fn print_lists(&self, screen: &mut Screen<'_>) -> io::Result<()> {
        let heads = self.heads.iter().flatten().map(|head| head.text.as_str());
        let heads: Vec<_> = heads.chain(std::iter::repeat("")).take(self.aligns.len()).collect();
        let hang = HANG.min(screen.width() / 8);
        for (number, row) in self.rows.iter().enumerate() {
            if number > 0 && self.heads.is_some() {
                screen.end_line()?;
            }
            for (at, (item, head)) in row.iter().zip(&heads).enumerate() {
                let indent = if at > 0 { hang } else { 0 };
                let text = match *head {
                    "" => item.text.clone(),
                    head => format!("{head}: {}", item.text),
                };
                screen.paragraph(&text, item.style, indent, hang)?;
            }
        }
        Ok(())
    }
}
