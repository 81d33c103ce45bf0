//! Commands that read the trail, or change keys, record that in it.
//!
//! They use the server's own recorder, whose journal is beside the trail unless the settings name another place. What cannot be
//! recorded is done all the same, and the operator is told: the trail may be a copy that is evidence and cannot be
//! written, or another user's. On a copy that can be written `--journal off` keeps it as it is.

use std::time::Instant;

use audit_layer::keyring;

use super::query::tell;
use crate::{
    Config,
    auth::KeyInfo,
    filter::Shown,
    self_audit::{CannotRecord, Command, KeyChange, Operator, Progress, SelfAudit},
};

/// The directory of the journal, beside the trail, when the settings name none.
const JOURNAL: &str = "audit-server-journal";

/// The recorder of one command.
pub(super) struct Recorder {
    own: Option<SelfAudit>,
    by: Operator,
}

impl Recorder {
    /// The one for reading the trail that the settings name. Says so when it cannot record; where there is no trail
    /// nothing can be read either.
    pub(super) fn of_reading(config: &Config) -> Self {
        Self::open(config, |reason| !matches!(reason, CannotRecord::NoTrail(_)))
    }

    /// The one for a change, which is made whether or not there is a trail.
    pub(super) fn of_change(config: &Config) -> Self {
        Self::open(config, |_| true)
    }

    fn open(config: &Config, is_told: impl Fn(&CannotRecord) -> bool) -> Self {
        let own = config.journal.as_ref().and_then(|journal| {
            let beside = config.db.parent().map(|directory| directory.join(JOURNAL));
            let is_default = journal.as_os_str() == JOURNAL;
            let journal = beside.filter(|_| is_default).unwrap_or_else(|| journal.clone());
            let own = SelfAudit::new(&config.db, &journal).of_command();
            let own = if config.keyring.is_some() { own.hiding() } else { own };
            match own.open_now() {
                Ok(()) => Some(own),
                Err(reason) => {
                    if is_told(&reason) {
                        tell(format_args!("this is not recorded: {reason}"));
                    }
                    None
                }
            }
        });
        Self { own, by: Operator::current() }
    }

    /// A command that is about to give out what is asked for.
    pub(super) fn reading(&self, command: Command, asked: String) -> Reading<'_> {
        let reading = Reading {
            recorder: self,
            command,
            asked,
            begun: Instant::now(),
            rows: None,
            success: false,
        };
        reading.tell(Progress::Begun);
        reading
    }

    /// Whether it can record.
    pub(super) fn records(&self) -> bool {
        self.own.is_some()
    }

    /// A key of the keyring was made.
    pub(super) fn keyring(&self, action: &'static str, key: &keyring::KeyInfo) {
        if let Some(own) = &self.own {
            own.keyring(&self.by, action, key);
        }
    }

    /// A person is about to be erased, or was, with these keys.
    pub(super) fn erasure(&self, subject: &str, reason: &str, keys: Option<&[String]>) {
        if let Some(own) = &self.own {
            own.erasure(&self.by, subject, reason, keys);
        }
    }

    /// A key was changed.
    pub(super) fn key(&self, change: KeyChange, key: &KeyInfo) {
        if let Some(own) = &self.own {
            own.key_by_operator(change, key, &self.by);
        }
    }
}

/// Writes what is left to the trail.
impl Drop for Recorder {
    fn drop(&mut self) {
        if let Some(own) = self.own.take() {
            own.end();
        }
    }
}

/// A command that reads. Its end is recorded, wherever that is.
pub(super) struct Reading<'r> {
    recorder: &'r Recorder,
    command: Command,
    asked: String,
    begun: Instant,
    rows: Option<u64>,
    success: bool,
}

impl Reading<'_> {
    /// So many records were given out by now.
    pub(super) fn gave_out(&mut self, rows: u64) {
        self.rows = Some(rows);
    }

    /// These sealed values are about to be given out in clear.
    pub(super) fn opened(&self, shown: Shown) {
        let Recorder { own, by } = self.recorder;
        if let Some(own) = own {
            own.opened_by_operator(by, self.command, shown);
        }
    }

    /// All that was to be given out was.
    pub(super) fn done(mut self) {
        self.success = true;
    }

    fn tell(&self, progress: Progress) {
        let Recorder { own, by } = self.recorder;
        if let Some(own) = own {
            own.command(by, self.command, &self.asked, progress);
        }
    }
}

impl Drop for Reading<'_> {
    fn drop(&mut self) {
        let Self { rows, success, begun, .. } = *self;
        self.tell(Progress::Ended { rows, took: begun.elapsed(), success });
    }
}
