//! TLS: what is spoken, what is refused, and certificates that are replaced while the server runs.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use audit_server::{Config, Error, Server};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};

use super::support::{Fixture, config_in};

/// An authority that signs certificates.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    certificate: rcgen::Certificate,
}

/// A certificate with its key.
pub(crate) struct Certified {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { issuer: Issuer::new(params, key), certificate }
    }

    pub(crate) fn certify(&self) -> Certified {
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let key = KeyPair::generate().unwrap();
        Certified { certificate: params.signed_by(&key, &self.issuer).unwrap(), key }
    }

    fn write(&self, directory: &Path) -> PathBuf {
        let path = directory.join("authority.pem");
        std::fs::write(&path, self.certificate.pem()).unwrap();
        path
    }
}

impl Certified {
    /// Puts both in the place of those that are there, as programs that renew do.
    pub(crate) fn write(&self, directory: &Path) -> (PathBuf, PathBuf) {
        let (cert, key) = (directory.join("cert.pem"), directory.join("key.pem"));
        replace(&cert, &self.certificate.pem());
        replace(&key, &self.key.serialize_pem());
        (cert, key)
    }
}

fn replace(path: &Path, text: &str) {
    let new = path.with_extension("new");
    std::fs::write(&new, text).unwrap();
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::rename(new, path).unwrap();
}

/// A server with a certificate of that authority.
pub(crate) fn encrypted(authority: &Authority, change: impl FnOnce(&mut Config)) -> Fixture {
    Fixture::start(|config| {
        let (cert, key) = authority.certify().write(config.db.parent().unwrap());
        (config.tls_cert, config.tls_key) = (Some(cert), Some(key));
        change(config);
    })
}

pub(crate) type Encrypted = StreamOwned<ClientConnection, TcpStream>;

/// A connection to whom the authority knows, with the certificate of a client, if there is one.
pub(crate) fn connect(
    to: SocketAddr,
    authority: &Authority,
    client: Option<&Certified>,
) -> io::Result<Encrypted> {
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots);
    let config = match client {
        None => config.with_no_client_auth(),
        Some(Certified { certificate, key }) => {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            config.with_client_auth_cert(vec![certificate.der().clone()], key).unwrap()
        }
    };
    let stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    let name = "localhost".try_into().unwrap();
    let session = ClientConnection::new(Arc::new(config), name).map_err(io::Error::other)?;
    Ok(StreamOwned::new(session, stream))
}

/// Asks with the key; gives the whole answer, and the certificate that the server showed.
fn ask(
    fixture: &Fixture,
    path: &str,
    authority: &Authority,
    client: Option<&Certified>,
) -> io::Result<(String, CertificateDer<'static>)> {
    let mut stream = connect(fixture.server.address, authority, client)?;
    let key = &fixture.key;
    let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {key}\r\n");
    stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let shown = stream.conn.peer_certificates().unwrap()[0].clone().into_owned();
    Ok((answer, shown))
}

/// Whether an honest client is answered.
pub(crate) fn answers(fixture: &Fixture, authority: &Authority) -> bool {
    ask(fixture, "/openapi.json", authority, None).unwrap().0.starts_with("HTTP/1.1 200")
}

#[test]
fn all_is_answered_encrypted_and_browsers_are_told_to_stay_with_it() {
    let authority = Authority::new();
    let fixture = encrypted(&authority, |_| {});
    drop(fixture.create_trail());
    for path in ["/audit/logs", "/docs", "/health"] {
        let (answer, _) = ask(&fixture, path, &authority, None).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer:.200}");
        assert!(answer.contains("\r\nstrict-transport-security: max-age="), "{answer:.500}");
    }
    let (refused, _) = ask(&fixture, "/nothing", &authority, None).unwrap();
    assert!(refused.starts_with("HTTP/1.1 404") && refused.contains("strict-transport-security"));
    // Without TLS nothing is answered, and without it that header would mean nothing.
    let mut plain = TcpStream::connect(fixture.server.address).unwrap();
    plain.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let plain = Fixture::start(|_| {});
    let answer = plain.server.send("GET", "/docs", &[]);
    assert_eq!(answer.header("strict-transport-security"), None);
    // Who does not know the authority does not get that far.
    assert!(ask(&fixture, "/health", &Authority::new(), None).is_err());
}

