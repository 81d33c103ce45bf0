//! `audit-server demo` in a directory of its own.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::programs::audit_server;

/// A running demonstration, which is killed when it goes out of scope.
#[derive(Debug)]
pub struct Demo {
    child: Child,
    said: Vec<String>,
    dir: TempDir,
}

impl Demo {
    /// Starts it on a free port and waits until its history is written.
    #[must_use]
    pub fn start(arguments: &[&str], redis: Option<String>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut command = audit_server();
        command.args(["demo", "--listen", "127.0.0.1:0"]).args(arguments);
        command.current_dir(dir.path()).env_remove("REDIS_URL").stdout(Stdio::piped());
        if let Some(url) = redis {
            command.env("REDIS_URL", url);
        }
        let mut child = command.spawn().unwrap();
        let mut said = Vec::new();
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            said.push(line.unwrap());
            if said.last().unwrap().starts_with("History: ") {
                break;
            }
        }
        Self { child, said, dir }
    }

    /// What it printed until then.
    #[must_use]
    pub fn said(&self) -> String {
        self.said.join("\n")
    }

    /// What it printed behind `label`, up to the next space.
    #[must_use]
    pub fn printed(&self, label: &str) -> &str {
        let line = self.said.iter().find_map(|line| line.strip_prefix(label));
        line.and_then(|rest| rest.split_whitespace().next()).expect(label)
    }

    /// Waits until it ends by itself.
    #[must_use]
    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Ends it as Ctrl-C does; returns how long that took, and its directory.
    #[must_use]
    pub fn interrupt(mut self) -> (Duration, TempDir) {
        let started = Instant::now();
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        assert!(self.child.wait().unwrap().success());
        (started.elapsed(), std::mem::replace(&mut self.dir, tempfile::tempdir().unwrap()))
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
