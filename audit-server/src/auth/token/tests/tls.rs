//! Keys over TLS: from whom this host trusts, and from nobody else.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::Arc,
    thread,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
};
use ureq::tls::{Certificate, RootCerts};

use super::support::{der, jwks, rsa_a};
use crate::auth::token::{JwksUrl, fetch::Fetch, jwks::KeySet};

/// Serves a set of keys over TLS once, to whoever accepts the certificate; its port.
fn serve() -> u16 {
    let leaf = CertificateDer::from(der(include_str!("fixtures/tls-leaf.pem")));
    let key = PrivatePkcs8KeyDer::from(der(include_str!("fixtures/tls-leaf.key.pem")));
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], PrivateKeyDer::Pkcs8(key))
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        let connection = ServerConnection::new(Arc::new(config)).unwrap();
        let (stream, _) = listener.accept().unwrap();
        let mut stream = StreamOwned::new(connection, stream);
        let body = jwks(&[rsa_a().jwk("a")]);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        // A client that does not accept the certificate hangs up here.
        if stream.read(&mut [0; 1024]).is_ok() {
            stream.write_all(answer.as_bytes()).unwrap();
            stream.flush().unwrap();
        }
    });
    port
}

fn fetch(host: &str, roots: RootCerts) -> Result<KeySet, String> {
    let url: JwksUrl = format!("https://{host}:{}/jwks", serve()).parse().unwrap();
    let cause = |error: crate::auth::token::TokensUnusable| error.cause().unwrap_or_default();
    Fetch { roots, ..Fetch::default() }.fetch(&url).map_err(cause)
}

fn our_authority() -> RootCerts {
    let authority = Certificate::from_pem(include_bytes!("fixtures/tls-ca.pem")).unwrap();
    RootCerts::new_with_certs(&[authority])
}

#[test]
fn keys_come_over_tls_from_a_host_that_is_vouched_for() {
    let expected = KeySet::read(jwks(&[rsa_a().jwk("a")]).as_bytes()).unwrap();
    assert_eq!(fetch("localhost", our_authority()), Ok(expected));
}

#[test]
fn a_certificate_that_nobody_vouches_for_or_of_another_host_is_refused() {
    let refused = fetch("localhost", RootCerts::PlatformVerifier).unwrap_err();
    assert!(refused.contains("certificate"), "{refused}");
    let refused = fetch("127.0.0.1", our_authority()).unwrap_err();
    assert!(refused.contains("certificate"), "{refused}");
}
