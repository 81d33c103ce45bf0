//! Text of records on its way to a terminal: see [`crate::visible`].

use std::borrow::Cow;

use unicode_width::UnicodeWidthChar;

use crate::visible::escaped;
pub(super) use crate::visible::shown;

/// The line of JSON with what acts escaped as JSON has it: it means the same.
pub(super) fn shown_json(line: &str) -> Cow<'_, str> {
    escaped(line, |c, out| {
        for unit in c.encode_utf16(&mut [0; 2]) {
            out.push_str(&format!("\\u{unit:04x}"));
        }
    })
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
    fn what_acts_stands_in_json_as_json_has_it() {
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
