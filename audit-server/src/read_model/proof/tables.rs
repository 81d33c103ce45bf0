//! The tables in which it is kept.

use audit_layer::record::Hash;
use rusqlite::{Connection, Row, params, types::Type};

use super::{
    FaultKind, Proof, Reached, Stream,
    fault::{Found, Seen, Tally},
    pieces::{Piece, Pieces},
};

/// Makes the tables.
pub(in crate::read_model) const TABLES: &str = "
-- What is known of the chain: how far it was checked, and what was only counted.
CREATE TABLE proof (
    one             INTEGER PRIMARY KEY CHECK (one = 1),
    arrival         INTEGER NOT NULL,  -- the last record that was checked
    records         INTEGER NOT NULL,
    sound_at        INTEGER,           -- the time of the last sound record
    beyond          INTEGER NOT NULL,  -- faults that are not in proof_faults: how many, and when
    beyond_from     INTEGER NOT NULL,
    beyond_to       INTEGER NOT NULL,
    unfollowed      INTEGER NOT NULL,  -- records that would have begun a piece too many
    unfollowed_from INTEGER NOT NULL,
    unfollowed_to   INTEGER NOT NULL
) STRICT;

CREATE TABLE proof_streams (
    id   INTEGER PRIMARY KEY,
    name TEXT    NOT NULL
) STRICT;

-- Consecutive records of a stream, of which each states the hash of the one before.
CREATE TABLE proof_pieces (
    stream        INTEGER NOT NULL,
    first         INTEGER NOT NULL,
    last          INTEGER NOT NULL,
    before        BLOB    NOT NULL,  -- the hash that the first states of the one before it
    hash          BLOB    NOT NULL,  -- of the last
    first_at      INTEGER NOT NULL,  -- microseconds since the Unix epoch, as all times here
    first_arrival INTEGER NOT NULL,
    last_at       INTEGER NOT NULL,
    earliest      INTEGER NOT NULL,
    latest        INTEGER NOT NULL,
    PRIMARY KEY (stream, first)
) STRICT, WITHOUT ROWID;

CREATE TABLE proof_faults (
    number  INTEGER PRIMARY KEY,
    kind    TEXT    NOT NULL,
    arrival INTEGER NOT NULL,
    at      INTEGER NOT NULL,
    after   INTEGER,           -- the time of the record before
    stream  TEXT,
    seq     INTEGER
) STRICT;
";

/// Removes them.
pub(in crate::read_model) const DROP: &str = "
DROP TABLE IF EXISTS proof;
DROP TABLE IF EXISTS proof_streams;
DROP TABLE IF EXISTS proof_pieces;
DROP TABLE IF EXISTS proof_faults;
";

impl Proof {
    /// What was saved last.
    pub(in crate::read_model) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut proof = Self { reached: reached(connection)?, ..Self::default() };
        let mut statement = connection.prepare("SELECT name FROM proof_streams ORDER BY id")?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let name: Box<str> = row.get(0)?;
            proof.names.insert(name.clone(), proof.streams.len());
            proof.streams.push(Stream { name, pieces: Pieces::default() });
        }
        proof.saved_streams = proof.streams.len();
        let mut statement = connection.prepare(
            "SELECT first, last, before, hash, first_at, first_arrival, last_at, earliest, latest,
                    stream
             FROM proof_pieces",
        )?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let stream: usize = row.get(9)?;
            if let Some(stream) = proof.streams.get_mut(stream) {
                stream.pieces.restore(piece(row)?);
            }
        }
        Ok(proof)
    }

    /// Places what was taken since, and says what is to be written of it.
    pub(in crate::read_model) fn take_changes(&mut self) -> Changes {
        self.place();
        let fresh = self.streams.iter().enumerate().skip(self.saved_streams);
        let streams = fresh.map(|(id, Stream { name, .. })| (id, name.clone())).collect();
        self.saved_streams = self.streams.len();
        let piece = |number: usize, first| self.streams.get(number)?.pieces.get(first).copied();
        let touched = std::mem::take(&mut self.touched).into_iter();
        Changes {
            streams,
            pieces: touched.map(|(number, first)| (number, first, piece(number, first))).collect(),
            faults: std::mem::take(&mut self.fresh),
            reached: Some(self.reached.clone()),
        }
    }

    /// Writes all that was taken since.
    #[cfg(test)]
    pub(super) fn save(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        self.take_changes().write(connection)
    }
}

