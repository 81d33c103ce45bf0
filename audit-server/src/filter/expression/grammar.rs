//! The grammar, a function a rule.

use winnow::{
    Parser,
    combinator::{alt, opt},
    error::{ErrMode, ParserError},
    stream::{Location, Stream},
    token::literal,
};

use super::{
    Fault, Input, MAX_CONDITIONS, MAX_DEPTH, Read, meaning,
    token::{blanks, keyword, operator, subject, value},
};
use crate::filter::Filter;

const CONDITION: &str = "a condition is expected here, such as status = \"failure\"";

/// The whole text as one expression.
pub(super) fn whole(input: &mut Input<'_>) -> Result<Filter, Fault> {
    let read = blanks(input).and_then(|()| expression(input)).and_then(|filter| {
        match input.peek_token() {
            None => Ok(filter),
            Some(')') => Err(fault(input, "this parenthesis closes none")),
            Some(_) => Err(fault(input, CONDITION)),
        }
    });
    read.map_err(|error| error.into_inner().unwrap_or_else(|_| Fault::from_input(input)))
}

/// All of the sequences. It needs not be told where one ends: what stands side by side must all
/// hold as well.
fn expression(input: &mut Input<'_>) -> Read<Filter> {
    let mut all = Vec::new();
    loop {
        match factor(input)? {
            Filter::All(more) => all.extend(more),
            one => all.push(one),
        }
        let joined = opt(keyword("AND")).parse_next(input)?.is_some();
        if !joined && matches!(input.peek_token(), None | Some(')')) {
            return Ok(one_or(all, Filter::All));
        }
    }
}

/// Any of the terms.
fn factor(input: &mut Input<'_>) -> Read<Filter> {
    let mut any = Vec::new();
    loop {
        match term(input)? {
            Filter::Any(more) => any.extend(more),
            one => any.push(one),
        }
        if opt(keyword("OR")).parse_next(input)?.is_none() {
            return Ok(one_or(any, Filter::Any));
        }
    }
}

fn one_or(mut filters: Vec<Filter>, join: fn(Vec<Filter>) -> Filter) -> Filter {
    match filters.pop() {
        Some(only) if filters.is_empty() => only,
        Some(last) => {
            filters.push(last);
            join(filters)
        }
        None => join(filters),
    }
}

fn term(input: &mut Input<'_>) -> Read<Filter> {
    let outside = input.state.depth;
    let mut holds = true;
    loop {
        let minus = (literal("-"), blanks).void();
        let at = input.current_token_start();
        if opt(alt((keyword("NOT"), minus))).parse_next(input)?.is_none() {
            break;
        }
        deeper(input, at)?;
        holds = !holds;
    }
    let at = input.current_token_start();
    let filter = if opt((literal("("), blanks)).parse_next(input)?.is_some() {
        deeper(input, at)?;
        let inner = expression(input)?;
        if opt(literal(")")).parse_next(input)?.is_none() {
            return Err(fault(input, "a closing parenthesis is expected here"));
        }
        inner
    } else {
        let condition = condition(input)?;
        if !input.peek_token().is_none_or(|c| c.is_whitespace() || c == ')') {
            let reason = "a blank, a closing parenthesis or the end is expected here; a text with \
                          other characters than letters, digits and - . / _ stands in quotation marks";
            return Err(fault(input, reason));
        }
        condition
    };
    blanks(input)?;
    input.state.depth = outside;
    Ok(if holds { filter } else { filter.negated() })
}

fn deeper(input: &mut Input<'_>, at: usize) -> Read<()> {
    input.state.depth += 1;
    if input.state.depth > MAX_DEPTH {
        return Err(Fault::cut(at, format!("it is nested more than {MAX_DEPTH} deep")));
    }
    Ok(())
}

fn condition(input: &mut Input<'_>) -> Read<Filter> {
    let at = input.current_token_start();
    let Some(subject) = subject(input)? else { return Err(fault(input, CONDITION)) };
    let filter = match operator(input)? {
        Some(operator) => {
            let field = meaning::field(&subject)?;
            blanks(input)?;
            let expected = || {
                "a value is expected here; one with other characters than letters, \
                               digits and - . : / _ stands in quotation marks"
            };
            let Some(value) = value(input)? else { return Err(fault(input, expected())) };
            if !value.quoted && is_keyword(&value.text) {
                return Err(Fault::cut(value.at, expected()));
            }
            meaning::condition(field, operator, &value)?
        }
        None => meaning::text(&subject)?,
    };
    input.state.conditions += filter.size().max(1);
    if input.state.conditions > MAX_CONDITIONS {
        return Err(Fault::cut(at, format!("it has more than {MAX_CONDITIONS} conditions")));
    }
    Ok(filter)
}

fn is_keyword(text: &str) -> bool {
    ["AND", "OR", "NOT"].contains(&text)
}

fn fault(input: &Input<'_>, reason: &str) -> ErrMode<Fault> {
    Fault::cut(input.current_token_start(), reason)
}
