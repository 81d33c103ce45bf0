//! The words of the language: blanks, keywords, operators, names and values.

use winnow::{
    Parser,
    combinator::{alt, not, opt, peek, preceded},
    stream::{Location, Stream},
    token::{any, literal, one_of, take_while},
};

use super::{Fault, Input, Read};
use crate::filter::Comparison;

/// What stands between a name and a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Is,
    IsNot,
    Compares(Comparison),
    Has,
}

/// A value, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Value {
    pub(super) at: usize,
    pub(super) text: String,
    pub(super) quoted: bool,
    /// The first `*` that no backslash makes an ordinary character; it is not in the text.
    star: Option<usize>,
    /// Whether more follows it.
    star_inside: bool,
}

/// What a value asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted<'v> {
    Whole(&'v str),
    /// `text*`
    Beginning(&'v str),
}

/// What may be the name of a condition, or a text to search for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Subject {
    /// As a text.
    pub(super) value: Value,
    /// As a name, its parts joined with dots; `None` when it begins with a quotation mark.
    pub(super) name: Option<String>,
    /// Whether it can be a name alone.
    pub(super) path: bool,
}

impl Value {
    fn new(at: usize, quoted: bool) -> Self {
        Self { at, text: String::new(), quoted, star: None, star_inside: false }
    }

    fn push(&mut self, at: usize, c: char, escaped: bool) {
        self.star_inside |= self.star.is_some();
        if c == '*' && !escaped {
            self.star.get_or_insert(at);
        } else {
            self.text.push(c);
        }
    }

    pub(super) fn wanted(&self) -> Read<Wanted<'_>> {
        match self.star {
            Some(at) if self.star_inside => {
                let reason = "a * is possible only at the end of a value; \"\\*\" is the character";
                Err(Fault::cut(at, reason))
            }
            Some(_) => Ok(Wanted::Beginning(&self.text)),
            None => Ok(Wanted::Whole(&self.text)),
        }
    }
}

pub(super) fn blanks(input: &mut Input<'_>) -> Read<()> {
    take_while(0.., char::is_whitespace).void().parse_next(input)
}

/// Whether it may stand in a name, or in a text without quotation marks.
fn is_bare(c: char) -> bool {
    !c.is_whitespace() && !"()\"'=<>!:,\\".contains(c)
}

/// The keyword, when it stands here as a word of its own.
pub(super) fn keyword<'t>(
    word: &'static str,
) -> impl Parser<Input<'t>, (), winnow::error::ErrMode<Fault>> {
    (literal(word), peek(not(one_of(is_bare))), blanks).void()
}

/// The operator that stands here, when one does.
pub(super) fn operator(input: &mut Input<'_>) -> Read<Option<Operator>> {
    let known = alt((
        literal("<=").value(Operator::Compares(Comparison::AtMost)),
        literal("<").value(Operator::Compares(Comparison::Less)),
        literal(">=").value(Operator::Compares(Comparison::AtLeast)),
        literal(">").value(Operator::Compares(Comparison::Greater)),
        literal("!=").value(Operator::IsNot),
        literal("=").value(Operator::Is),
        literal(":").value(Operator::Has),
    ));
    opt(preceded(blanks, known)).parse_next(input)
}

/// A quoted text, or a word that can be a name.
pub(super) fn subject(input: &mut Input<'_>) -> Read<Option<Subject>> {
    if let Some(value) = quoted(input)? {
        return Ok(Some(Subject { value, name: None, path: false }));
    }
    let Some(value) = bare(input, is_bare)? else { return Ok(None) };
    // The text of a value lacks its star, which is no character of any name.
    let mut name = value.text.clone();
    let mut path = false;
    while name.ends_with('.') {
        let Some(part) = quoted(input)? else { break };
        path = true;
        name.push_str(&part.text);
        let more = take_while(0.., is_bare).parse_next(input)?;
        if !more.is_empty() && !more.starts_with('.') {
            let at = input.previous_token_end() - more.len();
            return Err(Fault::cut(
                at,
                "a dot or an operator is expected after this part of a name",
            ));
        }
        name.push_str(more);
    }
    if value.star.is_some() {
        return Ok(Some(Subject { value, name: None, path }));
    }
    Ok(Some(Subject { value, name: Some(name), path }))
}

/// The value after an operator.
pub(super) fn value(input: &mut Input<'_>) -> Read<Option<Value>> {
    match quoted(input)? {
        Some(value) => Ok(Some(value)),
        // Times have colons.
        None => bare(input, |c| is_bare(c) || c == ':'),
    }
}

fn bare(input: &mut Input<'_>, belongs: impl Fn(char) -> bool) -> Read<Option<Value>> {
    let at = input.current_token_start();
    let text = take_while(0.., belongs).parse_next(input)?;
    let mut value = Value::new(at, false);
    for (offset, c) in text.char_indices() {
        value.push(at + offset, c, false);
    }
    Ok((!text.is_empty()).then_some(value))
}

fn quoted(input: &mut Input<'_>) -> Read<Option<Value>> {
    let start = input.current_token_start();
    let Some(mark) = opt(one_of(['"', '\''])).parse_next(input)? else { return Ok(None) };
    let mut value = Value::new(start, true);
    loop {
        let at = input.current_token_start();
        match opt(any).parse_next(input)? {
            None => return Err(Fault::cut(start, "this quotation mark is not closed")),
            Some(c) if c == mark => return Ok(Some(value)),
            Some('\\') => match input.next_token() {
                Some(c @ ('"' | '\'' | '\\' | '*')) => value.push(at, c, true),
                _ => {
                    let reason = "a backslash is expected before a quotation mark, * or \\ only";
                    return Err(Fault::cut(at, reason));
                }
            },
            Some(c) => value.push(at, c, false),
        }
    }
}
