//! What the handlers share.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use audit_layer::keyring::Keyring;
use tokio::sync::Mutex;

use super::{address, export::Exports, in_flight::InFlight, rate::Rates};
use crate::{
    Config, Error, InvalidConfig,
    auth::{Credential, KeyStore, Lockout, Networks, Scope, Tokens},
    filter::Opener,
    intrusion,
    query::{CursorKey, Sight, Trail},
    read_model::{Follower, ReadModel},
    report::Kept,
    self_audit::{Operator, SelfAudit},
    settings,
    store::{DatabaseStore, Readers, RedisStore},
};

/// Reads of Redis at once: each may hold some tens of megabytes.
const REDIS_READERS: usize = 2;

/// Reports and charts at once. Each may read all of the read model.
const REPORT_READERS: usize = 2;

/// Look-ups of keys at once. They share one connection; the second waits ready.
const KEY_READERS: usize = 2;

/// Reads for `/health` and its detail at once. They are short, and do not wait for queries: a server
/// that is busy is well.
const HEALTH_READERS: usize = 2;

/// The longest that the database may take to say how it is.
const HEALTH_TIMEOUT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct State {
    pub(crate) trail: Trail,
    /// Keeps the read model up, when there is one.
    pub(crate) follower: Option<Follower>,
    pub(crate) database_readers: Readers,
    pub(crate) report_readers: Readers,
    /// What reports keep from one to the next.
    pub(crate) kept: Kept,
    pub(crate) redis: Option<RedisStore>,
    pub(crate) redis_readers: Readers,
    pub(crate) keys: KeyStore,
    /// Opens what applications sealed, when the settings name it.
    pub(crate) keyring: Option<Arc<Keyring>>,
    /// What tokens are checked with, when any are accepted.
    pub(crate) tokens: Option<Tokens>,
    /// For the cursors of those who are not to know how many records there are.
    cursor_key: Arc<CursorKey>,
    pub(crate) key_readers: Readers,
    pub(crate) health_readers: Readers,
    /// Proxies whose word is taken for who their clients are.
    pub(crate) trusted_proxies: Networks,
    /// From where anything is answered at all; from anywhere when there is none.
    pub(crate) allow_from: Networks,
    /// The origins whose pages may read answers.
    pub(crate) cors_origins: Vec<String>,
    /// How often who may ask.
    pub(crate) rates: Rates,
    /// From where too many requests fail.
    pub(crate) lockout: std::sync::Mutex<Lockout<IpAddr>>,
    /// With the ids of which keys.
    pub(crate) locked_keys: std::sync::Mutex<Lockout<Box<str>>>,
    /// Records what is asked, when that is wanted.
    pub(crate) own: Option<SelfAudit>,
    pub(crate) in_flight: InFlight,
    pub(crate) exports: Exports,
    pub(crate) started: Instant,
    /// The last answer of `/health`, and when it was found out.
    pub(crate) health: Mutex<Option<(Instant, bool)>>,
}

impl State {
    pub(crate) fn open(config: &Config) -> Result<Self, Error> {
        let redis = match &config.redis_url {
            Some(url) if config.redis_log_enabled => {
                Some(RedisStore::new(url.clone(), config.redis_database()?)?)
            }
            _ => None,
        };
        let taken = [&config.db, &config.keys];
        if config.read_model.as_ref().is_some_and(|model| taken.contains(&model)) {
            let reason = "it is a file of its own, neither the trail nor the keys".to_owned();
            return Err(InvalidConfig { name: "read_model".to_owned(), reason }.into());
        }
        let keyring = config.keyring.as_ref().map(Keyring::open).transpose()?.map(Arc::new);
        let database = Arc::new(DatabaseStore::new(&config.db));
        let follower = match &config.read_model {
            Some(model) => Some(
                Follower::start(
                    database.clone(),
                    model.clone(),
                    keyring.clone(),
                    intrusion::alarm(config.db.clone()),
                )
                .map_err(Error::internal)?,
            ),
            None => None,
        };
        let timeout = config.query_timeout;
        let keys = KeyStore::open(&config.keys)?;
        let own = config.journal.as_ref().map(|journal| {
            let own = SelfAudit::new(&config.db, journal);
            let own = if keyring.is_some() { own.hiding() } else { own };
            own.open();
            own
        });
        let tokens = config.tokens()?.as_ref().map(Tokens::open).transpose()?;
        // Last, when it is certain that the server runs with these.
        settings::compare(&keys, config, |change| {
            if let Some(own) = &own {
                own.setting(&Operator::current(), change);
            }
        })?;
        Ok(Self {
            trail: Trail::new(database, config.read_model.clone().map(ReadModel::new)),
            follower,
            database_readers: Readers::new(config.readers, timeout),
            report_readers: Readers::new(REPORT_READERS, config.report_timeout),
            kept: Kept::default(),
            redis,
            redis_readers: Readers::new(REDIS_READERS, timeout),
            tokens,
            cursor_key: Arc::new(CursorKey::new(keys.secret("cursor")?)),
            keys,
            key_readers: Readers::new(KEY_READERS, timeout),
            health_readers: Readers::new(HEALTH_READERS, HEALTH_TIMEOUT),
            trusted_proxies: config.trusted_proxies.clone(),
            allow_from: config.allow_from.clone(),
            cors_origins: config.cors_origins.clone(),
            rates: Rates::new(config),
            locked_keys: std::sync::Mutex::new(Lockout::new(config.lockout_after)),
            lockout: std::sync::Mutex::new(Lockout::new(config.lockout_after)),
            own,
            in_flight: InFlight::new(timeout),
            exports: Exports::new(config.max_exports),
            keyring,
            started: Instant::now(),
            health: Mutex::default(),
        })
    }

    /// What of the trail the credential sees. Who may take all records away sees restricted details.
    pub(crate) fn sight(&self, credential: &Credential) -> Sight {
        let sight = Sight::default().seeing_restricted(credential.role.may(Scope::Export));
        let sight = match &self.keyring {
            Some(keyring) if credential.role.may(Scope::Decrypt) => {
                sight.opening(Arc::new(Opener::new(keyring.clone())))
            }
            _ => sight,
        };
        match &credential.tenant {
            Some(tenant) => sight.of_tenant(tenant.clone(), self.cursor_key.clone()),
            None => sight,
        }
    }

    /// Whether who connects from there neither may ask nor is a proxy that asks for others.
    pub(crate) fn is_outside(&self, peer: IpAddr) -> bool {
        !self.allow_from.contain(peer) && !address::is_trusted(peer, &self.trusted_proxies)
    }
}
