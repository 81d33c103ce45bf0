//! A directory on a disk whose power can be cut.
//!
//! What the processes in it synced is copied by `preload.c`; [`Disk::cut_power`] puts that in the place
//! of what they wrote. A name survives only when its directory was synced after it was made, and a
//! content as it was when its file was synced last. Real disks keep more than they promised: with
//! [`Unsynced::ByChance`] so does this one, page by page and directory by directory.

use std::{
    collections::{BTreeMap, HashMap},
    os::unix::fs::{DirEntryExt, MetadataExt},
    path::{Path, PathBuf},
    process::Command,
};

use fastrand::Rng;
use tempfile::TempDir;

use crate::preload;

const PAGE: usize = 4096;

/// What becomes of what was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unsynced {
    /// All of it is lost.
    Lost,
    /// Some pages and some names get to the disk before the power fails, in any order. A file that is
    /// only appended to keeps a part of its end, maybe with zeros behind it.
    ByChance,
}

/// A directory for a process that is started with [`Disk::attach`].
pub struct Disk {
    dir: TempDir,
}

/// Names, and the inodes that they stand for.
type Names = BTreeMap<String, u64>;

impl Disk {
    #[must_use]
    pub fn new() -> Self {
        let disk = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir(disk.path()).unwrap();
        disk.all_is_synced();
        disk
    }

    /// Where the files are.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.dir.path().join("disk")
    }

    fn shadow(&self, kind: &str, inode: u64) -> PathBuf {
        self.dir.path().join("shadow").join(kind).join(inode.to_string())
    }

    /// Makes the process that is to be started one that writes to this disk.
    pub fn attach<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        preload::into(command).env("POWER_CUT_SHADOW", self.dir.path().join("shadow"))
    }

    /// Cuts the power. No process may be using the disk any more.
    pub fn cut_power(&self, unsynced: Unsynced, chance: &mut Rng) {
        let mut present = HashMap::new();
        walk(&self.path(), &mut |path, inode| {
            present.insert(inode, path.to_owned());
        });
        let after = self.dir.path().join("after");
        let root = inode_of(&self.path());
        Cut { disk: self, unsynced, chance, present }.directory(root, &after);
        std::fs::remove_dir_all(self.path()).unwrap();
        std::fs::rename(&after, self.path()).unwrap();
        self.all_is_synced();
    }

    /// What is there now is on the disk.
    fn all_is_synced(&self) {
        let shadow = self.dir.path().join("shadow");
        let _ = std::fs::remove_dir_all(&shadow);
        for kind in ["content", "names", "kept"] {
            std::fs::create_dir_all(shadow.join(kind)).unwrap();
        }
        let list = |directory: &Path, inode| {
            let names: String = present_names(directory)
                .iter()
                .map(|(name, at)| format!("{at} {name}\n"))
                .collect();
            std::fs::write(self.shadow("names", inode), names).unwrap();
        };
        list(&self.path(), inode_of(&self.path()));
        walk(&self.path(), &mut |path, inode| {
            if path.is_dir() {
                list(path, inode);
            } else {
                std::fs::copy(path, self.shadow("content", inode)).unwrap();
                std::fs::hard_link(path, self.shadow("kept", inode)).unwrap();
            }
        });
    }

    /// What is durable of a directory; one that was never synced is empty.
    fn synced_names(&self, inode: u64) -> Names {
        let Ok(list) = std::fs::read_to_string(self.shadow("names", inode)) else {
            return Names::new();
        };
        list.lines()
            .map(|line| line.split_once(' ').unwrap())
            .filter(|(_, name)| !matches!(*name, "." | ".."))
            .map(|(inode, name)| (name.to_owned(), inode.parse().unwrap()))
            .collect()
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

fn inode_of(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().ino()
}

fn present_names(directory: &Path) -> Names {
    std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| (entry.file_name().into_string().unwrap(), entry.ino()))
        .collect()
}

fn walk(directory: &Path, visit: &mut dyn FnMut(&Path, u64)) {
    for (name, inode) in present_names(directory) {
        let path = directory.join(name);
        visit(&path, inode);
        if path.is_dir() {
            walk(&path, visit);
        }
    }
}

struct Cut<'d> {
    disk: &'d Disk,
    unsynced: Unsynced,
    chance: &'d mut Rng,
    /// Everything that can still be reached, by its inode.
    present: HashMap<u64, PathBuf>,
}

impl Cut<'_> {
    fn directory(&mut self, inode: u64, to: &Path) {
        std::fs::create_dir(to).unwrap();
        let mut names = self.disk.synced_names(inode);
        if self.unsynced == Unsynced::ByChance
            && self.chance.bool()
            && let Some(path) = self.path_now(inode)
        {
            names = present_names(&path);
        }
        for (name, inode) in names {
            let to = to.join(&name);
            if self.path_now(inode).is_some_and(|path| path.is_dir()) {
                self.directory(inode, &to);
            } else {
                std::fs::write(&to, self.content(&name, inode)).unwrap();
            }
        }
    }

    fn path_now(&self, inode: u64) -> Option<PathBuf> {
        if inode == inode_of(&self.disk.path()) {
            return Some(self.disk.path());
        }
        let kept = || Some(self.disk.shadow("kept", inode)).filter(|kept| kept.exists());
        self.present.get(&inode).cloned().or_else(kept)
    }

    fn content(&mut self, name: &str, inode: u64) -> Vec<u8> {
        let synced = std::fs::read(self.disk.shadow("content", inode)).unwrap_or_default();
        if self.unsynced == Unsynced::Lost {
            return synced;
        }
        let now = self.path_now(inode).map(|path| std::fs::read(path).unwrap());
        let now = now.unwrap_or_else(|| synced.clone());
        match self.chance.u8(..4) {
            0 => synced,
            1 => now,
            _ if name.contains(".log") => self.part_of_end(&synced, now),
            _ => self.pages(&synced, &now),
        }
    }

    fn part_of_end(&mut self, synced: &[u8], mut now: Vec<u8>) -> Vec<u8> {
        if !now.starts_with(synced) {
            // A torn end was cut and written anew.
            return if self.chance.bool() { synced.to_vec() } else { now };
        }
        let most = now.len();
        now.truncate(self.chance.usize(synced.len()..=most));
        if self.chance.bool() {
            now.resize(most.min(now.len() + PAGE), 0);
        }
        now
    }

    fn pages(&mut self, synced: &[u8], now: &[u8]) -> Vec<u8> {
        let size = if self.chance.bool() { synced.len() } else { now.len() };
        let mut bytes = vec![0; size];
        for at in (0..size).step_by(PAGE) {
            let from = if self.chance.bool() { synced } else { now };
            let page = from.get(at..size.min(at + PAGE).min(from.len())).unwrap_or_default();
            bytes[at..at + page.len()].copy_from_slice(page);
        }
        bytes
    }
}
