//! All that anomalies are told from: facts of the window, and of the days before it.

use super::{Detector, Settings};
use crate::{
    Error,
    filter::{Filter, TimeRange},
    query::{Study, Trail},
    read_model::{Column, Met, Taken, Wanted},
    report::kept::{Going, Place},
    store::Deadline,
};

/// What was counted so far.
#[derive(Debug, Clone)]
pub(crate) struct Count {
    pub(crate) detector: Detector,
    /// What was met in the window.
    pub(crate) met: Met,
}

const COLUMNS: &[Column] =
    &[Column::Words, Column::Users, Column::Addresses, Column::Resources, Column::Entries];

/// Counts every record that is `seen`; what is kept, which is of all, saves most of it. With the study that knows the
/// numbers.
///
/// # Errors
/// When the trail cannot be read, or not in time.
pub(in crate::report) fn count<'t>(
    trail: &'t Trail,
    place: Option<&Place<Count>>,
    settings: Settings,
    seen: &Filter,
    deadline: Deadline,
) -> Result<(Study<'t>, Count), Error> {
    let going = match place {
        Some(place) => {
            let fits = |count: &mut Count| count.detector.go_on(settings);
            place.go_on(trail, deadline, fits, || Count::new(settings), take_indexed(settings))?
        }
        None => Going::begin(trail, deadline, Count::new(settings))?,
    };
    let Going { mut study, fold: mut count, taken, .. } = going;
    let (before, window) = ranges(settings);
    study.fold_rest(&wanted(before, seen), &taken, &mut count.detector)?;
    let met = study.fold_rest(&wanted(window, seen), &taken, &mut count.detector)?;
    count.add(met);
    Ok((study, count))
}

/// Counts what the index has, and keeps it; whether it is kept.
///
/// # Errors
/// When the trail cannot be read, or not in time.
pub(in crate::report) fn make_ready(
    trail: &Trail,
    place: &Place<Count>,
    settings: Settings,
    deadline: Deadline,
) -> Result<bool, Error> {
    let fits = |count: &mut Count| count.detector.go_on(settings);
    let (begin, take) = (|| Count::new(settings), take_indexed(settings));
    Ok(place.catch_up(trail, deadline, fits, begin, take, |_, _| ())?.is_ok())
}

/// Takes what the index has; whether there is one.
fn take_indexed(
    settings: Settings,
) -> impl FnOnce(&mut Study<'_>, &mut Count, &mut Taken) -> Result<bool, Error> {
    move |study, count, taken| {
        let (before, window) = ranges(settings);
        if study.take_indexed(&wanted(before, ALL), taken, &mut count.detector)?.is_none() {
            return Ok(false);
        }
        let met = study.take_indexed(&wanted(window, ALL), taken, &mut count.detector)?;
        count.add(met.unwrap_or_default());
        Ok(met.is_some())
    }
}

impl Count {
    fn new(settings: Settings) -> Self {
        Self { detector: Detector::new(settings), met: Met::default() }
    }

    fn add(&mut self, met: Met) {
        self.met.records += met.records;
        self.met.damaged += met.damaged;
    }
}

/// The time before the window, and the window.
///
/// What was there before comes first: whoever makes up names in the window takes no place from it.
fn ranges(Settings { window, baseline_from, .. }: Settings) -> (TimeRange, TimeRange) {
    (TimeRange { from: baseline_from, to: window.from.saturating_sub(1) }, window)
}

const ALL: &Filter = &Filter::ANY;

fn wanted(range: TimeRange, filter: &Filter) -> Wanted<'_> {
    Wanted { range, filter, columns: COLUMNS }
}
