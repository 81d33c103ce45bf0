//! Reports, anomalies and figures for charts, each asked some times over.
//!
//! Windows end where the generated history does, so that they are about the same records whenever
//! this is run, and the writer adds to the trail, not to them. So none of the questions is the one that a
//! server keeps ready, about the last days up to now: the first time, all is counted from nothing.

use std::{thread, time::Duration};

use audit_layer::record::format_timestamp;
use query_bench::generator::Shape;
use serde::Deserialize;

use super::super::{
    client::Client,
    figures::{Figures, millis},
};

const DAY: i64 = 86_400_000_000;

/// What is asked, and how many milliseconds the answer may take: of charts that is not said.
const ASKED: &[(&str, &str, Option<u64>)] = &[
    ("security, 7 days", "/audit/reports/security?days=7", Some(300)),
    ("security, 30 days", "/audit/reports/security?days=30", Some(300)),
    ("trading, 7 days", "/audit/reports/trading?days=7", Some(300)),
    ("trading, 30 days", "/audit/reports/trading?days=30", Some(300)),
    ("trading of an agent, 30 days", "/audit/reports/trading?days=30&user_id=agent-03", Some(300)),
    (
        "compliance, 90 days, all",
        "/audit/reports/compliance?days=90&regulations=SOX,GDPR,PCI-DSS,HIPAA,SOC2,ISO27001,MIFID2",
        Some(2_000),
    ),
    ("anomalies, 7 days", "/audit/anomalies?lookback_days=7", Some(300)),
    ("stats, 90 days", "/audit/stats?interval=day", None),
    ("stats, status=failure", "/audit/stats?interval=day&status=failure", None),
    ("stats, q=order", "/audit/stats?interval=day&q=order", None),
    ("stats, top user_id", "/audit/stats?interval=day&top=user_id", None),
    ("stats, top details.symbol", "/audit/stats?interval=day&top=details.symbol", None),
    ("stats, top resource", "/audit/stats?interval=day&top=resource", None),
];

/// Of an answer only what it is about matters here.
#[derive(Debug, Deserialize)]
struct About {
    header: Option<Records>,
    records: Option<u64>,
}

#[derive(Debug, Deserialize)]
struct Records {
    records: u64,
}

/// Asks each so often, one after the other, and prints a line for it; those whose name has `only` in it.
pub(in super::super) fn reports(client: &Client, times: usize, only: &str) {
    let asked: Vec<_> = ASKED.iter().filter(|(name, ..)| name.contains(only)).collect();
    if asked.is_empty() || times == 0 {
        return;
    }
    println!(
        "{:<30} {:>10} {:>4} {:>8} {:>8} {:>8} {:>8} {:>7}",
        "report", "records", "n", "first", "median", "max", "target", "errors"
    );
    for (name, path, target) in asked {
        let Answers { first, figures, records } = ask(client, path, times);
        println!(
            "{name:<30} {records:>10} {:>4} {:>8} {:>8} {:>8} {:>8} {:>7}",
            figures.times.len(),
            millis(first),
            millis(figures.percentile(50)),
            millis(figures.percentile(100)),
            target.map_or_else(|| "-".to_owned(), |target| target.to_string()),
            figures.errors,
        );
        if let Some(error) = &figures.first_error {
            println!("  such as: {error}");
        }
    }
}

/// What it took to be answered.
#[derive(Default)]
struct Answers {
    /// The first time: some keep what they counted for the next.
    first: Option<Duration>,
    /// Every time after that.
    figures: Figures,
    /// How many records it is about.
    records: u64,
}

fn ask(client: &Client, path: &str, times: usize) -> Answers {
    let end = Shape::of(0).end;
    let mut query = form_urlencoded::Serializer::new(format!("{path}&"));
    query.append_pair("end_date", &format_timestamp(end));
    if path.starts_with("/audit/stats") {
        query.append_pair("start_date", &format_timestamp(end - 90 * DAY + 1));
    }
    let path = query.finish();
    let Answers { mut first, mut figures, mut records } = Answers::default();
    for _ in 0..=times {
        match client.get(&path) {
            Ok((took, body)) => {
                match first {
                    None => first = Some(took),
                    Some(_) => figures.page(took, 0, false),
                }
                let about: Option<About> = serde_json::from_str(&body).ok();
                let in_header = |about: &About| about.header.as_ref().map(|of| of.records);
                let said = about.and_then(|about| in_header(&about).or(about.records));
                records = said.unwrap_or(records);
            }
            Err(error) => {
                figures.errors += 1;
                figures.first_error.get_or_insert_with(|| error.to_string());
                thread::sleep(Duration::from_millis(20));
            }
        }
    }
    Answers { first, figures, records }
}
