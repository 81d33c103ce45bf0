//! The server records what is asked of it, in the trail that it reads.
//!
//! Who reads an audit trail is of as much interest as what is in it. So each read, each change of a key and
//! each refusal becomes a record, by the same layer as any application's, in a stream of the server's
//! own. A record is in the journal before the answer leaves; the trail has it a second later.
//!
//! # The trail is the application's
//! The server does not make it: a database that is made by the wrong user shuts the right one out. Until
//! there is a trail that can be opened, what is to be recorded waits in memory, so much of it at most
//! ([`MOST_PENDING`]), and says then when it was asked; from then on in the journal. What is beyond either bound
//! is lost, which `/health/detail` tells, and of the journal the trail itself. The answers are given all the
//! same: an auditor who is shut out by a full disk could not even look what happened. Nothing here waits.
//!
//! # No secret, and no way to one
//! A query string may name what stands in restricted records, and how many there are is an answer. So what
//! was asked is restricted itself: who sees no such details sees who asked, and not what for. Of a path
//! the parts are recorded that the route knows, and those parameters that are the id of a key or a record; a key
//! that somebody put into a query is left out. Where there is a keyring, what is looked for in details is
//! not told in clear: see [`hidden`].
//!
//! # No loop
//! A record of a read is written, indexed and read like any other, and none of these is a read: only a
//! request makes a record, and each makes one.
//!
//! # The command line
//! See [`command`].
//!
//! # Refusals
//! See [`refusals`]: whoever is refused decides how often, so they are bounded.

mod command;
mod hidden;
mod network;
mod refusals;

use std::{
    net::IpAddr,
    path::{Path, PathBuf},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use audit_layer::{
    AuditGuard, AuditLayer, Overflow, event_type, keyring, record::format_timestamp,
};
use poem::http::Uri;
use tracing::{Dispatch, dispatcher};
use tracing_subscriber::layer::SubscriberExt;
use uuid::Uuid;

pub(crate) use self::command::{Command, Operator, Progress};
use self::{
    hidden::Hider,
    refusals::{Refusals, Seen, Source},
};
use crate::{
    auth::{Credential, KeyId, KeyInfo, LOCKED_FOR, Tenant},
    filter::{RESTRICTED, Shown},
    settings::Change,
};

/// The most records that wait until there is a trail.
const MOST_PENDING: usize = 10_000;
/// How long a record may wait for others on its way from the journal to the trail. More of them at once, or
/// others sooner, were tried beside 64 clients: of 100, which is the layer's own number, their slowest pages are the quickest.
const FLUSH_INTERVAL: Duration = Duration::from_secs(1);
/// The same for a command, which ends sooner.
const COMMAND_FLUSH_INTERVAL: Duration = Duration::from_secs(86_400);
/// The most that the journal keeps of what the trail has not taken.
const JOURNAL_MAX_MB: u64 = 64;
/// The longest that the end of the server waits for the trail.
const SHUTDOWN: Duration = Duration::from_secs(5);
/// How much is recorded of a query string, in bytes.
const MOST_QUERY_BYTES: usize = 4_096;

/// A request, as far as it is recorded.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    method: String,
    path: String,
    query: String,
    pub(crate) from: IpAddr,
}

impl Asked {
    /// A request to that route, such as `/audit/logs/{id}`.
    pub(crate) fn new(route: &str, method: &str, uri: &Uri, from: IpAddr) -> Self {
        let query = uri.query().unwrap_or_default();
        Self { method: method.to_owned(), path: path(route, uri.path()), query: told(query), from }
    }

    /// Whether it is to change something.
    fn changes(&self) -> bool {
        self.path.starts_with("/audit/keys") && self.method != "GET"
    }
}

/// The path, with what the route does not know left as it is called there.
fn path(route: &str, path: &str) -> String {
    let is_id = |part: &str| part.parse::<KeyId>().is_ok() || Uuid::try_parse(part).is_ok();
    let mut parts = path.split('/');
    let told = route.split('/').map(|known| {
        let part = parts.next().unwrap_or_default();
        if known.starts_with('{') && is_id(part) { part } else { known }
    });
    told.collect::<Vec<_>>().join("/")
}

