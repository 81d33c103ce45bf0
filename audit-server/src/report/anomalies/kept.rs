//! Counts that are kept from one question to the next.
//!
//! What is usual is told by 84 days, and these are the same from one midnight to the next. To count them
//! takes most of a second at ten million records, to say what is unusual a tenth. So counts are kept,
//! with how far the index was taken: the next answer counts what came since. What the index has not
//! reached yet is counted into a copy, since it will be in the index later on.
//!
//! There are two places: for the question that is asked again and again, the last days up to now, and
//! for the last one about any other time, which is often asked twice: as a page, and as JSON. The first is
//! [brought up](Kept::prepare) by the server each minute, so that nobody waits for it, not even the
//! first after midnight.
//!
//! Rejected: sums of each day in the read model. Of a day with a hundred thousand records most pairs of a user and what the user did
//! are met once or twice: they are as many as records, and to add up 84 days of them takes as
//! long as to count.
//!
//! # Memory
//! What [`super::tally`] counts, within its limits, in each place, and as much again while a question is
//! answered. Of ten million records of ten thousand users these are some tens of MB.

use std::{
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use super::{Detector, Settings};
use crate::{
    Error,
    fact::{Legend, ValueKey},
    filter::{Filter, TimeRange},
    query::{Study, Trail},
    read_model::{Column, Met, Taken, Wanted},
    store::Deadline,
};

/// How long the counts of another time are kept after the last question.
const UNUSED: Duration = Duration::from_secs(600);

/// What is kept.
#[derive(Debug, Default)]
pub(crate) struct Kept {
    standing: Place,
    other: Place,
}

/// The counts of the last question, for the next to go on with.
#[derive(Debug, Default)]
pub(crate) struct Place(Mutex<Option<Counted>>);

/// What was counted of a window and of what was before it.
#[derive(Debug, Clone)]
struct Counted {
    settings: Settings,
    /// Which read model the numbers are of.
    model: ValueKey,
    detector: Detector,
    legend: Legend,
    taken: Taken,
    /// Of the window.
    met: Met,
    /// When they were asked for.
    used: Instant,
}

const COLUMNS: &[Column] =
    &[Column::Words, Column::Users, Column::Addresses, Column::Resources, Column::Entries];

impl Kept {
    /// The place for the question that is asked again and again, or for any other.
    pub(crate) fn place(&self, standing: bool) -> &Place {
        if standing { &self.standing } else { &self.other }
    }

    /// Counts what the index has that was not counted yet, so that the next answer to the standing
    /// question need not; false when there is no index, or one that is far behind. Forgets what
    /// nobody asks for any more.
    ///
    /// # Errors
    /// When the trail cannot be read, or not in time.
    pub(crate) fn prepare(
        &self,
        trail: &Trail,
        settings: Settings,
        deadline: Deadline,
    ) -> Result<bool, Error> {
        self.other.lock().take_if(|counted| counted.used.elapsed() > UNUSED);
        let mut slot = self.standing.lock();
        let mut study = trail.study(deadline)?;
        let mut counted = Counted::going_on(slot.take(), settings, &mut study);
        let taken = counted.take_indexed(&mut study)?;
        if taken {
            counted.legend = study.into_legend();
            *slot = Some(counted);
        }
        Ok(taken)
    }
}

impl Place {
    fn lock(&self) -> MutexGuard<'_, Option<Counted>> {
        self.0.lock().unwrap_or_else(|poisoned| {
            // Whoever panicked had taken the counts out of it.
            self.0.clear_poison();
            poisoned.into_inner()
        })
    }
}

/// Counts everything of the window and before it; what is kept saves most of it. With the study that
/// knows the numbers, and what was met in the window.
///
/// # Errors
/// When the trail cannot be read, or not in time.
pub(crate) fn count<'t>(
    trail: &'t Trail,
    kept: Option<&Place>,
    settings: Settings,
    deadline: Deadline,
) -> Result<(Study<'t>, Detector, Met), Error> {
    // Before the study: what was kept must not be of a later moment than what the study sees.
    let mut slot = kept.map(Place::lock);
    let mut study = trail.study(deadline)?;
    let before = slot.as_mut().and_then(|slot| slot.take());
    let mut counted = Counted::going_on(before, settings, &mut study);
    if let Some(slot) = &mut slot
        && counted.take_indexed(&mut study)?
    {
        let legend = study.legend().clone();
        **slot = Some(Counted { legend, ..counted.clone() });
    }
    drop(slot);
    counted.take_rest(&mut study)?;
    Ok((study, counted.detector, counted.met))
}

impl Counted {
    /// What is kept, when it is of the same window up to a later end, and else nothing.
    fn going_on(kept: Option<Self>, settings: Settings, study: &mut Study<'_>) -> Self {
        if let Some(mut kept) = kept
            && kept.model == study.key()
            && kept.detector.go_on(settings)
        {
            study.go_on_with(std::mem::take(&mut kept.legend));
            return Self { settings, used: Instant::now(), ..kept };
        }
        Self {
            settings,
            model: study.key(),
            detector: Detector::new(settings),
            legend: Legend::default(),
            taken: Taken::default(),
            met: Met::default(),
            used: Instant::now(),
        }
    }

    /// The time before the window, and the window.
    ///
    /// What was there before comes first: whoever makes up names in the window takes no place from it.
    fn ranges(&self) -> (TimeRange, TimeRange) {
        let Settings { window, baseline_from, .. } = self.settings;
        (TimeRange { from: baseline_from, to: window.from.saturating_sub(1) }, window)
    }

    /// Takes what the index has; false, and nothing was taken, when there is none.
    fn take_indexed(&mut self, study: &mut Study<'_>) -> Result<bool, Error> {
        let (before, window) = self.ranges();
        let detector = &mut self.detector;
        if study.take_indexed(&wanted(before), &mut self.taken, detector)?.is_none() {
            return Ok(false);
        }
        let Some(met) = study.take_indexed(&wanted(window), &mut self.taken, detector)? else {
            return Ok(false);
        };
        self.met.records += met.records;
        self.met.damaged += met.damaged;
        Ok(true)
    }

    /// Takes all the rest.
    fn take_rest(&mut self, study: &mut Study<'_>) -> Result<(), Error> {
        let (before, window) = self.ranges();
        study.fold_rest(&wanted(before), &self.taken, &mut self.detector)?;
        let met = study.fold_rest(&wanted(window), &self.taken, &mut self.detector)?;
        self.met.records += met.records;
        self.met.damaged += met.damaged;
        Ok(())
    }
}

fn wanted(range: TimeRange) -> Wanted<'static> {
    const ANY: &Filter = &Filter::ANY;
    Wanted { range, filter: ANY, columns: COLUMNS }
}
