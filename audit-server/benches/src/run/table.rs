//! The table: a line a question and depth.

use std::time::Duration;

use super::{
    figures::{Figures, millis},
    measure::Depth,
    questions::Question,
    values::Values,
    yardstick::PATIENCE,
};

/// What came of a question.
pub(crate) struct Row {
    pub(crate) question: &'static Question,
    pub(crate) depth: Depth,
    /// What was asked.
    pub(crate) draws: Values,
    /// By one client.
    pub(crate) alone: Figures,
    /// By many at once.
    pub(crate) crowd: Figures,
    /// In SQL: not measured, given up, or its times.
    pub(crate) sql: Option<Option<Figures>>,
}

impl Row {
    /// The time of the SQL, and how many times its the server takes.
    fn sql(&self) -> (String, String) {
        let ratio = |sql: Duration| {
            let server = self.alone.percentile(50)?.as_secs_f64();
            Some(server / sql.as_secs_f64())
        };
        match &self.sql {
            None => ("-".to_owned(), "-".to_owned()),
            Some(None) => {
                let ratio = ratio(PATIENCE).map_or("-".to_owned(), |ratio| format!("<{ratio:.4}"));
                (format!(">{} s", PATIENCE.as_secs()), ratio)
            }
            Some(Some(figures)) => {
                let median = figures.percentile(50);
                let ratio = median.and_then(ratio).map(|ratio| format!("{ratio:.2}"));
                (millis(median), ratio.unwrap_or("-".to_owned()))
            }
        }
    }
}

/// Where both must have found the same: behind a time at which nothing is written any more, and not
/// for words, which `LIKE` also finds within others.
fn disagrees(row: &Row) -> bool {
    let Some(Some(sql)) = &row.sql else { return false };
    let same = row.alone.first.is_none() || row.alone.first == sql.first;
    row.depth == Depth::Middle && !row.question.is_of_words && !same
}

/// Prints them; times in milliseconds.
pub(crate) fn print(rows: &[Row]) {
    println!(
        "{:<26} {:<6} {:>5} {:>5} {:>8} {:>8} {:>6} {:>8} {:>9} {:>6} {:>8} {:>8}",
        "question",
        "page",
        "n",
        "rows",
        "p50",
        "p99",
        "n many",
        "p99 many",
        "truncated",
        "errors",
        "SQL p50",
        "p50/SQL"
    );
    for row in rows {
        let (sql, ratio) = row.sql();
        let Row { question, depth, alone, crowd, .. } = row;
        println!(
            "{:<26} {:<6} {:>5} {:>5} {:>8} {:>8} {:>6} {:>8} {:>9} {:>6} {sql:>8} {ratio:>8}",
            question.name,
            depth.name(),
            alone.times.len(),
            alone.records_a_page(),
            millis(alone.percentile(50)),
            millis(alone.percentile(99)),
            crowd.times.len(),
            millis(crowd.percentile(99)),
            alone.truncated + crowd.truncated,
            alone.errors + crowd.errors,
        );
        if disagrees(row) {
            println!("  which is wrong: the first page is not that of the SQL");
        }
    }
}