/// The query string without keys, as much of it as is recorded.
fn told(query: &str) -> String {
    let begin = &query[..query.floor_char_boundary(MOST_QUERY_BYTES)];
    let pairs = || form_urlencoded::parse(begin.as_bytes());
    if !pairs().any(|(name, value)| has_key(&name) || has_key(&value)) {
        return begin.to_owned();
    }
    let told = |text: &str| if has_key(text) { "[a key]" } else { text }.to_owned();
    let mut out = form_urlencoded::Serializer::new(String::new());
    out.extend_pairs(pairs().map(|(name, value)| (told(&name), told(&value))));
    out.finish()
}

/// Whether the text of a key, or of the most of one, is in there.
fn has_key(text: &str) -> bool {
    let is_of_key = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    let long =
        |(at, _)| text.as_bytes().iter().skip(at).take_while(|it| is_of_key(it)).count() > 24;
    text.match_indices("ak_").any(long)
}

/// How a request was answered.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Answered {
    /// The status of HTTP.
    pub(crate) status: u16,
    /// How many records the answer has, when it has any.
    pub(crate) rows: Option<u64>,
    pub(crate) took: Duration,
}

/// What an export was when it ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Exported {
    pub(crate) records: u64,
    pub(crate) bytes: u64,
    pub(crate) complete: bool,
    pub(crate) took: Duration,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Refusal {
    /// Without a valid credential.
    Unknown,
    /// With one that may not do that.
    Forbidden,
    /// From where nobody may ask.
    Outside,
    /// Too often, from there or with that credential.
    TooMany,
}

/// What waits to be recorded.
#[derive(Debug)]
enum Told {
    Read(Asked, Credential, Answered),
    Opened(Asked, Credential, Shown),
    ExportBegun(Asked, Credential, Uuid),
    Export(Asked, Credential, Uuid, Exported),
    Refused(Asked, Option<Credential>, Refusal),
    ManyRefused(Source, Refusal, Seen),
    LockedOut(IpAddr),
    KeyLocked(KeyInfo, IpAddr),
    Key(KeyChange, KeyInfo, By, Option<IpAddr>),
    Command(Operator, Command, String, Progress),
    OpenedBy(Operator, Command, Shown),
    Keyring(Operator, &'static str, keyring::KeyInfo),
    Setting(Operator, Change),
    /// Of whom, why, and with which keys when it is done.
    Erasure(Operator, String, String, Option<String>),
}

impl Told {
    /// Of what, and the query string that it tells.
    fn query(&mut self) -> Option<(&str, &mut String)> {
        match self {
            Self::Read(asked, ..)
            | Self::ExportBegun(asked, ..)
            | Self::Export(asked, ..)
            | Self::Refused(asked, ..) => Some((&asked.path, &mut asked.query)),
            Self::Command(_, command, query, _) => Some((command.name(), query)),
            _ => None,
        }
    }
}

/// Who changed a key.
#[derive(Debug, Clone)]
struct By {
    id: Box<str>,
    name: Option<Box<str>>,
}

/// What was done with a key.
#[derive(Debug, Clone)]
pub(crate) enum KeyChange {
    Made,
    /// In the place of this one.
    Rotated(KeyId),
    Revoked,
}

/// Records what the server does.
#[derive(Debug)]
pub(crate) struct SelfAudit {
    trail: PathBuf,
    journal: PathBuf,
    flush_interval: Duration,
    /// Hides texts of questions, when they are not told.
    hider: Option<Hider>,
    open: OnceLock<Dispatch>,
    guard: Mutex<Option<AuditGuard>>,
    pending: Mutex<Vec<(i64, Told)>>,
    refusals: Mutex<Refusals>,
    lost: AtomicU64,
}

/// Why nothing can be recorded.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CannotRecord {
    #[error("there is no trail at {}", .0.display())]
    NoTrail(PathBuf),
    #[error(transparent)]
    Layer(#[from] audit_layer::Error),
}

/// Whether the server records what is asked of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Recording {
    /// It does.
    Ok,
    /// There is no trail yet, or it cannot be written: what is to be recorded waits.
    Waiting,
    /// Records were lost, since the server was started.
    Lossy,
}

