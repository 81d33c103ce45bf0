//! Figures beside each other, and those that differ.

use std::{collections::BTreeMap, error::Error};

use serde_json::{Value, json};

use crate::generator::SUM_PLACES;

/// The most differences that are kept in words.
const MOST_TOLD: usize = 20;

/// What was compared, and what came of it.
#[derive(Debug)]
pub struct Comparison {
    /// What said it.
    pub what: &'static str,
    /// How many figures were compared.
    pub compared: u64,
    /// How many of them differ.
    pub different: u64,
    /// Those that differ, in words; 20 at most.
    pub differences: Vec<String>,
}

impl Comparison {
    pub(super) fn new(what: &'static str) -> Self {
        Self { what, compared: 0, different: 0, differences: Vec::new() }
    }

    /// Compares a figure of the books with what was said of it.
    pub(super) fn same(&mut self, figure: &str, books: impl Into<Value>, said: &Value) {
        let books = books.into();
        self.holds(books == *said, || {
            format!("{figure}: {books} by the books, and it says {said}")
        });
    }

    /// Compares something that has no one figure.
    pub(super) fn holds(&mut self, agrees: bool, difference: impl FnOnce() -> String) {
        self.compared += 1;
        if !agrees {
            self.different += 1;
            if self.differences.len() < MOST_TOLD {
                self.differences.push(difference());
            }
        }
    }

    /// Compares all counts by name: what the books do not have must not be said, and the greatest
    /// is said first. A name that is `null` is the books' empty one.
    pub(super) fn counts(
        &mut self,
        figure: &str,
        books: &BTreeMap<String, u64>,
        said: &Value,
        [name, count]: [&str; 2],
    ) {
        let said = items(said);
        let named = |item: &Value| item[name].as_str().unwrap_or_default().to_owned();
        let by_name: BTreeMap<String, u64> =
            said.iter().map(|item| (named(item), item[count].as_u64().unwrap_or(0))).collect();
        self.same(&format!("{figure}, how many"), books.len(), &json!(said.len()));
        for (name, count) in books {
            self.same(&format!("{figure}, {name:?}"), *count, &json!(by_name.get(name)));
        }
        for name in by_name.keys().filter(|name| !books.contains_key(*name)) {
            self.holds(false, || format!("{figure}: {name:?} is not in the books"));
        }
    }

    /// Compares a list that may be cut: each that it shows, that they are the greatest, greatest
    /// first, and how many there are in all.
    pub(super) fn greatest(
        &mut self,
        figure: &str,
        books: &BTreeMap<String, u64>,
        (said, total, most): (&Value, &Value, usize),
        [name, count]: [&str; 2],
    ) {
        self.same(&format!("{figure}, in all"), books.len(), total);
        let said = items(said);
        let mut greatest: Vec<u64> = books.values().copied().collect();
        greatest.sort_unstable_by(|one, other| other.cmp(one));
        greatest.truncate(most);
        let shown: Vec<Option<u64>> = said.iter().map(|item| item[count].as_u64()).collect();
        self.holds(shown.iter().copied().eq(greatest.iter().copied().map(Some)), || {
            format!("{figure}: {greatest:?} are the greatest by the books, and it shows {shown:?}")
        });
        for item in said {
            let name = item[name].as_str().unwrap_or_default();
            let books = json!(books.get(name));
            self.same(&format!("{figure}, {name:?}"), books, &item[count]);
        }
    }
}

/// The items of a list, which may be in a member `items`.
pub(super) fn items(list: &Value) -> &[Value] {
    let list = list.get("items").unwrap_or(list);
    list.as_array().map_or(&[], |items| items)
}

/// Only whoever asks for the wrong thing gets something without a header.
pub(super) fn header(report: &Value) -> Result<&Value, Box<dyn Error>> {
    report.get("header").ok_or_else(|| "a report without a header".into())
}

/// A sum of the books as the server writes one: without zeros at the end of a fraction.
pub(super) fn decimal(sum: i128) -> String {
    let one = 10_i128.pow(SUM_PLACES);
    let sign = if sum < 0 { "-" } else { "" };
    let (whole, rest) = ((sum / one).unsigned_abs(), (sum % one).unsigned_abs());
    let text = format!("{sign}{whole}.{rest:0places$}", places = SUM_PLACES as usize);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_written_without_zeros_at_the_end_of_a_fraction() {
        let cases = [(0, "0"), (150_000_000, "1.5"), (-50_000_000, "-0.5"), (1, "0.00000001")];
        for (sum, text) in cases {
            assert_eq!(decimal(sum), text);
        }
        assert_eq!(decimal(12_000_000_000), "120");
    }

    #[test]
    fn a_figure_that_is_wrong_missing_or_too_much_differs() {
        let books = BTreeMap::from([("a".to_owned(), 3), ("b".to_owned(), 2)]);
        let cases = [
            (json!([{"n": "a", "c": 3}, {"n": "b", "c": 2}]), 0),
            (json!([{"n": "a", "c": 3}, {"n": "b", "c": 1}]), 1),
            (json!([{"n": "a", "c": 3}]), 2),
            (json!([{"n": "a", "c": 3}, {"n": "b", "c": 2}, {"n": "c", "c": 1}]), 2),
        ];
        for (said, different) in cases {
            let mut comparison = Comparison::new("test");
            comparison.counts("counts", &books, &said, ["n", "c"]);
            assert_eq!(comparison.different, different, "{said}");
        }
        let mut comparison = Comparison::new("test");
        let (said, total) = (json!({"items": [{"n": "b", "c": 2}]}), json!(2));
        comparison.greatest("greatest", &books, (&said, &total, 1), ["n", "c"]);
        assert_eq!(comparison.differences.len(), 1, "{comparison:?}");
        assert!(comparison.differences[0].contains("[3]"), "{comparison:?}");
    }
}
