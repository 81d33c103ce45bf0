//! Who has no key and asks again and again.

use std::{
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;

use super::support::{Fixture, event};

#[test]
fn an_address_without_a_key_is_locked_out_and_those_with_one_there_are_not() {
    let (fixture, mut trail) = Fixture::with_trail(|config| {
        config.lockout_after = 20;
        config.journal = Some(config.db.with_file_name("journal"));
    });
    trail.write(event("auth.login", 0));
    let wrong = |number: u32| {
        let key = format!("ak_abcdefgh_{number:043}");
        fixture.server.send("GET", "/audit/logs", &[("x-api-key", &key)])
    };
    for number in 0..20 {
        wrong(number).problem(401);
    }
    for number in 20..40 {
        let locked = wrong(number);
        let problem = locked.problem(429);
        assert_eq!(problem["type"], "/problems/locked-out");
        let seconds: u64 = locked.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=900).contains(&seconds), "{seconds}");
        // Whoever has a key is not kept from anything by who shares the address.
        fixture.get("/audit/logs").ok();
    }
    // Without any credential it is the same.
    fixture.server.send("GET", "/audit/anomalies", &[]).problem(429);
    fixture.server.send("GET", "/health", &[]).json();

    let Fixture { directory, server, .. } = fixture;
    drop(server);
    let trail = rusqlite::Connection::open(directory.path().join("audit.db")).unwrap();
    let count = |kind: &str| -> i64 {
        let sql = "SELECT count(*) FROM audit_logs WHERE event_type = ?1 AND stream LIKE 'audit-server@%'";
        trail.query_row(sql, [kind], |row| row.get(0)).unwrap()
    };
    assert_eq!((count("security.ip_blocked"), count("auth.failed")), (1, 11));
    assert_eq!(count("data.access"), 20);
}

/// Beside ten thousand failures and two hundred connections that send nothing, an honest client is answered,
/// and the trail tells of it in few records.
#[test]
fn ten_thousand_failures_beside_idle_connections_leave_room_for_who_has_a_key() {
    let (fixture, mut trail) = Fixture::with_trail(|config| {
        config.lockout_after = 20;
        config.journal = Some(config.db.with_file_name("journal"));
    });
    trail.write(event("auth.login", 0));
    let idle: Vec<_> = (0..200)
        .map(|_| {
            let mut connection = std::net::TcpStream::connect(fixture.server.address).unwrap();
            std::io::Write::write_all(&mut connection, b"GET /audit/logs HTTP/1.1\r\nX-").unwrap();
            connection
        })
        .collect();
    let (mut honest, mut refused) = (Vec::new(), [0, 0]);
    thread::scope(|scope| {
        let attackers: Vec<_> = (0..4)
            .map(|attacker| {
                let server = &fixture.server;
                scope.spawn(move || {
                    let mut seen = [0, 0];
                    for number in 0..2_500 {
                        let key = format!("ak_abcdefgh_{:043}", attacker * 10_000 + number);
                        let answer = server.send("GET", "/audit/logs", &[("x-api-key", &key)]);
                        seen[usize::from(answer.status == 429)] += 1;
                        assert!(matches!(answer.status, 401 | 429), "{}", answer.status);
                    }
                    seen
                })
            })
            .collect();
        while attackers.iter().any(|attacker| !attacker.is_finished()) {
            let begun = Instant::now();
            fixture.get("/audit/logs").ok();
            honest.push(begun.elapsed());
            thread::sleep(Duration::from_millis(5));
        }
        for attacker in attackers {
            let [unknown, locked] = attacker.join().unwrap();
            refused = [refused[0] + unknown, refused[1] + locked];
        }
    });
    drop(idle);
    honest.sort_unstable();
    let p99 = honest[honest.len() * 99 / 100];
    println!("p99 of an honest client: {p99:?} of {} answers", honest.len());
    // No time is asserted but that nobody is left waiting.
    assert!(honest.iter().all(|took| *took < Duration::from_secs(20)), "{p99:?}");
    assert_eq!(refused, [20, 9_980]);
    let answers = honest.len();
    let Fixture { directory, server, .. } = fixture;
    drop(server);
    let trail = rusqlite::Connection::open(directory.path().join("audit.db")).unwrap();
    let mut statement =
        trail.prepare("SELECT record FROM audit_logs WHERE event_type = 'auth.failed'").unwrap();
    let told: Vec<Value> = statement
        .query_map([], |row| row.get::<_, String>(0))
        .unwrap()
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    let counted: u64 = told.iter().map(|it| it["details"]["count"].as_u64().unwrap_or(1)).sum();
    assert_eq!(counted, 10_000, "each is told, by itself or by its number");
    assert!(told.len() <= 11 * (1 + honest_minutes(&honest)), "{} records", told.len());
    let reads: i64 = trail
        .query_row("SELECT count(*) FROM audit_logs WHERE event_type = 'data.access'", [], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(reads, answers as i64);
}

/// How many minutes may have ended meanwhile.
fn honest_minutes(honest: &[Duration]) -> usize {
    let all: Duration = honest.iter().map(|took| *took + Duration::from_millis(6)).sum();
    1 + usize::try_from(all.as_secs() / 60).unwrap()
}
