//! Verifies a file of JSON lines with its rotated backups.
//!
//! `audit.log` is read after `audit.log.N`, the highest `N` first, which is the oldest. All are
//! opened before the first is read, the live file first: if the writer rotates meanwhile, a file
//! may turn up under two names, and is then read once, but none can be missed between two names.
//!
//! A last line without line feed in the live file is a torn tail: its writer was killed, or is
//! writing. That is no break as long as it is the beginning of a JSON object; zero bytes after it
//! are of a power cut. A backup has no torn tail, because rotation never happens inside a line.
//!
//! A part that can't be read keeps nobody from reading the others.

use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use audit_layer::record::split_hash;
use rustix::fs::OFlags;
use serde::de::IgnoredAny;

use super::{
    Cause, MAX_LINE_BYTES, PathKind, PathReport, Place, Receipt, Unreadable, finding::Shown,
    trail::Trail,
};

/// What stays in the cache between the kernel's copy and ours.
const BUFFER_BYTES: usize = 1 << 17;

/// One of the files that a path stands for.
struct Part {
    path: Arc<Path>,
    file: File,
    live: bool,
}

pub(super) fn verify(path: &Path, receipts: &[Receipt]) -> PathReport {
    let live_file = live_file_of(path);
    let kind = if live_file.is_some() { PathKind::Backup } else { PathKind::File };
    let mut trail = Trail::new(path, kind, receipts);
    let (parts, mut unreadable) = open_parts(path, kind);
    let files = parts.iter().map(|part| part.path.to_path_buf()).collect();
    if let Some(live_file) = live_file {
        let live_file = Shown(&live_file).to_string();
        trail.notice(format!(
            "a rotated backup, verified alone; {live_file} is verified with all of them"
        ));
    }
    let mut to_end = false;
    for part in parts {
        let live = part.live;
        match read(part, &mut trail) {
            Ok(()) => to_end |= live,
            Err(why) => unreadable.push(why),
        }
    }
    if trail.is_something_else() {
        trail = Trail::new(path, kind, receipts);
        trail.could_not_read(Unreadable::NotATrail);
        to_end = false;
    }
    let mut unreadable = unreadable.into_iter();
    if let Some(why) = unreadable.next() {
        trail.could_not_read(why);
    }
    for why in unreadable {
        trail.notice(format!("could not be read either: {why}"));
    }
    PathReport { files, ..trail.finish(to_end) }
}

/// The live file that `path` is a backup of: it lies beside it, under the name without number.
fn live_file_of(path: &Path) -> Option<PathBuf> {
    path.extension().and_then(|number| backup_number(number.as_encoded_bytes()))?;
    let live_file = path.with_extension("");
    live_file.is_file().then_some(live_file)
}

fn backup_number(digits: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok()?;
    let plain = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    if plain { text.parse().ok() } else { None }
}

/// Whether `path` has rotated backups beside it.
pub(super) fn has_backups(path: &Path) -> bool {
    backups_of(path).is_ok_and(|backups| !backups.is_empty())
}

/// The backups of a live file, newest first.
fn backups_of(path: &Path) -> io::Result<Vec<(u64, PathBuf)>> {
    let Some(name) = path.file_name() else { return Ok(Vec::new()) };
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut backups = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?.file_name();
        let number = entry
            .as_encoded_bytes()
            .strip_prefix(name.as_encoded_bytes())
            .and_then(|rest| backup_number(rest.strip_prefix(b".")?));
        if let Some(number) = number {
            backups.push((number, path.with_file_name(&entry)));
        }
    }
    backups.sort_unstable();
    Ok(backups)
}

/// Opens everything that `path` stands for, and returns it oldest first, with what can't be opened.
fn open_parts(path: &Path, kind: PathKind) -> (Vec<Part>, Vec<Unreadable>) {
    let mut seen = HashSet::new();
    let mut parts = Vec::new();
    let mut failed = Vec::new();
    let mut add = |path: PathBuf, live: bool| {
        let opened = open(&path).and_then(|file| file.metadata().map(|about| (file, about)));
        match opened {
            Ok((file, about)) if seen.insert((about.dev(), about.ino())) => {
                parts.push(Part { path: path.into(), file, live });
            }
            Ok(_) => {}
            // The live file may be missing while it is rotated, the oldest backup may just have
            // gone. A link that leads nowhere is neither.
            Err(error) if error.kind() == io::ErrorKind::NotFound && !path.is_symlink() => {
                if live {
                    failed.push(Unreadable::LiveFileMissing);
                }
            }
            Err(error) => failed.push(unreadable(&path, &error)),
        }
    };
    add(path.to_owned(), kind == PathKind::File);
    match backups_of(path) {
        _ if kind != PathKind::File => {}
        Ok(backups) => backups.into_iter().for_each(|(_, backup)| add(backup, false)),
        Err(error) => failed.push(unreadable(path, &error)),
    }
    parts.reverse();
    (parts, failed)
}

