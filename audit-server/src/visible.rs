//! Texts of records on their way to a screen.
//!
//! Whoever causes an event chooses parts of its text, and a screen does with some characters other
//! than show them. A terminal takes an escape sequence for an order: it could hide records, or paste a
//! command. Terminals and browsers alike follow those that change the direction of writing, which
//! make a text look like another, and leave no trace of those that have no shape, so that two names
//! that differ look the same. So both get such characters escaped, in one way and by one table.

use std::borrow::Cow;

/// Whether a screen may do something else with it than show it.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The text with what acts escaped, `\n` or `\u{1b}`.
pub(crate) fn shown(text: &str) -> Cow<'_, str> {
    escaped(text, |c, out| out.extend(c.escape_default()))
}

/// The text with what acts in another form.
pub(crate) fn escaped(text: &str, escape: impl Fn(char, &mut String)) -> Cow<'_, str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_a_screen_acts_upon_is_left() {
        assert_eq!(shown("plain – ü 漢"), "plain – ü 漢");
        let evil = "a\u{1b}[31m\r\n\t\u{7f}\u{9b}2J\u{202e}";
        assert_eq!(shown(evil), r"a\u{1b}[31m\r\n\t\u{7f}\u{9b}2J\u{202e}");
    }

    #[test]
    fn what_has_no_shape_is_given_one() {
        assert_eq!(shown("jo\u{ad}hn"), r"jo\u{ad}hn");
        assert_eq!(shown("john\u{e0041}\u{3164}"), r"john\u{e0041}\u{3164}");
    }
}
