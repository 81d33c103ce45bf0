//! Texts in lines of so many columns.
//!
//! A table that is cut to the terminal is for browsing; a report is read as a whole, so nothing of
//! it is cut. Texts are counted in columns, of which a wide character takes two.

use unicode_width::UnicodeWidthChar;

/// A line, and how many columns it takes.
pub(super) type Line<'t> = (&'t str, usize);

/// How many columns the text takes.
pub(super) fn width(text: &str) -> usize {
    text.chars().map(columns).sum()
}

fn columns(c: char) -> usize {
    c.width().unwrap_or(0)
}

/// The text in lines of at most so many columns, one at least, broken between words where there are
/// some; all lines but the first are shorter by `hang`, for the indent that the caller gives them.
/// Blanks at the break are left out. A line has one character at least, also when there is no room
/// for it.
pub(super) fn wrap(text: &str, most: usize, hang: usize) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut rest = text;
    loop {
        let room = if lines.is_empty() { most } else { most.saturating_sub(hang) };
        let fits = fitting(rest, room);
        // Where a character begins, so it can be split at; and so is a blank in it.
        let (mut line, mut after) = rest.split_at(fits);
        let is_in_word = !after.is_empty() && !after.starts_with(' ');
        let words = line.rsplit_once(' ').filter(|(words, _)| !words.trim().is_empty());
        if let Some((words, _)) = words.filter(|_| is_in_word) {
            (line, after) = rest.split_at(words.len());
        }
        let line = if after.is_empty() { line } else { line.trim_end_matches(' ') };
        if !line.is_empty() || text.is_empty() {
            lines.push((line, width(line)));
        }
        rest = after.trim_start_matches(' ');
        if rest.is_empty() {
            return lines;
        }
    }
}

/// How many bytes of the text fit into so many columns.
fn fitting(text: &str, most: usize) -> usize {
    let mut taken = 0;
    for (at, c) in text.char_indices() {
        taken += columns(c);
        if taken > most && at > 0 {
            return at;
        }
    }
    text.len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::report::testing;

    #[test]
    fn a_text_is_broken_between_words_and_long_words_anywhere() {
        for (text, most, expected) in [
            ("", 5, vec![""]),
            ("one two", 7, vec!["one two"]),
            ("one two", 6, vec!["one", "two"]),
            ("one two", 3, vec!["one", "two"]),
            ("one two three", 8, vec!["one two", "three"]),
            ("oneandtwo", 4, vec!["onea", "ndtw", "o"]),
            ("漢字漢字", 5, vec!["漢字", "漢字"]),
            ("漢字", 1, vec!["漢", "字"]),
            ("u\u{308}u\u{308}", 1, vec!["u\u{308}", "u\u{308}"]),
            ("  ab", 3, vec!["  a", "b"]),
        ] {
            let lines: Vec<_> = wrap(text, most, 0).into_iter().map(|(line, _)| line).collect();
            assert_eq!(lines, expected, "{text} {most}");
        }
    }

    proptest! {
        #[test]
        fn nothing_but_blanks_is_lost_and_no_line_is_too_long(
            text in testing::text(), least in 2..30_usize, hang in 0..3_usize,
        ) {
            let lines = wrap(&text, least + hang, hang);
            for (at, (line, taken)) in lines.iter().enumerate() {
                prop_assert_eq!(width(line), *taken);
                prop_assert!(*taken <= if at == 0 { least + hang } else { least }, "{line:?}");
            }
            let all: String = lines.iter().map(|(line, _)| *line).collect();
            prop_assert_eq!(all.replace(' ', ""), text.replace(' ', ""));
        }
    }
}
