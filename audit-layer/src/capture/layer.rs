//! The layer itself.

use std::{
    cell::Cell,
    sync::{
        Arc,
        atomic::{
            AtomicU64, AtomicUsize,
            Ordering::{Acquire, Relaxed, Release},
        },
    },
};

use tracing_core::{Dispatch, Event, Metadata, Subscriber, span, subscriber::Interest};
use tracing_subscriber::{
    Registry,
    filter::{Filtered, LevelFilter},
    layer::{Context, Layer},
    registry::{LookupSpan, SpanRef},
};

use super::{
    encoder::{Encoder, Members, Outcome},
    entered,
    filter::AuditFilter,
    plan::{Plan, plan_of},
    protection::Protection,
    redaction::Rules,
    span::{OwnRecord, SpanState, SpanStates},
};
use crate::{
    AuditGuard, Builder, Error, clock,
    config::Durable,
    journal::{
        DropCause, Queue,
        frame::{Entries, EntryIter, HEADER, Header, Key, Mark, NOT_IMPORTED},
    },
    record::{Member, Severity},
    wipe::wipe,
};

/// How many audit events may be in the making at once on one thread: each inner one is emitted by
/// the formatting of a value of the one around it.
const MAX_NESTING: usize = 4;

/// A `tracing-subscriber` layer that records audit events.
///
/// It sees the events whose target is `audit` or begins with `audit::`, and the spans that have
/// such a target or bear one of the context fields (`user_id`, `request_id`, …); other layers see
/// what they would see without it.
///
/// ```no_run
/// use audit_layer::AuditLayer;
/// use tracing_subscriber::prelude::*;
///
/// # fn main() -> Result<(), audit_layer::Error> {
/// let (layer, audit) = AuditLayer::builder().service("payments").sqlite("audit.db").build()?;
/// tracing_subscriber::registry().with(layer).init();
/// audit.verify_installed()?;
///
/// tracing::info!(target: "audit", event_type = "auth.login", user_id = "u-1", "User login successful");
/// # Ok(()) }
/// ```
#[derive(Debug)]
pub struct AuditLayer<S = Registry> {
    inner: Filtered<Capture, AuditFilter, S>,
}

impl AuditLayer {
    /// Starts with the defaults; the builder says what they are.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Takes every setting from the environment; the crate's documentation lists the variables.
    ///
    /// # Errors
    /// [`Error::Invalid`] names a variable that cannot be read; else as [`Builder::build`].
    pub fn from_env<S>() -> Result<(AuditLayer<S>, AuditGuard), Error>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        Builder::from_env()?.build()
    }
}

impl<S> AuditLayer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    pub(crate) fn new(core: Arc<Core>) -> Self {
        let filter = core.filter.clone();
        Self { inner: Filtered::new(Capture { core }, filter) }
    }
}

/// What the layer shares with its guard and its pipeline.
#[derive(Debug)]
pub(crate) struct Core {
    /// Tells the layers of a process apart in the spans' extensions.
    layer: usize,
    pub(crate) queue: Queue,
    pub(crate) filter: AuditFilter,
    /// Events that are durable before their macro returns.
    durable: Option<Durable>,
    /// What is taken out, hashed and sealed.
    pub(crate) rules: Rules,
    /// What it is hashed and sealed with.
    pub(crate) protection: Protection,
    /// How often values were recorded into spans that were open already.
    recorded: AtomicU64,
    /// The last canary that was seen.
    pub(crate) canary: AtomicU64,
}

impl Core {
    /// Hashes and seals what is to be in a frame, of which these are the members that are set.
    #[inline]
    fn protect(&self, frame: &mut Vec<u8>, plan: &Plan, set: Members) {
        let may_be_classified =
            self.rules.classified().is_some() && set.has(Member::DataClassification);
        if set.marked || may_be_classified {
            self.protection.apply(&self.rules, frame, &plan.roles);
        }
    }

    /// Whether every event of this level is durable at once.
    fn is_durable(&self, level: tracing_core::Level) -> bool {
        self.durable
            .as_ref()
            .is_some_and(|durable| durable.has(Severity::from_level(level.as_str())))
    }

    pub(crate) fn new(
        queue: Queue,
        level: LevelFilter,
        context_level: LevelFilter,
        durable: Durable,
        rules: Rules,
        protection: Protection,
    ) -> Self {
        static LAYERS: AtomicUsize = AtomicUsize::new(0);
        Self {
            layer: LAYERS.fetch_add(1, Relaxed),
            queue,
            filter: AuditFilter { level, context_level },
            durable: Some(durable).filter(|durable| !durable.is_none()),
            rules,
            protection,
            recorded: AtomicU64::new(0),
            canary: AtomicU64::new(0),
        }
    }
}

