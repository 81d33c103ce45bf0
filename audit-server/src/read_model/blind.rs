//! Sealed values, found by what they say, and by nobody who has not the keys: a *blind index*.
//!
//! The *token* of a value is its HMAC under a key for indexes, see [`audit_layer::keyring`]. Tokens stand in a table of the model,
//! each with the keys that sealed such values. The records themselves are found in the term index, under the
//! *posting* of the value: the same under the key that sealed it.
//!
//! So to look one up takes the token, the keys beside it, and their postings. And to erase a person takes the tokens of that
//! person's keys, a few rows: what is left in the term index is the HMAC under a key that is gone, of which nobody can tell
//! what it was of. Rejected: the token as the term, which a contentless term index cannot forget; making the model anew
//! after each erasure, which takes minutes in ten million records.
//!
//! A value that many people have, such as a country, has a key for each of them. Beyond [`MOST_KEYS`], and with more
//! postings than one question may ask for, the records are read.

use std::{collections::BTreeSet, time::Duration};

use audit_layer::{
    keyring::{Key, KeyId, Keyring, KeyringError, Lookup},
    record::Record,
};
use rusqlite::{Connection, params};

use super::schema;
use crate::filter::{Text, clear_leaves};

/// The most keys whose postings are looked up for one value.
const MOST_KEYS: usize = 64;

/// The most values of a record that are in the index, each of its own.
const MOST_LEAVES: usize = 1_024;

/// The token and the posting of records that have more.
const MORE: &str = "more";

/// The name under which postings stand in the term index. It is none that a record has.
pub(super) const POSTING: &str = "posting of a sealed value";

pub(super) const TABLE: &str = "
-- Which keys sealed the values of a token.
CREATE TABLE blind (
    token TEXT NOT NULL,
    key   TEXT NOT NULL,
    PRIMARY KEY (token, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX blind_key ON blind (key);
";

pub(super) const DROP: &str = "DROP TABLE IF EXISTS blind;";

/// A sealed value of a record, as the index has it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Blind {
    pub(super) token: String,
    pub(super) key: String,
    pub(super) posting: String,
}

impl Blind {
    /// That a record has more than these.
    fn more() -> Self {
        Self { token: MORE.to_owned(), key: String::new(), posting: MORE.to_owned() }
    }
}

/// The sealed values of a line that can be opened and asked for, each once; tokens are made with that key.
///
/// # Errors
/// When the keyring cannot be read.
pub(super) fn of(line: &str, keyring: &Keyring, tokens: &Key) -> Result<Vec<Blind>, KeyringError> {
    let mut all = Vec::new();
    if !line.contains(r#""$sealed""#) {
        return Ok(all);
    }
    let Ok(record) = Record::parse(line) else { return Ok(all) };
    let mut leaves = BTreeSet::new();
    let mut are_more = false;
    clear_leaves(&record, keyring, |name, text, key| {
        if text.is_empty() || text.len() > Text::MAX_BYTES {
            return;
        }
        if leaves.len() < MOST_LEAVES {
            // Those of a key one after the other.
            leaves.insert((key.to_owned(), name.to_owned(), text.to_owned()));
        } else {
            are_more = true;
        }
    })?;
    let mut sealing: Option<Key> = None;
    for (id, name, text) in leaves {
        if sealing.as_ref().is_none_or(|key| key.id().as_str() != id) {
            sealing = key(keyring, &id)?;
        }
        // It was there a moment ago. If it is not, there is nothing to find any more.
        let Some(key) = &sealing else { continue };
        let (token, posting) = (tokens.index_token(&name, &text), key.index_posting(&name, &text));
        all.push(Blind { token, key: id, posting });
    }
    all.extend(are_more.then(Blind::more));
    Ok(all)
}

fn key(keyring: &Keyring, id: &str) -> Result<Option<Key>, KeyringError> {
    let Ok(id) = id.parse::<KeyId>() else { return Ok(None) };
    Ok(match keyring.key(&id)? {
        Lookup::Found(key) => Some(key),
        Lookup::Erased { .. } | Lookup::Unknown => None,
    })
}

/// Why a value cannot be looked up.
pub(super) enum Failure {
    Model(rusqlite::Error),
    Keyring(KeyringError),
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        Self::Model(error)
    }
}

impl From<KeyringError> for Failure {
    fn from(error: KeyringError) -> Self {
        Self::Keyring(error)
    }
}

/// Where the records are in which a value stands sealed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Postings {
    /// Those of exactly these postings;
    pub(super) exact: Vec<String>,
    /// and some of this one, of records that have more values than the index.
    pub(super) besides: Option<&'static str>,
}

/// The postings of the records in which the value stands sealed; none when there are more than that. The tokens were made with
/// that key.
pub(super) fn postings(
    connection: &Connection,
    (keyring, tokens): (&Keyring, &Key),
    (name, text): (&str, &str),
    most: usize,
) -> Result<Option<Postings>, Failure> {
    let mut find = connection.prepare_cached("SELECT key FROM blind WHERE token = ?1 LIMIT ?2")?;
    let token = tokens.index_token(name, text);
    let limit = most.min(MOST_KEYS) + 1;
    let ids = find.query_map(params![token, limit], |row| row.get(0))?;
    let ids = ids.collect::<rusqlite::Result<Vec<String>>>()?;
    if ids.len() >= limit {
        return Ok(None);
    }
    let mut exact = Vec::new();
    for id in ids {
        exact.extend(key(keyring, &id)?.map(|key| key.index_posting(name, text)));
    }
    let are_more = find.exists(params![MORE, 1])?;
    Ok(Some(Postings { exact, besides: are_more.then_some(MORE) }))
}

