//! What each field of a callsite is to a record, worked out once.

use std::{
    cell::RefCell,
    collections::HashMap,
    hash::{BuildHasherDefault, Hasher},
    sync::{Arc, RwLock},
};

use tracing_core::{Metadata, callsite::Identifier};

use crate::record::{Member, SetBy};

/// What a field is to the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// A member of the record that events may set.
    Member(Member),
    /// A member of `details` under that name.
    Detail(Box<str>),
    /// A member of `regulatory_flags` under that name.
    Flag(Box<str>),
}

impl Role {
    fn of(field: &str) -> Self {
        if let Some(flag) = field.strip_prefix("regulatory_flags.").filter(|name| !name.is_empty())
        {
            return Self::Flag(flag.into());
        }
        if let Some(detail) = field.strip_prefix("details.").filter(|name| !name.is_empty()) {
            return Self::Detail(detail.into());
        }
        match Member::from_name(field) {
            Some(member) if member.set_by() != SetBy::Layer => Self::Member(member),
            _ => Self::Detail(field.into()),
        }
    }
}

/// How the events or spans of one callsite are recorded.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Its number, by which frames name it.
    pub(crate) number: u32,
    pub(crate) level: tracing_core::Level,
    pub(crate) target: Box<str>,
    /// `file:line`.
    pub(crate) source: Option<Box<str>>,
    /// The name of the callsite; of a span, the message of its record.
    pub(crate) name: Box<str>,
    /// By the index of the field.
    pub(crate) roles: Box<[Role]>,
    /// Whether it is the event by which `verify_installed` looks for the layer.
    pub(crate) is_canary: bool,
}

impl Plan {
    fn new(number: u32, metadata: &Metadata<'_>) -> Self {
        let source = metadata.file().map(|file| match metadata.line() {
            Some(line) => format!("{file}:{line}").into_boxed_str(),
            None => file.into(),
        });
        Self {
            number,
            level: *metadata.level(),
            target: metadata.target().into(),
            source,
            name: metadata.name().into(),
            roles: metadata.fields().iter().map(|field| Role::of(field.name())).collect(),
            is_canary: metadata.module_path() == Some(super::canary::MODULE),
        }
    }

    /// The plan of records that the layer itself makes: they name members only.
    fn internal() -> Self {
        Self {
            number: 0,
            level: tracing_core::Level::INFO,
            target: "audit".into(),
            source: None,
            name: "audit".into(),
            roles: Box::default(),
            is_canary: false,
        }
    }
}

/// The plans of one layer, by number and by callsite.
#[derive(Debug)]
pub(crate) struct Plans {
    /// Tells the layers of a process apart in the threads' caches.
    layer: usize,
    by_number: RwLock<Vec<Arc<Plan>>>,
    by_callsite: RwLock<HashMap<Identifier, Arc<Plan>>>,
}

/// By the number of the layer and the callsite.
type Cache = HashMap<(usize, Identifier), Arc<Plan>, BuildHasherDefault<AddressHasher>>;

thread_local! {
    /// Saves the lock; a callsite is static, so its plan never changes.
    static CACHE: RefCell<Cache> = RefCell::default();
}

impl Plans {
    pub(crate) fn new() -> Self {
        static LAYERS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
        Self {
            layer: LAYERS.fetch_add(1, std::sync::atomic::Ordering::Relaxed),
            by_number: RwLock::new(vec![Arc::new(Plan::internal())]),
            by_callsite: RwLock::default(),
        }
    }

    /// The number of this layer in the process.
    pub(crate) fn layer(&self) -> usize {
        self.layer
    }

    /// Runs `use_plan` with the plan of a callsite, which is made at its first use.
    pub(crate) fn with<R>(&self, metadata: &Metadata<'_>, use_plan: impl FnOnce(&Plan) -> R) -> R {
        let key = (self.layer, metadata.callsite());
        // The cache is not borrowed while the plan is used: a value's `Debug` may log. It is gone
        // when a destructor of the thread's own locals emits an event.
        let cached = CACHE.try_with(|cache| cache.borrow().get(&key).cloned());
        let plan = cached.ok().flatten().unwrap_or_else(|| {
            let plan = self.make(metadata);
            let _ = CACHE.try_with(|cache| cache.borrow_mut().insert(key, Arc::clone(&plan)));
            plan
        });
        use_plan(&plan)
    }

    fn make(&self, metadata: &Metadata<'_>) -> Arc<Plan> {
        let callsite = metadata.callsite();
        if let Some(plan) = read(&self.by_callsite).get(&callsite) {
            return Arc::clone(plan);
        }
        let mut by_callsite = write(&self.by_callsite);
        let mut by_number = write(&self.by_number);
        Arc::clone(by_callsite.entry(callsite).or_insert_with(|| {
            let number = u32::try_from(by_number.len()).unwrap_or(0);
            let plan = Arc::new(Plan::new(number, metadata));
            by_number.push(Arc::clone(&plan));
            plan
        }))
    }

    pub(crate) fn by_number(&self, number: u32) -> Option<Arc<Plan>> {
        read(&self.by_number).get(usize::try_from(number).ok()?).cloned()
    }
}

fn read<T>(lock: &RwLock<T>) -> std::sync::RwLockReadGuard<'_, T> {
    lock.read().unwrap_or_else(std::sync::PoisonError::into_inner)
}

fn write<T>(lock: &RwLock<T>) -> std::sync::RwLockWriteGuard<'_, T> {
    lock.write().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A hash for addresses of statics, which are distinct already and chosen by nobody hostile.
#[derive(Default)]
struct AddressHasher(u64);

impl Hasher for AddressHasher {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.write_u64(u64::from(byte));
        }
    }

    fn write_u64(&mut self, value: u64) {
        // 2^64 divided by the golden ratio.
        self.0 = (self.0.rotate_left(5) ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, value: usize) {
        self.write_u64(value as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_the_layers_own_is_a_detail() {
        assert_eq!(Role::of("seq"), Role::Detail("seq".into()));
        assert_eq!(Role::of("hash"), Role::Detail("hash".into()));
        assert_eq!(Role::of("user_id"), Role::Member(Member::UserId));
        assert_eq!(Role::of("details"), Role::Member(Member::Details));
        assert_eq!(Role::of("details.method"), Role::Detail("method".into()));
        assert_eq!(Role::of("http.method"), Role::Detail("http.method".into()));
        assert_eq!(Role::of("regulatory_flags.SOX"), Role::Flag("SOX".into()));
    }
}