impl SelfAudit {
    /// One that records into that trail, by way of a journal in that directory.
    pub(crate) fn new(trail: &Path, journal: &Path) -> Self {
        Self {
            trail: trail.to_owned(),
            journal: journal.to_owned(),
            flush_interval: FLUSH_INTERVAL,
            hider: None,
            open: OnceLock::new(),
            guard: Mutex::default(),
            pending: Mutex::default(),
            refusals: Mutex::default(),
            lost: AtomicU64::new(0),
        }
    }

    /// The same for a command: what it records comes to the trail at its end, and is not among what it reads.
    #[must_use]
    pub(crate) fn of_command(self) -> Self {
        Self { flush_interval: COMMAND_FLUSH_INTERVAL, ..self }
    }

    /// The same, which does not tell in clear what is looked for in details.
    #[must_use]
    pub(crate) fn hiding(self) -> Self {
        Self { hider: Some(Hider::new()), ..self }
    }

    /// What was sealed and is shown in clear.
    pub(crate) fn opened(&self, asked: Asked, by: &Credential, shown: Shown) {
        self.tell(Told::Opened(asked, by.clone(), shown));
    }

    /// The same, on the command line.
    pub(crate) fn opened_by_operator(&self, by: &Operator, command: Command, shown: Shown) {
        self.tell(Told::OpenedBy(by.clone(), command, shown));
    }

    /// A request that was let in.
    pub(crate) fn read(&self, asked: Asked, by: &Credential, answered: Answered) {
        self.tell(Told::Read(asked, by.clone(), answered));
    }

    /// An export that begins.
    pub(crate) fn export_begun(&self, asked: Asked, by: &Credential, id: Uuid) {
        self.tell(Told::ExportBegun(asked, by.clone(), id));
    }

    /// An export that ended.
    pub(crate) fn export(&self, asked: Asked, by: &Credential, id: Uuid, exported: Exported) {
        self.tell(Told::Export(asked, by.clone(), id, exported));
    }

    /// A request that was not let in.
    pub(crate) fn refused(&self, asked: Asked, by: Option<&Credential>, why: Refusal) {
        let source = match by {
            Some(by) if why == Refusal::TooMany => Source::Key(by.id.clone()),
            _ => asked.from.into(),
        };
        if lock(&self.refusals).is_told(source, why) {
            self.tell(Told::Refused(asked, by.cloned(), why));
        }
    }

    /// A connection from where nobody may ask, which was closed unseen.
    pub(crate) fn turned_away(&self, from: IpAddr) {
        lock(&self.refusals).count(from.into(), Refusal::Outside);
    }

    /// An address that is locked out from now on.
    pub(crate) fn locked_out(&self, from: IpAddr) {
        if lock(&self.refusals).has_room() {
            self.tell(Told::LockedOut(from));
        }
    }

    /// A key that is locked from now on, for who does not know its secret.
    pub(crate) fn key_locked(&self, key: &KeyInfo, from: IpAddr) {
        if lock(&self.refusals).has_room() {
            self.tell(Told::KeyLocked(key.clone(), from));
        }
    }

    /// A key that was made, rotated or revoked by another.
    pub(crate) fn key(&self, change: KeyChange, key: &KeyInfo, by: &Credential, from: IpAddr) {
        let by = By { id: by.id.clone(), name: Some(by.name.clone()) };
        self.tell(Told::Key(change, key.clone(), by, Some(from)));
    }

    /// The same, on the command line.
    pub(crate) fn key_by_operator(&self, change: KeyChange, key: &KeyInfo, by: &Operator) {
        let by = By { id: by.id.clone(), name: by.name.clone() };
        self.tell(Told::Key(change, key.clone(), by, None));
    }

