//! One file of the journal: preallocated, written from its beginning to its end, then deleted.
//!
//! ```text
//! 0     header, and again at 1024: a damaged sector must not cost the file
//! 2048  the chain before the first event, once the pipeline knows it
//! 4096  envelope, envelope, …                          each begins at a multiple of 8
//!
//! header    magic [u8; 8] │ version u32 │ salt u32 │ index u64 │ first_seq u64 │ follows u64
//!           │ created_at i64 │ stream length u32 │ stream │ CRC of all that
//! envelope  length u32 │ kind u8 │ 0 [u8; 3] │ number u64 │ CRC of the payload u32
//!           │ CRC of the 20 bytes before, seeded with the salt u32 │ payload
//! ```
//!
//! All integers are little-endian; a CRC is CRC-32C ([RFC 3720], appendix B.4). An envelope of kind
//! [`Kind::Event`] holds a frame, and its number is the `seq` of the record that the frame becomes.
//! One of kind [`Kind::Callsite`] says what the fields of a callsite are, before the first event of
//! that callsite in this file: a segment can be read without the program that wrote it.
//!
//! The head of an envelope has a CRC of its own, so that damage to a payload does not cost the
//! envelopes behind it; and the salt, which nobody outside knows, keeps the bytes of an event from
//! ever passing for an envelope.
//!
//! # Two ways to write
//! Where preallocated blocks are a promise (ext4, xfs, tmpfs) the file is mapped into memory: an
//! append is a copy, and what is copied is the kernel's, which keeps it when the process is killed.
//! A store to a page that the disk then has no room for would be a SIGBUS, so everywhere else (btrfs,
//! ZFS, NFS, overlay, …) an append is a `write(2)`, which is as safe and takes some 0.3 µs more.
//!
//! Reading always goes through the file. So no reference into the map ever exists, and reading a
//! journal whose disk fails is an error, not a signal.
//!
//! Rejected: files that grow (a size change with every sync), reuse of old files (their contents
//! would have to be told from new ones for ever), a file per event.
//!
//! The file is long because the layout above is read and written in one place.
//!
//! [RFC 3720]: https://www.rfc-editor.org/rfc/rfc3720

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::atomic::{
        AtomicBool, AtomicU64,
        Ordering::{Acquire, Relaxed, Release},
    },
};

use memmap2::{MmapOptions, MmapRaw};

use crate::record::{Hash, StreamName};

const MAGIC: &[u8; 8] = b"AUDITJNL";
const VERSION: u32 = 1;
const COPY_AT: u64 = 1024;
const ANCHOR_AT: u64 = 2048;
/// Where the first envelope begins.
pub(super) const DATA_AT: u64 = 4096;

/// The bytes of an envelope before its payload.
pub(super) const HEAD: usize = 24;

/// No payload is longer: the values of a record take 64 KiB, and a callsite's names far less.
pub(super) const MAX_PAYLOAD: usize = super::frame::MAX_FRAME;

const SUFFIX: &str = ".journal";
const SPARE: &str = ".spare";

/// What an envelope holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Event = 1,
    Callsite = 2,
}

/// What stands before a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Envelope {
    pub(super) kind: Kind,
    pub(super) length: usize,
    /// The `seq` of an event; the number of a callsite.
    pub(super) number: u64,
    pub(super) crc: u32,
}

impl Envelope {
    pub(super) fn of(kind: Kind, number: u64, payload: &[u8]) -> Self {
        Self { kind, length: payload.len(), number, crc: crc32c::crc32c(payload) }
    }

    pub(super) fn encode(&self, salt: u32) -> [u8; HEAD] {
        let mut head = [0; HEAD];
        // A payload is at most `MAX_PAYLOAD` long.
        let length = u32::try_from(self.length).unwrap_or(u32::MAX);
        head[0..4].copy_from_slice(&length.to_le_bytes());
        head[4] = self.kind as u8;
        head[8..16].copy_from_slice(&self.number.to_le_bytes());
        head[16..20].copy_from_slice(&self.crc.to_le_bytes());
        let crc = crc32c::crc32c_append(salt, &head[..20]);
        head[20..24].copy_from_slice(&crc.to_le_bytes());
        head
    }

    /// `None` when these bytes are not the head of an envelope of that segment.
    pub(super) fn decode(head: &[u8], salt: u32) -> Option<Self> {
        let head: &[u8; HEAD] = head.first_chunk()?;
        let u32_at = |at| head.get(at..at + 4)?.try_into().ok().map(u32::from_le_bytes);
        let length = usize::try_from(u32_at(0)?).ok()?;
        let kind = match head[4] {
            1 => Kind::Event,
            2 => Kind::Callsite,
            _ => return None,
        };
        let sound = length <= MAX_PAYLOAD
            && head[5..8] == [0; 3]
            && u32_at(20)? == crc32c::crc32c_append(salt, &head[..20]);
        let number = u64::from_le_bytes(head[8..16].try_into().ok()?);
        sound.then_some(Self { kind, length, number, crc: u32_at(16)? })
    }