/// Opens a regular file. What is something else, such as a pipe, is refused and never waited for.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let regular = |about: fs::Metadata| {
        if about.is_file() { Ok(()) } else { Err(io::Error::other("not a regular file")) }
    };
    // Asked first, because to open a device can do something.
    regular(fs::metadata(path)?)?;
    let no_wait = OFlags::NONBLOCK.bits() as i32;
    let file = OpenOptions::new().read(true).custom_flags(no_wait).open(path)?;
    regular(file.metadata()?)?;
    Ok(file)
}

fn unreadable(path: &Path, error: &io::Error) -> Unreadable {
    Unreadable::Io(format!("{}: {error}", Shown(path)))
}

fn read(part: Part, trail: &mut Trail<'_>) -> Result<(), Unreadable> {
    let Part { path, file, live } = part;
    let mut reader = BufReader::with_capacity(BUFFER_BYTES, file);
    let mut bytes = Vec::new();
    let mut number = 0;
    loop {
        bytes.clear();
        // One byte more than a line may have, for its line feed.
        let limit = MAX_LINE_BYTES as u64 + 1;
        let length = Read::by_ref(&mut reader)
            .take(limit)
            .read_until(b'\n', &mut bytes)
            .map_err(|error| unreadable(&path, &error))?;
        if length == 0 {
            return Ok(());
        }
        number += 1;
        let place = || Place::Line { file: Arc::clone(&path), line: number };
        let ended = bytes.pop_if(|byte| *byte == b'\n').is_some();
        let length = bytes.len();
        // A power cut can leave zero bytes where what was written did not reach the disk.
        let zeros = live
            && !ended
            && bytes.ends_with(b"\0")
            && ends_in_zeros(&mut reader).map_err(|error| unreadable(&path, &error))?;
        if zeros {
            bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1));
        }
        if bytes.is_empty() && !zeros {
            trail.break_at(None, None, Some(place()), Cause::EmptyLine);
        } else if bytes.len() > MAX_LINE_BYTES {
            trail.break_at(None, None, Some(place()), Cause::TooLong);
            reader.skip_until(b'\n').map_err(|error| unreadable(&path, &error))?;
        } else if !ended && split_hash(&bytes).is_some() {
            trail.notice(format!("{}: the last record has no line feed yet", place()));
            trail.take(&bytes, place, || None, |_| None);
        } else if live && !ended && (bytes.is_empty() || is_beginning(&bytes)) {
            trail.notice(format!(
                "{}: a torn tail of {length} bytes; its writer was killed or is writing",
                place(),
            ));
        } else {
            trail.take(&bytes, place, || None, |_| None);
        }
    }
}

/// Whether nothing but zero bytes follows, as far as it is read: to the end or what is no zero.
fn ends_in_zeros(reader: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = reader.fill_buf()?;
        let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
        if zeros < bytes.len() || bytes.is_empty() {
            return Ok(bytes.is_empty());
        }
        reader.consume(zeros);
    }
}

/// Whether a JSON object begins with these bytes and goes on after them.
fn is_beginning(bytes: &[u8]) -> bool {
    let cut_character = |error: std::str::Utf8Error| error.error_len().is_none();
    bytes.starts_with(b"{")
        && std::str::from_utf8(bytes).err().is_none_or(cut_character)
        && serde_json::from_slice::<IgnoredAny>(bytes).is_err_and(|error| error.is_eof())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_number_makes_a_backup() {
        assert_eq!(backup_number(b"12"), Some(12));
        for other in ["", "0", "01", "1a", "+1", "gz", "99999999999999999999"] {
            assert_eq!(backup_number(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn a_torn_tail_is_a_beginning_and_nothing_else() {
        for beginning in ["{", "{\"a", "{\"a\":", "{\"a\":\"é", "{\"a\":1", "{\"a\":1,"] {
            assert!(is_beginning(beginning.as_bytes()), "{beginning}");
        }
        assert!(is_beginning(b"{\"a\":\"\xc3"));
        for other in
            [&b"12"[..], b"{\"a\":1}", b"{\"a\":1}x", b"{\"a\":\"\xff", b"{\"\0", b"{a", b" "]
        {
            assert!(!is_beginning(other), "{other:?}");
        }
    }
}
