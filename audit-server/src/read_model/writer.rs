//! Taking records in.
//!
//! One transaction takes in consecutive arrivals, sorts them by time, and appends each to the *run*
//! whose last record is the latest that is not after it. Within a run positions are in the order of
//! time, whatever the order of arrival; see the head of the module.

use std::path::Path;

use audit_layer::record::Record;
use rusqlite::{Connection, Statement, TransactionBehavior, params};

use super::{
    arrivals::{self, Arrivals},
    bits::CHUNK,
    columns::{self, Column},
    content::{self, PAIR, Sink},
    dictionary::{Dictionary, FacetId},
    heads::{self, Alarm},
    number::Code,
    part::{self, EntryId, MAX_PARTS, Part},
    proof::Proof,
    schema::{self, MAX_RUNS, RowId, State, chunk_key, entry_key},
    tokens::{self, HashKey},
    vocabulary::Vocabulary,
};
use crate::{fact::ValueKey, store::StreamHead};

/// The most records of a block. A page whose records are far apart reads one for each.
const BLOCK: usize = 1024;

/// A record of the trail.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    pub(super) arrival: i64,
    /// Microseconds since the Unix epoch, as the trail sorts it.
    pub(super) timestamp: i64,
    pub(super) line: Box<str>,
}

/// The one who writes the model.
#[derive(Debug)]
pub(super) struct Writer {
    connection: Connection,
    state: State,
    dictionary: Dictionary,
    vocabulary: Vocabulary,
    proof: Proof,
    runs: Vec<Run>,
}

/// Records in the order of time.
#[derive(Debug)]
struct Run {
    count: u64,
    /// Time and arrival of the last.
    last: (i64, i64),
    /// What the chunk that is not full has, as it stands in `parts`.
    open: Part,
    parts: u32,
    /// What it has got since.
    fresh: Part,
}

impl Run {
    fn new() -> Self {
        let last = (i64::MIN, i64::MIN);
        Self { count: 0, last, open: Part::default(), parts: 0, fresh: Part::default() }
    }

    /// Reads the parts of the chunk that is not full.
    fn read_parts(&mut self, connection: &Connection, run: u32) -> rusqlite::Result<()> {
        let mut sheets =
            connection.prepare_cached("SELECT sheet FROM parts WHERE run = ?1 AND part = ?2")?;
        let mut entries = connection
            .prepare_cached("SELECT key, data FROM entries WHERE key >= ?1 AND key < ?2")?;
        self.parts = part::count(connection, run)?;
        for part in 0..self.parts {
            let sheet: Vec<u8> = sheets.query_row([run, part], |row| row.get(0))?;
            self.open.add_sheet(&sheet).ok_or_else(schema::damaged)?;
            let first = entry_key(run, part, 0);
            let mut rows = entries.query([first, entry_key(run, part + 1, 0)])?;
            while let Some(row) = rows.next()? {
                let id = row.get::<_, i64>(0)?.abs_diff(first) as u32;
                self.open.add_entry(EntryId(id), row.get_ref(1)?.as_blob()?);
            }
        }
        Ok(())
    }

    fn in_chunk(&self) -> usize {
        (self.count % CHUNK as u64) as usize
    }
}

/// A block that is being filled.
#[derive(Debug)]
struct Block {
    first: RowId,
    from_time: i64,
    to_time: i64,
    arrivals: Vec<i64>,
}

