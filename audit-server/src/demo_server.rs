//! The server of a demonstration, over its directory: the one place that knows both.

use std::time::Duration;

use tokio::net::TcpListener;

use crate::{
    Config, KeyStore, RedisUrl, Server,
    demo::{Bound, Failure, Site},
};

/// The name of the keys of demonstrations.
const KEY: &str = "demo";

/// Makes a new admin key and a server, and revokes the keys of earlier demonstrations, which nobody
/// can show any more.
pub(crate) async fn bind(site: Site, listener: TcpListener) -> Result<Bound, Failure> {
    let config = Config {
        listen: site.listen,
        db: site.database(),
        keys: site.keys(),
        read_model: Some(site.read_model()),
        journal: Some(site.server_journal()),
        redis_url: site.redis_url().map(str::parse::<RedisUrl>).transpose()?,
        redis_log_enabled: site.redis_url().is_some(),
        // Whoever pressed Ctrl-C waits two seconds at most, for the sinks too.
        shutdown_timeout: Duration::from_millis(300),
        ..Config::default()
    };
    let keys = KeyStore::open(&config.keys)?;
    let earlier = keys.list()?;
    let (_, key) = keys.create(KEY)?;
    let server = Server::on(listener, config).await?;
    for old in earlier.iter().filter(|key| key.name == KEY && key.revoked.is_none()) {
        keys.revoke(old.id.as_str())?;
    }
    let address = server.local_addr();
    Ok(Bound::new(address, key.expose(), |shutdown| async move { Ok(server.run(shutdown).await?) }))
}
