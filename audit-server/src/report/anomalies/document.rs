//! The anomalies for people.

use super::anomaly::{Anomalies, Grade};
use crate::report::{Block, Cell, Document, Table, Tone};

impl Anomalies {
    /// The report for people.
    pub(crate) fn document(&self) -> Document {
        let mut found = Vec::new();
        if self.anomalies.items.is_empty() {
            let text = if self.baseline_days < super::MIN_DAYS as u64 {
                Cell::toned("nothing could be looked for", Tone::Unknown)
            } else if !self.left_out.is_empty() {
                Cell::toned("none of what could be looked for: see below", Tone::Unknown)
            } else {
                Cell::toned("none", Tone::Good)
            };
            found.push(Block::Pairs(vec![("anomalies".to_owned(), text)]));
        } else {
            let mut table = Table::new([
                "severity",
                "#score",
                "#bar",
                "what",
                "#records",
                "explanation",
                "from",
            ]);
            let mut queries =
                Table::new(["what", "parameters of /audit/logs that show its records"]);
            for anomaly in &self.anomalies.items {
                let tone = if anomaly.severity == Grade::Low { Tone::Plain } else { Tone::Bad };
                table.push([
                    Cell::toned(anomaly.severity.word(), tone),
                    format!("{:.1}", anomaly.score).into(),
                    format!("{:.1}", anomaly.bar).into(),
                    anomaly.kind.words().into(),
                    anomaly.count.into(),
                    anomaly.explanation.as_str().into(),
                    anomaly.from.as_str().into(),
                ]);
                let what = format!("{}, {}", anomaly.kind.words(), anomaly.subject.name());
                queries.push([what.into(), anomaly.query.as_str().into()]);
            }
            table.note = self.anomalies.note();
            found.push(Block::Table(table));
            found.push(Block::Table(queries));
        }
        let mut method = vec![Block::Text(format!(
            "Each user, address and event type was compared with what itself did in the {} days before, by medians, and with how unusual those days became at most. A finding is at least {} robust standard deviations from that, and more where much is looked at at once.",
            self.baseline_days, self.threshold
        ))];
        method.extend(self.left_out.iter().cloned().map(Block::Text));
        let mut document = Document::new("Anomalies");
        document.sections.push(self.header.section());
        document.section("What is unusual", found).section("How it was looked for", method)
    }
}
