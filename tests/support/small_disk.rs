//! A file system that is really full.
//!
//! It is a tmpfs of a few MiB, mounted in a mount namespace of its own, which is gone with the
//! process that holds it. Its processes are started in that namespace, as [`SmallDisk::command`] does;
//! everyone else reaches its files through `/proc`. Root may mount, anybody else in a namespace of
//! users, if the system lets them.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;

/// Mounts a tmpfs of `$2` KiB at `$1`, with an overlay on top when `$3` says so, and holds them until
/// its standard input ends.
const HOLD: &str = r#"
    mount -t tmpfs -o "size=$2k" small "$1" && mkdir "$1/lower" "$1/upper" "$1/work" "$1/top" &&
    if [ "$3" = overlay ]; then
        mount -t overlay -o "lowerdir=$1/lower,upperdir=$1/upper,workdir=$1/work" small "$1/top"
    fi && echo ready && exec cat
"#;

/// A small disk. What is on it is gone when it is dropped.
pub struct SmallDisk {
    holder: Child,
    at: TempDir,
    is_root: bool,
}

impl SmallDisk {
    /// One whose file system keeps what it preallocates.
    #[must_use]
    pub fn new(kib: u64) -> Self {
        Self::mount(kib, "plain")
    }

    /// One whose file system promises nothing of the kind.
    #[must_use]
    pub fn overlay(kib: u64) -> Self {
        Self::mount(kib, "overlay")
    }

    fn mount(kib: u64, kind: &str) -> Self {
        let at = tempfile::tempdir().unwrap();
        let own = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap());
        let is_root = own == 0;
        let mut command = Command::new("unshare");
        if !is_root {
            command.args(["--user", "--map-root-user"]);
        }
        let mut holder = command
            .args(["--mount", "sh", "-c", HOLD, "sh"])
            .arg(at.path())
            .args([&kib.to_string(), kind])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("unshare cannot be started: apt-get install util-linux");
        let mut said = String::new();
        BufReader::new(holder.stdout.take().unwrap()).read_line(&mut said).unwrap();
        if said != "ready\n" {
            let mut why = String::new();
            holder.stderr.take().unwrap().read_to_string(&mut why).unwrap();
            panic!(
                "a small file system cannot be mounted ({}); run the tests as root, or let users \
                 have namespaces: sysctl kernel.apparmor_restrict_unprivileged_userns=0",
                why.trim()
            );
        }
        Self { holder, at, is_root }
    }

    /// Where it is, for those who were started by [`SmallDisk::command`].
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.at.path().join("top")
    }

    /// Where everyone else finds it.
    #[must_use]
    pub fn from_outside(&self) -> PathBuf {
        self.root().join("top")
    }

    fn root(&self) -> PathBuf {
        let path = self.at.path().strip_prefix("/").unwrap();
        Path::new(&format!("/proc/{}/root", self.holder.id())).join(path)
    }

    /// A command that sees it.
    #[must_use]
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--mount", "--target", &self.holder.id().to_string()]);
        if !self.is_root {
            command.args(["--user", "--preserve-credentials"]);
        }
        command.arg(program);
        command
    }

    /// Takes all the room that is left.
    pub fn fill(&self) {
        let mut ballast =
            OpenOptions::new().create(true).append(true).open(self.ballast()).unwrap();
        let mut block = vec![1; 1 << 20];
        while !block.is_empty() {
            match ballast.write_all(&block) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::StorageFull => {
                    block.truncate(block.len() / 2);
                }
                Err(error) => panic!("the disk cannot be filled: {error}"),
            }
        }
    }

    /// Gives it back.
    pub fn free(&self) {
        File::create(self.ballast()).unwrap();
    }

    fn ballast(&self) -> PathBuf {
        self.root().join("ballast")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}
