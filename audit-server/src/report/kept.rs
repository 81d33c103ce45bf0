//! Folds that are kept from one question to the next.
//!
//! What is usual is told by 84 days, and who is new by all that ever was. These are the same as they were
//! for the last question, but for what came since: to fold them again takes a second at ten million
//! records, to go on with what was folded a tenth. So a fold is kept, with how far the index was
//! taken: the next answer takes what came since. What the index has not reached yet is taken by a
//! copy, since it will be in the index later on.
//!
//! Of anomalies there are two places: for the question that is asked again and again, the last days up
//! to now, and for the last one about any other time, which is often asked twice: as a page, and as
//! JSON. What nobody need wait for, not even the first after midnight, is [made ready](super::prepare)
//! by the server each minute.
//!
//! Rejected: sums of each day in the read model. Of a day with a hundred thousand records most pairs of a
//! user and what the user did are met once or twice: they are as many as records, and to add up 84 days
//! of them takes as long as to count.
//!
//! # Memory
//! What the folds hold, within their limits, in each place, and as much again while a question is
//! answered. Of ten million records of ten thousand users these are some tens of MB.

use std::{
    sync::{Mutex, MutexGuard},
    time::{Duration, Instant},
};

use super::{anomalies, security};
use crate::{
    Error,
    fact::Legend,
    query::{Study, Trail},
    read_model::{Identity, Taken},
    store::Deadline,
};

/// The most users, addresses, kinds and words that a fold is kept for: the numbers of users and addresses take
/// some forty bytes each, those of words their text besides.
const MOST_TEXTS: usize = 1_000_000;

/// How long a fold of another time is kept after the last question.
const UNUSED: Duration = Duration::from_secs(600);

/// All that is kept.
#[derive(Debug)]
pub(crate) struct Kept {
    standing: Place<anomalies::Count>,
    other: Place<anomalies::Count>,
    /// Who was ever met where.
    pub(super) first_met: Place<security::FirstMet>,
}

impl Default for Kept {
    fn default() -> Self {
        Self::with_most(MOST_TEXTS)
    }
}

impl Kept {
    /// One that keeps folds of so many texts at most.
    pub(super) fn with_most(most: usize) -> Self {
        let (standing, other) = (Place::new(most), Place::new(most));
        Self { standing, other, first_met: Place::new(most) }
    }

    /// The place for the question that is asked again and again, or for any other.
    pub(super) fn anomalies(&self, standing: bool) -> &Place<anomalies::Count> {
        if standing { &self.standing } else { &self.other }
    }

    /// Forgets what nobody asks for any more.
    pub(super) fn forget(&self) {
        self.other.slot().folded.take_if(|folded| folded.used.elapsed() > UNUSED);
    }
}

/// A fold, for the next question to go on with.
#[derive(Debug)]
pub(crate) struct Place<F> {
    slot: Mutex<Slot<F>>,
    /// The most texts that a fold is kept for.
    most: usize,
}

#[derive(Debug)]
struct Slot<F> {
    folded: Option<Folded<F>>,
    /// The model of which nothing is kept, because it would be too much.
    too_large: Option<Identity>,
}

#[derive(Debug)]
pub(super) struct Folded<F> {
    fold: F,
    taken: Taken,
    legend: Legend,
    /// Which read model these numbers are of.
    model: Option<Identity>,
    /// When it was asked for.
    used: Instant,
}

/// A fold that has taken some of the trail as a study sees it.
pub(super) struct Going<'t, F> {
    pub(super) study: Study<'t>,
    pub(super) fold: F,
    pub(super) taken: Taken,
    /// Whether it is kept.
    pub(super) is_kept: bool,
}

impl<'t, F> Going<'t, F> {
    /// One that has taken nothing.
    pub(super) fn begin(trail: &'t Trail, deadline: Deadline, fold: F) -> Result<Self, Error> {
        let study = trail.study(deadline)?;
        Ok(Self { study, fold, taken: Taken::default(), is_kept: false })
    }
}

impl<F: Clone> Place<F> {
    fn new(most: usize) -> Self {
        Self { slot: Mutex::new(Slot { folded: None, too_large: None }), most }
    }

    /// A copy of the fold that is here once it has [caught up](Self::catch_up), or what is not kept.
    ///
    /// # Errors
    /// As there.
    pub(super) fn go_on<'t>(
        &self,
        trail: &'t Trail,
        deadline: Deadline,
        fits: impl FnOnce(&mut F) -> bool,
        begin: impl Fn() -> F,
        take: impl FnOnce(&mut Study<'t>, &mut F, &mut Taken) -> Result<bool, Error>,
    ) -> Result<Going<'t, F>, Error> {
        let copy = |mut study: Study<'t>, folded: &Folded<F>| {
            study.go_on_with(folded.legend.clone());
            Going { study, fold: folded.fold.clone(), taken: folded.taken.clone(), is_kept: true }
        };
        let caught_up = self.catch_up(trail, deadline, fits, begin, take, copy)?;
        Ok(caught_up.unwrap_or_else(|not_kept| not_kept))
    }

    /// The fold that is here, when it `fits`, else a new one, takes all of the index that it is to `take`,
    /// and is kept here: what is wanted of it is said by `give`. `take` says whether there is an index; when
    /// there is none the fold has taken nothing, and is not kept, nor is that of a trail with too many texts.
    ///
    /// # Errors
    /// When the trail cannot be read, or not in time. Then nothing is kept either.
    pub(super) fn catch_up<'t, T>(
        &self,
        trail: &'t Trail,
        deadline: Deadline,
        fits: impl FnOnce(&mut F) -> bool,
        begin: impl Fn() -> F,
        take: impl FnOnce(&mut Study<'t>, &mut F, &mut Taken) -> Result<bool, Error>,
        give: impl FnOnce(Study<'t>, &Folded<F>) -> T,
    ) -> Result<Result<T, Going<'t, F>>, Error> {
        // Before the study: what is kept must not be of a later moment than what the study sees.
        let mut slot = self.slot();
        let mut study = trail.study(deadline)?;
        let model = study.model();
        if slot.too_large.is_some() && slot.too_large == model {
            let (fold, taken) = (begin(), Taken::default());
            return Ok(Err(Going { study, fold, taken, is_kept: false }));
        }
        let kept = slot.folded.take().filter(|folded| folded.model == model);
        let kept = kept.and_then(|mut folded| fits(&mut folded.fold).then_some(folded));
        let (mut fold, mut taken) = match kept {
            Some(folded) => {
                study.go_on_with(folded.legend);
                (folded.fold, folded.taken)
            }
            None => (begin(), Taken::default()),
        };
        if !take(&mut study, &mut fold, &mut taken)? {
            // The index cannot be gone on with, be it that it fell behind: all is taken from the trail.
            study.go_on_with(Legend::default());
            let (fold, taken) = (begin(), Taken::default());
            return Ok(Err(Going { study, fold, taken, is_kept: false }));
        }
        if study.legend().len() > self.most {
            slot.too_large = model;
            return Ok(Err(Going { study, fold, taken, is_kept: false }));
        }
        let legend = study.go_on_with(Legend::default());
        let folded = Folded { fold, taken, legend, model, used: Instant::now() };
        Ok(Ok(give(study, slot.folded.insert(folded))))
    }

    fn slot(&self) -> MutexGuard<'_, Slot<F>> {
        self.slot.lock().unwrap_or_else(|poisoned| {
            // Whoever panicked had taken the fold out of it.
            self.slot.clear_poison();
            poisoned.into_inner()
        })
    }
}
