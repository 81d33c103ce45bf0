//! Clients that are slow on purpose, beside one that is not.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use super::{
    support::Fixture,
    tls::{Authority, answers, encrypted},
};

/// The head of a record of TLS that says that five hundred bytes of a ClientHello follow, and the first of them.
const HALF_A_HELLO: [u8; 9] = [22, 3, 1, 1, 0xf4, 1, 0, 1, 0xf0];

/// Connections that each begin with these bytes and send no more.
fn slow(to: SocketAddr, count: usize, beginnings: &[&[u8]]) -> Vec<TcpStream> {
    let begin = |at: usize| {
        let mut stream = TcpStream::connect(to).unwrap();
        stream.write_all(beginnings[at % beginnings.len()]).unwrap();
        stream
    };
    (0..count).map(begin).collect()
}

/// Whether the server closes the connection; an error of the connection says so, too.
fn is_closed(stream: &mut TcpStream) -> bool {
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    match stream.read_to_end(&mut Vec::new()) {
        Ok(_) => true,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn two_hundred_heads_and_handshakes_that_never_end_keep_nobody_waiting() {
    let authority = Authority::new();
    let encrypted = encrypted(&authority, |_| {});
    let plain = Fixture::start(|_| {});
    let handshakes = slow(encrypted.server.address, 200, &[b"", &HALF_A_HELLO, &HALF_A_HELLO[..3]]);
    let heads = slow(plain.server.address, 200, &[b"", b"GET /hea", b"GET /health HTTP/1.1\r\nx:"]);
    for _ in 0..20 {
        assert!(answers(&encrypted, &authority));
        assert_eq!(plain.get("/openapi.json").status, 200);
    }
    // They were open all the while.
    for mut stream in handshakes.into_iter().chain(heads) {
        stream.set_nonblocking(true).unwrap();
        let read = stream.read(&mut [0]).map_err(|error| error.kind());
        assert_eq!(read, Err(std::io::ErrorKind::WouldBlock));
    }
}

#[test]
fn a_handshake_that_never_ends_is_closed_and_its_place_given_to_others() {
    let authority = Authority::new();
    let fixture = encrypted(&authority, |config| {
        config.header_timeout = Duration::from_millis(500);
        config.max_connections = 3;
    });
    let mut handshakes = slow(fixture.server.address, 9, &[b"", &HALF_A_HELLO, b"\x16"]);
    assert!(answers(&fixture, &authority));
    assert!(handshakes.iter_mut().all(is_closed));
    // Neither does one that drips.
    let mut stream = TcpStream::connect(fixture.server.address).unwrap();
    stream.write_all(&HALF_A_HELLO).unwrap();
    let mut dripping = stream.try_clone().unwrap();
    let drip = std::thread::spawn(move || {
        while dripping.write_all(&[0]).is_ok() {
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    assert!(is_closed(&mut stream));
    drip.join().unwrap();
}
