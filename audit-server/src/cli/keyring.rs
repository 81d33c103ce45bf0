//! The keyring of a host, and the erasure of a person, on the command line.
//!
//! Both are recorded in the trail. An erasure is recorded before it is done, as pending, and when it is done: whoever looks at
//! the trail later sees one that broke off. What cannot be recorded is not erased, unless the journal is off. The person is
//! not named there, but by the keyed hash of the name, which is the same each time.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use audit_layer::{
    keyring::{KeyInfo, Keyring, KeyringError, Purpose},
    record::StreamName,
};
use clap::{Args, Subcommand};

use super::{query::tell, recorded::Recorder, say};
use crate::{
    Config, Error, InvalidConfig, read_model,
    store::{DatabaseStore, Deadline},
};

/// The most streams whose hosts are told.
const MAX_STREAMS: u32 = 100_000;

#[derive(Debug, Args)]
pub(super) struct KeyringArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: KeyringCommand,
}

/// Where the keyring and the trail are.
#[derive(Debug, Args)]
struct Place {
    /// The keys of the host, for what is hashed and sealed [env: AUDIT_KEYRING].
    #[arg(long, value_name = "FILE", global = true)]
    keyring: Option<String>,
    /// The trail, in which changes are recorded [env: AUDIT_DB] [default: audit.db].
    #[arg(long, value_name = "FILE", global = true)]
    db: Option<String>,
    /// Where changes are recorded until the trail has them, or off [env: AUDIT_SERVER_JOURNAL] [default: audit-server-journal beside the trail].
    #[arg(long, value_name = "DIRECTORY", global = true)]
    journal: Option<String>,
    /// What a server derived from the trail, of which `erase` takes away what concerns the person, or off [env: AUDIT_SERVER_READ_MODEL] [default: audit-read-model.db].
    #[arg(long, value_name = "FILE", global = true)]
    read_model: Option<String>,
    /// Read settings from this TOML file.
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum KeyringCommand {
    /// Make the keyring, with a key for each purpose.
    Init,
    /// List the keys, without their secrets.
    List,
    /// Make a new key for a purpose; the old ones stay, for what they sealed.
    Rotate {
        /// seal, also for people; hash, after which values of before and after cannot be told to be equal any more; or
        /// index, to find what is sealed.
        purpose: Purpose,
    },
}

/// Destroy the key with which a person's values are sealed
///
/// Nobody can read these values any more, in the trail, in exports and in backups, and every hash still verifies. What is
/// recorded of the person from now on is sealed with another key. A backup of the keyring has the key yet.
#[derive(Debug, Args)]
pub(super) struct EraseArgs {
    #[command(flatten)]
    place: Place,
    /// Who: what `regulatory_flags.data_subject` says.
    #[arg(long)]
    subject: String,
    /// Why, for the trail: it is not to name the person.
    #[arg(long)]
    reason: String,
}

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error(transparent)]
    Server(#[from] Error),
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    #[error(
        "an erasure is recorded in the trail, and that cannot be written; --journal off erases without"
    )]
    NotRecorded,
    #[error("there is no key of this person in {}: nothing was erased", .0.display())]
    NoKey(PathBuf),
    #[error("{0}")]
    Reason(&'static str),
}

impl Place {
    fn load(&self) -> Result<(Config, PathBuf), Error> {
        let given = [
            ("keyring", &self.keyring),
            ("db", &self.db),
            ("journal", &self.journal),
            ("read_model", &self.read_model),
        ];
        let flags =
            given.into_iter().filter_map(|(key, text)| Some((key, text.clone()?))).collect();
        let config = Config::load(self.config.as_deref(), flags)?;
        let missing = || InvalidConfig {
            name: "--keyring".to_owned(),
            reason: "name the keyring, or set AUDIT_KEYRING".to_owned(),
        };
        let path = config.keyring.clone().ok_or_else(missing)?;
        Ok((config, path))
    }
}

