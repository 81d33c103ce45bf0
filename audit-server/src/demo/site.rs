//! Where a demonstration writes, and with what.

use std::{
    fmt, fs::DirBuilder, net::SocketAddr, os::unix::fs::DirBuilderExt, path::PathBuf, sync::mpsc,
    time::Duration,
};

use audit_layer::{
    AuditGuard, AuditLayer,
    config::{DEFAULT_REDIS_DB, DEFAULT_REDIS_MAX_LOGS, DEFAULT_REDIS_TTL},
};
use tracing_subscriber::Registry;

use super::{DemoArgs, DemoError, foreign};
use crate::RedisUrl;

/// The service in the name of the stream.
pub const SERVICE: &str = "trading-desk";
/// How long Redis may take to connect, and for one answer.
const REDIS_PATIENCE: Duration = Duration::from_millis(500);
/// How long it may take to look through Redis.
const LOOK_PATIENCE: Duration = Duration::from_secs(2);
/// How long a live event waits at most before it is seen in the database.
const FLUSH_INTERVAL: Duration = Duration::from_millis(200);
/// How many records a batch of the history has at most.
const BATCH: usize = 500;
/// How long the desk waits for a disk that stands still; it must end within two seconds.
pub(crate) const BLOCK_TIMEOUT: Duration = Duration::from_millis(500);

/// The places of a demonstration, for the server to read.
#[derive(Clone)]
pub struct Site {
    /// The directory that everything is in. It exists.
    pub dir: PathBuf,
    /// The address to serve on.
    pub listen: SocketAddr,
    redis: Redis,
}

impl Site {
    /// Looks whose trail is there, makes the directory and looks for Redis. Blocks for two seconds
    /// at most, or for as long as the file system.
    pub(crate) fn prepare(args: &DemoArgs) -> Result<Self, DemoError> {
        let site = Self { dir: args.dir.clone(), listen: args.listen, redis: Redis::NotSet };
        foreign::refuse_other_trails(&site)?;
        DirBuilder::new()
            .recursive(true)
            .mode(0o750)
            .create(&args.dir)
            .map_err(|source| DemoError::Directory { path: args.dir.clone(), source })?;
        Ok(Self { redis: Redis::look(), ..site })
    }

    /// The trail's database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.dir.join("audit.db")
    }

    /// The trail's file; rotated ones are beside it.
    #[must_use]
    pub fn file(&self) -> PathBuf {
        self.logs().join("audit.log")
    }

    /// Where the trail's files are.
    pub(crate) fn logs(&self) -> PathBuf {
        self.dir.join("logs")
    }

    /// Where the server may keep its keys.
    #[must_use]
    pub fn keys(&self) -> PathBuf {
        self.dir.join("audit-keys.db")
    }

    /// Where the server may keep what it derives from the trail.
    #[must_use]
    pub fn read_model(&self) -> PathBuf {
        self.dir.join("audit-read-model.db")
    }

    /// Where the server may keep what it records of itself until the trail has it.
    #[must_use]
    pub fn server_journal(&self) -> PathBuf {
        self.dir.join("audit-server-journal")
    }

    /// The address of Redis, when it is used. It may hold a password. The lists are in the database
    /// that it names, else in [`DEFAULT_REDIS_DB`].
    #[must_use]
    pub fn redis_url(&self) -> Option<&str> {
        match &self.redis {
            Redis::Used { url, .. } => Some(url),
            _ => None,
        }
    }

    /// The layer that writes here, and the hold on it.
    pub(crate) fn layer(&self) -> Result<(AuditLayer<Registry>, AuditGuard), audit_layer::Error> {
        let builder = AuditLayer::builder()
            .service(SERVICE)
            .journal(self.dir.join("journal"))
            .file(self.file())
            .sqlite(self.database())
            .batch_size(BATCH)
            .flush_interval(FLUSH_INTERVAL)
            .block_timeout(BLOCK_TIMEOUT);
        match &self.redis {
            Redis::Used { url, db } => builder
                .redis(url)
                .redis_limits(*db, DEFAULT_REDIS_MAX_LOGS, DEFAULT_REDIS_TTL)
                .build(),
            _ => builder.build(),
        }
    }

    /// One line on Redis for whoever watches.
    pub(crate) fn redis_line(&self) -> &'static str {
        match self.redis {
            Redis::Used { .. } => "Redis: used, a list a category: audit:logs:<category>",
            Redis::NotSet => "Redis: not used (REDIS_URL is not set)",
            Redis::Unreadable => {
                "Redis: not used (REDIS_URL cannot be read; it looks like redis://127.0.0.1:6379)"
            }
            Redis::Foreign => "Redis: not used: it holds records of another service",
            Redis::Silent => "Redis: not used (what REDIS_URL names does not answer)",
        }
    }
}

impl fmt::Debug for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Site")
            .field("dir", &self.dir)
            .field("listen", &self.listen)
            .field("redis", &self.redis_line())
            .finish()
    }
}

/// What came of looking for Redis.
#[derive(Clone)]
enum Redis {
    Used { url: String, db: i64 },
    NotSet,
    Unreadable,
    Foreign,
    Silent,
}

impl Redis {
    fn look() -> Self {
        let url = std::env::var_os("REDIS_URL").unwrap_or_default();
        match url.to_str().map(str::trim) {
            Some("") => Self::NotSet,
            Some(url) => Self::ask(url),
            None => Self::Unreadable,
        }
    }

    fn ask(url: &str) -> Self {
        let Ok(place) = url.parse::<RedisUrl>() else { return Self::Unreadable };
        let db = place.db().map_or(DEFAULT_REDIS_DB, i64::from);
        let Ok(client) = place.client(db) else { return Self::Unreadable };
        let (answer, answered) = mpsc::channel();
        // A name that cannot be resolved takes longer than any time-out of the client's.
        let asked = std::thread::Builder::new().name("demo-redis".to_owned()).spawn(move || {
            let _ = answer.send(holds_other_records(&client));
        });
        match asked.map(|_| answered.recv_timeout(LOOK_PATIENCE)) {
            Ok(Ok(Ok(false))) => Self::Used { url: url.to_owned(), db },
            Ok(Ok(Ok(true))) => Self::Foreign,
            _ => Self::Silent,
        }
    }
}

fn holds_other_records(client: &redis::Client) -> redis::RedisResult<bool> {
    let mut connection = client.get_connection_with_timeout(REDIS_PATIENCE)?;
    connection.set_read_timeout(Some(REDIS_PATIENCE))?;
    connection.set_write_timeout(Some(REDIS_PATIENCE))?;
    foreign::in_redis(&mut connection)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_that_is_not_there_is_not_used() {
        // Bound and never accepted from: a connection is made, and no answer comes.
        let deaf = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("redis://:secret@{}", deaf.local_addr().unwrap());
        assert!(matches!(Redis::ask(&url), Redis::Silent));
        drop(deaf);
        assert!(matches!(Redis::ask(&url), Redis::Silent));
        assert!(matches!(Redis::ask("http://127.0.0.1"), Redis::Unreadable));
    }

    #[test]
    fn the_password_of_redis_is_not_shown() {
        let site = Site {
            dir: "x".into(),
            listen: ([127, 0, 0, 1], 8600).into(),
            redis: Redis::Used { url: "redis://:secret@localhost".to_owned(), db: 1 },
        };
        assert!(!format!("{site:?}").contains("secret"));
    }
}
