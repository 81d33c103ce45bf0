//! Many attempts in a short time.
//!
//! For each attempt there is the window that ends with it and has all attempts of the same subject not
//! longer before than the window is. A window that has enough in it is a *hot* one. Hot windows that
//! have an attempt in common are one *episode*: it has all their attempts, and the fullest of the windows shows
//! what happened; of equally full ones the earliest.
//!
//! Rejected: windows that begin on the full minute, as rate limits count (ten attempts around the turn
//! are in none of them); an episode that ends with the first quiet minute (where one ends would not
//! follow from what makes one).

use std::ops::RangeInclusive;

use super::{logins::Login, subject::Subject};
use crate::report::by_number::ByNumber;

/// What makes a window hot.
pub(super) trait Measure {
    fn enter(&mut self, login: &Login);
    fn leave(&mut self, login: &Login);
    /// How much is in it.
    fn size(&self) -> u64;
}

/// Attempts.
#[derive(Debug, Default)]
pub(super) struct Attempts(u64);

impl Measure for Attempts {
    fn enter(&mut self, _: &Login) {
        self.0 += 1;
    }

    fn leave(&mut self, _: &Login) {
        self.0 -= 1;
    }

    fn size(&self) -> u64 {
        self.0
    }
}

/// Different users.
#[derive(Debug, Default)]
pub(super) struct Users(ByNumber<Subject, u64>);

impl Measure for Users {
    fn enter(&mut self, login: &Login) {
        *self.0.entry(login.user).or_default() += 1;
    }

    fn leave(&mut self, login: &Login) {
        if let Some(count) = self.0.get_mut(&login.user) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(&login.user);
            }
        }
    }

    fn size(&self) -> u64 {
        self.0.len() as u64
    }
}

/// Which attempts belong together: places in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Episode {
    pub(super) attempts: RangeInclusive<usize>,
    /// The fullest window.
    pub(super) peak: RangeInclusive<usize>,
    /// How much is in that.
    pub(super) size: u64,
}

/// The episodes of one subject, whose attempts are given in the order of time. A window is hot when
/// there is at least `least` in `window` microseconds.
pub(super) fn episodes(
    logins: &[Login],
    window: i64,
    least: u64,
    mut measure: impl Measure,
) -> Vec<Episode> {
    let mut found: Vec<Episode> = Vec::new();
    let mut from = 0;
    for (to, login) in logins.iter().enumerate() {
        measure.enter(login);
        let begin = login.at.saturating_sub(window);
        while let Some(early) = logins.get(from).filter(|early| early.at < begin) {
            measure.leave(early);
            from += 1;
        }
        // Attempts of one moment are in the same windows, in whatever order they are given.
        let goes_on = logins.get(to + 1).is_some_and(|next| next.at == login.at);
        let size = measure.size();
        if goes_on || size < least {
            continue;
        }
        match found.last_mut().filter(|last| from <= *last.attempts.end()) {
            Some(last) => {
                last.attempts = *last.attempts.start()..=to;
                if size > last.size {
                    (last.peak, last.size) = (from..=to, size);
                }
            }
            None => found.push(Episode { attempts: from..=to, peak: from..=to, size }),
        }
    }
    found
}

/// Gives the logins of each subject, in the order of time, to `each`; those without one to nobody.
pub(super) fn by_subject(
    logins: &mut [Login],
    subject: impl Fn(&Login) -> Subject,
    mut each: impl FnMut(Subject, &[Login]),
) {
    logins.sort_unstable_by_key(|login| (subject(login), login.at, *login));
    for group in logins.chunk_by(|a, b| subject(a) == subject(b)) {
        if let Some(first) = group.first().map(&subject).filter(|subject| subject.is_some()) {
            each(first, group);
        }
    }
}

#[cfg(test)]
#[path = "episodes_tests.rs"]
mod tests;