thread_local! {
    /// The buffer of this thread. An event that is emitted while another is encoded finds it empty,
    /// and uses one of its own.
    static BUFFER: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
    /// How many are in use.
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

/// A buffer of the thread, given back when dropped.
struct Buffer(Vec<u8>);

impl Buffer {
    /// `None` when too many are in use.
    #[inline]
    fn take() -> Option<Self> {
        let taken = TAKEN.get();
        (taken < MAX_NESTING).then(|| {
            TAKEN.set(taken + 1);
            // A destructor of the thread's own locals may still emit events.
            Self(BUFFER.try_with(Cell::take).unwrap_or_default())
        })
    }
}

impl Drop for Buffer {
    #[inline]
    fn drop(&mut self) {
        let mut bytes = std::mem::take(&mut self.0);
        bytes.clear();
        TAKEN.set(TAKEN.get().saturating_sub(1));
        let _ = BUFFER.try_with(|buffer| buffer.set(bytes));
    }
}

/// The part behind the filter: it sees only what is to be recorded or gives context.
#[derive(Debug)]
pub(crate) struct Capture {
    core: Arc<Core>,
}

impl Capture {
    /// Adds the context of a span and those around it, and tells them the outcome.
    fn context<'r, R>(
        &self,
        innermost: Option<SpanRef<'r, R>>,
        entries: &mut Entries<'_>,
        set: &mut Members,
        outcome: Outcome,
    ) where
        R: LookupSpan<'r> + 'r,
    {
        // By parents and not by `scope`, which would look the first one up again.
        let mut next = innermost;
        while let Some(span) = next {
            let extensions = span.extensions();
            if let Some(state) =
                extensions.get::<SpanStates>().and_then(|states| states.get(self.core.layer))
            {
                state.copy_context(entries, set);
                if outcome != Outcome::Success {
                    state.saw(outcome);
                }
            }
            drop(extensions);
            next = span.parent();
        }
    }

    /// Keeps the number that a canary carries.
    fn see_canary(&self, event: &Event<'_>) {
        struct Nonce<'c>(&'c AtomicU64);
        impl tracing_core::field::Visit for Nonce<'_> {
            fn record_u64(&mut self, _: &tracing_core::Field, value: u64) {
                self.0.store(value, Relaxed);
            }
            fn record_debug(&mut self, _: &tracing_core::Field, _: &dyn std::fmt::Debug) {}
        }
        event.record(&mut Nonce(&self.core.canary));
    }

    fn see_event<S>(&self, event: &Event<'_>, ctx: &Context<'_, S>)
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        if self.core.queue.is_forked() {
            return self.core.queue.drop_one(DropCause::Forked);
        }
        let plan = plan_of(event.metadata(), &self.core.rules);
        if plan.is_canary {
            self.see_canary(event);
        } else {
            self.record_event(event, ctx, plan);
        }
    }

    fn record_event<S>(&self, event: &Event<'_>, ctx: &Context<'_, S>, plan: &Plan)
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let Some(mut buffer) = Buffer::take() else {
            return self.core.queue.drop_one(DropCause::Reentrancy);
        };
        let (time, observed_at, id) = clock::stamp();
        Header { time, observed_at, id, callsite: plan.number }.push(&mut buffer.0);
        let mut entries = Entries::new(&mut buffer.0);
        let mut encoder = Encoder {
            entries: &mut entries,
            plan,
            rules: &self.core.rules,
            protection: &self.core.protection,
            set: Members::default(),
            outcome: Outcome::Success,
            context_only: false,
            durable: self.core.durable.as_ref(),
            is_durable: self.core.is_durable(plan.level),
        };
        event.record(&mut encoder);
        let (mut set, mut outcome) = (encoder.set, encoder.outcome);
        let is_durable = encoder.is_durable;
        entries.mark = Mark::None;
        // Whoever imports commits when all is in.
        let durable = is_durable && observed_at == NOT_IMPORTED;
        if plan.level == tracing_core::Level::ERROR {
            outcome = Outcome::Error;
        }
        // Before the context, from which the secrets are gone already.
        if self.core.rules.redact(entries.bytes, HEADER, &plan.roles) {
            entries.recount();
            // It may have marked something.
            set.marked = true;
        }
        // Spans that become records are told of what went wrong inside them.
        let known = event.is_contextual()
            && outcome == Outcome::Success
            && entered::give(
                self.core.layer,
                self.core.recorded.load(Acquire),
                &mut entries,
                &mut set,
                |context| {
                    let mut found = Members::default();
                    let mut entries = Entries::new(context);
                    self.context(ctx.event_span(event), &mut entries, &mut found, outcome);
                    found
                },
            );
        if !known {
            self.context(ctx.event_span(event), &mut entries, &mut set, outcome);
        }
        self.core.protect(&mut buffer.0, plan, set);
        self.core.queue.append(plan.callsite(), &buffer.0);
        if durable {
            self.core.queue.commit();
        }
    }

    fn record_span<'r, R>(&self, span: &SpanRef<'r, R>, state: &SpanState, own: &OwnRecord)
    where
        R: LookupSpan<'r> + 'r,
    {
        let Some(mut buffer) = Buffer::take() else {
            return self.core.queue.drop_one(DropCause::Reentrancy);
        };
        let (time, observed_at, id) = clock::stamp();
        Header { time, observed_at, id, callsite: own.plan.number }.push(&mut buffer.0);
        let mut entries = Entries::new(&mut buffer.0);
        let mut set = state.set();
        // Before what the span was given: the last values are the first to be cut.
        if !set.has(Member::Message) {
            entries.str(Key::Member(Member::Message), &own.plan.name);
        }
        // One by one: what was recorded later has a bound of its own.
        for entry in EntryIter::of(state.entries()) {
            entries.copy(&entry);
        }
        own.see_panic();
        let mut outcome = own.outcome();
        if !set.has(Member::DurationUs) {
            let elapsed = u64::try_from(own.started.elapsed().as_micros()).unwrap_or(u64::MAX);
            entries.u64(Key::Member(Member::DurationUs), elapsed);
        }
        if let Some(status) = state.text(Member::Status) {
            // What the span says of itself is what the spans around it are told.
            outcome = Outcome::of_status(status);
        } else {
            entries.str(Key::Member(Member::Status), outcome.as_str());
        }
        self.context(span.parent(), &mut entries, &mut set, outcome);
        self.core.protect(&mut buffer.0, own.plan, set);
        self.core.queue.append(own.plan.callsite(), &buffer.0);
        let wants = |durable: &Durable| {
            [Member::EventType, Member::Severity].into_iter().any(|member| {
                state.text(member).is_some_and(|text| durable.wants(member, text.as_bytes()))
            })
        };
        if self.core.is_durable(own.plan.level) || self.core.durable.as_ref().is_some_and(wants) {
            self.core.queue.commit();
        }
    }
}

