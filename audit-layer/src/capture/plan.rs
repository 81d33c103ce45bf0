//! What each field of a callsite is to a record, worked out once.

use std::{
    cell::Cell,
    collections::HashMap,
    sync::{LazyLock, PoisonError, RwLock},
};

use tracing_core::Metadata;

use super::{
    redaction::{Rules, Treatment},
    role::Role,
};
use crate::journal::{frame::Mark, log::Callsite};

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
    /// The indexes of fields whose names are those of secrets: mostly there are none.
    secrets: Box<[usize]>,
    /// The indexes of those that are left as they are.
    kept: Box<[usize]>,
    /// The indexes of those that are hashed or sealed.
    marked: Box<[(usize, Mark)]>,
    /// Whether it is the event by which `verify_installed` looks for the layer.
    pub(crate) is_canary: bool,
    /// The same for a journal.
    definition: Box<[u8]>,
}

impl Plan {
    fn new(number: u32, metadata: &Metadata<'_>, rules: &Rules) -> Self {
        let source = metadata.file().map(|file| match metadata.line() {
            Some(line) => format!("{file}:{line}"),
            None => file.to_owned(),
        });
        let fields: Vec<_> = metadata.fields().iter().map(|field| field.name()).collect();
        let (target, name) = (metadata.target(), metadata.name());
        let level = *metadata.level();
        let plan = Self::of(number, level, target, source.as_deref(), name, &fields, rules);
        Self { is_canary: metadata.module_path() == Some(super::canary::MODULE), ..plan }
    }

    /// The plan of records that the layer itself makes: they name members only.
    fn internal() -> Self {
        Self::of(0, tracing_core::Level::INFO, "audit", None, "audit", &[], &Rules::default())
    }

    fn of(
        number: u32,
        level: tracing_core::Level,
        target: &str,
        source: Option<&str>,
        name: &str,
        fields: &[&str],
        rules: &Rules,
    ) -> Self {
        let roles: Box<[Role]> = fields.iter().map(|field| Role::of(field)).collect();
        let treated = |as_that| {
            let fields = fields.iter().zip(&roles).enumerate();
            fields
                .filter(|(_, (field, role))| rules.of_field(role, field) == as_that)
                .map(|(index, _)| index)
                .collect()
        };
        let marked = fields.iter().zip(&roles).enumerate();
        let marked = marked
            .filter_map(|(index, (field, role))| match rules.of_field(role, field) {
                Treatment::Mark(mark) => Some((index, mark)),
                _ => None,
            })
            .collect();
        Self {
            number,
            level,
            target: target.into(),
            source: source.map(Into::into),
            name: name.into(),
            marked,
            secrets: treated(Treatment::Hide),
            kept: treated(Treatment::Keep),
            roles,
            is_canary: false,
            definition: define(level, target, source, name, fields),
        }
    }

    /// Reads what [`Plan::callsite`] wrote into a journal, maybe in another program.
    pub(crate) fn decode(number: u32, definition: &[u8]) -> Option<Self> {
        let (level, rest) = definition.split_first()?;
        let level = LEVELS.get(usize::from(*level))?;
        let (target, rest) = text(rest)?;
        let (has_source, rest) = rest.split_first()?;
        let (source, rest) = text(rest)?;
        let (name, mut rest) = text(rest)?;
        let mut fields = Vec::new();
        while !rest.is_empty() {
            let (field, behind) = text(rest)?;
            fields.push(field);
            rest = behind;
        }
        let source = (*has_source == 1).then_some(source);
        // What it has was looked at when it was recorded.
        let rules = Rules::default();
        Some(Self::of(number, *level, target, source, name, &fields, &rules))
    }

    /// Whether the value of a field is not to be written anywhere.
    pub(crate) fn is_secret(&self, field: usize) -> bool {
        self.secrets.contains(&field)
    }

    /// Whether it is left as it is.
    pub(crate) fn is_kept(&self, field: usize) -> bool {
        self.kept.contains(&field)
    }

    /// What is to be done with its value.
    #[inline]
    pub(crate) fn mark(&self, field: usize) -> Mark {
        let marked = self.marked.iter().find(|(index, _)| *index == field);
        marked.map_or(Mark::None, |(_, mark)| *mark)
    }

    /// What a journal needs to know of the callsite.
    pub(crate) fn callsite(&self) -> Callsite<'_> {
        Callsite { number: self.number, definition: &self.definition }
    }
}

const LEVELS: [tracing_core::Level; 5] = [
    tracing_core::Level::ERROR,
    tracing_core::Level::WARN,
    tracing_core::Level::INFO,
    tracing_core::Level::DEBUG,
    tracing_core::Level::TRACE,
];

