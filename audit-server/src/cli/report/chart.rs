//! A series of numbers on a terminal: a bar for each, when they are few, else a line of blocks that
//! are as high as the numbers.

use std::io;

use super::{
    text::{Screen, Style},
    wrap::width,
};
use crate::{
    report::{height, summary},
    visible::shown,
};

/// The most points that have a line each: the days of a month.
const MOST_BARS: usize = 31;

/// How long the longest bar is.
const LONGEST_BAR: usize = 40;

/// A bar that is shorter tells nothing.
const SHORTEST_BAR: usize = 8;

/// How wide a chart is where no terminal says how wide it is.
const PAPER: usize = 80;

/// Parts of a block, in eighths of its width.
const ACROSS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/// None, and blocks in eighths of their height.
const UP: [char; 9] = ['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Lines of blocks begin at the same hour, when the points are hours and a line has room for a day.
const DAY: usize = 24;

/// Prints the series.
pub(super) fn print(
    unit: &str,
    points: &[(String, u64)],
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let sum = format!("{unit}: {}", summary(points));
    screen.paragraph(&shown(&sum), Style::Plain, 0, 0)?;
    let greatest = points.iter().map(|(_, value)| *value).max().unwrap_or(0);
    let names = points.iter().map(|(name, _)| width(&shown(name))).max().unwrap_or(0);
    let room = screen.width().min(PAPER).saturating_sub(names + 2);
    if points.len() <= MOST_BARS {
        bars(points, greatest, names, room, screen)
    } else {
        blocks(points, greatest, names, room, screen)
    }
}

fn bars(
    points: &[(String, u64)],
    greatest: u64,
    names: usize,
    room: usize,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    let digits = greatest.to_string().len();
    let longest = room.saturating_sub(digits + 2).min(LONGEST_BAR);
    if longest < SHORTEST_BAR {
        return points.iter().try_for_each(|(name, value)| {
            screen.paragraph(&format!("{}: {value}", shown(name)), Style::Plain, 0, 0)
        });
    }
    for (name, value) in points {
        let name = shown(name);
        screen.put(0, &name, width(&name), Style::Plain)?;
        let value_text = value.to_string();
        let at = names + 2 + digits - value_text.len();
        screen.put(at, &value_text, value_text.len(), Style::Plain)?;
        let bar = bar(*value, greatest, longest);
        screen.put(names + 2 + digits + 2, &bar, width(&bar), Style::Bar)?;
        screen.end_line()?;
    }
    Ok(())
}

/// A bar, at most so many columns long, to an eighth of a column.
fn bar(value: u64, greatest: u64, longest: usize) -> String {
    let levels = u32::try_from(longest * 8).unwrap_or(u32::MAX);
    let eighths = height(value, greatest, levels) as usize;
    let part = ACROSS.get(eighths % 8).copied().unwrap_or_default();
    format!("{}{part}", "█".repeat(eighths / 8))
}

fn blocks(
    points: &[(String, u64)],
    greatest: u64,
    names: usize,
    room: usize,
    screen: &mut Screen<'_>,
) -> io::Result<()> {
    // Names that leave no room stand above their blocks.
    let beside = room >= DAY;
    let room = if beside { room } else { screen.width().min(PAPER) };
    let a_line = if room >= DAY { room - room % DAY } else { room.max(1) };
    for points in points.chunks(a_line) {
        let start = if beside { names + 2 } else { 0 };
        if let Some((name, _)) = points.first() {
            let name = shown(name);
            if beside {
                screen.put(0, &name, width(&name), Style::Plain)?;
            } else {
                screen.paragraph(&name, Style::Plain, 0, 0)?;
            }
        }
        let line: String = points.iter().map(|(_, value)| block(*value, greatest)).collect();
        screen.put(start, &line, points.len(), Style::Bar)?;
        screen.end_line()?;
    }
    Ok(())
}

fn block(value: u64, greatest: u64) -> char {
    let level = height(value, greatest, 8) as usize;
    UP.get(level).copied().unwrap_or('█')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_value_to_an_eighth_and_never_nothing() {
        for (value, expected) in
            [(0, ""), (1, "▏"), (200, "▏"), (10_000, "█"), (45_000, "████▌"), (80_000, "████████")]
        {
            assert_eq!(bar(value, 80_000, 8), expected, "{value}");
        }
    }

    #[test]
    fn a_block_is_as_high_as_its_value_and_never_nothing() {
        let line: String = [0, 1, 30, 50, 100].map(|value| block(value, 100)).iter().collect();
        assert_eq!(line, "·▁▂▄█");
        assert_eq!(block(0, 0), '·');
    }
}