impl<S> Layer<S> for Capture
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, ctx: Context<'_, S>) {
        if self.core.queue.is_forked() {
            return;
        }
        let records = self.core.filter.records(attributes.metadata());
        let Some(span) = ctx.span(id) else { return };
        // Formatted into a buffer first: no user code runs while the extensions are locked.
        let plan = plan_of(attributes.metadata(), &self.core.rules);
        let state = Buffer::take().map(|mut buffer| {
            let mut entries = Entries::new(&mut buffer.0);
            let mut encoder = Encoder {
                entries: &mut entries,
                plan,
                rules: &self.core.rules,
                protection: &self.core.protection,
                set: Members::default(),
                outcome: Outcome::Success,
                context_only: !records,
                durable: None,
                is_durable: false,
            };
            attributes.record(&mut encoder);
            self.core.rules.redact(&mut buffer.0, 0, &plan.roles);
            let own = records.then(|| OwnRecord::new(plan));
            let state = SpanState::new(self.core.layer, &buffer.0, own);
            if state.set().marked {
                wipe(&mut buffer.0);
            }
            state
        });
        let Some(state) = state else {
            if records {
                self.core.queue.drop_one(DropCause::Reentrancy);
            }
            return;
        };
        let mut extensions = span.extensions_mut();
        if let Some(states) = extensions.get_mut::<SpanStates>() {
            states.push(state);
        } else {
            let mut states = SpanStates::default();
            states.push(state);
            extensions.replace(states);
        }
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, ctx: Context<'_, S>) {
        if self.core.queue.is_forked() {
            return;
        }
        let Some(span) = ctx.span(id) else { return };
        let metadata = span.metadata();
        let context_only = !self.core.filter.records(metadata);
        let Some(mut buffer) = Buffer::take() else { return };
        let mut entries = Entries::new(&mut buffer.0);
        let plan = plan_of(metadata, &self.core.rules);
        values.record(&mut Encoder {
            entries: &mut entries,
            plan,
            rules: &self.core.rules,
            protection: &self.core.protection,
            set: Members::default(),
            outcome: Outcome::Success,
            context_only,
            durable: None,
            is_durable: false,
        });
        self.core.rules.redact(&mut buffer.0, 0, &plan.roles);
        let mut extensions = span.extensions_mut();
        if let Some(state) =
            extensions.get_mut::<SpanStates>().and_then(|states| states.get_mut(self.core.layer))
        {
            state.update(&buffer.0);
        }
        drop(extensions);
        if EntryIter::of(&buffer.0).any(|entry| entry.mark != Mark::None) {
            wipe(&mut buffer.0);
        }
        self.core.recorded.fetch_add(1, Release);
    }

    fn on_exit(&self, id: &span::Id, ctx: Context<'_, S>) {
        // A panic may be caught before the span closes.
        if std::thread::panicking()
            && let Some(span) = ctx.span(id)
            && let Some(states) = span.extensions().get::<SpanStates>()
            && let Some(own) = states.get(self.core.layer).and_then(|state| state.own.as_ref())
        {
            own.see_panic();
        }
    }

    fn on_close(&self, id: span::Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(&id) else { return };
        if self.core.queue.is_forked() {
            if self.core.filter.records(span.metadata()) {
                self.core.queue.drop_one(DropCause::Forked);
            }
            return;
        }
        let state = {
            let mut extensions = span.extensions_mut();
            extensions.get_mut::<SpanStates>().and_then(|states| states.take(self.core.layer))
        };
        if let Some(state) = state
            && let Some(own) = &state.own
        {
            self.record_span(&span, &state, own);
        }
    }
}

