//! The public keys at a URL, kept.
//!
//! They are fetched every ten minutes, and at once when a token names a key that is not among them, which is
//! how a provider that begins to sign with a new key is followed without a token being refused. Names are
//! made up easily, so that is done once in ten seconds at most: all that ask meanwhile wait for the same
//! answer, a few at a time, and the others are told no.
//!
//! When a fetch fails the keys stay as they are, for a day. After that nobody knows any more whether one of
//! them was withdrawn, and none is trusted.

use std::{
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::{JwksUrl, TokensUnusable, fetch::Fetch, jwks::KeySet};

/// How often keys are fetched.
const EVERY: Duration = Duration::from_secs(10 * 60);
/// How soon again after it failed.
const AFTER_FAILURE: Duration = Duration::from_secs(60);
/// How soon again at all. Longer than a fetch takes: who waited for one does not begin another.
pub(super) const AT_MOST_EVERY: Duration = Duration::from_secs(10);
/// How long keys are trusted that cannot be fetched again.
pub(super) const TRUSTED_FOR: Duration = Duration::from_secs(24 * 60 * 60);
/// How many requests may wait for a fetch. Each holds a thread.
const MOST_WAITING: usize = 8;

/// The keys at a URL.
#[derive(Debug)]
pub(super) struct Remote {
    url: JwksUrl,
    fetch: Fetch,
    known: Mutex<Known>,
    one_at_a_time: Mutex<()>,
    waiting: AtomicUsize,
    made: Instant,
}

#[derive(Debug, Default)]
struct Known {
    keys: Option<Fetched>,
    tried: Option<Instant>,
    told: Told,
}

#[derive(Debug)]
struct Fetched {
    keys: Arc<KeySet>,
    at: Instant,
}

/// What the operator has been told of.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    /// Nothing: the last fetch went well.
    #[default]
    Nothing,
    /// That it failed.
    Failed,
    /// That there are no keys that are trusted.
    NoKeys,
}

impl Remote {
    pub(super) fn new(url: JwksUrl, fetch: Fetch, made: Instant) -> Self {
        Self {
            url,
            fetch,
            known: Mutex::default(),
            one_at_a_time: Mutex::default(),
            waiting: AtomicUsize::new(0),
            made,
        }
    }

    /// The keys, if they are trusted at that time.
    pub(super) fn keys(&self, at: Instant) -> Option<Arc<KeySet>> {
        self.known().trusted(at).map(Arc::clone)
    }

    /// Whether [`refresh`](Self::refresh) may bring anything new.
    pub(super) fn may_refresh(&self, at: Instant) -> bool {
        match self.waiting.load(Ordering::Relaxed) {
            0 => self.known().may_try(at),
            waiting => waiting < MOST_WAITING,
        }
    }

    /// When they are to be fetched next.
    pub(super) fn next_refresh(&self) -> Instant {
        let known = self.known();
        match known.tried {
            None => self.made,
            Some(tried) if known.told == Told::Nothing => tried + EVERY,
            Some(tried) => tried + AFTER_FAILURE,
        }
    }

    /// Fetches them, unless somebody just did; waits for whoever is about it. Blocks.
    pub(super) fn refresh(&self, at: Instant) {
        let _waiting = Waiting::one_more(&self.waiting);
        let _one = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        {
            let mut known = self.known();
            if !known.may_try(at) {
                return;
            }
            known.tried = Some(at);
        }
        match self.fetch.fetch(&self.url) {
            Ok(keys) => self.take(keys, at),
            Err(error) => self.fail(&error, at),
        }
    }

    fn take(&self, keys: KeySet, at: Instant) {
        let mut known = self.known();
        if known.keys.as_ref().is_none_or(|before| *before.keys != keys) {
            keys.tell(&self.url);
            tracing::info!(url = %self.url, "tokens: there are new keys");
        } else if known.told > Told::Nothing {
            tracing::info!(url = %self.url, "tokens: the keys can be fetched again");
        }
        known.keys = Some(Fetched { keys: Arc::new(keys), at });
        known.told = Told::Nothing;
    }

    fn fail(&self, error: &TokensUnusable, at: Instant) {
        let mut known = self.known();
        let state = if known.trusted(at).is_some() { Told::Failed } else { Told::NoKeys };
        let cause = error.cause();
        if state <= known.told {
            tracing::debug!(%error, cause, "tokens: the keys still cannot be fetched");
        } else if state == Told::Failed {
            tracing::warn!(%error, cause, "tokens: the keys fetched before are used, for a day");
        } else {
            tracing::error!(%error, cause, "tokens: there are no keys, and tokens are refused");
        }
        known.told = known.told.max(state);
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn trusted(&self, at: Instant) -> Option<&Arc<KeySet>> {
        let fresh = |fetched: &&Fetched| at.saturating_duration_since(fetched.at) < TRUSTED_FOR;
        self.keys.as_ref().filter(fresh).map(|fetched| &fetched.keys)
    }

    fn may_try(&self, at: Instant) -> bool {
        self.tried.is_none_or(|tried| at.saturating_duration_since(tried) >= AT_MOST_EVERY)
    }
}

/// Counts who waits for a fetch, the one that fetches included.
struct Waiting<'a>(&'a AtomicUsize);

impl<'a> Waiting<'a> {
    fn one_more(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::Relaxed);
        Self(count)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
