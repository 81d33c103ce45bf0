//! Lists that end, and say so.

use poem_openapi::{
    Object,
    types::{ParseFromJSON, ToJSON},
};
use serde::Serialize;

/// The first of a list, and how many there are in all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct Top<T: ParseFromJSON + ToJSON + Send + Sync> {
    /// The first.
    pub(crate) items: Vec<T>,
    /// How many there are in all.
    pub(crate) total: u64,
}

impl<T: ParseFromJSON + ToJSON + Send + Sync> Top<T> {
    /// The first `most` in the order of `key`, greatest first.
    pub(crate) fn by<S, K: Ord>(
        mut all: Vec<S>,
        most: usize,
        key: impl Fn(&S) -> K,
        make: impl FnMut(S) -> T,
    ) -> Self {
        let total = all.len() as u64;
        all.sort_by_key(|item| std::cmp::Reverse(key(item)));
        all.truncate(most);
        Self { items: all.into_iter().map(make).collect(), total }
    }

    /// What is left out, in a sentence; empty when nothing is.
    pub(crate) fn note(&self) -> String {
        let shown = self.items.len() as u64;
        if shown < self.total {
            format!("the first {shown} of {}", self.total)
        } else {
            String::new()
        }
    }
}
