//! TLS, by rustls with ring: versions 1.2 and 1.3, and nothing to choose.
//!
//! # Reload
//! A certificate of ninety days is replaced often, and by a program that knows nothing of this server. So the
//! files are looked at every few seconds, and read again when one of them is another: by its inode, size and times, through
//! links, which is how volumes of Kubernetes change. Rejected: a signal, which whoever renews would have to send to
//! the right process; and watching the directory, which fails on network file systems and for links. Connections that are open keep
//! what they began with.
//!
//! What cannot be used is told in the log, once, and the old one stays: between the certificate and its key being
//! written they do not fit each other, and an hour with an old certificate is better than one without any.

use std::{
    fs::{File, Metadata},
    io::Read,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use rustls::{
    RootCertStore, ServerConfig,
    crypto::{CryptoProvider, ring},
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::WebPkiClientVerifier,
};
use tokio_rustls::TlsAcceptor;

use crate::config::TlsFiles;

/// The pause between two looks at the files.
const LOOK_PAUSE: Duration = Duration::from_secs(2);
/// The most bytes of a file that are read.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// What the key may be read by: its owner alone, but for root's, which may be its group's too.
const NOT_OTHERS: u32 = 0o077;
const NOT_OTHERS_OF_ROOT: u32 = 0o027;

/// A certificate, its key, or the authority of clients cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use {}: {reason}", path.display())]
pub struct TlsFileUnusable {
    /// The file.
    pub path: PathBuf,
    /// What is wrong, and what to do.
    pub reason: &'static str,
    /// What the system or rustls said.
    pub source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// What connections are encrypted with.
#[derive(Debug)]
pub(super) struct Tls {
    files: TlsFiles,
    config: RwLock<Arc<ServerConfig>>,
    seen: Mutex<Vec<Option<Stamp>>>,
}

impl Tls {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be used.
    pub(super) fn open(files: TlsFiles) -> Result<Self, TlsFileUnusable> {
        let seen = Mutex::new(stamps(&files));
        let config = RwLock::new(Arc::new(load(&files)?));
        Ok(Self { files, config, seen })
    }

    /// For one more connection.
    pub(super) fn acceptor(&self) -> TlsAcceptor {
        self.config.read().unwrap_or_else(PoisonError::into_inner).clone().into()
    }

    /// Reads the files again if one of them is another. Blocks.
    fn look(&self) {
        let now = stamps(&self.files);
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return;
        }
        *seen = now;
        match load(&self.files) {
            Ok(config) => {
                *self.config.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(config);
                tracing::info!(certificate = %self.files.cert.display(), "another certificate is in use");
            }
            Err(error) => {
                let cause = error.source.as_ref().map(tracing::field::display);
                tracing::error!(%error, cause, "the old certificate stays in use");
            }
        }
    }
}

/// Looks at the files again and again.
pub(super) async fn keep_fresh(tls: Arc<Tls>) {
    loop {
        tokio::time::sleep(LOOK_PAUSE).await;
        let tls = tls.clone();
        if tokio::task::spawn_blocking(move || tls.look()).await.is_err() {
            tracing::error!("the certificate could not be looked at");
        }
    }
}

/// What differs when a file is another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    device: u64,
    inode: u64,
    size: u64,
    modified: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self {
            device: file.dev(),
            inode: file.ino(),
            size: file.size(),
            modified: (file.mtime(), file.mtime_nsec()),
            changed: (file.ctime(), file.ctime_nsec()),
        }
    }
}

fn stamps(files: &TlsFiles) -> Vec<Option<Stamp>> {
    let all = [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()];
    let stamp = |path: &PathBuf| std::fs::metadata(path).ok().as_ref().map(Stamp::of);
    all.into_iter().flatten().map(stamp).collect()
}

fn load(files: &TlsFiles) -> Result<ServerConfig, TlsFileUnusable> {
    let chain = certificates(&files.cert)?;
    let key = private_key(&files.key)?;
    let provider = Arc::new(ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider.clone())
        .with_safe_default_protocol_versions()
        .map_err(|error| unusable(&files.cert, "there is no version of TLS for it", error))?;
    let config = match &files.client_ca {
        None => config.with_no_client_auth(),
        Some(path) => config.with_client_cert_verifier(verifier(path, provider)?),
    };
    let mut config = config.with_single_cert(chain, key).map_err(|error| {
        unusable(
            &files.cert,
            "it and the key do not fit each other, or are of no known kind",
            error,
        )
    })?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Demands a certificate of clients that one of those in the file has signed.
fn verifier(
    path: &Path,
    provider: Arc<CryptoProvider>,
) -> Result<Arc<dyn rustls::server::danger::ClientCertVerifier>, TlsFileUnusable> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(path)? {
        let reason = "a certificate in it is no authority";
        roots.add(certificate).map_err(|error| unusable(path, reason, error))?;
    }
    WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
        .build()
        .map_err(|error| unusable(path, "it is no authority for clients", error))
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsFileUnusable> {
    let (pem, _) = read(path)?;
    let all = CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>();
    let all = all.map_err(|error| unusable(path, "it is no PEM", error))?;
    if all.is_empty() { Err(refused(path, "there is no certificate in it")) } else { Ok(all) }
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, TlsFileUnusable> {
    let (pem, about) = read(path)?;
    let forbidden = if about.uid() == 0 { NOT_OTHERS_OF_ROOT } else { NOT_OTHERS };
    if about.mode() & forbidden != 0 {
        return Err(refused(path, "others may read or write it; `chmod 600` it"));
    }
    PrivateKeyDer::from_pem_slice(&pem)
        .map_err(|error| unusable(path, "there is no private key in PEM in it", error))
}

/// What is in the file, and what the file is that it was read from.
fn read(path: &Path) -> Result<(Vec<u8>, Metadata), TlsFileUnusable> {
    let fail = |error| unusable(path, "it cannot be read", error);
    // To open a FIFO may wait for ever.
    if !std::fs::metadata(path).map_err(fail)?.is_file() {
        return Err(refused(path, "it is not a regular file"));
    }
    let file = File::open(path).map_err(fail)?;
    let about = file.metadata().map_err(fail)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES).read_to_end(&mut bytes).map_err(fail)?;
    Ok((bytes, about))
}

fn refused(path: &Path, reason: &'static str) -> TlsFileUnusable {
    TlsFileUnusable { path: path.to_owned(), reason, source: None }
}

fn unusable(
    path: &Path,
    reason: &'static str,
    source: impl std::error::Error + Send + Sync + 'static,
) -> TlsFileUnusable {
    TlsFileUnusable { source: Some(Box::new(source)), ..refused(path, reason) }
}
