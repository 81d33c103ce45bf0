//! The server under test: the program beside this one, with a key that was made for it.

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use super::Outcome;

/// A server, started here or elsewhere.
#[derive(Debug)]
pub(crate) struct Server {
    process: Option<Child>,
    pub(crate) url: String,
    pub(crate) key: String,
}

impl Server {
    /// One that runs already.
    pub(crate) fn running(url: &str, key: &str) -> Self {
        Self { process: None, url: url.to_owned(), key: key.to_owned() }
    }

    /// Starts `audit-server serve` over the trail; `directory` is for its keys and its log.
    pub(crate) fn start(
        program: &Path,
        db: &Path,
        directory: &Path,
        arguments: &[String],
    ) -> Outcome<Self> {
        let keys = directory.join("keys.db");
        let made = Command::new(program)
            .args(["keys", "--keys"])
            .arg(&keys)
            .args(["create", "--name", "query-bench"])
            .stderr(Stdio::null())
            .output()
            .map_err(|error| format!("{}: {error}; build it first", program.display()))?;
        let key = String::from_utf8(made.stdout)?.trim().to_owned();
        let log = std::fs::File::create(directory.join("server.log"))?;
        let mut process = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--redis-log-enabled", "false", "--keys"])
            .arg(&keys)
            .arg("--db")
            .arg(db)
            .args(arguments)
            // What it keeps beside the trail goes where it is started.
            .current_dir(directory)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()?;
        let mut line = String::new();
        if let Some(stdout) = process.stdout.take() {
            BufReader::new(stdout).read_line(&mut line)?;
        }
        let url = line.strip_prefix("listening on ").and_then(|rest| rest.split(',').next());
        let Some(url) = url.map(str::to_owned) else {
            let _ = process.kill();
            let _ = process.wait();
            return Err(format!("the server did not start; see {}", directory.display()).into());
        };
        Ok(Self { process: Some(process), url, key })
    }

    /// Its process, when it was started here.
    pub(crate) fn process(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// The server that was built with this program.
pub(crate) fn beside_this() -> Outcome<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("audit-server"))
}
