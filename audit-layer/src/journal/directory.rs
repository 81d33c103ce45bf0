//! The journal directory: it makes a writer who it is.
//!
//! ```text
//! <journal>/identity   the name of the stream, one line
//! <journal>/lock       locked for as long as its process lives
//! <journal>#2/…        the same for a second live process
//! ```
//!
//! The name is kept whole, host included, so that a directory on a volume that moves between hosts
//! goes on with its stream. A directory whose lock is held, or that belongs to another service, is
//! passed over for the next: `#2`, `#3` and so on.
//!
//! The lock is an `fcntl` lock. A `flock` would be inherited by the child of a fork, and a
//! surviving child would keep the stream from the parent's successor. Since `fcntl` locks do not
//! exclude within one process, and are lost when any descriptor of the file is closed there, the
//! directories that this process holds are kept in a list and never opened twice.

use std::{
    collections::BTreeSet,
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::Mutex,
};

use rustix::fs::{FlockOperation, fcntl_lock};

use crate::{
    Error,
    durable_names::{make_directory, sync_directory, sync_name},
    locked,
    record::StreamName,
};

/// How many live processes of one service may share a journal path.
pub(crate) const MAX_WRITERS: u32 = 64;

static HELD: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// A directory that this writer holds.
#[derive(Debug)]
pub(crate) struct Directory {
    /// Which of the processes that share the path this is, from 1.
    pub(crate) slot: u32,
    pub(crate) stream: StreamName,
    /// Whether the stream was named just now.
    pub(crate) is_new: bool,
    path: PathBuf,
    _lock: File,
}

impl Directory {
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Gives the directory a new stream, in the place of one whose records are all gone: going on
    /// under its name would number records twice. Returns the name of the old one.
    pub(crate) fn renew(&mut self) -> Result<StreamName, Error> {
        let stream = new_stream(self.stream.service())?;
        write_identity(&self.path, &stream)
            .map_err(|source| Error::Journal { path: self.path.clone(), source })?;
        Ok(std::mem::replace(&mut self.stream, stream))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        locked(&HELD).remove(&self.path);
    }
}

/// `audit.log` becomes `audit#2.log` for the second writer; a name without extension, `journal#2`.
pub(crate) fn path_for_slot(path: &Path, slot: u32) -> PathBuf {
    if slot == 1 {
        return path.to_path_buf();
    }
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let name = match path.extension() {
        Some(extension) => format!("{stem}#{slot}.{}", extension.to_string_lossy()),
        None => format!("{stem}#{slot}"),
    };
    path.with_file_name(name)
}

/// Takes the first directory at `path` that is free and belongs to `service`, or makes one.
pub(crate) fn open(path: &Path, service: &str) -> Result<Directory, Error> {
    for slot in 1..=MAX_WRITERS {
        if let Some(directory) = try_slot(&path_for_slot(path, slot), service, slot)? {
            return Ok(directory);
        }
    }
    Err(Error::TooManyWriters { path: path.to_path_buf() })
}

/// Takes the directory of an earlier writer, if it is there, free and of that service.
pub(crate) fn open_slot(path: &Path, service: &str, slot: u32) -> Result<Option<Directory>, Error> {
    let path = path_for_slot(path, slot);
    if path.join("identity").exists() { try_slot(&path, service, slot) } else { Ok(None) }
}

/// The names of the streams that the path has directories for.
pub(crate) fn streams(path: &Path) -> Vec<String> {
    (1..=MAX_WRITERS)
        .filter_map(|slot| {
            read_identity(&path_for_slot(path, slot).join("identity")).ok().flatten()
        })
        .map(|identity| identity.trim_end().to_owned())
        .collect()
}

/// Whether other writers than `own` ever shared the path.
pub(crate) fn has_other_slots(path: &Path, own: u32) -> bool {
    (1..=MAX_WRITERS).any(|slot| slot != own && path_for_slot(path, slot).exists())
}

fn try_slot(path: &Path, service: &str, slot: u32) -> Result<Option<Directory>, Error> {
    let failed = |source| Error::Journal { path: path.to_path_buf(), source };
    make_directory(path, 0o700).map_err(failed)?;
    let path = path.canonicalize().map_err(failed)?;
    if !locked(&HELD).insert(path.clone()) {
        return Ok(None);
    }
    let result = lock_and_name(&path, service);
    match result {
        Ok(Some((lock, stream, is_new))) => {
            Ok(Some(Directory { slot, stream, is_new, path, _lock: lock }))
        }
        Ok(None) => {
            locked(&HELD).remove(&path);
            Ok(None)
        }
        Err(error) => {
            locked(&HELD).remove(&path);
            Err(error)
        }
    }
}