    /// The bytes that it takes, with its payload and up to the next one.
    pub(super) fn size(&self) -> u64 {
        size_of_envelope(self.length)
    }
}

/// The bytes that an envelope with that much payload takes.
pub(super) const fn size_of_envelope(payload: usize) -> u64 {
    ((HEAD + payload) as u64).next_multiple_of(8)
}

/// What a segment begins with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) salt: u32,
    /// How many segments of this journal came before.
    pub(super) index: u64,
    /// The number of its first event.
    pub(super) first_seq: u64,
    /// The last number of the segment before. It is smaller than `first_seq` by more than one when
    /// the disk lost the end of the journal, and the sinks knew more.
    pub(super) follows: u64,
    /// Microseconds since the Unix epoch.
    pub(super) created_at: i64,
    pub(super) stream: StreamName,
}

impl Header {
    fn encode(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(512);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&self.salt.to_le_bytes());
        bytes.extend_from_slice(&self.index.to_le_bytes());
        bytes.extend_from_slice(&self.first_seq.to_le_bytes());
        bytes.extend_from_slice(&self.follows.to_le_bytes());
        bytes.extend_from_slice(&self.created_at.to_le_bytes());
        let stream = self.stream.as_str().as_bytes();
        // A name is a few hundred bytes at most.
        bytes.extend_from_slice(&u32::try_from(stream.len()).unwrap_or(0).to_le_bytes());
        bytes.extend_from_slice(stream);
        bytes.extend_from_slice(&crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Self, Unusable> {
        let mut rest = bytes;
        if take(&mut rest) != Some(*MAGIC) {
            return Err(Unusable::Damaged);
        }
        let version = take(&mut rest).map(u32::from_le_bytes).ok_or(Unusable::Damaged)?;
        if version > VERSION {
            return Err(Unusable::Newer(version));
        }
        let decoded = || -> Option<Self> {
            let salt = u32::from_le_bytes(take(&mut rest)?);
            let index = u64::from_le_bytes(take(&mut rest)?);
            let first_seq = u64::from_le_bytes(take(&mut rest)?);
            let follows = u64::from_le_bytes(take(&mut rest)?);
            let created_at = i64::from_le_bytes(take(&mut rest)?);
            let length = usize::try_from(u32::from_le_bytes(take(&mut rest)?)).ok()?;
            let (stream, mut rest) = rest.split_at_checked(length)?;
            let covered = bytes.get(..bytes.len() - rest.len())?;
            let crc = u32::from_le_bytes(take(&mut rest)?);
            let stream = std::str::from_utf8(stream).ok()?.parse().ok()?;
            (crc == crc32c::crc32c(covered)).then_some(Self {
                salt,
                index,
                first_seq,
                follows,
                created_at,
                stream,
            })
        }();
        decoded.ok_or(Unusable::Damaged)
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*taken)
}

/// Why a segment cannot be read at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unusable {
    #[error("both copies of its header are damaged")]
    Damaged,
    #[error("it is of version {0}, and this program knows {VERSION}; update it")]
    Newer(u32),
}

/// How a segment is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum JournalMode {
    /// Mapped into memory: the file system keeps what it preallocates.
    Mapped,
    /// By `write(2)`: it may not.
    Written,
}

impl JournalMode {
    /// What the file system that holds `directory` allows.
    pub(crate) fn of(directory: &Path) -> Self {
        #[cfg(target_os = "linux")]
        {
            const EXT: u64 = 0xef53;
            const XFS: u64 = 0x5846_5342;
            const TMPFS: u64 = 0x0102_1994;
            if let Ok(about) = rustix::fs::statfs(directory)
                && u64::try_from(about.f_type).is_ok_and(|kind| [EXT, XFS, TMPFS].contains(&kind))
            {
                return Self::Mapped;
            }
        }
        let _ = directory;
        Self::Written
    }
}

/// A file that waits to become a segment.
#[derive(Debug)]
pub(super) struct Spare {
    path: PathBuf,
    file: File,
    map: Option<MmapRaw>,
    size: u64,
}