/// Every other method goes to the filtered layer inside, so that this type can be named and built
/// without the filter that belongs to it.
impl<S> Layer<S> for AuditLayer<S>
where
    S: Subscriber + for<'span> LookupSpan<'span>,
{
    fn on_register_dispatch(&self, dispatch: &Dispatch) {
        self.inner.on_register_dispatch(dispatch);
    }

    fn on_layer(&mut self, subscriber: &mut S) {
        self.inner.on_layer(subscriber);
    }

    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        self.inner.register_callsite(metadata)
    }

    fn enabled(&self, metadata: &Metadata<'_>, ctx: Context<'_, S>) -> bool {
        self.inner.enabled(metadata, ctx)
    }

    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, ctx: Context<'_, S>) {
        self.inner.on_new_span(attributes, id, ctx);
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        self.inner.max_level_hint()
    }

    fn on_record(&self, span: &span::Id, values: &span::Record<'_>, ctx: Context<'_, S>) {
        self.inner.on_record(span, values, ctx);
    }

    fn on_follows_from(&self, span: &span::Id, follows: &span::Id, ctx: Context<'_, S>) {
        self.inner.on_follows_from(span, follows, ctx);
    }

    fn event_enabled(&self, event: &Event<'_>, ctx: Context<'_, S>) -> bool {
        self.inner.event_enabled(event, ctx)
    }

    /// Seen here and not behind the filter, which looks for the span of an event among those that
    /// the thread has entered and it has enabled: a task that entered only a span without context
    /// would lose what that span's parents give, or find another task's.
    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let capture = self.inner.inner();
        if capture.core.filter.records(event.metadata()) {
            capture.see_event(event, &ctx);
        }
        // The filter forgets what it decided on this event.
        self.inner.on_event(event, ctx);
    }

    /// Seen here, as events are: any span may be the current one.
    fn on_enter(&self, id: &span::Id, ctx: Context<'_, S>) {
        entered::enter(self.inner.inner().core.layer, id);
        self.inner.on_enter(id, ctx);
    }

    fn on_exit(&self, id: &span::Id, ctx: Context<'_, S>) {
        entered::exit(self.inner.inner().core.layer, id);
        self.inner.on_exit(id, ctx);
    }

    fn on_close(&self, id: span::Id, ctx: Context<'_, S>) {
        self.inner.on_close(id, ctx);
    }

    fn on_id_change(&self, old: &span::Id, new: &span::Id, ctx: Context<'_, S>) {
        self.inner.on_id_change(old, new, ctx);
    }

    #[allow(unsafe_code, reason = "the per-layer filter makes itself known through this method")]
    unsafe fn downcast_raw(&self, id: std::any::TypeId) -> Option<*const ()> {
        // SAFETY: the pointer is to a field of `self`, or to what that field vouches for, and so
        // lives as long as `self`; the contract of the method is handed on unchanged.
        unsafe { self.inner.downcast_raw(id) }
    }
}

impl Core {
    /// Whether the current subscriber contains the layer that this is the core of.
    pub(crate) fn is_in_current_subscriber(&self) -> bool {
        tracing::dispatcher::get_default(|dispatch| {
            dispatch
                .downcast_ref::<Capture>()
                .is_some_and(|capture| std::ptr::eq(Arc::as_ptr(&capture.core), self))
        })
    }
}