    /// A setting of the server is another than when it was started before.
    pub(crate) fn setting(&self, by: &Operator, change: Change) {
        self.tell(Told::Setting(by.clone(), change));
    }

    /// A key of the keyring was made, on the command line.
    pub(crate) fn keyring(&self, by: &Operator, action: &'static str, key: &keyring::KeyInfo) {
        self.tell(Told::Keyring(by.clone(), action, key.clone()));
    }

    /// A person is about to be erased, or was, with these keys. The person is told by a keyed hash.
    pub(crate) fn erasure(
        &self,
        by: &Operator,
        subject: &str,
        reason: &str,
        keys: Option<&[String]>,
    ) {
        let keys = keys.map(|keys| keys.join(" "));
        self.tell(Told::Erasure(by.clone(), subject.to_owned(), reason.to_owned(), keys));
    }

    /// A command that reads the trail.
    pub(crate) fn command(&self, by: &Operator, command: Command, asked: &str, progress: Progress) {
        self.tell(Told::Command(by.clone(), command, told(asked), progress));
    }

    /// Ends the minute for refusals: those that were not told one by one are told by their number.
    pub(crate) fn end_minute(&self) {
        let many = lock(&self.refusals).take();
        for (from, why, seen) in many {
            self.tell(Told::ManyRefused(from, why, seen));
        }
    }

    /// Opens the trail when there is one and it is not open yet; what waited is recorded. Blocks.
    pub(crate) fn open(&self) {
        if self.open.get().is_some() || !self.trail.is_file() {
            return;
        }
        if let Err(error) = self.open_now() {
            tracing::error!(%error, "what is asked of the server cannot be recorded yet");
        }
    }

    /// The same, for whoever wants to know whether there is one. Blocks.
    ///
    /// # Errors
    /// When there is none, or it or the journal cannot be written.
    pub(crate) fn open_now(&self) -> Result<(), CannotRecord> {
        // The layer would make one.
        if !self.trail.is_file() {
            return Err(CannotRecord::NoTrail(self.trail.clone()));
        }
        let built = AuditLayer::builder()
            .service("audit-server")
            .journal(&self.journal)
            .journal_max_mb(JOURNAL_MAX_MB)
            .sqlite(&self.trail)
            .flush_interval(self.flush_interval)
            // Whoever asks waits for no disk.
            .overflow(Overflow::Drop)
            .build();
        let (layer, guard) = built?;
        *lock(&self.guard) = Some(guard);
        let _ = self.open.set(Dispatch::new(tracing_subscriber::registry().with(layer)));
        let waited = std::mem::take(&mut *lock(&self.pending));
        let Some(dispatch) = self.open.get() else { return Ok(()) };
        for (at, told) in waited {
            let at = format_timestamp(at);
            dispatcher::with_default(dispatch, || record(&told, Some(&at)));
        }
        Ok(())
    }

    /// Whether it records.
    pub(crate) fn recording(&self) -> Recording {
        let stats = lock(&self.guard).as_ref().map(AuditGuard::stats);
        let dropped = stats.as_ref().is_some_and(|stats| !stats.dropped.is_empty());
        match stats {
            _ if dropped || self.lost.load(Ordering::Relaxed) > 0 => Recording::Lossy,
            Some(stats) if stats.is_healthy() => Recording::Ok,
            _ => Recording::Waiting,
        }
    }

    /// Writes what is left to the trail. Blocks.
    pub(crate) fn end(&self) {
        self.end_minute();
        self.open();
        let guard = lock(&self.guard).take();
        if let Some(Err(error)) = guard.map(|guard| guard.shutdown(SHUTDOWN)) {
            tracing::error!(%error, "the trail has not all that was recorded; it is in the journal");
        }
        let waiting = lock(&self.pending).len();
        if waiting > 0 {
            tracing::error!(waiting, "there is no trail: what was asked of the server is lost");
        }
    }

