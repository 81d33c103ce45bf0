//! Time and identifiers of records.
//!
//! An `id` is a UUIDv7 ([RFC 9562], section 5.7): 48 bits of milliseconds, 12 bits of the fraction
//! of the millisecond (section 6.2, method 3), 62 random bits. The random bits come from a fast
//! generator of the thread: an id names a record, it is not a secret. A crate-wide generator with a
//! lock, as `uuid` has, would make threads wait for each other.
//!
//! [RFC 9562]: https://www.rfc-editor.org/rfc/rfc9562

use std::{
    cell::Cell,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use uuid::Uuid;

use crate::journal::frame::NOT_IMPORTED;

thread_local! {
    static ORIGINAL: Cell<Option<i64>> = const { Cell::new(None) };
}

/// Microseconds since the Unix epoch; 0 for a clock before it.
pub(crate) fn now_micros() -> i64 {
    micros(since_epoch(SystemTime::now()))
}

fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// The time of a record: `timestamp`, `observed_at` and `id`.
pub(crate) fn stamp() -> (i64, i64, Uuid) {
    let now = since_epoch(SystemTime::now());
    let id = uuid_v7(now, fastrand::u64(..));
    match ORIGINAL.get() {
        None => (micros(now), NOT_IMPORTED, id),
        Some(original) => (original, micros(now), id),
    }
}

/// The identifier of something that happens `now`, a duration since the Unix epoch.
pub(crate) fn uuid_v7(now: Duration, random: u64) -> Uuid {
    let millis = u64::try_from(now.as_millis()).unwrap_or(u64::MAX) & 0xffff_ffff_ffff;
    let fraction = u64::from(now.subsec_nanos() % 1_000_000) * 4096 / 1_000_000;
    Uuid::from_u64_pair(millis << 16 | 0x7000 | fraction, 0x8000_0000_0000_0000 | random >> 2)
}

/// Runs `import` with every audit event inside it taken for one that happened at `original`.
///
/// The record's `timestamp` is `original`; its `observed_at` is the time of the call, so that an
/// imported record never passes for one that was made now. It holds for events of this thread only;
/// calls nest. Times before the Unix epoch count as the epoch.
///
/// ```
/// use std::time::{Duration, SystemTime};
/// let yesterday = SystemTime::now() - Duration::from_secs(86_400);
/// audit_layer::imported_from(yesterday, || {
///     tracing::info!(target: "audit", event_type = "auth.login", user_id = "u-1", "from the old system");
/// });
/// ```
pub fn imported_from<R>(original: SystemTime, import: impl FnOnce() -> R) -> R {
    struct Restore(Option<i64>);
    impl Drop for Restore {
        fn drop(&mut self) {
            ORIGINAL.set(self.0);
        }
    }
    let _restore = Restore(ORIGINAL.replace(Some(micros(since_epoch(original)))));
    import()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_a_uuid_of_version_7_that_holds_the_time() {
        let now = Duration::new(1_795_289_474, 261_845_000);
        let id = uuid_v7(now, u64::MAX);
        assert_eq!(id.get_version_num(), 7);
        assert_eq!(id.get_variant(), uuid::Variant::RFC4122);
        assert_eq!(id.get_timestamp().unwrap().to_unix().0, 1_795_289_474);
        let later = uuid_v7(now + Duration::from_micros(1), 0);
        assert!(later > id, "a microsecond later sorts later, whatever the random bits");
    }

    #[test]
    fn an_import_ends_with_its_call_even_in_a_panic() {
        let past = UNIX_EPOCH + Duration::from_secs(1);
        let panicked = std::panic::catch_unwind(|| imported_from(past, || panic!("on purpose")));
        assert!(panicked.is_err());
        assert_eq!(stamp().1, NOT_IMPORTED);
        imported_from(past, || assert_eq!(stamp().0, 1_000_000));
    }
}