impl Writer {
    /// Opens the model, and makes it when there is none or one of another version.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        let connection = schema::open_to_write(path, fresh_key())?;
        Self::load(connection)
    }

    fn load(connection: Connection) -> rusqlite::Result<Self> {
        let state = schema::state(&connection)?.ok_or(rusqlite::Error::QueryReturnedNoRows)?;
        let dictionary = Dictionary::load(&connection)?;
        let vocabulary = Vocabulary::load(&connection)?;
        let proof = Proof::load(&connection)?;
        let mut runs = Vec::new();
        for run in 0..MAX_RUNS {
            let Some(mut loaded) = last_of(&connection, run)? else { break };
            loaded.read_parts(&connection, run)?;
            runs.push(loaded);
        }
        Ok(Self { connection, state, dictionary, vocabulary, proof, runs })
    }

    /// Where the model stands.
    pub(super) fn state(&self) -> State {
        self.state
    }

    /// The hash of a line, as the state has it.
    pub(super) fn hash_of(&self, line: &str) -> i64 {
        self.state.hash_key.of_line(line)
    }

    /// Whether someone has asked for a new beginning, or there are as many runs as there may be: a
    /// transaction makes one at most, and a new beginning takes in more with each.
    pub(super) fn is_to_rebuild(&self) -> rusqlite::Result<bool> {
        let asked = schema::state(&self.connection)?.is_none_or(|state| state.rebuild);
        Ok(asked || self.runs.len() >= MAX_RUNS as usize)
    }

    /// The heads of the streams as they were remembered.
    pub(super) fn heads(&self) -> rusqlite::Result<Vec<StreamHead>> {
        heads::load(&self.connection)
    }

    /// Remembers the heads, and what was wrong with those before.
    pub(super) fn save_heads(
        &mut self,
        heads: &[StreamHead],
        alarms: &[Alarm],
    ) -> rusqlite::Result<()> {
        heads::save(&mut self.connection, heads, alarms)
    }

    /// The alarms that are kept, the latest first.
    pub(super) fn alarms(&self) -> rusqlite::Result<Vec<Alarm>> {
        heads::alarms(&self.connection)
    }

    /// The alarms that have not been told yet.
    pub(super) fn untold(&self) -> rusqlite::Result<Vec<Alarm>> {
        heads::untold(&self.connection)
    }

    /// Notes that all alarms have been told.
    pub(super) fn told(&self) -> rusqlite::Result<()> {
        heads::told(&self.connection)
    }

    /// Forgets everything but the heads and the alarms.
    pub(super) fn clear(mut self) -> rusqlite::Result<Self> {
        schema::clear(&mut self.connection, fresh_key())?;
        Self::load(self.connection)
    }

    /// Takes in records that follow those before in the order of arrival.
    ///
    /// # Errors
    /// When SQLite fails: the model on disk stands as it did, and this one must be opened anew.
    pub(super) fn take_in(&mut self, mut batch: Vec<Arrived>) -> rusqlite::Result<()> {
        let Some(last) = batch.last() else { return Ok(()) };
        let line = self.hash_of(&last.line);
        let mut state = State { arrival: last.arrival, line, ..self.state };
        batch.sort_unstable_by_key(|arrived| (arrived.timestamp, arrived.arrival));
        let Self { connection, dictionary, vocabulary, proof, runs, .. } = self;
        let mut by_run: Vec<Vec<Arrived>> = Vec::new();
        for arrived in batch {
            let run = run_for(runs, (arrived.timestamp, arrived.arrival));
            by_run.resize_with(by_run.len().max(run + 1), Vec::new);
            by_run[run].push(arrived);
        }

        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        {
            let mut entry = Entry::new(state.hash_key, proof, vocabulary);
            let mut add =
                transaction.prepare_cached("INSERT INTO terms (rowid, text) VALUES (?1, ?2)")?;
            for (number, (run, records)) in runs.iter_mut().zip(by_run).enumerate() {
                let mut target = Target {
                    connection: &transaction,
                    dictionary: &mut *dictionary,
                    run,
                    number: number as u32,
                    batch: state.arrival,
                };
                target.take_in(&records, &mut entry, &mut add)?;
            }
            state.damaged |= entry.damaged;
            dictionary.save(&transaction)?;
            vocabulary.save(&transaction)?;
            proof.save(&transaction)?;
            transaction
                .prepare_cached("UPDATE state SET arrival = ?1, line = ?2, damaged = ?3")?
                .execute(params![state.arrival, state.line, state.damaged])?;
        }
        transaction.commit()?;
        self.state = state;
        Ok(())
    }
}

/// The run that a record of this time is appended to; a new one when it is older than all.
fn run_for(runs: &mut Vec<Run>, at: (i64, i64)) -> usize {
    let fitting = runs.iter().enumerate().filter(|(_, run)| run.last <= at);
    let latest = fitting.max_by_key(|(_, run)| run.last).map(|(number, _)| number);
    let number = latest.unwrap_or_else(|| {
        runs.push(Run::new());
        runs.len() - 1
    });
    runs[number].last = at;
    number
}

