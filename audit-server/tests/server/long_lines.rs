//! Heads with a line of a megabyte. A credential of that size is one more that is wrong, and all else is too large.

use std::{
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use rusqlite::{Connection, OpenFlags};

use super::{
    support::Fixture,
    tls::{Authority, connect, encrypted},
};

/// Asks for a page, and reads the answer.
pub(crate) fn ask(stream: &mut (impl Read + Write), header: &str) -> (u16, String) {
    let head = format!("GET /audit/logs?limit=1 HTTP/1.1\r\nhost: x\r\n{header}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = Vec::new();
    loop {
        let mut read = [0; 4096];
        let count = stream.read(&mut read).unwrap();
        assert_ne!(count, 0, "closed after {:?}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&read[..count]);
        let text = String::from_utf8_lossy(&answer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.split("\r\ncontent-length: ").nth(1).unwrap();
        if body.len() == length.lines().next().unwrap().parse::<usize>().unwrap() {
            return (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned());
        }
    }
}

pub(crate) fn plain(fixture: &Fixture) -> TcpStream {
    let stream = TcpStream::connect(fixture.server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

fn megabyte(of: &str) -> String {
    of.repeat((1 << 20) / of.len())
}

/// On one connection, between requests that are good, credentials of a megabyte are refused as any other that is wrong.
fn credentials_are_refused_and_the_connection_goes_on(
    fixture: &Fixture,
    stream: &mut (impl Read + Write),
) {
    let good = format!("x-api-key: {}", fixture.key);
    let (status, wrong) = ask(stream, "authorization: Bearer x.y.z");
    assert_eq!(status, 401);
    for long in [
        format!("authorization: Bearer x.y.{}", megabyte("A")),
        format!("X-API-Key: {}", megabyte("A")),
        format!("authorization: Bearer {}\r\naccept: application/json", fixture.key.repeat(20_000)),
        format!("authorization:{} {}", megabyte("é"), fixture.key),
        format!("authorization: Bearer {0}\r\nx-api-key: {0}", megabyte("A")),
    ] {
        assert_eq!(ask(stream, &good).0, 200);
        assert_eq!(ask(stream, &long), (401, wrong.clone()), "{long:.60}");
    }
    assert_eq!(ask(stream, &good).0, 200);
}

#[test]
fn a_credential_of_a_megabyte_is_one_more_that_is_wrong() {
    let (mut fixture, _trail) = Fixture::with_trail(|config| {
        config.journal = Some(config.db.with_file_name("journal"));
    });
    let mut stream = plain(&fixture);
    credentials_are_refused_and_the_connection_goes_on(&fixture, &mut stream);

    drop(stream);
    fixture.server.begin_stop();
    fixture.server.wait();
    let path = fixture.directory.path().join("audit.db");
    let trail = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).unwrap();
    let sql = "SELECT count(*) FROM audit_logs WHERE event_type = 'auth.failed'";
    assert_eq!(trail.query_row(sql, [], |row| row.get::<_, u32>(0)), Ok(6));
}

#[test]
fn so_it_is_within_tls() {
    let authority = Authority::new();
    let fixture = encrypted(&authority, |_| {});
    drop(fixture.create_trail());
    let mut stream = connect(fixture.server.address, &authority, None).unwrap();
    credentials_are_refused_and_the_connection_goes_on(&fixture, &mut stream);
}

#[test]
fn of_what_was_cut_no_good_credential_is_left() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    let mut stream = plain(&fixture);
    for header in [
        format!("x-api-key: {}{}x", fixture.key, megabyte(" ")),
        format!("authorization: Bearer {}{}x", fixture.key, megabyte(" ")),
        format!("authorization: Bearer {0}{1}{0}x", " ".repeat(7_000), fixture.key),
    ] {
        assert_eq!(ask(&mut stream, &header).0, 401, "{header:.80}");
    }
}

/// Asks with what is too large, and reads until the server closes.
fn refused(mut stream: TcpStream, header: &str) -> String {
    let head = format!("GET /audit/logs HTTP/1.1\r\nhost: x\r\n{header}\r\n\r\n");
    // The server closes without having read all.
    let _ = stream.write_all(head.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_head_that_is_too_large_elsewhere_is_refused_though_the_key_is_good() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    let good = format!("x-api-key: {}", fixture.key);
    let large = 100_000;
    for header in [
        format!("{good}\r\nx: {}", "x".repeat(large)),
        format!("{good}\r\n{}: x", "x".repeat(large)),
        format!("{good}\r\nx-forwarded-for: {}127.0.0.1", " ".repeat(large)),
        format!("{good}\r\ncontent-length: 0{}0", " ".repeat(large)),
        format!("{good}{}", megabyte("x").repeat(5)),
    ] {
        let answer = refused(plain(&fixture), &header);
        assert!(answer.starts_with("HTTP/1.1 431"), "{header:.80}: {answer}");
    }
    // What some would take for two lines.
    for end in ["", "\n"] {
        let two = format!("{good}{}\rtransfer-encoding: chunked{end}", megabyte("x"));
        let answer = refused(plain(&fixture), &two);
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    }
}

#[test]
fn behind_a_body_nothing_is_cut() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    let good = format!("host: x\r\nx-api-key: {}", fixture.key);
    // The body comes with its head, while the request is answered, or when that is done and hyper has closed.
    for pause in (0..40).map(|at| at * 50) {
        let mut stream = plain(&fixture);
        stream.set_nodelay(true).unwrap();
        let head = format!("GET /audit/logs HTTP/1.1\r\n{good}\r\ncontent-length: 2\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        thread::sleep(Duration::from_micros(pause));
        let _ = stream.write_all(b"{}");
        stream.read_exact(&mut [0; 12]).unwrap();
        let answer = refused(stream, &format!("x-api-key: {}", "x".repeat(100_000)));
        assert!(!answer.contains("HTTP/1.1 401"), "{pause}: {answer}");
    }
}
