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
    /// How long the many took together.
    pub(crate) crowd_took: Duration,
    /// In SQL: not measured, given up, or its times.
    pub(crate) sql: Option<Option<Figures>>,
}

impl Row {
    /// The time of the SQL, and how many times its the server takes.
    fn sql(&self) -> (String, String) {
        let none = || "-".to_owned();
        let (text, sql) = match &self.sql {
            None => (none(), None),
            Some(None) => (format!(">{} s", PATIENCE.as_secs()), Some(PATIENCE)),
            Some(Some(figures)) => (millis(figures.percentile(50)), figures.percentile(50)),
        };
        let ratio = self.alone.percentile(50).zip(sql).map(|(server, sql)| {
            let ratio = server.as_secs_f64() / sql.as_secs_f64();
            let less = if text.starts_with('>') { "<" } else { "" };
            if ratio < 0.1 { format!("{less}{ratio:.4}") } else { format!("{less}{ratio:.2}") }
        });
        (text, ratio.unwrap_or_else(none))
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
        "{:<26} {:<6} {:>5} {:>5} {:>8} {:>8} {:>6} {:>8} {:>7} {:>9} {:>6} {:>8} {:>8}",
        "question",
        "page",
        "n",
        "rows",
        "p50",
        "p99",
        "n many",
        "p99 many",
        "many/s",
        "truncated",
        "errors",
        "SQL p50",
        "p50/SQL"
    );
    for row in rows {
        let (sql, ratio) = row.sql();
        let Row { question, depth, alone, crowd, crowd_took, .. } = row;
        println!(
            "{:<26} {:<6} {:>5} {:>5} {:>8} {:>8} {:>6} {:>8} {:>7.0} {:>9} {:>6} {sql:>8} {ratio:>8}",
            question.name,
            depth.name(),
            alone.times.len(),
            alone.records_a_page(),
            millis(alone.percentile(50)),
            millis(alone.percentile(99)),
            crowd.times.len(),
            millis(crowd.percentile(99)),
            crowd.times.len() as f64 / crowd_took.as_secs_f64(),
            alone.truncated + crowd.truncated,
            alone.errors + crowd.errors,
        );
        if disagrees(row) {
            println!("  which is wrong: the first page is not that of the SQL");
        }
    }
}
