//! The server of a demonstration, over its directory: the one place that knows both.

use std::time::Duration;

use crate::{
    Config, KeyStore, RedisUrl, Server,
    demo::{Bound, Failure, Site},
};

/// The name of the keys of demonstrations.
const KEY: &str = "demo";

/// Makes a new admin key, revokes those of earlier demonstrations, which nobody can show any more,
/// and listens.
pub(crate) async fn bind(site: Site) -> Result<Bound, Failure> {
    let config = Config {
        listen: site.listen,
        db: site.database(),
        keys: site.keys(),
        redis_url: site.redis_url().map(str::parse::<RedisUrl>).transpose()?,
        redis_log_enabled: site.redis_url().is_some(),
        // Whoever pressed Ctrl-C waits two seconds at most, for the sinks too.
        shutdown_timeout: Duration::from_millis(300),
        ..Config::default()
    };
    let keys = KeyStore::open(&config.keys)?;
    for old in keys.list()?.iter().filter(|key| key.name == KEY && key.revoked.is_none()) {
        keys.revoke(&old.id.to_string())?;
    }
    let (_, key) = keys.create(KEY)?;
    let server = Server::bind(config).await?;
    let address = server.local_addr();
    Ok(Bound::new(address, key.expose(), |shutdown| async move { Ok(server.run(shutdown).await?) }))
}
