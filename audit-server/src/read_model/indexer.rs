//! What becomes of records, in memory.
//!
//! Consecutive arrivals are sorted by time, and each appended to the *run* whose last record is the
//! latest that is not after it. Within a run positions are in the order of time, whatever the order
//! of arrival; see the head of the module. What is to be written of them is handed over as [`Rows`]:
//! nothing here touches the database, so that one thread can prepare while another writes.
//!
//! What is in memory is ahead of the database by what was not written yet. When that fails, both
//! are thrown away, and read anew from the database.

use audit_layer::record::Record;
use rusqlite::Connection;

use super::{
    arrivals::Arrivals,
    bits::CHUNK,
    blind::{self, Blind},
    columns::{self, Column},
    content::{self, PAIR, Sink},
    dictionary::{Dictionary, FacetId},
    number::Code,
    part::{self, EntryId, MAX_PARTS, Part},
    proof::Proof,
    rows::{Block, Open, Prepared, Rows, Terms, WrittenPart},
    schema::{self, MAX_RUNS, RowId, State, chunk_key, entry_key},
    tokens::{self, HashKey},
    vocabulary::Vocabulary,
};
use crate::fact::ValueKey;

/// The most records of a block. A page whose records are far apart reads one for each.
const BLOCK: usize = 1024;

/// A record of the trail.
#[derive(Debug, Clone)]
pub(super) struct Arrived {
    pub(super) arrival: i64,
    /// Microseconds since the Unix epoch, as the trail sorts it.
    pub(super) timestamp: i64,
    pub(super) line: Box<str>,
    /// What is sealed in it and could be opened.
    pub(super) blind: Vec<Blind>,
}

/// All that it takes to say what is to be written of the next records.
#[derive(Debug)]
pub(super) struct Indexer {
    /// Where the model will stand when all that was prepared is written.
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

impl Indexer {
    /// As the database has it.
    pub(super) fn load(connection: &Connection, state: State) -> rusqlite::Result<Self> {
        let dictionary = Dictionary::load(connection)?;
        let vocabulary = Vocabulary::load(connection)?;
        let proof = Proof::load(connection)?;
        let mut runs = Vec::new();
        for run in 0..MAX_RUNS {
            let Some(mut loaded) = last_of(connection, run)? else { break };
            loaded.read_parts(connection, run)?;
            runs.push(loaded);
        }
        Ok(Self { state, dictionary, vocabulary, proof, runs })
    }

    /// Where the model will stand when all that was prepared is written.
    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Whether there are as many runs as there may be. To prepare makes one at most.
    pub(super) fn is_full(&self) -> bool {
        self.runs.len() >= MAX_RUNS as usize
    }

    /// Says what is to be written of records that follow those before in the order of arrival; nothing
    /// when there are none.
    pub(super) fn prepare(&mut self, mut batch: Vec<Arrived>) -> Option<Prepared> {
        let last = batch.last()?;
        let hash_key = self.state.hash_key;
        (self.state.arrival, self.state.line) = (last.arrival, hash_key.of_line(&last.line));
        batch.sort_unstable_by_key(|arrived| (arrived.timestamp, arrived.arrival));
        let mut by_run: Vec<Vec<Arrived>> = Vec::new();
        for arrived in batch {
            let run = run_for(&mut self.runs, (arrived.timestamp, arrived.arrival));
            by_run.resize_with(by_run.len().max(run + 1), Vec::new);
            by_run[run].push(arrived);
        }
        let Self { state, dictionary, vocabulary, proof, runs } = self;
        let (mut terms, mut rows) = (Terms::default(), Rows::default());
        let mut entry =
            Entry { hash_key, proof, vocabulary, text: &mut terms.text, damaged: false };
        for (number, (run, records)) in runs.iter_mut().zip(by_run).enumerate() {
            let mut target = Target {
                dictionary: &mut *dictionary,
                run,
                number: number as u32,
                batch: state.arrival,
                rows: &mut rows,
                ends: &mut terms.ends,
            };
            target.take_in(records, &mut entry);
        }
        state.damaged |= entry.damaged;
        rows.state = Some(*state);
        rows.facets = dictionary.take_fresh();
        rows.words = vocabulary.take_fresh();
        rows.proof = proof.take_changes();
        Some(Prepared { terms, rows })
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

/// One run, while records are appended to it.
struct Target<'t> {
    dictionary: &'t mut Dictionary,
    run: &'t mut Run,
    number: u32,
    batch: i64,
    rows: &'t mut Rows,
    ends: &'t mut Vec<(RowId, usize)>,
}

impl Target<'_> {
    fn take_in(&mut self, records: Vec<Arrived>, entry: &mut Entry<'_>) {
        let mut block: Option<Block> = None;
        for arrived in records {
            let row = RowId::new(self.number, self.run.count);
            entry.read(&arrived, self.run, self.dictionary);
            for Blind { token, key, posting } in arrived.blind {
                entry.text.push(' ');
                entry.hash_key.push_token(entry.text, blind::POSTING, Some(&posting));
                self.rows.blind.push((token, key));
            }
            self.ends.push((row, entry.text.len()));
            let filling = block.get_or_insert_with(|| Block {
                first: row,
                run: self.number,
                batch: self.batch,
                from_time: arrived.timestamp,
                to_time: arrived.timestamp,
                arrivals: Vec::new(),
            });
            filling.to_time = arrived.timestamp;
            filling.arrivals.push(arrived.arrival);
            let is_full = filling.arrivals.len() >= BLOCK;
            self.run.count += 1;
            let ends_chunk = self.run.in_chunk() == 0;
            if is_full || ends_chunk {
                self.rows.blocks.extend(block.take());
            }
            if ends_chunk {
                self.seal();
            }
        }
        self.rows.blocks.extend(block);
        self.keep_open();
    }

