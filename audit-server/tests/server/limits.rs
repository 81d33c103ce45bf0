//! What a client may not do, and what poem itself refuses.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use audit_layer::record::Member;

use super::support::{Fixture, Process, Running, event, nice_of};

/// Sends bytes and reads until the server closes.
fn raw(server: &Running, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    // The server may close before it has read all.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn what_poem_refuses_is_a_problem_too() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    for path in ["/nothing", "/audit", "/audit/nothing", "/api/audit/nothing", "/audit/logs/"] {
        assert_eq!(fixture.get(path).problem(404)["type"], "/problems/not-found", "{path}");
    }
    let bearer = format!("Bearer {}", fixture.key);
    for method in ["POST", "PUT", "DELETE"] {
        let headers = [("authorization", &*bearer), ("content-length", "0")];
        let answer = fixture.server.send(method, "/audit/logs", &headers);
        assert_eq!(answer.problem(405)["type"], "/problems/method-not-allowed");
        assert_eq!(answer.header("allow"), Some("GET, HEAD"));
    }
}

#[test]
fn a_body_that_is_large_or_of_unknown_length_is_refused() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    let head = format!(
        "GET /audit/logs HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\nconnection: close\r\n",
        fixture.key
    );
    let answer = |rest: &str| raw(&fixture.server, format!("{head}{rest}").as_bytes());
    assert!(answer("\r\n").starts_with("HTTP/1.1 200"));
    assert!(answer("content-length: 2\r\n\r\n{}").starts_with("HTTP/1.1 200"));
    let large = answer("content-length: 65537\r\n\r\n");
    assert!(large.starts_with("HTTP/1.1 413") && large.contains("/problems/too-large"), "{large}");
    let chunked = answer("transfer-encoding: chunked\r\n\r\n0\r\n\r\n");
    assert!(chunked.starts_with("HTTP/1.1 411"), "{chunked}");
}