#[test]
fn a_certificate_that_is_replaced_is_in_use_soon_and_one_that_is_broken_never() {
    let authority = Authority::new();
    let fixture = encrypted(&authority, |config| config.header_timeout = Duration::from_secs(600));
    let directory = fixture.directory.path();
    let shown = || ask(&fixture, "/openapi.json", &authority, None).unwrap().1;
    let (cert, key) = (directory.join("cert.pem"), directory.join("key.pem"));
    let first = shown();
    // An open connection keeps what it has.
    let mut open = connect(fixture.server.address, &authority, None).unwrap();
    open.write_all(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n").unwrap();
    let second = authority.certify();
    replace(&cert, &second.certificate.pem());
    // The key is that of the first: they do not fit each other.
    thread::sleep(Duration::from_secs(5));
    assert_eq!(shown(), first);
    replace(&cert, "no certificate");
    thread::sleep(Duration::from_secs(5));
    assert_eq!(shown(), first);
    second.write(directory);
    let begun = Instant::now();
    while shown() == first {
        assert!(begun.elapsed() < Duration::from_secs(60), "it is not in use");
        thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(shown(), *second.certificate.der());
    open.write_all(b"connection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    open.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"));
    // A key that others may read is none either.
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();
    thread::sleep(Duration::from_secs(5));
    assert_eq!(shown(), *second.certificate.der());
}

#[test]
fn where_clients_need_a_certificate_only_one_of_their_authority_opens() {
    let (authority, of_clients) = (Authority::new(), Authority::new());
    let fixture = encrypted(&authority, |config| {
        config.tls_client_ca = Some(of_clients.write(config.db.parent().unwrap()));
    });
    let status = |client: Option<&Certified>| {
        let answer = ask(&fixture, "/openapi.json", &authority, client);
        answer.map(|(answer, _)| answer.starts_with("HTTP/1.1 200")).unwrap_or_default()
    };
    assert!(status(Some(&of_clients.certify())));
    assert!(!status(None));
    assert!(!status(Some(&authority.certify())));
}

/// What a server cannot be started with.
fn refused(change: impl FnOnce(&mut Config)) -> Result<SocketAddr, Error> {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config_in(directory.path());
    let (cert, key) = Authority::new().certify().write(directory.path());
    (config.tls_cert, config.tls_key) = (Some(cert), Some(key));
    change(&mut config);
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(Server::bind(config)).map(|server| server.local_addr())
}

#[test]
fn files_that_cannot_be_used_are_named_and_a_key_that_others_may_read_is_one() {
    let said = |change: &dyn Fn(&mut Config)| refused(change).unwrap_err().to_string();
    let mode = |config: &mut Config, mode| {
        let key = config.tls_key.clone().unwrap();
        std::fs::set_permissions(key, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    assert!(refused(|_| {}).is_ok());
    for open in [0o644, 0o604, 0o602, 0o660] {
        let said = said(&|config: &mut Config| mode(config, open));
        assert!(said.contains("key.pem") && said.contains("chmod 600"), "{open:o}: {said}");
    }
    let missing = said(&|config| config.tls_cert = Some("/nowhere/cert.pem".into()));
    assert!(missing.contains("/nowhere/cert.pem"), "{missing}");
    let swapped = said(&|config| config.tls_cert = config.tls_key.clone());
    assert!(swapped.contains("no certificate"), "{swapped}");
    let other = said(&|config| {
        let key = config.tls_key.clone().unwrap();
        replace(&key, &Authority::new().certify().key.serialize_pem());
    });
    assert!(other.contains("fit"), "{other}");
    let alone = said(&|config| config.tls_key = None);
    assert!(alone.contains("tls_cert") && alone.contains("tls_key"), "{alone}");
    let authority = said(&|config| config.tls_client_ca = config.tls_key.clone());
    assert!(authority.contains("no certificate"), "{authority}");
}

#[test]
fn where_others_reach_it_the_server_listens_with_tls_or_when_it_is_told_to() {
    let plain = |config: &mut Config| {
        (config.tls_cert, config.tls_key) = (None, None);
        config.listen = ([0, 0, 0, 0], 0).into();
    };
    let error = refused(plain).unwrap_err();
    assert!(matches!(error, Error::PlainHttp { .. }), "{error}");
    let told = refused(|config| {
        plain(config);
        config.plain_http = true;
    });
    assert!(told.is_ok());
    assert!(refused(|config| config.listen = ([0, 0, 0, 0], 0).into()).is_ok());
    assert!(
        refused(|config| {
            plain(config);
            config.listen = ([127, 0, 0, 9], 0).into();
        })
        .is_ok()
    );

    let directory = tempfile::tempdir().unwrap();
    let serve = Command::new(env!("CARGO_BIN_EXE_audit-server"))
        .args(["serve", "--listen", "0.0.0.0:0"])
        .current_dir(directory.path())
        .env_clear()
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&serve.stderr);
    assert!(!serve.status.success());
    assert!(said.contains("--tls-cert") && said.contains("--plain-http"), "{said}");
}
