//! How far an export is, for people.

use indicatif::{HumanCount, ProgressBar, ProgressStyle};

use crate::export::Ledger;

/// A bar on standard error, when that is a terminal.
pub(super) struct Bar {
    bar: ProgressBar,
    /// Where the export began.
    from: i64,
    /// The records that were there already.
    already: u64,
}

impl Bar {
    pub(super) fn new(ledger: &Ledger) -> Self {
        let (from, until) = ledger.arrivals();
        let arrivals = u64::try_from(until.saturating_sub(from)).unwrap_or_default();
        let style = ProgressStyle::with_template("{bar:30} {percent:>3}%  {msg}  {eta} left");
        let bar = ProgressBar::new(arrivals);
        Self {
            bar: style.map_or(bar.clone(), |style| bar.with_style(style)),
            from,
            already: ledger.manifest().records,
        }
    }

    pub(super) fn show(&self, ledger: &Ledger, records: u64) {
        let (place, _) = ledger.arrivals();
        self.bar.set_position(u64::try_from(place.saturating_sub(self.from)).unwrap_or_default());
        let seconds = self.bar.elapsed().as_secs_f64().max(0.001);
        let rate = records.saturating_sub(self.already) as f64 / seconds;
        self.bar.set_message(format!(
            "{} records, {} a second",
            HumanCount(records),
            HumanCount(rate as u64)
        ));
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}