impl Spare {
    /// Makes a file of `size` bytes, all zero, with every block and, when it is mapped, every page
    /// in place, so that nobody who appends waits for one.
    pub(super) fn make(directory: &Path, size: u64, mode: JournalMode) -> io::Result<Self> {
        // A name of its own: the one before may still be on its way to becoming a segment.
        static MADE: AtomicU64 = AtomicU64::new(0);
        let path = directory.join(format!("{}{SPARE}", MADE.fetch_add(1, Relaxed)));
        let file =
            OpenOptions::new().create_new(true).read(true).write(true).mode(0o600).open(&path)?;
        let map = match mode {
            JournalMode::Written => None,
            JournalMode::Mapped => map(&file, size).inspect_err(|_| {
                let _ = std::fs::remove_file(&path);
            })?,
        };
        Ok(Self { path, file, map, size })
    }

    /// Makes it a segment, or gives it back. `before` is the hash of the record before its first event,
    /// if it is known.
    pub(super) fn begin(
        self,
        directory: &Path,
        header: Header,
        before: Option<Hash>,
    ) -> io::Result<Segment> {
        let spare = self.path.clone();
        self.into_segment(directory, header, before).inspect_err(|_| {
            let _ = std::fs::remove_file(spare);
        })
    }

    fn into_segment(
        self,
        directory: &Path,
        header: Header,
        before: Option<Hash>,
    ) -> io::Result<Segment> {
        let path = directory.join(format!("{:020}{SUFFIX}", header.index));
        let bytes = header.encode();
        // Through the file, which the map sees too.
        self.file.write_all_at(&bytes, 0)?;
        self.file.write_all_at(&bytes, COPY_AT)?;
        let segment = Segment {
            path,
            file: self.file,
            map: self.map,
            size: self.size,
            header,
            end: AtomicU64::new(DATA_AT),
            sealed: AtomicBool::new(false),
        };
        if let Some(before) = before {
            segment.set_anchor(before)?;
        }
        // Only now may anyone find it.
        std::fs::rename(&self.path, &segment.path)?;
        Ok(segment)
    }

    /// Gives it back.
    pub(super) fn discard(self) {
        let _ = std::fs::remove_file(&self.path);
    }

    pub(super) fn mode(&self) -> JournalMode {
        if self.map.is_some() { JournalMode::Mapped } else { JournalMode::Written }
    }
}

/// `None` when the file system does not know preallocation after all.
#[cfg(target_os = "linux")]
fn map(file: &File, size: u64) -> io::Result<Option<MmapRaw>> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::empty(), 0, size) {
        Ok(()) => {}
        Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    let length = usize::try_from(size).map_err(io::Error::other)?;
    let map = MmapOptions::new().len(length).map_raw(file)?;
    // The child of a fork must not write into its parent's journal.
    map.advise(memmap2::Advice::DontFork)?;
    // An older kernel does not know this, and then the pages come one by one, as they are used.
    let _ = map.advise(memmap2::Advice::PopulateWrite);
    Ok(Some(map))
}

#[cfg(not(target_os = "linux"))]
fn map(_: &File, _: u64) -> io::Result<Option<MmapRaw>> {
    Ok(None)
}

/// A file of the journal.
#[derive(Debug)]
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    /// `None` when it is written by `write(2)`, or not by this process.
    map: Option<MmapRaw>,
    size: u64,
    pub(super) header: Header,
    /// Where the envelopes end that may be read.
    end: AtomicU64,
    /// Nothing more comes.
    sealed: AtomicBool,
}

impl Segment {
    /// Opens what an earlier process left. Nothing more is written to it.
    pub(super) fn open(path: &Path) -> io::Result<Result<Self, Unusable>> {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let size = file.metadata()?.len();
        let mut header = Err(Unusable::Damaged);
        for at in [0, COPY_AT] {
            let mut bytes = [0; COPY_AT as usize];
            let length = read_up_to(&file, &mut bytes, at)?;
            header = Header::decode(bytes.get(..length).unwrap_or_default());
            if !matches!(header, Err(Unusable::Damaged)) {
                break;
            }
        }
        Ok(header.map(|header| Self {
            path: path.to_owned(),
            file,
            map: None,
            size,
            header,
            end: AtomicU64::new(size.max(DATA_AT)),
            sealed: AtomicBool::new(true),
        }))
    }

