//! Keys on the command line.

use std::{io::Write, path::PathBuf, time::Duration};

use clap::{Args, Subcommand};

use super::{recorded::Recorder, say};
use crate::{
    Config, Error,
    auth::{KeyId, KeyInfo, KeyStore, Networks, NewKey, Role, SecretKeyText, Tenant},
    self_audit::KeyChange,
};

#[derive(Debug, Args)]
pub(super) struct KeysArgs {
    /// The keys [env: AUDIT_SERVER_KEYS] [default: audit-keys.db].
    #[arg(long, value_name = "FILE", global = true)]
    keys: Option<String>,
    /// The trail, in which changes are recorded [env: AUDIT_DB] [default: audit.db].
    #[arg(long, value_name = "FILE", global = true)]
    db: Option<String>,
    /// Where changes are recorded until the trail has them, or off [env: AUDIT_SERVER_JOURNAL] [default: audit-server-journal beside the trail].
    #[arg(long, value_name = "DIRECTORY", global = true)]
    journal: Option<String>,
    /// Read settings from this TOML file.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: KeysCommand,
}

#[derive(Debug, Subcommand)]
enum KeysCommand {
    /// Make a key and print it, this once.
    Create {
        /// Whose key it is, or what for.
        #[arg(long)]
        name: String,
        /// What it may do: viewer (pages and charts, with restricted details masked), auditor (all that
        /// can be read) or admin (keys, too).
        #[arg(long, default_value_t = Role::Admin)]
        role: Role,
        /// Whose records it sees: those with exactly this `tenant` [default: all].
        #[arg(long)]
        tenant: Option<Tenant>,
        /// After how long it is worth nothing, such as 90d [default: never].
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        expires_in: Option<Duration>,
        /// From where it may be used, such as 10.0.0.0/8, separated by commas [default: anywhere].
        #[arg(long, value_name = "NETWORKS", default_value = "", hide_default_value = true)]
        networks: Networks,
    },
    /// List the keys, without their secrets.
    List,
    /// Make a key in the place of another, with its name, role, tenant and networks, and print it, this once.
    Rotate {
        /// The eight characters after `ak_`, or the whole key.
        id: String,
        /// After how long the new key is worth nothing, such as 90d [default: never].
        #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration)]
        expires_in: Option<Duration>,
        /// How long the old key is worth something yet, such as 24h.
        #[arg(long, value_name = "TIME", default_value = "0s", value_parser = humantime::parse_duration)]
        grace: Duration,
    },
    /// Make a key worthless, from the next request on.
    Revoke {
        /// The eight characters after `ak_`, or the whole key.
        id: String,
    },
}

pub(super) fn run(args: KeysArgs) -> Result<(), Error> {
    let given = [("keys", args.keys), ("db", args.db), ("journal", args.journal)];
    let flags = given.into_iter().filter_map(|(key, text)| Some((key, text?))).collect();
    let config = Config::load(args.config.as_deref(), flags)?;
    let path = &config.keys;
    // Before anything is changed that could not be recorded any more.
    let recorder =
        (!matches!(args.command, KeysCommand::List)).then(|| Recorder::of_change(&config));
    let changed = |change, key: &KeyInfo| {
        if let Some(recorder) = &recorder {
            recorder.key(change, key);
        }
    };
    match args.command {
        KeysCommand::Create { name, role, tenant, expires_in, networks } => {
            let new = NewKey { tenant, lifetime: expires_in, networks, ..NewKey::new(&name, role) };
            let new = KeyStore::open(path)?.make(&new)?;
            changed(KeyChange::Made, &new.0);
            made(new);
        }
        KeysCommand::List => {
            let keys = KeyStore::open_existing(path)?.list()?;
            say(format_args!(
                "{:<8}  {:<7}  {:<27}  {:<27}  {:<27}  NAME",
                "ID", "ROLE", "CREATED", "EXPIRES", "REVOKED"
            ));
            for KeyInfo { id, name, role, tenant, created, expires, networks, revoked } in keys {
                let [expires, revoked] =
                    [&expires, &revoked].map(|at| at.as_deref().unwrap_or("-"));
                let of = tenant.map(|tenant| format!("  of {tenant}")).unwrap_or_default();
                let from = if networks == Networks::default() { "" } else { "  from " };
                say(format_args!(
                    "{id}  {:<7}  {created}  {expires:<27}  {revoked:<27}  {name}{of}{from}{networks}",
                    role.name()
                ));
            }
        }
        KeysCommand::Rotate { id, expires_in, grace } => {
            let id = KeyId::named(&id)?;
            let new = KeyStore::open_existing(path)?.rotate(&id, expires_in, grace)?;
            changed(KeyChange::Rotated(id), &new.0);
            made(new);
        }
        KeysCommand::Revoke { id } => {
            let revoked = KeyStore::open_existing(path)?.revoke(&id)?;
            changed(KeyChange::Revoked, &revoked);
            say(format_args!("key {} is revoked", revoked.id));
        }
    }
    Ok(())
}

fn made((info, key): (KeyInfo, SecretKeyText)) {
    let _ = writeln!(
        std::io::stderr(),
        "key {} of the role {} made for {:?}; it is shown this once:",
        info.id,
        info.role,
        info.name
    );
    say(format_args!("{}", key.expose()));
}
