//! Logins one by one, of which there may be more than memory should hold.
//!
//! Windows that slide need each attempt. Who attacks decides how many there are, so at most so many are
//! kept: the latest, since those are acted upon. Which those are depends on their times alone, so
//! that calls in another order leave the same ones; of several at the moment where it ends, none.

use super::subject::Subject;

/// Someone was let in or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Login {
    pub(super) at: i64,
    pub(super) user: Subject,
    /// What the user is called, of a login that names both.
    pub(super) name: Subject,
    pub(super) address: Subject,
}

/// The latest logins.
#[derive(Debug)]
pub(super) struct Logins {
    kept: Vec<Login>,
    most: usize,
    /// Those before are not kept.
    since: i64,
}

impl Logins {
    /// At most so many.
    pub(super) fn new(most: usize) -> Self {
        Self { kept: Vec::new(), most, since: i64::MIN }
    }

    pub(super) fn push(&mut self, login: Login) {
        if login.at < self.since {
            return;
        }
        self.kept.push(login);
        // Twice as many, so that finding the latest costs little for each.
        if self.kept.len() >= self.most.saturating_mul(2).max(1) {
            self.cut();
        }
    }

    fn cut(&mut self) {
        if self.kept.len() <= self.most {
            return;
        }
        let place = self.kept.len() - self.most - 1;
        let (_, left_out, _) = self.kept.select_nth_unstable_by_key(place, |login| login.at);
        self.since = left_out.at.saturating_add(1);
        self.kept.retain(|login| login.at >= self.since);
    }

    /// Those that were kept, and since when these are all there were; none when that is all of them.
    pub(super) fn finish(mut self) -> (Vec<Login>, Option<i64>) {
        self.cut();
        (self.kept, (self.since > i64::MIN).then_some(self.since))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    fn kept(times: &[i64], most: usize) -> (Vec<i64>, Option<i64>) {
        let mut logins = Logins::new(most);
        for at in times {
            let [user, name, address] = [Subject::NONE; 3];
            logins.push(Login { at: *at, user, name, address });
        }
        let (kept, since) = logins.finish();
        let mut kept: Vec<i64> = kept.iter().map(|login| login.at).collect();
        kept.sort_unstable();
        (kept, since)
    }

    proptest! {
        #[test]
        fn the_latest_logins_are_kept_in_whatever_order_they_come(
            times in prop::collection::vec(0_i64..12, 0..40), most in 0_usize..8, turn in 0_usize..40)
        {
            let mut sorted = times.clone();
            sorted.sort_unstable_by_key(|at| std::cmp::Reverse(*at));
            let since = sorted.get(most).map(|at| at + 1);
            let mut expected = sorted;
            expected.retain(|at| since.is_none_or(|since| *at >= since));
            expected.reverse();
            let mut turned = times.clone();
            turned.rotate_left(turn % times.len().max(1));
            prop_assert_eq!(kept(&times, most), (expected.clone(), since));
            prop_assert_eq!(kept(&turned, most), (expected, since));
        }
    }
}
