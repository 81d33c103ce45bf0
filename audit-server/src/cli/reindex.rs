//! `audit-server reindex`.

use std::{
    io::{IsTerminal, stderr},
    path::PathBuf,
    sync::Arc,
};

use audit_layer::keyring::Keyring;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::{Config, Error, InvalidConfig, intrusion, read_model};

/// Make the read model anew
///
/// Answers are the same meanwhile, and slower. When a server keeps the model, it does the work, and
/// this command waits until it has every record that the trail has now.
#[derive(Debug, clap::Args)]
pub(super) struct ReindexArgs {
    /// The trail, the SQLite database that the application writes [env: AUDIT_DB] [default: audit.db].
    #[arg(long, value_name = "FILE")]
    db: Option<String>,
    /// The read model [env: AUDIT_SERVER_READ_MODEL] [default: audit-read-model.db].
    #[arg(long, value_name = "FILE")]
    read_model: Option<String>,
    /// The keys of the host, to find what was sealed by what it says [env: AUDIT_KEYRING].
    #[arg(long, value_name = "FILE")]
    keyring: Option<String>,
    /// Read settings from this TOML file; flags and the environment win over it.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

pub(super) fn run(args: &ReindexArgs) -> Result<(), Error> {
    let given = [
        ("db", args.db.clone()),
        ("read_model", args.read_model.clone()),
        ("keyring", args.keyring.clone()),
    ];
    let flags = given.into_iter().filter_map(|(key, text)| Some((key, text?))).collect();
    let config = Config::load(args.config.as_deref(), flags)?;
    let Some(model) = config.read_model else {
        let reason = "there is no read model to make when it is off".to_owned();
        return Err(InvalidConfig { name: "read_model".to_owned(), reason }.into());
    };
    let bar = ProgressBar::with_draw_target(Some(0), target());
    bar.set_style(style());
    let keyring = config.keyring.map(Keyring::open).transpose()?.map(Arc::new);
    let on_alarm = intrusion::alarm(config.db.clone());
    read_model::reindex(&config.db, &model, keyring, on_alarm, |done, of| {
        bar.set_length(of.unsigned_abs());
        bar.set_position(done.unsigned_abs());
    })
    .map_err(Error::ReadModel)?;
    bar.finish();
    super::say(format_args!("{}: {} records", model.display(), bar.position()));
    Ok(())
}

fn target() -> ProgressDrawTarget {
    if stderr().is_terminal() {
        ProgressDrawTarget::stderr_with_hz(5)
    } else {
        ProgressDrawTarget::hidden()
    }
}

fn style() -> ProgressStyle {
    // The template is this program's own; were it wrong, the bar would look plain.
    ProgressStyle::with_template("{bar:40} {human_pos} of {human_len} records, {per_sec}, {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
}