/// ```text
/// level u8 │ target │ has source u8 │ source │ name │ field…        text: length u16 and bytes
/// ```
fn define(
    level: tracing_core::Level,
    target: &str,
    source: Option<&str>,
    name: &str,
    fields: &[&str],
) -> Box<[u8]> {
    let level = LEVELS.iter().position(|known| *known == level).unwrap_or_default();
    let mut bytes = vec![u8::try_from(level).unwrap_or_default()];
    push_text(&mut bytes, target);
    bytes.push(u8::from(source.is_some()));
    push_text(&mut bytes, source.unwrap_or_default());
    push_text(&mut bytes, name);
    fields.iter().for_each(|field| push_text(&mut bytes, field));
    bytes.into()
}

fn push_text(bytes: &mut Vec<u8>, text: &str) {
    // No compiler takes a name as long as that.
    let text = &text[..text.floor_char_boundary(usize::from(u16::MAX))];
    bytes.extend_from_slice(&u16::try_from(text.len()).unwrap_or(u16::MAX).to_le_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

fn text(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let (length, rest) = bytes.split_first_chunk()?;
    let (text, rest) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    Some((std::str::from_utf8(text).ok()?, rest))
}

/// The plans of all callsites of the process, for all layers: callsites are static, so there is an end
/// to them, and their plans live as long as they do. Layers in which other names are those of secrets have plans
/// of their own, with numbers of their own: a journal does not care that two describe the same callsite.
#[derive(Debug)]
struct Plans {
    by_number: Vec<&'static Plan>,
    /// By the address of the callsite's metadata, and the number of the rules.
    by_callsite: HashMap<(usize, u32), &'static Plan>,
}

static PLANS: LazyLock<RwLock<Plans>> = LazyLock::new(|| {
    let internal: &'static Plan = Box::leak(Box::new(Plan::internal()));
    RwLock::new(Plans { by_number: vec![internal], by_callsite: HashMap::new() })
});

/// A power of two. Two callsites that share a slot take turns.
const SLOTS: usize = 256;

type Slot = Cell<Option<(usize, u32, &'static Plan)>>;

thread_local! {
    /// Saves the lock: the plan of a callsite never changes.
    static CACHE: [Slot; SLOTS] = const { [const { Cell::new(None) }; SLOTS] };
}

/// The plan of a callsite by the rules of a layer, which is made at its first use.
#[inline]
pub(crate) fn plan_of(metadata: &'static Metadata<'static>, rules: &Rules) -> &'static Plan {
    let address = std::ptr::from_ref(metadata).addr();
    let number = rules.number();
    // 2^64 divided by the golden ratio spreads addresses, of which the lowest bits are alike.
    let slot =
        address.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as usize) >> (usize::BITS - SLOTS.ilog2());
    // The cache is gone when a destructor of the thread's own locals emits an event.
    let cached = CACHE.try_with(|cache| cache.get(slot).and_then(Cell::get)).ok().flatten();
    if let Some((known, by, plan)) = cached
        && known == address
        && by == number
    {
        return plan;
    }
    let plan = make(metadata, address, rules);
    let _ = CACHE.try_with(|cache| {
        if let Some(slot) = cache.get(slot) {
            slot.set(Some((address, number, plan)));
        }
    });
    plan
}

#[cold]
fn make(metadata: &'static Metadata<'static>, address: usize, rules: &Rules) -> &'static Plan {
    let callsite = (address, rules.number());
    let read = PLANS.read().unwrap_or_else(PoisonError::into_inner);
    if let Some(plan) = read.by_callsite.get(&callsite) {
        return plan;
    }
    drop(read);
    let mut plans = PLANS.write().unwrap_or_else(PoisonError::into_inner);
    let plans = &mut *plans;
    plans.by_callsite.entry(callsite).or_insert_with(|| {
        let number = u32::try_from(plans.by_number.len()).unwrap_or(0);
        let plan: &'static Plan = Box::leak(Box::new(Plan::new(number, metadata, rules)));
        plans.by_number.push(plan);
        plan
    })
}

/// The plan of that number.
pub(crate) fn plan_by_number(number: u32) -> Option<&'static Plan> {
    let plans = PLANS.read().unwrap_or_else(PoisonError::into_inner);
    plans.by_number.get(usize::try_from(number).ok()?).copied()
}

/// The plan of the pipeline's own events.
pub(crate) fn internal_plan() -> &'static Plan {
    static INTERNAL: LazyLock<&'static Plan> = LazyLock::new(|| {
        plan_by_number(0).unwrap_or_else(|| Box::leak(Box::new(Plan::internal())))
    });
    *INTERNAL
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_is_read_back_from_its_definition() {
        let fields = ["user_id", "details.method", "regulatory_flags.SOX", "ümlaut", ""];
        for source in [None, Some("src/main.rs:7")] {
            let plan = Plan::of(
                3,
                tracing_core::Level::WARN,
                "audit::x",
                source,
                "a name",
                &fields,
                &Rules::default(),
            );
            let read = Plan::decode(3, &plan.definition).unwrap();
            assert_eq!(format!("{plan:?}"), format!("{read:?}"));
            for length in 0..plan.definition.len() {
                // No panic; a part of the fields may be read as all of them.
                let _ = Plan::decode(3, &plan.definition[..length]);
            }
        }
    }
}