pub(super) fn run(args: &KeyringArgs) -> Result<(), Failure> {
    let (config, path) = args.place.load()?;
    match args.command {
        KeyringCommand::Init => {
            let recorder = Recorder::of_change(&config);
            let keyring = Keyring::init(&path)?;
            keyring.list()?.iter().for_each(|key| recorder.keyring("create", key));
            say(format_args!(
                "{} is made; keep it out of the backups of the trail",
                path.display()
            ));
        }
        KeyringCommand::List => {
            let keyring = Keyring::open(&path)?;
            say(format_args!("{:<10}  {:<5}  {:<27}  RETIRED", "ID", "FOR", "CREATED"));
            for KeyInfo { id, purpose, created, retired, .. } in keyring.list()? {
                let retired = retired.as_deref().unwrap_or("-");
                say(format_args!("{id}  {:<5}  {created}  {retired}", purpose.as_str()));
            }
            let subjects = keyring.subjects()?;
            say(format_args!("people: {} with a key, {} erased", subjects.known, subjects.erased));
        }
        KeyringCommand::Rotate { purpose } => {
            let keyring = Keyring::open(&path)?;
            let recorder = Recorder::of_change(&config);
            let key = keyring.rotate(purpose)?;
            recorder.keyring("rotate", &key);
            say(format_args!("{} is the key to {} with from now on", key.id, key.purpose.as_str()));
        }
    }
    Ok(())
}

pub(super) fn erase(args: &EraseArgs) -> Result<(), Failure> {
    let (subject, reason) = (args.subject.to_lowercase(), args.reason.to_lowercase());
    if subject.trim().is_empty() || reason.trim().is_empty() {
        return Err(Failure::Reason("--subject says who, and --reason why: neither may be empty"));
    }
    if reason.contains(subject.trim()) {
        let told = "--reason names the person, and stands in the trail for ever: say it otherwise";
        return Err(Failure::Reason(told));
    }
    let (config, path) = args.place.load()?;
    let keyring = Keyring::open(&path)?;
    let recorder = Recorder::of_change(&config);
    if config.journal.is_some() && !recorder.records() {
        return Err(Failure::NotRecorded);
    }
    // Before the key that they were made with could be another.
    let subject = keyring.hash_marks(&args.subject)?.into_iter().next().unwrap_or_default();
    recorder.erasure(&subject, &args.reason, None);
    let erasure = keyring.erase_subject(&args.subject)?;
    let keys: Vec<_> = erasure.keys.iter().map(ToString::to_string).collect();
    recorder.erasure(&subject, &args.reason, Some(&keys));
    if let Some(model) = &config.read_model {
        forget(model, &keyring);
    }
    let count = keys.len();
    if count > 0 {
        let at = erasure.at;
        say(format_args!("erased at {at}: {count} keys in {}, on this host", path.display()));
    }
    for host in other_hosts(&config) {
        say(format_args!("to be done yet: the keyring of {host}, which wrote to this trail"));
    }
    // Whoever mistyped the name must not take it for done.
    if count > 0 { Ok(()) } else { Err(Failure::NoKey(path)) }
}

/// Takes the tokens of all who were ever erased out of the read model: an earlier erasure may have broken off here.
fn forget(model: &Path, keyring: &Keyring) {
    if !model.exists() {
        return tell(format_args!(
            "there is no read model at {}: if a server has one elsewhere, name it with --read-model, or give the server \
             the keyring",
            model.display()
        ));
    }
    let erased = keyring.erased_keys().map_err(|error| error.to_string());
    let forgotten = erased.and_then(|erased| {
        read_model::forget_erased(model, &erased).map_err(|error| error.to_string())
    });
    let reason = match forgotten {
        Ok(true) => return,
        Ok(false) => "somebody reads it".to_owned(),
        Err(error) => error,
    };
    tell(format_args!(
        "{} may have tokens of this person yet: a server with the keyring takes them away, or delete it, and it is made \
         anew: {reason}",
        model.display()
    ));
}

/// The other hosts whose applications wrote to the trail.
fn other_hosts(config: &Config) -> BTreeSet<String> {
    let database = DatabaseStore::new(&config.db);
    let deadline = Deadline::after(config.report_timeout);
    let heads = database.snapshot(deadline).and_then(|snapshot| snapshot.heads(MAX_STREAMS));
    let heads = heads.unwrap_or_else(|error| {
        tell(format_args!("which hosts wrote to the trail is not known: {error}"));
        Vec::new()
    });
    let own = host_name();
    let host = |stream: &str| {
        let stream: StreamName = stream.parse().ok()?;
        let (_, rest) = stream.as_str().split_once('@')?;
        Some(rest.rsplit_once('~').map_or(rest, |(host, _)| host).to_owned())
    };
    heads.iter().filter_map(|head| host(&head.stream)).filter(|host| *host != own).collect()
}

/// The name of this host, as streams have it.
fn host_name() -> String {
    let name = rustix::system::uname();
    let is_kept = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let kept = |c| if is_kept(&c) { c } else { '-' };
    name.nodename().to_string_lossy().chars().map(kept).take(StreamName::MAX_PART).collect()
}
