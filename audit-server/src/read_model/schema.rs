//! The database of the read model.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, OptionalExtension, config::DbConfig, params};

use super::{blind, proof, tokens::HashKey, vocabulary};

/// The version of everything below, and of what is put into it. Another one is built anew.
pub(super) const VERSION: i32 = 5;

/// How long whoever writes waits for others who do.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(10);

/// What tells the file from others: `audm`.
pub(super) const APPLICATION_ID: i32 = 0x6175_646d;

/// Bits of a row number that are the position within a run.
pub(super) const POSITION_BITS: u32 = 41;

/// The most runs.
pub(super) const MAX_RUNS: u32 = 1 << 14;

const TABLES: &str = "
CREATE TABLE state (
    one       INTEGER PRIMARY KEY CHECK (one = 1),
    hash_key  BLOB    NOT NULL,
    arrival   INTEGER NOT NULL,  -- the last record of the trail that is in here
    line      INTEGER NOT NULL,  -- a hash of its line
    damaged   INTEGER NOT NULL,  -- whether any record in here could not be read
    rebuild   INTEGER NOT NULL,  -- whether to begin anew has been asked for
    blind     TEXT    NOT NULL   -- with which keyring sealed values were put in here; empty: with none
) STRICT;

-- Names under which values stand (name IS NULL), and the values that are facets.
CREATE TABLE facets (
    id   INTEGER PRIMARY KEY,
    name INTEGER,
    text TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX facets_text ON facets (name, text);

-- Consecutive positions of a run: in the order of time, and which records of the trail they are.
CREATE TABLE blocks (
    first      INTEGER PRIMARY KEY,  -- the row number of the first: run, position
    run        INTEGER NOT NULL,
    count      INTEGER NOT NULL,
    batch      INTEGER NOT NULL,     -- the last arrival of all that was taken in together
    from_time  INTEGER NOT NULL,
    to_time    INTEGER NOT NULL,
    arrivals   BLOB    NOT NULL
) STRICT;
CREATE INDEX blocks_time  ON blocks (run, to_time);
CREATE INDEX blocks_batch ON blocks (run, batch);

-- Chunks that are full: the positions of a facet, and the numbers of a name.
CREATE TABLE bits (
    key  INTEGER PRIMARY KEY,  -- facet, run, chunk
    data BLOB NOT NULL
) STRICT;
CREATE TABLE numbers (
    key      INTEGER PRIMARY KEY,  -- name, run, chunk
    least    INTEGER NOT NULL,
    greatest INTEGER NOT NULL,
    data     BLOB    NOT NULL
) STRICT;

-- Chunks that are full: the columns of their facts.
CREATE TABLE facts (
    key  INTEGER PRIMARY KEY,  -- column, run, chunk
    data BLOB NOT NULL
) STRICT;

-- How far each stream had got when it was looked at last, and what was wrong. These two are not
-- derived: they stay when the rest is made anew.
CREATE TABLE IF NOT EXISTS heads (
    stream TEXT    PRIMARY KEY,
    seq    INTEGER NOT NULL,
    hash   TEXT    NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS alarms (
    number  INTEGER PRIMARY KEY AUTOINCREMENT,
    at      INTEGER NOT NULL,  -- microseconds since the Unix epoch
    stream  TEXT    NOT NULL,
    finding TEXT    NOT NULL,
    told    INTEGER NOT NULL DEFAULT 0  -- whether the trail has it
) STRICT;

-- The last chunk of each run, in parts: their facts, and the positions of a facet or the numbers of
-- a name, each in a row of its own, so that a page need not read all of a part to know one of them.
CREATE TABLE parts (
    run   INTEGER NOT NULL,
    part  INTEGER NOT NULL,
    sheet BLOB    NOT NULL,
    PRIMARY KEY (run, part)
) STRICT, WITHOUT ROWID;
CREATE TABLE entries (
    key  INTEGER PRIMARY KEY,  -- run, part, facet or name
    data BLOB NOT NULL
) STRICT;

CREATE VIRTUAL TABLE terms USING fts5 (
    text, content = '', columnsize = 0, detail = none, tokenize = \"ascii tokenchars '='\"
);
INSERT INTO terms (terms, rank) VALUES ('pgsz', 8000);
INSERT INTO terms (terms, rank) VALUES ('hashsize', 16777216);
";

const DROP: &str = "
DROP TABLE IF EXISTS terms;
DROP TABLE IF EXISTS state;
DROP TABLE IF EXISTS facets;
DROP TABLE IF EXISTS blocks;
DROP TABLE IF EXISTS bits;
DROP TABLE IF EXISTS numbers;
DROP TABLE IF EXISTS facts;
DROP TABLE IF EXISTS parts;
DROP TABLE IF EXISTS entries;
";

/// A place in a run, as the row number of the term index and of blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RowId(pub(super) i64);

impl RowId {
    pub(super) fn new(run: u32, position: u64) -> Self {
        Self((u64::from(run) << POSITION_BITS | position).cast_signed())
    }

    pub(super) fn position(self) -> u64 {
        self.0.cast_unsigned() & ((1 << POSITION_BITS) - 1)
    }
}

/// The key of what a facet, the numbers of a name, or a column of facts, have in a chunk.
pub(super) fn chunk_key(id: u32, run: u32, chunk: u64) -> i64 {
    // 23, 14 and 26 bits.
    (u64::from(id) << 40 | u64::from(run) << 26 | chunk).cast_signed()
}

/// The key of an entry of a part: see [`super::part::EntryId`].
pub(super) fn entry_key(run: u32, part: u32, id: u32) -> i64 {
    // 14, 8 and 32 bits.
    (u64::from(run) << 40 | u64::from(part) << 32 | u64::from(id)).cast_signed()
}

/// The part that an entry is of.
pub(super) fn part_of(entry_key: i64) -> u32 {
    (entry_key >> 32 & 0xff) as u32
}

/// Where the model stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub(super) hash_key: HashKey,
    /// The last arrival in it.
    pub(super) arrival: i64,
    /// A hash of that record's line.
    pub(super) line: i64,
    /// Whether any record in it could not be read.
    pub(super) damaged: bool,
    pub(super) rebuild: bool,
    /// A hash of which keyring sealed values were put into it with; none when they were not.
    pub(super) blind: Option<i64>,
}

/// The error that what is in the database is no encoding of what belongs there.
pub(super) fn damaged() -> rusqlite::Error {
    rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
        Some("the read model is damaged: delete it, and it is made anew".to_owned()),
    )
}

