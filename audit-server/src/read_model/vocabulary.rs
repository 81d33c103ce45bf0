//! The words that records say, to find those that begin as asked for.
//!
//! The term index can look for beginnings of words itself, but puts all records of all such words
//! together before it gives out the first: tens of milliseconds in ten million records, for a page of
//! a hundred. Asked for the words one by one it begins at the newest record. So the words are kept
//! here, each once.
//!
//! Rejected: the table of terms that FTS5 makes of its index, which reads all records of a term to
//! say that there is one; the prefix index of FTS5, which is a second index, and puts together as
//! well.
//!
//! Words with digits are numbers of something, and as many as there are records. What stands here of
//! one is its beginning before the first digit, marked with a `0`: that there are words which go on
//! so. Where one of these begins as asked for, the term index is asked after all.

use rusqlite::Connection;

use crate::keyed::KeyedSet;

/// The most words. Where there are more nobody is told of any.
const MAX_WORDS: usize = 65_536;

pub(super) const TABLE: &str = "
CREATE TABLE words (
    number INTEGER PRIMARY KEY,
    word   TEXT    NOT NULL UNIQUE
) STRICT;
";

pub(super) const DROP: &str = "DROP TABLE IF EXISTS words;";

/// What marks the beginning of words with digits.
const DIGITS: char = '0';

/// All of it, in the memory of the one who writes it.
#[derive(Debug, Default)]
pub(super) struct Vocabulary {
    known: KeyedSet<Box<str>>,
    /// Those that the database does not have yet.
    fresh: Vec<Box<str>>,
    marked: String,
}

impl Vocabulary {
    pub(super) fn load(connection: &Connection) -> rusqlite::Result<Self> {
        let mut statement = connection.prepare("SELECT word FROM words")?;
        let known = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
        Ok(Self { known, ..Self::default() })
    }

    /// Notes a word that a record says, as the term index has it.
    pub(super) fn note(&mut self, word: &str) {
        let entry = match word.find(|c: char| c.is_ascii_digit()) {
            Some(at) => {
                self.marked.clear();
                self.marked.push_str(&word[..at]);
                self.marked.push(DIGITS);
                &*self.marked
            }
            None => word,
        };
        if !self.known.contains(entry) && self.known.len() < MAX_WORDS {
            self.known.insert(entry.into());
            self.fresh.push(entry.into());
        }
    }

    /// What is to be written of it.
    pub(super) fn take_fresh(&mut self) -> Vec<Box<str>> {
        std::mem::take(&mut self.fresh)
    }

    #[cfg(test)]
    fn save(&mut self, connection: &Connection) -> rusqlite::Result<()> {
        write(connection, &self.take_fresh())
    }
}

/// Writes words that have come.
pub(super) fn write(connection: &Connection, words: &[Box<str>]) -> rusqlite::Result<()> {
    let mut insert = connection.prepare_cached("INSERT INTO words (word) VALUES (?1)")?;
    for word in words {
        insert.execute([word])?;
    }
    Ok(())
}

/// The words that begin so, when all of them are known and there are `most` at most.
pub(super) fn beginning(
    connection: &Connection,
    prefix: &str,
    most: usize,
) -> rusqlite::Result<Option<Vec<Box<str>>>> {
    let count: usize = connection
        .prepare_cached("SELECT coalesce(max(number), 0) FROM words")?
        .query_row([], |row| row.get(0))?;
    if count >= MAX_WORDS || prefix.contains(|c: char| c.is_ascii_digit()) {
        return Ok(None);
    }
    // No word has this character, and it is behind all others.
    let behind = format!("{prefix}\u{10ffff}");
    let mut statement = connection
        .prepare_cached("SELECT word FROM words WHERE word >= ?1 AND word < ?2 LIMIT ?3")?;
    let found = statement.query_map((prefix, behind, most + 1), |row| row.get(0))?;
    let found = found.collect::<rusqlite::Result<Vec<Box<str>>>>()?;
    let are_all = found.len() <= most && !found.iter().any(|word| word.ends_with(DIGITS));
    Ok(are_all.then_some(found))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn of(words: impl IntoIterator<Item = String>) -> Connection {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(TABLE).unwrap();
        let mut vocabulary = Vocabulary::default();
        words.into_iter().for_each(|word| vocabulary.note(&word));
        vocabulary.save(&connection).unwrap();
        assert_eq!(Vocabulary::load(&connection).unwrap().known, vocabulary.known);
        connection
    }

    #[test]
    fn words_that_begin_so_are_found_unless_one_goes_on_with_a_digit() {
        let words = ["order", "orders", "overde", "überweisung", "überzogen", "r2d2", "o", "42"];
        let words = of(words.map(str::to_owned));
        let found = |prefix: &str| {
            let found = beginning(&words, prefix, 3).unwrap()?;
            Some(found.iter().map(|word| word.to_string()).collect::<Vec<_>>())
        };
        assert_eq!(found("order"), Some(vec!["order".to_owned(), "orders".to_owned()]));
        assert_eq!(found("übe").map(|found| found.len()), Some(2));
        assert_eq!(found("ordes"), Some(vec![]));
        assert_eq!(found("o"), None, "there are four");
        assert_eq!(found("r"), None, "there is r2d2");
        assert_eq!(found("4"), None);
    }

    #[test]
    fn of_more_words_than_are_kept_nobody_is_told_of_any() {
        let letters = |mut number: usize| {
            let mut word = String::from("w");
            while number > 0 {
                word.push((b'a' + (number % 26) as u8).into());
                number /= 26;
            }
            word
        };
        let words = of((0..MAX_WORDS).map(letters));
        assert_eq!(beginning(&words, "nothing", 3).unwrap(), None);
    }
}