    /// The chunk has become full.
    fn seal(&mut self) {
        let mut full = std::mem::take(&mut self.run.open);
        full.append(std::mem::take(&mut self.run.fresh));
        let chunk = self.run.count / CHUNK as u64 - 1;
        let key = |id: u32| chunk_key(id, self.number, chunk);
        let rows = &mut *self.rows;
        rows.bits.extend(full.facets().map(|(facet, data)| (key(facet.0), data)));
        for (word, data) in full.dense_words() {
            rows.bits.extend(self.dictionary.word(word).map(|facet| (key(facet.0), data)));
        }
        rows.numbers.extend(full.numbers().map(|(name, numbers)| (key(name.0), numbers)));
        let facts = |column| (key(column as u32), columns::encode(&full.sheet, column));
        rows.facts.extend(Column::ALL.map(facts));
        self.drop_parts();
    }

    /// Keeps what the chunk that is not full has got.
    fn keep_open(&mut self) {
        let fresh = std::mem::take(&mut self.run.fresh);
        if fresh.sheet.is_empty() {
            return;
        }
        if self.run.parts < MAX_PARTS {
            self.write_part(&fresh);
            self.run.open.append(fresh);
        } else {
            self.run.open.append(fresh);
            self.drop_parts();
            let whole = std::mem::take(&mut self.run.open);
            self.write_part(&whole);
            self.run.open = whole;
        }
        self.run.parts += 1;
    }

    fn write_part(&mut self, part: &Part) {
        let number = self.run.parts;
        let key = |id: EntryId| entry_key(self.number, number, id.0);
        let mut entries: Vec<_> = part.entries().map(|(id, data)| (key(id), data)).collect();
        entries.sort_unstable_by_key(|(key, _)| *key);
        let written = WrittenPart { number, sheet: part.encode_sheet(), entries };
        self.rows.add_open(self.number, Open { dropped: false, parts: vec![written] });
    }

    fn drop_parts(&mut self) {
        self.run.parts = 0;
        self.rows.add_open(self.number, Open { dropped: true, parts: Vec::new() });
    }
}

/// What one record puts into the index.
struct Entry<'p> {
    hash_key: HashKey,
    /// Is given each record where it is parsed, and puts them in the order of arrival.
    proof: &'p mut Proof,
    vocabulary: &'p mut Vocabulary,
    /// The terms of all records so far.
    text: &'p mut String,
    /// Whether any of them could not be read.
    damaged: bool,
}

impl Entry<'_> {
    fn read(&mut self, arrived: &Arrived, run: &mut Run, dictionary: &mut Dictionary) {
        let position = run.in_chunk() as u16;
        let (part, hash_key) = (&mut run.fresh, self.hash_key);
        let Arrived { arrival, timestamp, line, .. } = arrived;
        let record = Record::parse(line);
        part.sheet.push(*timestamp, record.as_ref().ok(), ValueKey(hash_key.0));
        self.proof.take(*arrival, *timestamp, record.as_ref().ok(), line);
        match record {
            Ok(record) => {
                let text = &mut *self.text;
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
        let Some((id, facet)) = self.dictionary.key(name, text) else {
            self.term(name, None);
            return self.term(name, Some(text));
        };
        self.part.facet(id.present(), self.position);
        match facet {
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
