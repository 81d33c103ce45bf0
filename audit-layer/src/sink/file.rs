//! JSON lines in a file that is rotated by size, for shippers and people.
//!
//! ```text
//! audit.log     being written
//! audit.log.1   the newest backup
//! audit.log.5   the oldest; the next rotation removes it and the trail says so
//! ```
//!
//! Rotation renames and creates, as shippers that follow an inode expect, and never falls inside a
//! line. A line is written once and never touched again.
//!
//! What is looked after:
//! - *A torn tail.* A crash can leave part of a line; it is cut when the file is opened, and the
//!   record comes again from another sink.
//! - *A full disk.* A write that got through in part is cut back, so that the batch can come again.
//! - *Hands from outside.* Before each batch the path is compared with the open file: a file that
//!   vanished or was replaced is made anew, one that was cut is noticed, and both are told in the
//!   trail. Truncating a file in place (`copytruncate`) is not supported: it loses lines.
//!
//! The file is long because rotation, repair and what hands from outside do all move the same end.
//!
//! Rejected: opening the file for each batch (slower, and no better at noticing), a lock on the
//! file (the lock of the journal directory keeps writers apart already).

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    ops::Range,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use super::{Batch, Delivery, Sink, SinkError, Trimmed, Written};
use crate::{
    Error,
    config::FileConfig,
    durable_names::{make_directory, parent_of, sync_name},
    record::{EventType, Head, Link, Record, StreamName, split_hash},
};

/// No line is longer: values take 64 KiB at most, and escaping makes six bytes of one.
const MAX_LINE_BYTES: u64 = 1024 * 1024;

#[derive(Debug)]
pub(crate) struct FileSink {
    config: FileConfig,
    file: File,
    /// Where the next line goes: everything before it is whole lines.
    size: u64,
    /// The last record in the file, of whatever stream.
    last: Option<(Box<str>, Head)>,
    trimmed: Vec<Trimmed>,
    /// A sync failed once: the kernel may have dropped the pages, and a later success means nothing.
    sync_failed: bool,
}

impl FileSink {
    pub(crate) fn open(config: FileConfig) -> Result<Self, Error> {
        let path = config.path.clone();
        Self::try_open(config).map_err(|error| Error::Sink {
            sink: "file",
            why: format!("{}: {error}", path.display()),
        })
    }

    fn try_open(config: FileConfig) -> io::Result<Self> {
        // A pipe would be waited for, and none of these can be read back, rotated or synced.
        if std::fs::metadata(&config.path).is_ok_and(|there| !there.is_file()) {
            return Err(io::Error::other(
                "not a regular file; for lines on standard output set AUDIT_STDOUT=true",
            ));
        }
        let file = open_durably(&config.path)?;
        let mut sink =
            Self { config, file, size: 0, last: None, trimmed: Vec::new(), sync_failed: false };
        sink.close_hole()?;
        sink.repair()?;
        sink.trimmed.extend(sink.untold()?);
        Ok(sink)
    }

    /// A rotation that was cut off leaves a number without a backup: those behind it move down again.
    fn close_hole(&self) -> io::Result<()> {
        let hole = (1..u32::MAX).find(|number| !self.backup(*number).exists()).unwrap_or(u32::MAX);
        let behind = (hole..u32::MAX).take_while(|number| self.backup(number + 1).exists());
        let mut moved = false;
        for number in behind {
            std::fs::rename(self.backup(number + 1), self.backup(number))?;
            moved = true;
        }
        if moved { sync_name(&self.config.path) } else { Ok(()) }
    }

    /// What is missing before the first record, if no record here tells of it: a process that was
    /// killed between a rotation and its record, or a hand from outside.
    fn untold(&self) -> io::Result<Option<Trimmed>> {
        let mut files = vec![self.config.path.clone()];
        let backups = (1..=self.config.backups).map(|number| self.backup(number));
        files.extend(backups.take_while(|backup| backup.exists()));
        let Some(Ok(oldest)) = files.last().map(File::open) else { return Ok(None) };
        let mut first = Vec::new();
        BufReader::new(oldest.take(MAX_LINE_BYTES)).read_until(b'\n', &mut first)?;
        let Some((stream, seq)) =
            position(first.trim_ascii_end()).map(|(stream, head)| (stream, head.seq))
        else {
            return Ok(None);
        };
        if seq == 1 {
            return Ok(None);
        }
        for path in &files {
            for line in BufReader::new(File::open(path)?).split(b'\n') {
                if String::from_utf8(line?).is_ok_and(|line| tells_of(&line, &stream, seq - 1)) {
                    return Ok(None);
                }
            }
        }
        Ok(Some(Trimmed {
            sink: "file",
            what: file_name(&self.config.path),
            reason: "missing",
            first: None,
            last: Some((stream, seq - 1)),
        }))
    }