    /// Writes `parts` one after the other at `at`. Only the one appender calls it, at or behind
    /// what is published.
    pub(super) fn write(&self, at: u64, parts: &[&[u8]]) -> io::Result<()> {
        let Some(map) = &self.map else { return self.write_to_file(at, parts) };
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let start = usize::try_from(at).map_err(io::Error::other)?;
        if start.checked_add(length).is_none_or(|end| end > map.len()) {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let mut to = start;
        for part in parts {
            #[allow(unsafe_code, reason = "nothing else writes to a map that others may see")]
            // SAFETY: `to + part.len()` is within the map, as was just checked; `part` is a slice of
            // somewhere else, since no reference into the map is ever made; there is one appender.
            unsafe {
                std::ptr::copy_nonoverlapping(part.as_ptr(), map.as_mut_ptr().add(to), part.len());
            }
            to += part.len();
        }
        Ok(())
    }

    fn write_to_file(&self, at: u64, parts: &[&[u8]]) -> io::Result<()> {
        let mut slices = [io::IoSlice::new(&[]); 4];
        if parts.len() > slices.len() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        slices.iter_mut().zip(parts).for_each(|(slice, part)| *slice = io::IoSlice::new(part));
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let written = rustix::io::retry_on_intr(|| rustix::io::pwritev(&self.file, &slices, at))?;
        // What got through in part is written over by the next try.
        if written == length { Ok(()) } else { Err(rustix::io::Errno::NOSPC.into()) }
    }

    /// Lets readers have everything before `end`.
    pub(super) fn publish(&self, end: u64) {
        self.end.store(end, Release);
    }

    /// Where the envelopes end that may be read.
    pub(super) fn end(&self) -> u64 {
        self.end.load(Acquire)
    }

    /// Nothing more comes.
    pub(super) fn seal(&self) {
        self.sealed.store(true, Release);
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.sealed.load(Acquire)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// Reads up to `bytes.len()` bytes at `at`; fewer at the end of the file.
    pub(super) fn read(&self, bytes: &mut [u8], at: u64) -> io::Result<usize> {
        read_up_to(&self.file, bytes, at)
    }

    /// Makes everything durable that was written so far.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Keeps the hash of the record before the first event of this segment: with it the events
    /// become the same records again although every sink may have lost the record before.
    pub(super) fn set_anchor(&self, before: Hash) -> io::Result<()> {
        let mut bytes = [0; 36];
        bytes[..32].copy_from_slice(before.as_bytes());
        let crc = crc32c::crc32c_append(self.header.salt, &bytes[..32]);
        bytes[32..].copy_from_slice(&crc.to_le_bytes());
        self.file.write_all_at(&bytes, ANCHOR_AT)
    }

    pub(super) fn anchor(&self) -> io::Result<Option<Hash>> {
        let mut bytes = [0; 36];
        if self.read(&mut bytes, ANCHOR_AT)? < bytes.len() {
            return Ok(None);
        }
        let (hash, crc) = bytes.split_at(32);
        let sound = crc == crc32c::crc32c_append(self.header.salt, hash).to_le_bytes();
        Ok(hash.try_into().ok().filter(|_| sound).map(Hash::from_bytes))
    }

    /// Gives back what lies behind the last envelope. Nothing may be written any more.
    pub(super) fn close(&self) -> io::Result<()> {
        self.file.set_len(self.end())
    }

    /// Gives back what lies behind `end` in a segment that an earlier process left.
    pub(super) fn cut(&mut self, end: u64) -> io::Result<()> {
        self.file.set_len(end)?;
        self.size = end;
        self.end = AtomicU64::new(end);
        Ok(())
    }

    /// How many bytes behind `end` anything was written to.
    pub(super) fn used_behind(&self, end: u64) -> io::Result<u64> {
        let mut block = vec![0; 64 * 1024];
        let (mut at, mut used) = (end, end);
        loop {
            let read = self.read(&mut block, at)?;
            let read = block.get(..read).unwrap_or_default();
            if read.is_empty() {
                return Ok(used - end);
            }
            if let Some(last) = read.iter().rposition(|byte| *byte != 0) {
                used = at + last as u64 + 1;
            }
            at += read.len() as u64;
        }
    }

    pub(super) fn remove(&self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }

    /// Puts a segment that cannot be read out of the way, for whoever can make something of it.
    pub(super) fn set_aside(path: &Path) -> io::Result<PathBuf> {
        let mut name = path.as_os_str().to_owned();
        name.push(".damaged");
        let aside = PathBuf::from(name);
        std::fs::rename(path, &aside)?;
        Ok(aside)
    }
}

fn read_up_to(file: &File, bytes: &mut [u8], at: u64) -> io::Result<usize> {
    let mut have = 0;
    while let Some(rest) = bytes.get_mut(have..).filter(|rest| !rest.is_empty()) {
        match file.read_at(rest, at + have as u64) {
            Ok(0) => break,
            Ok(read) => have += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(have)
}

/// Removes the files that an earlier process held ready.
pub(super) fn remove_spares(directory: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == &SPARE[1..]) {
            std::fs::remove_file(path)?;
        }
    }
    Ok(())
}

/// The segments in a directory, oldest first.
pub(super) fn list(directory: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let number = name.strip_suffix(SUFFIX).filter(|number| number.len() == 20);
        if number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit())) {
            paths.push(path);
        }
    }
    paths.sort_unstable();
    Ok(paths)
}