fn last_of(connection: &Connection, run: u32) -> rusqlite::Result<Option<Run>> {
    let mut statement = connection.prepare_cached(
        "SELECT first, count, to_time, arrivals FROM blocks WHERE first BETWEEN ?1 AND ?2
         ORDER BY first DESC LIMIT 1",
    )?;
    let mut rows = statement.query([RowId::new(run, 0).0, RowId::new(run + 1, 0).0 - 1])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let (first, count, time): (_, u64, _) = (RowId(row.get(0)?), row.get(1)?, row.get(2)?);
    let arrival = Arrivals::read(row.get_ref(3)?.as_blob()?).at(count.saturating_sub(1));
    let last = (time, arrival.unwrap_or(i64::MAX));
    Ok(Some(Run { count: first.position() + count, last, ..Run::new() }))
}

fn fresh_key() -> [u8; 16] {
    let mut key = [0; 16];
    // Without randomness from the system tokens can be guessed, and nothing else is lost.
    if getrandom::fill(&mut key).is_err() {
        tracing::warn!("the system gives no randomness for the read model");
    }
    key
}

/// One run, for the time of a transaction.
struct Target<'t> {
    connection: &'t Connection,
    dictionary: &'t mut Dictionary,
    run: &'t mut Run,
    number: u32,
    batch: i64,
}

impl Target<'_> {
    fn take_in(
        &mut self,
        records: &[Arrived],
        entry: &mut Entry<'_>,
        add: &mut Statement<'_>,
    ) -> rusqlite::Result<()> {
        let mut block: Option<Block> = None;
        for arrived in records {
            let row = RowId::new(self.number, self.run.count);
            entry.read(arrived, self.run, self.dictionary);
            add.execute(params![row.0, entry.text])?;
            let filling = block.get_or_insert_with(|| Block {
                first: row,
                from_time: arrived.timestamp,
                to_time: arrived.timestamp,
                arrivals: Vec::new(),
            });
            filling.to_time = arrived.timestamp;
            filling.arrivals.push(arrived.arrival);
            let is_full = filling.arrivals.len() >= BLOCK;
            self.run.count += 1;
            let ends_chunk = self.run.in_chunk() == 0;
            if (is_full || ends_chunk)
                && let Some(full) = block.take()
            {
                self.end_block(&full)?;
            }
            if ends_chunk {
                self.seal()?;
            }
        }
        if let Some(block) = block {
            self.end_block(&block)?;
        }
        self.keep_open()
    }

    fn end_block(&self, block: &Block) -> rusqlite::Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO blocks (first, run, count, batch, from_time, to_time, arrivals)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                block.first.0,
                self.number,
                block.arrivals.len(),
                self.batch,
                block.from_time,
                block.to_time,
                arrivals::encode(&block.arrivals)
            ])?;
        Ok(())
    }

    /// Writes the chunk that has become full.
    fn seal(&mut self) -> rusqlite::Result<()> {
        let mut full = std::mem::take(&mut self.run.open);
        full.append(std::mem::take(&mut self.run.fresh));
        let chunk = self.run.count / CHUNK as u64 - 1;
        let mut insert =
            self.connection.prepare_cached("INSERT INTO bits (key, data) VALUES (?1, ?2)")?;
        for (facet, data) in full.facets() {
            insert.execute(params![chunk_key(facet.0, self.number, chunk), data])?;
        }
        for (word, data) in full.dense_words() {
            if let Some(id) = self.dictionary.word(word) {
                insert.execute(params![chunk_key(id.0, self.number, chunk), data])?;
            }
        }
        let mut insert = self.connection.prepare_cached(
            "INSERT INTO numbers (key, least, greatest, data) VALUES (?1, ?2, ?3, ?4)",
        )?;
        for (name, numbers) in full.numbers() {
            insert.execute(params![
                chunk_key(name.0, self.number, chunk),
                numbers.least.order(),
                numbers.greatest.order(),
                numbers.data
            ])?;
        }
        let mut insert =
            self.connection.prepare_cached("INSERT INTO facts (key, data) VALUES (?1, ?2)")?;
        for column in Column::ALL {
            let key = chunk_key(column as u32, self.number, chunk);
            insert.execute(params![key, columns::encode(&full.sheet, column)])?;
        }
        self.drop_parts()
    }

    /// Writes what the chunk that is not full has got.
    fn keep_open(&mut self) -> rusqlite::Result<()> {
        let fresh = std::mem::take(&mut self.run.fresh);
        if fresh.sheet.is_empty() {
            return Ok(());
        }
        if self.run.parts < MAX_PARTS {
            self.write_part(&fresh)?;
            self.run.open.append(fresh);
        } else {
            self.run.open.append(fresh);
            self.drop_parts()?;
            self.write_part(&self.run.open)?;
        }
        self.run.parts += 1;
        Ok(())
    }

    fn write_part(&self, part: &Part) -> rusqlite::Result<()> {
        let (run, number) = (self.number, self.run.parts);
        self.connection
            .prepare_cached("INSERT INTO parts (run, part, sheet) VALUES (?1, ?2, ?3)")?
            .execute(params![run, number, part.encode_sheet()])?;
        let mut insert =
            self.connection.prepare_cached("INSERT INTO entries (key, data) VALUES (?1, ?2)")?;
        let mut entries: Vec<_> = part.entries().collect();
        entries.sort_unstable_by_key(|(id, _)| id.0);
        for (id, data) in entries {
            insert.execute(params![entry_key(run, number, id.0), data])?;
        }
        Ok(())
    }

    fn drop_parts(&mut self) -> rusqlite::Result<()> {
        self.run.parts = 0;
        self.connection
            .prepare_cached("DELETE FROM parts WHERE run = ?1")?
            .execute([self.number])?;
        let (first, behind) = (entry_key(self.number, 0, 0), entry_key(self.number + 1, 0, 0));
        self.connection
            .prepare_cached("DELETE FROM entries WHERE key >= ?1 AND key < ?2")?
            .execute([first, behind])?;
        Ok(())
    }
}

