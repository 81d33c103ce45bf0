//! Whether what is there belongs to another service.
//!
//! A demonstration makes things up, and must not do so in a trail that somebody keeps. So before it
//! writes anything it looks for streams of other services: in the database, in the log file and what
//! was rotated away from it, and in Redis. Looking makes no file either: a database without a log is
//! read as an immutable file, since SQLite would put a log and its index beside it.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    os::unix::ffi::OsStrExt,
    path::Path,
    time::Duration,
};

use audit_layer::record::{Link, StreamName};
use rusqlite::{Connection, OpenFlags, OptionalExtension};

use super::{DemoError, SERVICE, Site};

/// No line of a trail is longer.
const MAX_LINE: u64 = 1024 * 1024;

/// What the names of the cursors in Redis begin with; the stream follows.
const CURSOR_PREFIX: &str = "audit:cursor:";

/// Lets pass what is not there, and what is the demonstration's own.
///
/// # Errors
/// [`DemoError::Foreign`], or when something cannot be read.
pub(super) fn refuse_other_trails(site: &Site) -> Result<(), DemoError> {
    let database = site.database();
    let refuse = |path: &Path, service| DemoError::Foreign { path: path.to_owned(), service };
    if is_written(&database)
        && let Some(service) = in_database(&database).map_err(DemoError::History)?
    {
        return Err(refuse(&database, service));
    }
    let unreadable = |path: &Path, source| DemoError::Log { path: path.to_owned(), source };
    let logs = site.logs();
    let entries = match fs::read_dir(&logs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(unreadable(&logs, error)),
    };
    for entry in entries {
        let path = entry.map_err(|error| unreadable(&logs, error))?.path();
        let name = path.file_name().unwrap_or_default().as_bytes();
        // `audit.log`, `audit.log.1`, `audit#2.log`.
        if name.starts_with(b"audit")
            && is_written(&path)
            && let Some(service) = in_file(&path).map_err(|error| unreadable(&path, error))?
        {
            return Err(refuse(&path, service));
        }
    }
    Ok(())
}

fn is_written(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() > 0)
}

fn in_database(path: &Path) -> rusqlite::Result<Option<String>> {
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    let immutable = if Path::new(&log).exists() { "" } else { "?immutable=1" };
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_URI;
    let connection = Connection::open_with_flags(format!("{}{immutable}", uri(path)), flags)?;
    connection.busy_timeout(Duration::from_secs(2))?;
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'audit_cursors'";
    if connection.query_row(sql, [], |_| Ok(())).optional()?.is_none() {
        // No trail, or none yet: the layer says so, or makes one.
        return Ok(None);
    }
    let mut statement = connection.prepare("SELECT stream FROM audit_cursors")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if let Some(service) = other_service(row.get_ref(0)?.as_str().unwrap_or_default()) {
            return Ok(Some(service));
        }
    }
    Ok(None)
}

/// A path as SQLite reads it in a URI.
fn uri(path: &Path) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte);
    let bytes = path.as_os_str().as_bytes().iter();
    let path = bytes.map(|&byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    format!("file:{}", path.collect::<String>())
}

fn in_file(path: &Path) -> io::Result<Option<String>> {
    let mut file = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    loop {
        line.clear();
        if file.by_ref().take(MAX_LINE).read_until(b'\n', &mut line)? == 0 {
            return Ok(None);
        }
        let link =
            std::str::from_utf8(&line).ok().and_then(|line| Link::parse(line.trim_end()).ok());
        if let Some(service) = link.and_then(|link| other_service(&link.stream)) {
            return Ok(Some(service));
        }
    }
}

/// Whether the database of Redis that the connection is to holds cursors of another service.
pub(super) fn in_redis(connection: &mut redis::Connection) -> redis::RedisResult<bool> {
    let mut cursor = 0_u64;
    loop {
        let (next, names): (u64, Vec<Vec<u8>>) = redis::cmd("SCAN")
            .arg(cursor)
            .arg("MATCH")
            .arg(format!("{CURSOR_PREFIX}*"))
            .arg("COUNT")
            .arg(1_000)
            .query(connection)?;
        let foreign = names.iter().any(|name| {
            let name = String::from_utf8_lossy(name);
            name.strip_prefix(CURSOR_PREFIX).is_some_and(|stream| other_service(stream).is_some())
        });
        if foreign || next == 0 {
            return Ok(foreign);
        }
        cursor = next;
    }
}

/// The service of a stream, when it is not the demonstration's. What is no stream is nobody's.
fn other_service(stream: &str) -> Option<String> {
    let stream: StreamName = stream.parse().ok()?;
    Some(stream.service().to_owned()).filter(|service| service != SERVICE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_any_character_is_one_of_a_uri() {
        assert_eq!(uri(Path::new("a b/ü?#%.db")), "file:a%20b/%C3%BC%3F%23%25.db");
    }
}
