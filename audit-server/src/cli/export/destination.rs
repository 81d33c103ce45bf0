//! Where an export is written to.
//!
//! A file comes into being under its name only when it is whole and on the disk. Until then it is
//! FILE.part, and FILE.part.json says what it is a part of: an export is gone on with only when it
//! asks the same, and within the bounds that it began with.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use super::{ExportArgs, Failure, recover};
use crate::{
    DEFAULT_DEADLINE,
    export::{Compression, Request, Totals, Walk},
    query::Trail,
    store::{Deadline, Ranges},
};

/// A file cannot be written as it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{}: {reason}", path.display())]
pub(in crate::cli) struct UnusableFile {
    path: PathBuf,
    reason: String,
}

impl UnusableFile {
    pub(in crate::cli) fn new(path: &Path, reason: &(impl ToString + ?Sized)) -> Self {
        Self { path: path.to_owned(), reason: reason.to_string() }
    }
}

/// What FILE.part is a part of.
#[derive(Debug, Serialize, Deserialize)]
struct PartOf {
    query: String,
    from: i64,
    until: i64,
}

/// What is in a file already.
#[derive(Debug, Default)]
pub(super) struct Already {
    pub(super) totals: Totals,
    pub(super) streams: Ranges,
}

pub(super) enum Destination {
    Stdout(io::Stdout),
    File { part: File, target: PathBuf },
}

/// A destination, and where in the trail it goes on.
pub(super) struct Opened {
    pub(super) destination: Destination,
    pub(super) walk: Walk,
    pub(super) already: Already,
}

impl Destination {
    pub(super) fn open(
        args: &ExportArgs,
        request: &Request,
        trail: &Trail,
        walk: Walk,
    ) -> Result<Opened, Failure> {
        let (from, until) = walk.bounds();
        let mut already =
            Already { totals: Totals { place: from, ..Totals::default() }, ..Already::default() };
        if args.is_to_stdout() {
            return Ok(Opened { destination: Self::Stdout(io::stdout()), walk, already });
        }
        let target = args.output.clone();
        let part_name = beside(&target, ".part");
        let about_name = beside(&target, ".part.json");
        if args.resume && args.compression != Compression::None {
            return Err(UnusableFile::new(
                &part_name,
                "a compressed file cannot be gone on with; --force begins anew",
            )
            .into());
        }
        for name in [&target, &beside(&target, ".manifest.json")] {
            if !args.force && name.symlink_metadata().is_ok() {
                return Err(UnusableFile::new(name, "it exists; --force replaces it").into());
            }
        }
        let fail = |error: io::Error| UnusableFile::new(&part_name, &error);
        let mut walk = walk;
        let mut open = OpenOptions::new();
        open.read(true).write(true).mode(0o600);
        let part = if args.resume && part_name.exists() {
            let about =
                fs::read(&about_name).map_err(|error| UnusableFile::new(&about_name, &error))?;
            let about: PartOf = serde_json::from_slice(&about)
                .map_err(|error| UnusableFile::new(&about_name, &error))?;
            if about.query != request.canonical {
                let reason = format!("it is a part of another export: {}", about.query);
                return Err(UnusableFile::new(&part_name, &reason).into());
            }
            let mut part = open.open(&part_name).map_err(fail)?;
            let found = recover::read(&mut part, request.format)
                .map_err(|error| UnusableFile::new(&part_name, &error))?;
            let place = match &found.last {
                None => about.from,
                Some(last) => last
                    .arrival(trail, Deadline::after(DEFAULT_DEADLINE))?
                    .filter(|arrival| (about.from + 1..=about.until).contains(arrival))
                    .ok_or_else(|| {
                        UnusableFile::new(&part_name, "its last record is not in this trail")
                    })?,
            };
            if about.until > until {
                let reason = "the trail has fewer records than when it was begun";
                return Err(UnusableFile::new(&part_name, &reason).into());
            }
            part.set_len(found.content.bytes).map_err(fail)?;
            part.seek(SeekFrom::End(0)).map_err(fail)?;
            // Lines that were left out have left nothing in the file to tell of them.
            let damaged = walk.damaged_until(about.from, place, trail)?;
            walk = walk.resumed(place, about.until, found.records);
            already.totals = Totals {
                records: found.records,
                damaged,
                sent: found.content.clone(),
                content: found.content,
                place,
            };
            already.streams = found.streams;
            part
        } else {
            if args.force {
                open.create(true).truncate(true);
            } else {
                open.create_new(true);
            }
            let part = open.open(&part_name).map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => {
                    let reason = "it was left by an export that ended early: --resume goes on with it, --force begins anew";
                    UnusableFile::new(&part_name, &reason)
                }
                _ => fail(error),
            })?;
            let about = PartOf { query: request.canonical.clone(), from, until };
            let about = serde_json::to_vec(&about).map_err(crate::Error::internal)?;
            write_whole(&about_name, &about)?;
            part
        };
        Ok(Opened { destination: Self::File { part, target }, walk, already })
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Stdout(out) => out.write_all(bytes),
            Self::File { part, .. } => part.write_all(bytes),
        }
    }

    /// Gives the file its name, and prints the manifest.
    pub(super) fn finish(self, manifest: &str) -> Result<(), Failure> {
        let (part, target) = match self {
            Self::Stdout(mut out) => {
                out.flush().map_err(Failure::Output)?;
                let _ = io::stderr().write_all(manifest.as_bytes());
                return Ok(());
            }
            Self::File { part, target } => (part, target),
        };
        let fail = |error: io::Error| UnusableFile::new(&target, &error);
        part.sync_all().map_err(fail)?;
        write_whole(&beside(&target, ".manifest.json"), manifest.as_bytes())?;
        fs::rename(beside(&target, ".part"), &target).map_err(fail)?;
        let _ = fs::remove_file(beside(&target, ".part.json"));
        sync_directory(&target).map_err(fail)?;
        let _ = io::stdout().write_all(manifest.as_bytes());
        Ok(())
    }
}

/// The name with more at its end.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A small file that is there whole or not at all.
///
/// # Errors
/// [`UnusableFile`] when it cannot be written.
pub(in crate::cli) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), UnusableFile> {
    let written = || {
        let new = beside(path, ".new");
        let mut open = OpenOptions::new();
        let mut file = open.write(true).create(true).truncate(true).mode(0o600).open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)?;
        sync_directory(path)
    };
    written().map_err(|error: io::Error| UnusableFile::new(path, &error))
}

fn sync_directory(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}