    /// Cuts a torn tail and finds the last record, here or in the newest backup.
    fn repair(&mut self) -> io::Result<()> {
        let length = self.file.metadata()?.len();
        let whole = end_of_last_line(&self.file, length)?;
        if whole < length {
            self.file.set_len(whole)?;
        }
        self.size = whole;
        self.last = last_record(&self.file, whole)?;
        if self.last.is_none()
            && let Ok(backup) = File::open(self.backup(1))
        {
            let length = backup.metadata()?.len();
            self.last = last_record(&backup, end_of_last_line(&backup, length)?)?;
        }
        Ok(())
    }

    fn backup(&self, number: u32) -> PathBuf {
        let mut name = self.config.path.as_os_str().to_owned();
        name.push(format!(".{number}"));
        name.into()
    }

    /// Makes sure that the open file is the one at the path, and as long as it was left.
    fn notice_changes(&mut self) -> io::Result<()> {
        let open = self.file.metadata()?;
        let own = Some((open.dev(), open.ino()));
        if file_id(&self.config.path)? != own {
            let new = open_durably(&self.config.path)?;
            // A rotation that could not make the new file has only moved the old one.
            if file_id(&self.backup(1))? != own {
                self.trimmed.push(describe(&self.file, self.size, &self.config.path, "removed"));
            }
            self.file = new;
            self.size = 0;
            // A file that someone put there may hold lines, or half of one.
            let length = self.file.metadata()?.len();
            self.size = end_of_last_line(&self.file, length)?;
            if self.size < length {
                self.file.set_len(self.size)?;
            }
        } else if open.len() < self.size {
            self.trimmed.push(Trimmed {
                sink: "file",
                what: file_name(&self.config.path),
                reason: "truncated",
                first: None,
                last: self.last.as_ref().map(|(stream, head)| (stream.clone(), head.seq)),
            });
            self.size = end_of_last_line(&self.file, open.len())?;
            self.file.set_len(self.size)?;
        } else if open.len() > self.size {
            // Someone appended; what we write must begin on a line of its own.
            let whole = end_of_last_line(&self.file, open.len())?;
            if whole < open.len() {
                self.file.write_all(b"\n")?;
            }
            self.size = self.file.metadata()?.len();
        }
        Ok(())
    }

    fn sync_file(&mut self) -> io::Result<()> {
        if self.sync_failed {
            return Err(io::Error::other(
                "an earlier sync of the file failed, so what was written since is not known to be \
                 on the disk; check the disk and restart",
            ));
        }
        let result = self.file.sync_data();
        self.sync_failed = result.is_err();
        result
    }

