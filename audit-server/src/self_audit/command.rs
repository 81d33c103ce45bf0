//! What is read and changed on the command line.
//!
//! Whoever may read the file of the trail can read it with any tool, and no program can record that. What is read with
//! ours is recorded, so that those who do their work with it need not write down what they did. Who it was is what the kernel
//! says: the user of the process, and the one who logged in, whom `sudo` does not change (`/proc/self/loginuid`,
//! audit(7)).

use std::time::Duration;

use audit_layer::{event_type, keyring::KeyInfo};

use super::micros;
use crate::{
    filter::{RESTRICTED, Shown},
    settings::Change,
};

/// Who runs the command.
#[derive(Debug, Clone)]
pub(crate) struct Operator {
    /// `uid:` and the number.
    pub(crate) id: Box<str>,
    /// The name of that user, when it is one of this host's own.
    pub(crate) name: Option<Box<str>>,
    /// The number of the user who logged in.
    login: Option<u32>,
}

impl Operator {
    /// Who runs this process.
    pub(crate) fn current() -> Self {
        let number = rustix::process::getuid().as_raw();
        let login = std::fs::read_to_string("/proc/self/loginuid");
        let login = login.ok().and_then(|text| text.trim().parse().ok());
        let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self {
            id: format!("uid:{number}").into(),
            name: name(&users, number).map(Into::into),
            // Of a process that nobody's login began it is -1.
            login: login.filter(|login| *login != u32::MAX),
        }
    }
}

/// The name of the user with that number, in the form of passwd(5).
fn name(users: &str, number: u32) -> Option<&str> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, number_of) = (fields.next()?, fields.nth(1)?);
        (number_of.parse() == Ok(number)).then_some(name)
    })
}

/// A command that reads the trail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Command {
    Query,
    Report,
    Export,
}

impl Command {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Query => "audit-server query",
            Self::Report => "audit-server report",
            Self::Export => "audit-server export",
        }
    }
}

/// How far a command has come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Progress {
    /// It begins to give out records.
    Begun,
    /// It has given out so many, in so long.
    Ended { rows: Option<u64>, took: Duration, success: bool },
}

/// Makes a record of it.
pub(super) fn record(by: &Operator, command: Command, asked: &str, progress: Progress) {
    let (status, rows, took) = match progress {
        Progress::Begun => ("pending", None, None),
        Progress::Ended { rows, took, success: true } => ("success", rows, Some(took)),
        Progress::Ended { rows, took, success: false } => ("failure", rows, Some(took)),
    };
    let exports = command == Command::Export;
    let kind = if exports { event_type::DATA_EXPORT } else { event_type::DATA_ACCESS };
    let message = match progress {
        Progress::Begun => "The audit trail is read on the command line",
        Progress::Ended { .. } => "The audit trail was read on the command line",
    };
    tracing::info!(
        target: "audit",
        event_type = kind,
        action = if exports { "export" } else { "read" },
        status,
        data_classification = RESTRICTED,
        user_id = &*by.id,
        username = by.name.as_deref(),
        resource = command.name(),
        duration_us = took.map(micros),
        login_uid = by.login,
        query = asked,
        rows,
        "{message}"
    );
}

/// What was sealed was shown in clear.
pub(super) fn opened(by: &Operator, command: Command, shown: &Shown) {
    tracing::info!(
        target: "audit",
        event_type = event_type::DATA_SECRET_ACCESS,
        action = "decrypt",
        status = "success",
        data_classification = RESTRICTED,
        user_id = &*by.id,
        username = by.name.as_deref(),
        resource = command.name(),
        login_uid = by.login,
        values = shown.values,
        records = shown.records,
        members = shown.members(),
        ids = shown.ids.join(" "),
        "Sealed values were shown in clear"
    );
}

/// A setting of the server was changed, before it was started.
pub(super) fn setting(by: &Operator, change: &Change, at: Option<&str>) {
    tracing::warn!(
        target: "audit",
        event_type = event_type::ADMIN_CONFIG_CHANGED,
        action = "change",
        status = "success",
        data_classification = RESTRICTED,
        user_id = &*by.id,
        username = by.name.as_deref(),
        resource = format!("settings/{}", change.name),
        login_uid = by.login,
        before = change.before.as_str(),
        now = change.now.as_str(),
        asked_at = at,
        "The server was started with another setting"
    );
}

/// A key of the keyring was made.
pub(super) fn keyring(by: &Operator, action: &str, key: &KeyInfo) {
    tracing::info!(
        target: "audit",
        event_type = event_type::ADMIN_KEY_CREATED,
        action,
        status = "success",
        user_id = &*by.id,
        username = by.name.as_deref(),
        resource = format!("keyring/{}", key.id),
        login_uid = by.login,
        purpose = key.purpose.as_str(),
        "A key of the keyring was made"
    );
}

/// A person is about to be erased, or was.
pub(super) fn erasure(by: &Operator, subject: &str, reason: &str, keys: Option<&str>) {
    let (status, message) = match keys {
        None => ("pending", "A person is to be erased"),
        Some("") => ("failure", "There was no key of a person to be erased"),
        Some(_) => ("success", "A person was erased"),
    };
    tracing::warn!(
        target: "audit",
        event_type = event_type::DATA_ERASED,
        action = "erase",
        status,
        data_classification = RESTRICTED,
        user_id = &*by.id,
        username = by.name.as_deref(),
        resource = "keyring",
        regulatory_flags.GDPR = true,
        regulatory_flags.data_subject = subject,
        login_uid = by.login,
        subject,
        reason,
        keys,
        "{message}"
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_has_the_name_that_the_host_gives_it() {
        let users = "root:x:0:0:root:/root:/bin/sh\n\n# none\nann:x:1000:1000::/home/ann:/bin/sh\n";
        assert_eq!(name(users, 1000), Some("ann"));
        assert_eq!(name(users, 0), Some("root"));
        assert_eq!(name(users, 1), None);
    }
}