fn lock_and_name(path: &Path, service: &str) -> Result<Option<(File, StreamName, bool)>, Error> {
    let failed = |source: io::Error| Error::Journal { path: path.to_path_buf(), source };
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(path.join("lock"))
        .map_err(failed)?;
    match fcntl_lock(&lock, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => {}
        Err(rustix::io::Errno::AGAIN | rustix::io::Errno::ACCESS) => return Ok(None),
        Err(error) => return Err(failed(error.into())),
    }
    let identity = path.join("identity");
    let (stream, is_new) = match read_identity(&identity).map_err(failed)? {
        Some(text) => {
            let stream = text.trim_end().parse::<StreamName>();
            (stream.map_err(|source| Error::Identity { path: identity, source })?, false)
        }
        None => {
            let stream = new_stream(service)?;
            write_identity(path, &stream).map_err(failed)?;
            // Again: an earlier process may have made the directory and been killed.
            sync_name(path).map_err(failed)?;
            (stream, true)
        }
    };
    Ok((stream.service() == service).then_some((lock, stream, is_new)))
}

fn read_identity(path: &Path) -> io::Result<Option<String>> {
    match File::open(path) {
        Ok(file) => {
            let mut text = String::new();
            file.take(1024).read_to_string(&mut text)?;
            Ok(Some(text))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Writes the name so that a crash leaves either none or the whole of it.
fn write_identity(directory: &Path, stream: &StreamName) -> io::Result<()> {
    let temporary = directory.join("identity.new");
    let mut file =
        OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&temporary)?;
    writeln!(file, "{stream}")?;
    file.sync_all()?;
    std::fs::rename(&temporary, directory.join("identity"))?;
    sync_directory(directory)
}

fn new_stream(service: &str) -> Result<StreamName, Error> {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut random = [0; 6];
    getrandom::fill(&mut random).map_err(|error| Error::Random(error.to_string()))?;
    let identity: String =
        random.iter().map(|byte| char::from(ALPHABET[usize::from(byte % 32)])).collect();
    let uname = rustix::system::uname();
    let host = name_part(&uname.nodename().to_string_lossy());
    StreamName::new(service, &host, &identity)
        .map_err(|error| Error::Invalid { name: "service", why: error.to_string() })
}

/// What of `text` can stand in the name of a stream; characters that cannot become `-`.
pub(crate) fn name_part(text: &str) -> String {
    let part: String = text
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-') { c } else { '-' })
        .take(StreamName::MAX_PART)
        .collect();
    if part.is_empty() { "unnamed".to_owned() } else { part }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_keeps_its_name_and_a_second_writer_gets_another() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        let first = open(&path, "payments").unwrap();
        let second = open(&path, "payments").unwrap();
        assert_eq!((first.slot, second.slot), (1, 2));
        assert_ne!(first.stream, second.stream);
        assert!(dir.path().join("journal#2/identity").exists());

        let name = first.stream.clone();
        drop(first);
        assert_eq!(open(&path, "payments").unwrap().stream, name);
    }

    #[test]
    fn another_service_does_not_take_the_stream() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        drop(open(&path, "payments").unwrap());
        let other = open(&path, "ledger").unwrap();
        assert_eq!((other.slot, other.stream.service()), (2, "ledger"));
    }

    #[test]
    fn a_damaged_identity_is_an_error_that_names_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal");
        drop(open(&path, "payments").unwrap());
        std::fs::write(path.join("identity"), "garbage").unwrap();
        let error = open(&path, "payments").unwrap_err().to_string();
        assert!(error.contains("identity"), "{error}");
    }

    #[test]
    fn the_number_of_a_writer_stands_before_the_extension() {
        assert_eq!(path_for_slot(Path::new("var/audit.log"), 2), Path::new("var/audit#2.log"));
        assert_eq!(path_for_slot(Path::new("journal"), 3), Path::new("journal#3"));
        assert_eq!(path_for_slot(Path::new("journal"), 1), Path::new("journal"));
    }
}