    fn rotate(&mut self) -> io::Result<()> {
        self.sync_file()?;
        let kept = self.config.backups;
        // Usually one file; more when fewer backups are kept than before.
        let mut number = kept.max(1);
        while kept > 0 && self.backup(number).exists() {
            self.remove(&self.backup(number))?;
            number += 1;
        }
        for number in (1..kept).rev() {
            match std::fs::rename(self.backup(number), self.backup(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if kept > 0 {
            std::fs::rename(&self.config.path, self.backup(1))?;
        } else {
            self.remove(&self.config.path.clone())?;
        }
        self.file = open_append(&self.config.path)?;
        self.size = 0;
        sync_name(&self.config.path)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        let file = File::open(path)?;
        let length = file.metadata()?.len();
        let trimmed = describe(&file, length, path, "rotation");
        std::fs::remove_file(path)?;
        self.trimmed.push(trimmed);
        Ok(())
    }

    /// Appends whole lines, or nothing. `last` is the last record of them.
    fn append(&mut self, batch: &Batch, records: Range<usize>, last: Head) -> io::Result<()> {
        let lines = batch.lines(records);
        if lines.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.file.write_all(lines) {
            // Whatever got through is cut, so that the batch can come again.
            self.file.set_len(self.size)?;
            return Err(error);
        }
        self.size += lines.len() as u64;
        self.last = Some((batch.stream.as_str().into(), last));
        Ok(())
    }
}

impl Sink for FileSink {
    fn name(&self) -> &'static str {
        "file"
    }

    fn delivery(&self) -> Delivery {
        Delivery::Required
    }

    fn head(&mut self, stream: &StreamName) -> Result<Option<Head>, SinkError> {
        if self.last.as_ref().is_none_or(|(last, _)| last.as_ref() != stream.as_str()) {
            // Someone else's line, or another stream's, stands at the end: look further back.
            let all = self.lines_after(stream, 0, usize::MAX)?;
            self.last = all.last().and_then(|line| position(line.as_bytes()));
        }
        Ok(self.last.as_ref().map(|(_, head)| *head))
    }

    fn last_stream(
        &mut self,
        wanted: &dyn Fn(&str) -> bool,
    ) -> Result<Option<Box<str>>, SinkError> {
        let last = self.last.as_ref().map(|(stream, _)| stream);
        Ok(last.filter(|stream| wanted(stream)).cloned())
    }

    fn lines_after(
        &mut self,
        stream: &StreamName,
        after: u64,
        limit: usize,
    ) -> Result<Vec<String>, SinkError> {
        let mut files = vec![self.config.path.clone()];
        for number in 1..=self.config.backups {
            files.push(self.backup(number));
        }
        let mut found = Vec::new();
        // From the newest file back to the one that holds the record after `after`.
        for path in files {
            let Ok(file) = File::open(&path) else { break };
            let mut lines = Vec::new();
            let mut reaches_back = false;
            for line in BufReader::new(file).split(b'\n') {
                // What is not text is nobody's record.
                let Ok(line) = String::from_utf8(line?) else { continue };
                if let Ok(link) = Link::parse(&line)
                    && link.stream == stream.as_str()
                {
                    if link.seq > after {
                        lines.push(line);
                    } else {
                        reaches_back = true;
                    }
                }
            }
            lines.append(&mut found);
            found = lines;
            if reaches_back {
                break;
            }
        }
        found.truncate(limit);
        Ok(found)
    }

    fn write(&mut self, batch: &Batch) -> Result<Written, SinkError> {
        self.notice_changes()?;
        let mut written = Written::default();
        let mut have = self.head(&batch.stream)?.unwrap_or(Head::START);
        // The records that are to be written next, and the bytes that they take.
        let mut part = 0..0;
        let mut length = 0;
        for (at, record) in batch.records().enumerate() {
            if record.seq() <= have.seq {
                let other = record.seq() == have.seq && record.head.hash != have.hash;
                written.conflicts += u64::from(other);
                part = at + 1..at + 1;
                continue;
            }
            let line = record.line.len() as u64 + 1;
            let end = self.size + length;
            if end > 0 && end + line > self.config.max_bytes {
                self.append(batch, part.clone(), have)?;
                self.rotate()?;
                (part, length) = (at..at, 0);
            }
            part.end = at + 1;
            length += line;
            have = record.head;
            written.new += 1;
        }
        self.append(batch, part, have)?;
        Ok(written)
    }

    fn is_durable_once_written(&self) -> bool {
        false
    }

    fn sync(&mut self) -> Result<(), SinkError> {
        Ok(self.sync_file()?)
    }

    fn take_trimmed(&mut self) -> Vec<Trimmed> {
        std::mem::take(&mut self.trimmed)
    }
}

/// Whether a line is the record of a removal that reached as far as the record `seq`.
fn tells_of(line: &str, stream: &str, seq: u64) -> bool {
    if !line.contains(EventType::SystemAuditTrimmed.as_str()) {
        return false;
    }
    let details = Record::parse(line).ok().and_then(|record| record.details);
    let details: Option<serde_json::Value> =
        details.and_then(|details| serde_json::from_str(details.get()).ok());
    details.is_some_and(|details| {
        details["sink"] == "file"
            && details["last_stream"] == stream
            && details["last_seq"].as_u64().is_some_and(|last| last >= seq)
    })
}

/// Device and inode; `None` when nothing is there.
fn file_id(path: &Path) -> io::Result<Option<(u64, u64)>> {
    match std::fs::metadata(path) {
        Ok(there) => Ok(Some((there.dev(), there.ino()))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes what is missing so that it is still there after a power cut.
fn open_durably(path: &Path) -> io::Result<File> {
    make_directory(parent_of(path), 0o750)?;
    let file = open_append(path)?;
    sync_name(path)?;
    Ok(file)
}

fn open_append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).read(true).mode(0o640).open(path)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Where the last line feed within `length` bytes ends, searching backwards.
fn end_of_last_line(file: &File, length: u64) -> io::Result<u64> {
    let mut end = length;
    let mut block = [0; 8192];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        // A block is at most 8192 bytes long.
        let part = &mut block[..(end - start) as usize];
        file.read_exact_at(part, start)?;
        if let Some(at) = part.iter().rposition(|byte| *byte == b'\n') {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}

/// The record in the last of the whole lines that end at `end`.
fn last_record(file: &File, end: u64) -> io::Result<Option<(Box<str>, Head)>> {
    let Some(before) = end.checked_sub(1) else { return Ok(None) };
    let start = end_of_last_line(file, before)?;
    if before - start > MAX_LINE_BYTES {
        return Ok(None);
    }
    // Bounded just above.
    let mut line = vec![0; (before - start) as usize];
    file.read_exact_at(&mut line, start)?;
    Ok(position(&line))
}

fn first_record(mut file: &File) -> io::Result<Option<(Box<str>, Head)>> {
    file.seek(SeekFrom::Start(0))?;
    let mut line = Vec::new();
    BufReader::new(file.take(MAX_LINE_BYTES)).read_until(b'\n', &mut line)?;
    Ok(position(line.strip_suffix(b"\n").unwrap_or(&line)))
}

fn position(line: &[u8]) -> Option<(Box<str>, Head)> {
    let link = Link::parse(std::str::from_utf8(line).ok()?).ok()?;
    let (_, hash) = split_hash(line)?;
    Some((link.stream.as_ref().into(), Head { seq: link.seq, hash }))
}

fn describe(file: &File, length: u64, path: &Path, reason: &'static str) -> Trimmed {
    let seq = |found: io::Result<Option<(Box<str>, Head)>>| {
        found.ok().flatten().map(|(stream, head)| (stream, head.seq))
    };
    Trimmed {
        sink: "file",
        what: file_name(path),
        reason,
        first: seq(first_record(file)),
        last: seq(end_of_last_line(file, length).and_then(|end| last_record(file, end))),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::record::{Draft, Hash};

    fn stream() -> Arc<StreamName> {
        Arc::new("payments@web-1~k3x9q2".parse().unwrap())
    }

    fn chain(count: u64) -> Vec<String> {
        let mut prev = Hash::ZERO;
        (1..=count)
            .map(|seq| {
                let line =
                    Draft::new("payments@web-1~k3x9q2", seq, prev, "auth.login", "INFO").seal();
                prev = line.hash;
                line.text.into()
            })
            .collect()
    }

    fn batch(lines: &[String]) -> Batch {
        let mut batch = Batch::new(stream());
        lines.iter().for_each(|line| assert!(batch.push_line(line).is_some()));
        batch
    }

    fn head(line: &str) -> Head {
        position(line.as_bytes()).unwrap().1
    }

    fn open(dir: &Path, max_bytes: u64, backups: u32) -> FileSink {
        FileSink::open(FileConfig { path: dir.join("audit.log"), max_bytes, backups }).unwrap()
    }

    fn lines(path: &Path) -> Vec<String> {
        std::fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_batch_that_comes_twice_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = open(dir.path(), 1 << 20, 5);
        let records = chain(10);
        assert_eq!(sink.write(&batch(&records[..6])).unwrap().new, 6);
        assert_eq!(sink.write(&batch(&records[3..])).unwrap().new, 4);
        drop(sink);
        let mut sink = open(dir.path(), 1 << 20, 5);
        assert_eq!(sink.write(&batch(&records)).unwrap(), Written::default());
        assert_eq!(lines(&dir.path().join("audit.log")).len(), 10);
        let forged = records[9].replace(&head(&records[9]).hash.to_string(), &"0".repeat(64));
        assert_eq!(sink.write(&batch(&[forged])).unwrap().conflicts, 1);
    }

    #[test]
    fn rotation_keeps_whole_lines_and_tells_what_it_removes() {
        let dir = tempfile::tempdir().unwrap();
        let records = chain(30);
        let max = records[0].len() as u64 * 5;
        let mut sink = open(dir.path(), max, 2);
        // The bound falls between batches, and within them.
        for records in records.chunks(7) {
            assert_eq!(sink.write(&batch(records)).unwrap().new, records.len() as u64);
        }
        let mut left = lines(&dir.path().join("audit.log.2"));
        left.extend(lines(&dir.path().join("audit.log.1")));
        left.extend(lines(&dir.path().join("audit.log")));
        assert!(!dir.path().join("audit.log.3").exists());
        assert_eq!(left, records[30 - left.len()..]);
        let trimmed = sink.take_trimmed();
        assert_eq!(trimmed[0].first.as_ref().unwrap().1, 1);
        assert_eq!(trimmed.last().unwrap().last.as_ref().unwrap().1, 30 - left.len() as u64);
        for pair in trimmed.windows(2) {
            assert_eq!(pair[0].last.as_ref().unwrap().1 + 1, pair[1].first.as_ref().unwrap().1);
        }
    }

    #[test]
    fn a_rotation_that_was_cut_off_loses_sight_of_no_backup() {
        let dir = tempfile::tempdir().unwrap();
        let path = |number: u32| dir.path().join(format!("audit.log.{number}"));
        let records = chain(4);
        let mut sink = open(dir.path(), 1 << 20, 5);
        for record in &records {
            sink.write(&batch(std::slice::from_ref(record))).unwrap();
            sink.rotate().unwrap();
        }
        drop(sink);
        for number in [4, 3] {
            std::fs::rename(path(number), path(number + 1)).unwrap();
        }
        let mut sink = open(dir.path(), 1 << 20, 5);
        assert_eq!(sink.lines_after(&stream(), 0, 10).unwrap().len(), 4);
        assert!(sink.take_trimmed().is_empty(), "nothing is missing");
        assert!(path(4).exists() && !path(5).exists());
    }

    #[test]
    fn a_torn_tail_is_cut_and_the_record_comes_again() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        let records = chain(3);
        let torn = format!("{}\n{}\n{}", records[0], records[1], &records[2][..40]);
        std::fs::write(&path, torn).unwrap();
        let mut sink = open(dir.path(), 1 << 20, 5);
        assert_eq!(sink.head(&stream()).unwrap(), Some(head(&records[1])));
        sink.write(&batch(&records)).unwrap();
        assert_eq!(lines(&path), records);
    }

    #[test]
    fn a_file_that_vanished_is_made_anew_and_told() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        let mut sink = open(dir.path(), 1 << 20, 5);
        let records = chain(4);
        sink.write(&batch(&records[..2])).unwrap();
        std::fs::remove_file(&path).unwrap();
        sink.write(&batch(&records[2..])).unwrap();
        assert_eq!(lines(&path).len(), 2);
        let trimmed = sink.take_trimmed();
        assert_eq!((trimmed[0].reason, trimmed[0].last.as_ref().unwrap().1), ("removed", 2));
    }

    #[test]
    fn a_rotation_that_could_not_make_the_new_file_is_no_loss() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("audit.log");
        let mut sink = open(dir.path(), 1 << 20, 5);
        let records = chain(4);
        sink.write(&batch(&records[..2])).unwrap();
        // As it stands when the disk had no room for the new one.
        std::fs::rename(&path, dir.path().join("audit.log.1")).unwrap();
        sink.write(&batch(&records[2..])).unwrap();
        assert_eq!(lines(&path).len(), 2);
        assert_eq!(sink.take_trimmed(), []);
    }

    #[test]
    fn a_head_is_found_in_the_newest_backup_right_after_a_rotation() {
        let dir = tempfile::tempdir().unwrap();
        let mut sink = open(dir.path(), 1 << 20, 5);
        let records = chain(4);
        sink.write(&batch(&records)).unwrap();
        sink.rotate().unwrap();
        drop(sink);
        let mut sink = open(dir.path(), 1 << 20, 5);
        assert_eq!(sink.head(&stream()).unwrap(), Some(head(&records[3])));
        let after = sink.lines_after(&stream(), 1, 10).unwrap();
        assert_eq!(after, records[1..]);
    }

    #[test]
    fn what_is_no_file_is_refused_with_advice() {
        let device = FileConfig { path: "/dev/null".into(), max_bytes: 1 << 20, backups: 5 };
        let error = FileSink::open(device).unwrap_err().to_string();
        assert!(error.contains("/dev/null") && error.contains("AUDIT_STDOUT"), "{error}");
    }
}
