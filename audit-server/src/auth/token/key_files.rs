//! The keys that are in files: the secret of HS256, and a set of public keys.

use std::{fs::Metadata, os::unix::fs::MetadataExt, path::Path};

use zeroize::Zeroizing;

use super::{
    TokensUnusable,
    algorithm::Secret,
    file,
    jwks::{KeySet, MAX_JWKS_BYTES},
};

/// RFC 7518: a key of HS256 has at least as many bits as its tag.
const MIN_SECRET_BYTES: usize = 32;
const MAX_SECRET_BYTES: usize = 4 * 1024;

/// Reads the secret: the bytes of the file, without one line end after them.
pub(super) fn secret(path: &Path) -> Result<Secret, TokensUnusable> {
    let (mut bytes, metadata) = file::read(path, MAX_SECRET_BYTES)?;
    let refuse = |reason| TokensUnusable::keys(path.display(), reason);
    if !is_private(metadata.mode(), metadata.uid()) {
        return Err(refuse("others may read or write it; `chmod 600` it"));
    }
    let line = bytes.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    if let Some(length) = line.map(<[u8]>::len) {
        bytes.truncate(length);
    }
    if bytes.len() < MIN_SECRET_BYTES {
        return Err(refuse("a secret has 32 bytes at least: `openssl rand -base64 48` makes one"));
    }
    Ok(Secret::new(bytes))
}

/// Reads a set of public keys.
pub(super) fn key_set(path: &Path) -> Result<KeySet, TokensUnusable> {
    let (bytes, metadata): (Zeroizing<Vec<u8>>, Metadata) = file::read(path, MAX_JWKS_BYTES)?;
    let refuse = |reason| TokensUnusable::keys(path.display(), reason);
    if metadata.mode() & 0o022 != 0 {
        return Err(refuse("others may write it, and so sign tokens; `chmod go-w` it"));
    }
    let keys = KeySet::read(&bytes).map_err(refuse)?;
    keys.tell(path.display());
    Ok(keys)
}

/// Whether a file is its owner's alone. One that root owns may be read by its group, which is how the secrets
/// of Kubernetes come to a process that is not root; PostgreSQL has the same rule for its keys.
fn is_private(mode: u32, owner: u32) -> bool {
    mode & 0o077 == 0 || (owner == 0 && mode & 0o037 == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_its_owners_alone_or_roots_and_its_groups_to_read() {
        for (mode, owner, private) in [
            (0o600, 1000, true),
            (0o400, 1000, true),
            (0o640, 1000, false),
            (0o610, 1000, false),
            (0o604, 1000, false),
            (0o620, 0, false),
            (0o640, 0, true),
            (0o644, 0, false),
        ] {
            assert_eq!(is_private(0o100_000 | mode, owner), private, "{mode:o} {owner}");
        }
    }
}