/// Writes what has come.
pub(super) fn write(
    connection: &Connection,
    fresh: &mut Vec<(String, String)>,
) -> rusqlite::Result<()> {
    fresh.sort_unstable();
    fresh.dedup();
    let mut insert =
        connection.prepare_cached("INSERT OR IGNORE INTO blind (token, key) VALUES (?1, ?2)")?;
    for (token, key) in fresh.iter() {
        insert.execute([token, key])?;
    }
    Ok(())
}

/// Forgets the tokens of values that these keys sealed, and overwrites what they were; whether they are out of the log, too, which
/// others may be reading yet.
pub(super) fn forget(connection: &mut Connection, keys: &[KeyId]) -> rusqlite::Result<bool> {
    if keys.is_empty() {
        return Ok(true);
    }
    connection.execute_batch("PRAGMA secure_delete = ON;")?;
    let forgotten = delete(connection, keys);
    connection.execute_batch("PRAGMA secure_delete = FAST;")?;
    forgotten?;
    // Whether or not it was just now: the log may have been read then.
    is_out_of_log(connection)
}

fn delete(connection: &mut Connection, keys: &[KeyId]) -> rusqlite::Result<()> {
    let transaction =
        connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
    for key in keys {
        transaction.prepare_cached("DELETE FROM blind WHERE key = ?1")?.execute([key.as_str()])?;
    }
    transaction.commit()
}

/// Empties the log, if nobody reads in it; whether that was so.
fn is_out_of_log(connection: &Connection) -> rusqlite::Result<bool> {
    // Without waiting for those who read: whoever asks tries again.
    connection.busy_timeout(Duration::ZERO)?;
    let busy =
        connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, bool>(0));
    connection.busy_timeout(schema::BUSY_TIMEOUT)?;
    Ok(!busy?)
}

/// Forgets them in a model that somebody else may keep; whether they are out of its log, too.
///
/// # Errors
/// When the model cannot be written.
pub(crate) fn forget_erased(model: &std::path::Path, keys: &[KeyId]) -> rusqlite::Result<bool> {
    if keys.is_empty() || !model.exists() {
        return Ok(true);
    }
    let mut connection = schema::open_to_ask(model)?;
    match schema::state(&connection)? {
        Some(_) => forget(&mut connection, keys),
        None => Ok(true),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use audit_layer::keyring::Purpose;

    use super::*;

    fn rows(connection: &Connection) -> i64 {
        connection.query_row("SELECT count(*) FROM blind", [], |row| row.get(0)).unwrap()
    }

    #[test]
    fn a_value_is_looked_up_under_the_keys_that_sealed_it_until_they_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let keyring = Keyring::init(directory.path().join("keyring.db")).unwrap();
        let mut model = Connection::open(directory.path().join("model.db")).unwrap();
        model.execute_batch(TABLE).unwrap();
        let (name, text) = ("details.email", "ann@example.com");
        let tokens = keyring.in_use(Purpose::Index).unwrap();
        let found = |model: &Connection| {
            let found = postings(model, (&keyring, &tokens), (name, text), MOST_KEYS);
            found.unwrap_or_else(|_| panic!("it can be read")).map(|found| found.exact)
        };
        assert_eq!(found(&model), Some(vec![]));

        // Sealed before the key was made anew, and after.
        let mut expected = Vec::new();
        for _ in 0..2 {
            let key = keyring.in_use(Purpose::Seal).unwrap();
            let token = keyring.index_token(name, text).unwrap();
            let fresh = (token, key.id().to_string());
            let other = (keyring.index_token(name, "bob@example.com").unwrap(), fresh.1.clone());
            write(&model, &mut vec![fresh.clone(), other, fresh.clone()]).unwrap();
            write(&model, &mut vec![fresh]).unwrap();
            expected.push((key.id().clone(), key.index_posting(name, text)));
            keyring.rotate(Purpose::Seal).unwrap();
        }
        assert_eq!(rows(&model), 4);
        let mut all: Vec<_> = expected.iter().map(|(_, posting)| posting.clone()).collect();
        let mut sorted = found(&model).unwrap();
        sorted.sort();
        all.sort();
        assert_eq!(sorted, all);

        let (first, kept) = (&expected[0].0, &expected[1].1);
        assert!(forget(&mut model, std::slice::from_ref(first)).unwrap());
        assert_eq!((rows(&model), found(&model)), (2, Some(vec![kept.clone()])));

        // Of a key that nobody has there is nothing to find, and of too many nobody looks.
        let token = keyring.index_token(name, text).unwrap();
        let many = |count: usize| (0..count).map(|n| (token.clone(), format!("{n:010}"))).collect();
        write(&model, &mut many(MOST_KEYS - 1)).unwrap();
        assert_eq!(found(&model), Some(vec![kept.clone()]));
        write(&model, &mut many(MOST_KEYS)).unwrap();
        assert_eq!(found(&model), None);
        let besides = |model: &Connection| {
            let asked = ("details.other", "x");
            postings(model, (&keyring, &tokens), asked, 0)
                .unwrap_or_else(|_| panic!("it can be read"))
        };
        assert_eq!(besides(&model), Some(Postings { exact: vec![], besides: None }));
        let Blind { token, key, .. } = Blind::more();
        write(&model, &mut vec![(token, key)]).unwrap();
        assert_eq!(besides(&model), Some(Postings { exact: vec![], besides: Some(MORE) }));
    }
}
