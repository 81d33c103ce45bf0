//! Text of records on its way to a terminal.
//!
//! Whoever causes an event chooses parts of its text, and a terminal takes some characters for
//! orders: an escape sequence could hide records, or paste a command. So could those that change the
//! direction of writing make a text look like another.

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

/// Whether a terminal may do something else with it than show it.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// The text with what acts escaped, `\n` or `\u{1b}`.
pub(super) fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, |c, out| out.extend(c.escape_default()))
}

/// The line of JSON with what acts escaped as JSON has it: it means the same.
pub(super) fn shown_json(line: &str) -> Cow<'_, str> {
    escaped(line, |c, out| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    })
}

fn escaped(text: &str, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
    if !text.contains(acts) {
        return text.into();
    }
    let mut out = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if acts(c) {
            escape(c, &mut out);
        } else {
            out.push(c);
        }
    }
    out.into()
}

/// The text cut to so many columns of a terminal, with `…` when something is missing, and how many
/// columns it takes.
pub(super) fn cut(text: &str, columns: usize) -> (Cow<'_, str>, usize) {
    let mut taken = 0;
    // Where to cut when room for the mark is needed.
    let mut fits = (0, 0);
    for (at, c) in text.char_indices() {
        if taken < columns {
            fits = (at, taken);
        }
        taken += c.width().unwrap_or(0);
        if taken > columns {
            return match columns {
                0 => ("".into(), 0),
                _ => (format!("{}…", &text[..fits.0]).into(), fits.1 + 1),
            };
        }
    }
    (text.into(), taken)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_terminal_acts_upon_is_left() {
        assert_eq!(shown("plain – ü 漢"), "plain – ü 漢");
        let evil = "a\u{1b}[31m\r\n\t\u{7f}\u{9b}2J\u{202e}";
        assert_eq!(shown(evil), r"a\u{1b}[31m\r\n\t\u{7f}\u{9b}2J\u{202e}");
        assert_eq!(shown_json("{\"a\":\"\u{9b}\u{202e}\"}"), r#"{"a":"\u009b\u202e"}"#);
    }

    #[test]
    fn a_text_is_cut_to_columns_and_not_to_characters() {
        for (text, columns, expected, taken) in [
            ("abc", 3, "abc", 3),
            ("abcd", 3, "ab…", 3),
            ("abcd", 1, "…", 1),
            ("abcd", 0, "", 0),
            ("", 0, "", 0),
            ("漢字", 4, "漢字", 4),
            ("漢字", 3, "漢…", 3),
            ("漢字", 2, "…", 1),
            ("漢字漢", 4, "漢…", 3),
            ("u\u{308}x", 2, "u\u{308}x", 2),
        ] {
            assert_eq!(cut(text, columns), (expected.into(), taken), "{text} {columns}");
        }
    }
}