/// What is to be written.
#[derive(Debug, Default)]
pub(in crate::read_model) struct Changes {
    streams: Vec<(usize, Box<str>)>,
    /// The stream and the first number of each piece; none of one that is no more.
    pieces: Vec<(usize, u64, Option<Piece>)>,
    faults: Vec<Found>,
    reached: Option<Reached>,
}

impl Changes {
    /// Adds what is to be written after these.
    pub(in crate::read_model) fn append(&mut self, mut later: Self) {
        self.streams.append(&mut later.streams);
        self.pieces.append(&mut later.pieces);
        self.faults.append(&mut later.faults);
        self.reached = later.reached.or(self.reached.take());
    }

    /// Writes them.
    pub(in crate::read_model) fn write(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut insert =
            connection.prepare_cached("INSERT INTO proof_streams (id, name) VALUES (?1, ?2)")?;
        for (id, name) in &self.streams {
            insert.execute(params![id, name])?;
        }
        self.write_pieces(connection)?;
        let mut insert = connection.prepare_cached(
            "INSERT INTO proof_faults (kind, arrival, at, after, stream, seq)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        for Found { kind, seen: Seen { arrival, at, after }, stream, seq } in &self.faults {
            insert.execute(params![kind.name(), arrival, at, after, stream, seq])?;
        }
        let Some(reached) = &self.reached else { return Ok(()) };
        let Reached { arrival, records, sound_at, beyond, unfollowed, .. } = reached;
        connection
            .prepare_cached(
                "INSERT OR REPLACE INTO proof VALUES (1, ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                arrival,
                records,
                sound_at,
                beyond.count,
                beyond.earliest,
                beyond.latest,
                unfollowed.count,
                unfollowed.earliest,
                unfollowed.latest
            ])
            .map(drop)
    }

    fn write_pieces(&self, connection: &Connection) -> rusqlite::Result<()> {
        let mut put = connection.prepare_cached(
            "INSERT OR REPLACE INTO proof_pieces
                (stream, first, last, before, hash, first_at, first_arrival, last_at, earliest, latest)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?;
        let mut remove = connection
            .prepare_cached("DELETE FROM proof_pieces WHERE stream = ?1 AND first = ?2")?;
        for (number, first, piece) in &self.pieces {
            match piece {
                None => remove.execute(params![number, first])?,
                Some(piece) => put.execute(params![
                    number,
                    piece.first,
                    piece.last,
                    piece.before.as_bytes(),
                    piece.hash.as_bytes(),
                    piece.first_at,
                    piece.first_arrival,
                    piece.last_at,
                    piece.earliest,
                    piece.latest
                ])?,
            };
        }
        Ok(())
    }
}

/// How far it has got; the beginning when nothing was ever saved.
pub(super) fn reached(connection: &Connection) -> rusqlite::Result<Reached> {
    let count = |table: &str| {
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))
    };
    let mut statement = connection.prepare_cached("SELECT * FROM proof")?;
    let mut rows = statement.query([])?;
    let Some(row) = rows.next()? else { return Ok(Reached::default()) };
    let tally = |at: usize| -> rusqlite::Result<Tally> {
        Ok(Tally { count: row.get(at)?, earliest: row.get(at + 1)?, latest: row.get(at + 2)? })
    };
    Ok(Reached {
        arrival: row.get(1)?,
        records: row.get(2)?,
        sound_at: row.get(3)?,
        beyond: tally(4)?,
        unfollowed: tally(7)?,
        pieces: count("proof_pieces")?,
        faults: count("proof_faults")?,
    })
}

/// A piece from the columns that begin with its `first`.
pub(super) fn piece(row: &Row<'_>) -> rusqlite::Result<Piece> {
    Ok(Piece {
        first: row.get(0)?,
        last: row.get(1)?,
        before: Hash::from_bytes(row.get(2)?),
        hash: Hash::from_bytes(row.get(3)?),
        first_at: row.get(4)?,
        first_arrival: row.get(5)?,
        last_at: row.get(6)?,
        earliest: row.get(7)?,
        latest: row.get(8)?,
    })
}

/// A fault from the columns `kind, arrival, at, after, stream, seq`.
pub(super) fn found(row: &Row<'_>) -> rusqlite::Result<Found> {
    let kind: Box<str> = row.get(0)?;
    let kind = FaultKind::named(&kind).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(0, Type::Text, "no kind of fault".into())
    })?;
    let seen = Seen { arrival: row.get(1)?, at: row.get(2)?, after: row.get(3)? };
    Ok(Found { kind, seen, stream: row.get(4)?, seq: row.get(5)? })
}