/// What one record puts into the index.
struct Entry<'p> {
    hash_key: HashKey,
    /// Is given each record where it is parsed, and puts them in the order of arrival.
    proof: &'p mut Proof,
    vocabulary: &'p mut Vocabulary,
    text: String,
    /// Whether any of them could not be read.
    damaged: bool,
}

impl<'p> Entry<'p> {
    fn new(hash_key: HashKey, proof: &'p mut Proof, vocabulary: &'p mut Vocabulary) -> Self {
        Self { hash_key, proof, vocabulary, text: String::new(), damaged: false }
    }

    fn read(&mut self, arrived: &Arrived, run: &mut Run, dictionary: &mut Dictionary) {
        self.text.clear();
        let position = run.in_chunk() as u16;
        let (part, hash_key) = (&mut run.fresh, self.hash_key);
        let Arrived { arrival, timestamp, line } = arrived;
        let record = Record::parse(line);
        part.sheet.push(*timestamp, record.as_ref().ok(), ValueKey(hash_key.0));
        self.proof.take(*arrival, *timestamp, record.as_ref().ok(), line);
        match record {
            Ok(record) => {
                let text = &mut self.text;
                let vocabulary = &mut *self.vocabulary;
                let mut sink = Indexed { text, hash_key, dictionary, vocabulary, part, position };
                content::read(&record, &mut sink);
            }
            Err(_) => {
                self.damaged = true;
                self.text.push_str(tokens::DAMAGED);
                part.facet(FacetId::DAMAGED, position);
            }
        }
    }
}

struct Indexed<'i> {
    text: &'i mut String,
    hash_key: HashKey,
    dictionary: &'i mut Dictionary,
    vocabulary: &'i mut Vocabulary,
    part: &'i mut Part,
    position: u16,
}

impl Indexed<'_> {
    fn term(&mut self, name: &str, text: Option<&str>) {
        self.text.push(' ');
        self.hash_key.push_token(self.text, name, text);
    }
}

impl Sink for Indexed<'_> {
    fn present(&mut self, name: &str) {
        match self.dictionary.name(name) {
            Some(id) => self.part.facet(id.present(), self.position),
            None => self.term(name, None),
        }
    }

    fn key(&mut self, name: &str, text: &str) {
        match self.dictionary.facet(name, text) {
            Some(facet) => self.part.facet(facet, self.position),
            None => self.term(name, Some(text)),
        }
    }

    fn number(&mut self, name: &str, code: Code) {
        // Of a name too many nothing but its presence is known: those who ask read the records.
        if let Some(id) = self.dictionary.name(name) {
            self.part.number(id, self.position, code);
        }
    }

    fn word(&mut self, word: &str) {
        self.text.push(' ');
        self.text.push_str(word);
        self.vocabulary.note(word);
        self.part.word(word, self.position);
    }

    fn pair(&mut self, pair: &str) {
        self.term(PAIR, Some(pair));
        self.part.word(pair, self.position);
    }
}