    fn tell(&self, mut told: Told) {
        if let (Some(hider), Some((place, query))) = (&self.hider, told.query()) {
            *query = hider.hidden(place, query);
        }
        if let Some(dispatch) = self.open.get() {
            return dispatcher::with_default(dispatch, || record(&told, None));
        }
        let mut pending = lock(&self.pending);
        // It may have been opened in the meantime, and what waited taken.
        if let Some(dispatch) = self.open.get() {
            drop(pending);
            return dispatcher::with_default(dispatch, || record(&told, None));
        }
        // Who is refused must not take the room of who is not.
        let is_refusal = matches!(
            told,
            Told::Refused(..) | Told::ManyRefused(..) | Told::LockedOut(_) | Told::KeyLocked(..)
        );
        let most = if is_refusal { MOST_PENDING / 10 } else { MOST_PENDING };
        if pending.len() < most {
            pending.push((now(), told));
        } else if self.lost.fetch_add(1, Ordering::Relaxed) == 0 {
            tracing::error!("too much waits to be recorded: from now on it is lost");
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Now, in microseconds since the Unix epoch.
fn now() -> i64 {
    let nanos = time::OffsetDateTime::now_utc().unix_timestamp_nanos();
    i64::try_from(nanos / 1000).unwrap_or_default()
}

/// Makes a record of it; of what waited, with the time when it was asked.
fn record(told: &Told, at: Option<&str>) {
    match told {
        Told::Read(asked, by, answered) if asked.changes() => {
            failed_change(asked, by, *answered, at);
        }
        Told::Read(asked, by, answered) => read(asked, by, *answered, at),
        Told::Opened(asked, by, shown) => opened(asked, by, shown, at),
        Told::OpenedBy(by, command, shown) => command::opened(by, *command, shown),
        Told::ExportBegun(asked, by, id) => export_begun(asked, by, *id, at),
        Told::Export(asked, by, id, exported) => export(asked, by, *id, *exported, at),
        Told::Refused(asked, by, why) => refused(asked, by.as_ref(), *why, at),
        Told::ManyRefused(from, why, seen) => many_refused(from, *why, seen, at),
        Told::LockedOut(from) => locked_out(*from, at),
        Told::KeyLocked(key, from) => network::key_locked(key, *from, at),
        Told::Key(change, key, by, from) => key_changed(change, key, by, *from, at),
        Told::Command(by, command, asked, progress) => {
            command::record(by, *command, asked, *progress);
        }
        Told::Setting(by, change) => command::setting(by, change, at),
        Told::Keyring(by, action, key) => command::keyring(by, action, key),
        Told::Erasure(by, subject, reason, keys) => {
            command::erasure(by, subject, reason, keys.as_deref());
        }
    }
}

fn read(asked: &Asked, by: &Credential, answered: Answered, at: Option<&str>) {
    tracing::info!(
        target: "audit",
        event_type = event_type::DATA_ACCESS,
        action = "read",
        status = outcome(answered.status),
        data_classification = RESTRICTED,
        user_id = &*by.id,
        username = &*by.name,
        tenant = by.tenant.as_ref().map(Tenant::as_str),
        ip_address = %asked.from,
        resource = asked.path.as_str(),
        duration_us = micros(answered.took),
        role = by.role.name(),
        http.method = asked.method.as_str(),
        http.status = answered.status,
        query = asked.query.as_str(),
        rows = answered.rows,
        asked_at = at,
        "The audit trail was read"
    );
}

fn opened(asked: &Asked, by: &Credential, shown: &Shown, at: Option<&str>) {
    tracing::info!(
        target: "audit",
        event_type = event_type::DATA_SECRET_ACCESS,
        action = "decrypt",
        status = "success",
        data_classification = RESTRICTED,
        user_id = &*by.id,
        username = &*by.name,
        tenant = by.tenant.as_ref().map(Tenant::as_str),
        ip_address = %asked.from,
        resource = asked.path.as_str(),
        role = by.role.name(),
        values = shown.values,
        records = shown.records,
        members = shown.members(),
        ids = shown.ids.join(" "),
        asked_at = at,
        "Sealed values were shown in clear"
    );
}

/// What was done is told by [`key_changed`], also where the answer came too late.
fn failed_change(asked: &Asked, by: &Credential, answered: Answered, at: Option<&str>) {
    tracing::warn!(
        target: "audit",
        event_type = event_type::ADMIN_ACTION,
        action = "change_keys",
        status = outcome(answered.status),
        user_id = &*by.id,
        username = &*by.name,
        tenant = by.tenant.as_ref().map(Tenant::as_str),
        ip_address = %asked.from,
        resource = asked.path.as_str(),
        duration_us = micros(answered.took),
        role = by.role.name(),
        http.method = asked.method.as_str(),
        http.status = answered.status,
        query = asked.query.as_str(),
        asked_at = at,
        "A change of keys was not confirmed"
    );
}

fn export_begun(asked: &Asked, by: &Credential, id: Uuid, at: Option<&str>) {
    tracing::info!(
        target: "audit",
        event_type = event_type::DATA_EXPORT,
        action = "export",
        status = "pending",
        data_classification = RESTRICTED,
        user_id = &*by.id,
        username = &*by.name,
        tenant = by.tenant.as_ref().map(Tenant::as_str),
        ip_address = %asked.from,
        resource = asked.path.as_str(),
        role = by.role.name(),
        export = %id,
        query = asked.query.as_str(),
        asked_at = at,
        "An export of the audit trail begins"
    );
}

fn export(asked: &Asked, by: &Credential, id: Uuid, exported: Exported, at: Option<&str>) {
    tracing::info!(
        target: "audit",
        event_type = event_type::DATA_EXPORT,
        action = "export",
        status = if exported.complete { "success" } else { "failure" },
        data_classification = RESTRICTED,
        user_id = &*by.id,
        username = &*by.name,
        tenant = by.tenant.as_ref().map(Tenant::as_str),
        ip_address = %asked.from,
        resource = asked.path.as_str(),
        duration_us = micros(exported.took),
        role = by.role.name(),
        export = %id,
        query = asked.query.as_str(),
        rows = exported.records,
        bytes = exported.bytes,
        asked_at = at,
        "The audit trail was exported"
    );
}

fn refused(asked: &Asked, by: Option<&Credential>, why: Refusal, at: Option<&str>) {
    let action = if asked.changes() { "change_keys" } else { "read" };
    match why {
        Refusal::Unknown => tracing::warn!(
            target: "audit",
            event_type = event_type::AUTH_FAILED,
            action,
            status = "failure",
            ip_address = %asked.from,
            resource = asked.path.as_str(),
            http.method = asked.method.as_str(),
            asked_at = at,
            "Without a valid key"
        ),
        Refusal::Forbidden => tracing::warn!(
            target: "audit",
            event_type = event_type::AUTH_PERMISSION_DENIED,
            action,
            status = "denied",
            data_classification = RESTRICTED,
            user_id = by.map(|by| &*by.id),
            username = by.map(|by| &*by.name),
            tenant = by.and_then(|by| by.tenant.as_ref()).map(Tenant::as_str),
            ip_address = %asked.from,
            resource = asked.path.as_str(),
            role = by.map(|by| by.role.name()),
            http.method = asked.method.as_str(),
            query = asked.query.as_str(),
            asked_at = at,
            "The role of the key may not do that"
        ),
        Refusal::Outside => network::outside(asked, at),
        Refusal::TooMany => network::too_many(asked, by, at),
    }
}

fn many_refused(source: &Source, why: Refusal, seen: &Seen, at: Option<&str>) {
    let from = source.address();
    match why {
        Refusal::Unknown => tracing::warn!(
            target: "audit",
            event_type = event_type::AUTH_FAILED,
            action = "read",
            status = "failure",
            ip_address = from.map(tracing::field::display),
            count = seen.untold,
            asked_at = at,
            "More requests without a valid key within a minute"
        ),
        Refusal::Forbidden => tracing::warn!(
            target: "audit",
            event_type = event_type::AUTH_PERMISSION_DENIED,
            action = "read",
            status = "denied",
            ip_address = from.map(tracing::field::display),
            count = seen.untold,
            asked_at = at,
            "More requests that the role of their key may not make within a minute"
        ),
        Refusal::Outside => network::many_outside(from, seen, at),
        Refusal::TooMany => network::many_too_many(source, seen, at),
    }
}

fn locked_out(from: IpAddr, at: Option<&str>) {
    tracing::error!(
        target: "audit",
        event_type = event_type::SECURITY_IP_BLOCKED,
        action = "lock_out",
        status = "success",
        ip_address = %from,
        seconds = LOCKED_FOR.as_secs(),
        asked_at = at,
        "Too many requests without a valid key"
    );
}

fn key_changed(change: &KeyChange, key: &KeyInfo, by: &By, from: Option<IpAddr>, at: Option<&str>) {
    let resource = format!("keys/{}", key.id);
    let from = from.map(|from| from.to_string());
    match change {
        KeyChange::Made | KeyChange::Rotated(_) => tracing::info!(
            target: "audit",
            event_type = event_type::ADMIN_KEY_CREATED,
            action = if matches!(change, KeyChange::Made) { "create" } else { "rotate" },
            status = "success",
            user_id = &*by.id,
            username = by.name.as_deref(),
            ip_address = from,
            resource,
            name = key.name.as_str(),
            role = key.role.name(),
            expires = key.expires.as_deref(),
            networks = %key.networks,
            of_tenant = key.tenant.as_ref().map(Tenant::as_str),
            replaces = match change {
                KeyChange::Rotated(old) => Some(old.as_str()),
                _ => None,
            },
            asked_at = at,
            "A key was made"
        ),
        KeyChange::Revoked => tracing::warn!(
            target: "audit",
            event_type = event_type::ADMIN_KEY_REVOKED,
            action = "revoke",
            status = "success",
            user_id = &*by.id,
            username = by.name.as_deref(),
            ip_address = from,
            resource,
            name = key.name.as_str(),
            asked_at = at,
            "A key was revoked"
        ),
    }
}

/// What a status of HTTP means in a record.
fn outcome(status: u16) -> &'static str {
    match status {
        200..400 => "success",
        400..500 => "failure",
        _ => "error",
    }
}

fn micros(took: Duration) -> u64 {
    u64::try_from(took.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ak_abcdefgh_0123456789012345678901234567890123456789012";

    #[test]
    fn of_a_path_ids_are_recorded_and_nothing_else_that_somebody_made_up() {
        let id = "0193509c-3a5f-7cc1-8b5e-2f1f6f0a9d11";
        for (route, asked, told) in [
            ("/audit/logs", "/audit/logs", "/audit/logs"),
            ("/audit/logs/{id}", &format!("/audit/logs/{id}"), &format!("/audit/logs/{id}")),
            ("/audit/logs/{id}", &format!("/audit/logs/{KEY}"), "/audit/logs/{id}"),
            (
                "/audit/keys/{key}/rotate",
                "/audit/keys/ubevyf8p/rotate",
                "/audit/keys/ubevyf8p/rotate",
            ),
            ("/audit/keys/{key}", &format!("/audit/keys/{KEY}"), "/audit/keys/{key}"),
            ("/audit/keys/{key}", "/audit/keys/ak%5Fabcdefgh", "/audit/keys/{key}"),
        ] {
            assert_eq!(path(route, asked), told);
        }
    }

    #[test]
    fn keys_in_a_query_are_left_out() {
        assert_eq!(told("user_id=u-1&q=ak_short"), "user_id=u-1&q=ak_short");
        let encoded = KEY.replace('_', "%5F");
        for query in [format!("q={KEY}&limit=1"), format!("q=x{encoded}&limit=1")] {
            assert_eq!(told(&query), "q=%5Ba+key%5D&limit=1");
        }
        assert!(!told(&format!("{KEY}=1")).contains("0123456789"));
        assert_eq!(told(&"ü".repeat(5_000)).len(), MOST_QUERY_BYTES);
    }
}