/// Opens the database to write, and makes it when it is none or of another version.
pub(super) fn open_to_write(path: &Path, fresh_key: [u8; 16]) -> rusqlite::Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    let pragma = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    let is_new = pragma("application_id")? == 0 && pragma("schema_version")? == 0;
    if !is_new && pragma("application_id")? != APPLICATION_ID {
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB),
            Some("the file is a database of something else".to_owned()),
        ));
    }
    connection.execute_batch(
        "PRAGMA page_size = 8192; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
         PRAGMA cache_size = -32768; PRAGMA temp_store = MEMORY;
         PRAGMA journal_size_limit = 16777216; PRAGMA wal_autocheckpoint = 2000;",
    )?;
    connection.set_prepared_statement_cache_capacity(64);
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if version != VERSION {
        clear(&mut connection, fresh_key, "")?;
    }
    Ok(connection)
}

/// Empties the database, to be filled with sealed values that this keyring opens; without when it is empty.
pub(super) fn clear(
    connection: &mut Connection,
    fresh_key: [u8; 16],
    keyring: &str,
) -> rusqlite::Result<()> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    let drops = [DROP, proof::DROP, vocabulary::DROP];
    let made = [TABLES, proof::TABLES, vocabulary::TABLE, blind::TABLE];
    // Of what was erased nothing may be left in pages that are free then.
    transaction.execute_batch("PRAGMA secure_delete = ON;")?;
    transaction.execute_batch(blind::DROP)?;
    transaction.execute_batch("PRAGMA secure_delete = FAST;")?;
    for tables in drops.into_iter().chain(made) {
        transaction.execute_batch(tables)?;
    }
    transaction.execute(
        "INSERT INTO state (one, hash_key, arrival, line, damaged, rebuild, blind)
         VALUES (1, ?1, 0, 0, 0, 0, ?2)",
        params![fresh_key, keyring],
    )?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// Opens the database to read.
pub(super) fn open_to_read(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_millis(250))?;
    connection.execute_batch("PRAGMA query_only = ON; PRAGMA cache_size = -8192;")?;
    // Else a statement that looks in a range is prepared anew for each.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Opens the database to ask its keeper for something.
pub(super) fn open_to_ask(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    Ok(connection)
}

/// Asks the keeper to begin anew.
pub(super) fn ask_to_rebuild(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute("UPDATE state SET rebuild = 1", []).map(drop)
}

/// Takes the sealed values out of it, and notes that none are put into it any more.
pub(super) fn end_blind(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(
        "PRAGMA secure_delete = ON;
         BEGIN IMMEDIATE; DELETE FROM blind; UPDATE state SET blind = ''; COMMIT;
         PRAGMA secure_delete = FAST;",
    )
}

/// Where the model stands; none when it is not of this version, or not made yet.
pub(super) fn state(connection: &Connection) -> rusqlite::Result<Option<State>> {
    // Kept ready, as all that each page begins with: to prepare them takes ten times what they take.
    let pragma = |sql| connection.prepare_cached(sql)?.query_row([], |row| row.get::<_, i32>(0));
    let (version, id) = (pragma("PRAGMA user_version")?, pragma("PRAGMA application_id")?);
    if (version, id) != (VERSION, APPLICATION_ID) {
        return Ok(None);
    }
    connection
        .prepare_cached("SELECT hash_key, arrival, line, damaged, rebuild, blind FROM state")?
        .query_row([], |row| {
            let hash_key = HashKey(row.get(0)?);
            let keyring = row.get_ref(5)?.as_str()?;
            Ok(State {
                hash_key,
                arrival: row.get(1)?,
                line: row.get(2)?,
                damaged: row.get(3)?,
                rebuild: row.get(4)?,
                blind: (!keyring.is_empty()).then(|| hash_key.of_line(keyring)),
            })
        })
        .optional()
}
