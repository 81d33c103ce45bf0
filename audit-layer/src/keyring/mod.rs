//! The keys of a host: what values are hashed and sealed with, and what opens them again.
//!
//! A keyring is a small SQLite database, its owner's alone. It holds 32 random bytes for each purpose, and
//! those that were used before: what was sealed once can be opened as long as its key is there. Each application of
//! the host hashes and seals with it ([`Builder::keyring`](crate::Builder::keyring)); whoever may read it opens what
//! they sealed ([`open_sealed`]).
//!
//! # Erasure
//! What concerns a person, `regulatory_flags.data_subject`, is sealed with a key of that person, which is made when it
//! is needed first. To destroy it ([`Keyring::erase_subject`]) is to erase all that it sealed: in the trail, which nobody
//! can change, in rotated files, in archives and backups. What is left of the key says when it was erased. The keyring
//! itself lists nobody: a subject stands there as the HMAC of its name.
//!
//! - The bytes of a key are overwritten in place. SQLite never moves the rows that they stand in (see the migration),
//!   `secure_delete` zeroes what it frees, and the rollback journal is removed with the commit. What the disk keeps of blocks that the file
//!   system freed is beyond any database: a disk that is encrypted settles that.
//! - *A backup of the keyring keeps what was erased.* Erase again in what was restored, or keep backups as long as
//!   an erasure may take.
//! - A running application holds keys in memory. Before it seals anything of a subject it looks whether
//!   another process has written to the keyring; one that seals nothing looks once a minute. An event that is being recorded while its
//!   subject is erased counts as one from before: it is sealed with the key that is gone, and erased too. No event whose macro was called after `erase_subject` returned
//!   is.
//!
//! # Durability
//! A key is in the file, and the file on the disk, before anything is sealed with it: `synchronous=EXTRA`. Rejected: WAL, whose log
//! keeps old pages, and so keys that were erased, until it is written over; keys derived from one master key, of which none can be
//! destroyed alone; a file for each subject, which would tell how many there are and when each was seen, and whose names would
//! have to be durable one by one.

mod error;
mod index;
mod key;
mod opening;
mod sealing;
mod store;
mod use_of_keys;

pub use error::{KeyringError, KeyringProblem};
pub use key::{InvalidKeyId, Key, KeyId, KeyInfo, Purpose};
pub use opening::{Content, OpenError, Opened, open_sealed, open_sealed_in};
pub(crate) use sealing::Place;
pub use store::{Erasure, Keyring, Lookup, Subjects};
pub(crate) use use_of_keys::{HashingKey, Keys, SealingKey};