#[test]
fn a_body_is_no_way_around_the_check_of_the_key() {
    let (mut fixture, _trail) = Fixture::with_trail(|config| {
        config.journal = Some(config.db.with_file_name("journal"));
    });
    let bodies = [
        "content-length: 2\r\n\r\n{}",
        "content-length: 65537\r\n\r\n",
        "transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    ];
    for path in ["/audit/export", "/audit/keys?name=x"] {
        for body in bodies {
            let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n");
            let request = format!("{head}x-api-key: x\r\n{body}");
            let answer = raw(&fixture.server, request.as_bytes());
            assert!(answer.starts_with("HTTP/1.1 401"), "{path} {body}: {answer}");
        }
    }
    let head = "POST /audit/export HTTP/1.1\r\nhost: x\r\nconnection: close\r\n";
    let request = format!("{head}x-api-key: {}\r\n{}", fixture.key, bodies[0]);
    let answer = raw(&fixture.server, request.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");

    let path = fixture.directory.path().join("audit.db");
    fixture.server.begin_stop();
    fixture.server.wait();
    let trail = rusqlite::Connection::open(path).unwrap();
    let sql = "SELECT count(*) FROM audit_logs WHERE event_type = 'auth.failed'";
    assert_eq!(trail.query_row(sql, [], |row| row.get::<_, u32>(0)), Ok(6));
}

#[test]
fn a_head_that_is_too_large_is_refused() {
    let fixture = Fixture::start(|_| {});
    let long = format!("GET /health HTTP/1.1\r\nhost: x\r\nx: {}\r\n\r\n", "x".repeat(100_000));
    assert!(raw(&fixture.server, long.as_bytes()).starts_with("HTTP/1.1 431"));
    let many = format!("GET /health HTTP/1.1\r\nhost: x\r\n{}\r\n", "x: y\r\n".repeat(100));
    assert!(raw(&fixture.server, many.as_bytes()).starts_with("HTTP/1.1 431"));
}

#[test]
fn a_client_that_never_ends_its_head_is_closed() {
    let fixture = Fixture::start(|config| config.header_timeout = Duration::from_millis(200));
    // One that says nothing at all, too.
    for head in ["GET /health HTTP/1.1\r\nhost:", ""] {
        let mut stream = TcpStream::connect(fixture.server.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(15))).unwrap();
        stream.write_all(head.as_bytes()).unwrap();
        let closed = stream.read_to_end(&mut Vec::new());
        assert!(closed.is_ok(), "the server left {head:?} open: {closed:?}");
    }
}

#[test]
fn connections_beyond_the_bound_wait_for_their_turn() {
    let (fixture, _trail) = Fixture::with_trail(|config| config.max_connections = 1);
    let mut first = TcpStream::connect(fixture.server.address).unwrap();
    first.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    first.read_exact(&mut [0; 12]).unwrap();
    let mut second = TcpStream::connect(fixture.server.address).unwrap();
    second.write_all(b"GET /health HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    second.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    assert!(second.read(&mut [0]).is_err(), "the second was served beside the first");
    drop(first);
    second.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut answer = String::new();
    second.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Connections that send a request and read only the first bytes of the answer. Their windows are
/// small, so that the rest stays with the server and not with the system.
fn unread(address: SocketAddr, request: &str, count: usize) -> Vec<TcpStream> {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let ask = |_| {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        let connected = runtime.block_on(socket.connect(address)).unwrap();
        let mut stream = connected.into_std().unwrap();
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    let mut streams: Vec<TcpStream> = (0..count).map(ask).collect();
    for stream in &mut streams {
        stream.read_exact(&mut [0; 12]).unwrap();
    }
    streams
}

#[test]
fn every_thread_of_the_server_lets_the_application_go_first() {
    let own = nice_of(Path::new("/proc/self")).unwrap();
    for (environment, nicer) in [(&[][..], 10), (&[("AUDIT_SERVER_NICE", "3")], 3)] {
        let directory = tempfile::tempdir().unwrap();
        let server = Process::start(directory.path(), environment);
        assert_eq!(server.get("/audit/logs").status, 503, "there is no trail");
        let nice = server.nice();
        let expected = (own + nicer).min(19);
        assert!(nice.len() > 3 && nice.iter().all(|nice| *nice >= expected), "{nice:?}");
        assert!(nice.contains(&expected), "{nice:?}");
    }
}

#[test]
fn documentation_that_nobody_reads_costs_no_memory_of_its_own() {
    let directory = tempfile::tempdir().unwrap();
    let server = Process::start(directory.path(), &[]);
    let before = server.peak_memory();
    let mut connections = Vec::new();
    for path in ["/docs", "/openapi.json"] {
        // Asked for so often that the system does not take in all the answers.
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").repeat(20);
        connections.extend(unread(server.address, &request, 150));
    }
    let grown = server.peak_memory() - before;
    assert!(grown < 64 * 1024 * 1024, "{} connections took {grown} bytes", connections.len());
}

#[test]
fn pages_that_nobody_reads_are_bounded_by_their_bytes() {
    let (fixture, mut trail) =
        Fixture::with_trail(|config| config.query_timeout = Duration::from_secs(3));
    let large: &str = "x".repeat(16 * 1024).leak();
    trail.write_all((0..1_000).map(|at| event("auth.login", at).set(Member::Message, large)));
    let request = format!(
        "GET /audit/logs?limit=1000 HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n\r\n",
        fixture.key
    );
    // A page of 16 MiB each: what is bounded is the sum.
    let held = unread(fixture.server.address, &request, 14);
    let mut refused = 0;
    let mut more = Vec::new();
    while refused == 0 {
        assert!(more.len() < 8, "nothing bounds the bytes of pages");
        let mut stream = TcpStream::connect(fixture.server.address).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut head = [0; 12];
        stream.read_exact(&mut head).unwrap();
        refused += usize::from(head == *b"HTTP/1.1 503");
        more.push(stream);
    }
    let problem = fixture.get("/audit/logs?limit=1").problem(503);
    assert_eq!(problem["type"], "/problems/overloaded");
    drop((held, more));
    let until = Instant::now() + Duration::from_secs(60);
    while fixture.get("/audit/logs?limit=1").status != 200 {
        assert!(Instant::now() < until, "what nobody reads any more still counts");
    }
}

#[test]
fn every_answer_tells_browsers_what_they_must_not_do() {
    let (fixture, _trail) = Fixture::with_trail(|_| {});
    let refused = fixture.server.send("GET", "/audit/logs", &[]);
    for answer in [fixture.get("/audit/logs"), refused, fixture.get("/nothing")] {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(answer.header("x-frame-options"), Some("DENY"));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("content-security-policy").unwrap().contains("'none'"));
    }
}
