//! Exports over HTTP: what they hold, how they end, and how one goes on after a cut.

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use audit_layer::record::{Member, Severity, Value as Detail};
use serde_json::Value;

use super::{
    raw::{Reply, ask, begin, export},
    support::{Fixture, Process, Trail, event},
};

/// Records that several filters tell apart.
fn fill(trail: &mut Trail, count: i64) -> Vec<String> {
    let types = ["auth.login", "auth.failed", "trade.executed", "data.read"];
    trail.write_all((0..count).map(|at| {
        // Not quite in the order of time.
        let event = event(types[(at % 4) as usize], at * 1_000 - (at % 3) * 2_500);
        let event = match at % 5 {
            0 => event.set(Member::UserId, "u-1").set(Member::Status, "failure"),
            1 => event.set(Member::UserId, "=1+1").set(Member::Message, "a \"quoted\",\nline"),
            _ => event.set(Member::Message, "nothing of note"),
        };
        event.with(|draft| {
            draft.severity = if at % 7 == 0 { Severity::Warning } else { Severity::Info };
            draft.details = vec![("amount".into(), Detail::U64(at.unsigned_abs() % 100))];
        })
    }))
}

fn lines(body: &[u8]) -> Vec<String> {
    let text = std::str::from_utf8(body).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(str::to_owned).collect()
}

/// Gives a program the input, and takes what it prints.
fn through(program: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new(program[0]);
    command.args(&program[1..]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{program:?}: {error}"));
    let mut stdin = child.stdin.take().unwrap();
    thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(input));
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{program:?}");
        output.stdout
    })
}

fn sha256(bytes: &[u8]) -> String {
    String::from_utf8(through(&["sha256sum"], bytes)).unwrap()[..64].to_owned()
}

fn manifest(fixture: &Fixture, reply: &Reply) -> Value {
    told(fixture, reply.header("audit-export-id").unwrap())
}

fn told(fixture: &Fixture, id: &str) -> Value {
    let answer = fixture.get(&format!("/audit/exports/{id}"));
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// Set when it is dropped, also by a test that fails.
#[derive(Default)]
struct Stop(AtomicBool);

impl Stop {
    fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

struct Stopper<'s>(&'s Stop);

impl Drop for Stopper<'_> {
    fn drop(&mut self) {
        self.0.0.store(true, Ordering::Relaxed);
    }
}

/// Waits until an export is no longer running.
fn ended(fixture: &Fixture, id: &str) -> Value {
    let until = Instant::now() + Duration::from_secs(60);
    loop {
        let manifest = told(fixture, id);
        if manifest["status"] != "running" {
            return manifest;
        }
        assert!(Instant::now() < until, "the export does not end: {manifest}");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn an_export_is_a_full_walk_for_any_filter() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    let stored = fill(&mut trail, 5_000);
    let whole = export(&fixture, "");
    assert_eq!((whole.status, whole.is_whole), (200, true));
    assert_eq!(whole.header("content-type"), Some("application/x-ndjson"));
    assert_eq!(lines(&whole.body), stored);
    for filter in [
        "event_type=auth.*",
        "status=failure&severity=warning",
        "user_id=u-1&start_date=2026-11-21T00:00:01Z",
        "start_date=2026-11-21T00:00:01Z&end_date=2026-11-21T00:00:03Z",
        "end_date=2026-11-20T23:59:59.999Z",
        "details.amount%3E=97",
        "q=quoted",
        "filter=user_id%3Au%20OR%20trade",
        "user_id=nobody",
    ] {
        let walked = fixture.walk(&format!("/audit/logs?order=arrival&limit=1000&{filter}"), || {});
        let reply = export(&fixture, filter);
        assert!(reply.is_whole, "{filter}");
        let exported: Vec<Value> =
            lines(&reply.body).iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(exported, walked, "{filter}");
        assert_eq!(manifest(&fixture, &reply)["records"], walked.len(), "{filter}");
    }
}

#[test]
fn an_array_and_a_sheet_have_the_same_records() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    let stored = fill(&mut trail, 3_000);
    let json = export(&fixture, "format=json");
    assert_eq!(json.header("content-type"), Some("application/json"));
    let records: Vec<&serde_json::value::RawValue> = serde_json::from_slice(&json.body).unwrap();
    assert_eq!(records.iter().map(|record| record.get()).collect::<Vec<_>>(), stored);
    let none = export(&fixture, "format=json&user_id=nobody");
    assert_eq!(serde_json::from_slice::<Vec<Value>>(&none.body).unwrap(), [] as [Value; 0]);

    let csv = export(&fixture, "format=csv");
    assert_eq!(csv.header("content-type"), Some("text/csv; charset=utf-8"));
    let read = "import csv, json, sys; print(json.dumps(list(csv.reader(\
                open(0, encoding='utf-8', newline='')))))";
    let rows: Vec<Vec<String>> =
        serde_json::from_slice(&through(&["python3", "-c", read], &csv.body)).unwrap();
    let names: Vec<_> = Member::ALL.iter().map(|member| member.name()).chain(["hash"]).collect();
    assert_eq!(rows[0], names);
    assert_eq!(rows.len(), stored.len() + 1);
    for (row, line) in rows[1..].iter().zip(&stored) {
        let record: Value = serde_json::from_str(line).unwrap();
        for (name, cell) in names.iter().zip(row) {
            let expected = match &record[name] {
                Value::Null => String::new(),
                Value::String(text) if text.starts_with('=') => format!("'{text}"),
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            assert_eq!(*cell, expected, "{name}");
        }
    }
}

#[test]
fn the_manifest_says_what_can_be_found_out_without_it() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    fill(&mut trail, 2_000);
    let reply =
        ask(&fixture, "POST", "/audit/export?limit=1500&format=json", &[("te", "trailers")]);
    let told = manifest(&fixture, &reply);
    assert_eq!(told["status"], "complete");
    assert_eq!(told["complete"], false, "the limit ended it");
    assert_eq!(told["query"], "format=json&limit=1500");
    assert_eq!((&told["format"], &told["compression"]), (&"json".into(), &"none".into()));
    assert_eq!(told["records"], 1_500);
    assert_eq!(told["bytes"], reply.body.len());
    assert_eq!(told["sha256"], sha256(&reply.body));
    assert_eq!((&told["sent_bytes"], &told["sent_sha256"]), (&told["bytes"], &told["sha256"]));
    assert_eq!(told["streams"][0]["stream"], super::support::STREAM);
    assert_eq!(
        (&told["streams"][0]["first_seq"], &told["streams"][0]["last_seq"]),
        (&1.into(), &1_500.into())
    );
    assert!(told["started"].as_str().unwrap() < told["ended"].as_str().unwrap());
    assert_eq!(reply.trailer("audit-export-sha256").unwrap(), told["sha256"]);
    assert_eq!(reply.trailer("audit-export-sent-sha256").unwrap(), told["sent_sha256"]);
    assert_eq!(reply.trailer("audit-export-records"), Some("1500"));
    assert_eq!(reply.trailer("audit-export-complete"), Some("false"));
    assert_eq!(reply.trailer("audit-export-cursor").unwrap(), told["cursor"]);
    assert!(export(&fixture, "").trailers.is_empty(), "who does not ask gets none");

    let packed = export(&fixture, "compression=gzip");
    let told = manifest(&fixture, &packed);
    assert_eq!(
        (&told["sent_bytes"], &told["sent_sha256"]),
        (&packed.body.len().into(), &sha256(&packed.body).into())
    );
    assert_eq!(told["sha256"], sha256(&export(&fixture, "").body));
    let unknown = fixture.get("/audit/exports/01935000-0000-7000-8000-000000000000").problem(404);
    assert_eq!(unknown["type"], "/problems/export-not-found");
}

#[test]
fn compressed_exports_are_what_other_programs_read() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    fill(&mut trail, 4_000);
    let plain = export(&fixture, "").body;
    for (word, program, ending, kind) in [
        ("gzip", "gzip", ".ndjson.gz", "application/gzip"),
        ("zstd", "zstd", ".ndjson.zst", "application/zstd"),
    ] {
        let file = export(&fixture, &format!("compression={word}"));
        assert_eq!(file.header("content-type"), Some(kind));
        assert_eq!(file.header("content-encoding"), None);
        let name = format!(
            "attachment; filename=\"audit-export-{}{ending}\"",
            file.header("audit-export-id").unwrap()
        );
        assert_eq!(file.header("content-disposition"), Some(&*name));
        assert_eq!(through(&[program, "-dc"], &file.body), plain);
        assert!(file.body.len() * 3 < plain.len());
        let encoded = ask(&fixture, "POST", "/audit/export", &[("accept-encoding", word)]);
        assert_eq!(encoded.header("content-type"), Some("application/x-ndjson"));
        assert_eq!(encoded.header("content-encoding"), Some(word));
        assert!(encoded.header("content-disposition").unwrap().ends_with(".ndjson\""));
        assert_eq!(through(&[program, "-dc"], &encoded.body), plain);
    }
    let headers = [("accept-encoding", "gzip;q=0.5, zstd;q=0.5")];
    let encoded = ask(&fixture, "POST", "/audit/export", &headers);
    assert_eq!(encoded.header("content-encoding"), Some("zstd"));
    let said = ask(&fixture, "POST", "/audit/export?compression=none", &headers);
    assert_eq!((said.header("content-encoding"), &said.body), (None, &plain));
    let none = ask(&fixture, "POST", "/audit/export", &[("accept-encoding", "br, identity;q=0")]);
    assert_eq!(none.status, 406);
}

#[test]
fn an_export_ends_where_the_trail_did_although_the_writer_goes_on() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    let before = fill(&mut trail, 20_000).len();
    let stop = Stop::default();
    thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut written = 0;
            while !stop.is_set() {
                written += fill(&mut trail, 500).len();
            }
            written
        });
        let stopper = Stopper(&stop);
        for query in ["", "q=nothing"] {
            let reply = export(&fixture, query);
            assert!(reply.is_whole);
            let found = lines(&reply.body);
            assert!(!query.is_empty() || found.len() >= before);
            let told = manifest(&fixture, &reply);
            assert_eq!((&told["complete"], &told["records"]), (&true.into(), &found.len().into()));
            if query.is_empty() {
                // Everything up to one record, and nothing behind it.
                assert_eq!(told["streams"][0]["last_seq"], found.len());
            }
        }
        drop(stopper);
        assert!(writer.join().unwrap() > 0);
    });
}

#[test]
fn who_was_cut_off_goes_on_after_the_last_record_and_has_everything_once() {
    let (fixture, mut trail) = Fixture::with_trail(|config| config.max_exports = 16);
    let stored = fill(&mut trail, 30_000);
    let path = |rest: &str| format!("/audit/export?severity=info{rest}");
    let wanted = export(&fixture, "severity=info").body;
    assert_eq!(lines(&wanted), stored);
    let mut random = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..6 {
        let mut have = Vec::new();
        let mut after = String::new();
        loop {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            let most = random as usize % wanted.len() + 1;
            let (reply, _) = begin(&fixture, "POST", &path(&after), &[]).read(most);
            assert_eq!(reply.status, 200);
            have.extend(&reply.body);
            if reply.is_whole {
                break;
            }
            let complete = have.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            have.truncate(complete);
            if let Some(last) = lines(&have).last() {
                let record: Value = serde_json::from_str(last).unwrap();
                after = format!("&after={}", record["id"].as_str().unwrap());
            }
        }
        assert!(have == wanted, "{} bytes instead of {}", have.len(), wanted.len());
    }
}

#[test]
fn a_broken_export_tells_what_it_handed_over_and_the_cursor_behind_it() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    fill(&mut trail, 60_000);
    let wanted = export(&fixture, "").body;
    let slow = begin(&fixture, "POST", "/audit/export", &[]);
    let (reply, stream) = slow.read(100_000);
    let id = reply.header("audit-export-id").unwrap().to_owned();
    let running = told(&fixture, &id);
    assert_eq!((&running["status"], &running["ended"]), (&"running".into(), &Value::Null));
    drop(stream);
    let told = ended(&fixture, &id);
    assert_eq!((&told["status"], &told["complete"]), (&"cancelled".into(), &false.into()));
    let handed_over = told["bytes"].as_u64().unwrap() as usize;
    assert!((100_000..wanted.len()).contains(&handed_over), "{handed_over}");
    let (left, right) = wanted.split_at(handed_over);
    assert_eq!(told["sha256"], sha256(left));
    assert_eq!(told["records"], lines(left).len());
    // What has arrived since is not of that export.
    fill(&mut trail, 10);
    let rest = export(&fixture, &format!("cursor={}", told["cursor"].as_str().unwrap()));
    assert!(rest.is_whole && rest.body == right);
    let rest = manifest(&fixture, &rest);
    assert_eq!(rest["complete"], true);
    // But of the one that goes on from its end.
    let more = export(&fixture, &format!("cursor={}", rest["cursor"].as_str().unwrap()));
    assert_eq!(lines(&more.body).len(), 10);
}

#[test]
fn a_limit_divides_an_export_into_parts_that_make_the_whole() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    let stored = fill(&mut trail, 5_000);
    for (filter, limit) in [("", 1_234), ("user_id=u-1", 300)] {
        let wanted = lines(&export(&fixture, filter).body);
        let mut have = Vec::new();
        let mut cursor = String::new();
        loop {
            let part = export(&fixture, &format!("{filter}&limit={limit}{cursor}"));
            let told = manifest(&fixture, &part);
            let records = lines(&part.body);
            assert!(records.len() <= limit);
            have.extend(records);
            if told["complete"] == true {
                break;
            }
            cursor = format!("&cursor={}", told["cursor"].as_str().unwrap());
        }
        assert_eq!(have, wanted);
    }
    assert_eq!(lines(&export(&fixture, "limit=100000").body), stored);
}

#[test]
fn an_export_that_fails_has_no_end() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    fill(&mut trail, 60_000);
    let running = begin(&fixture, "POST", "/audit/export", &[]);
    let (first, stream) = running.read(10_000);
    let path = trail.path().to_owned();
    drop(trail);
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", path.display()));
    }
    // Another trail in its place.
    let mut other = Trail::create(&path);
    other.write_all(
        (0..60_000)
            .map(|at| event("other.thing", at).with(|draft| draft.stream = "other@web-2~aaaaaa")),
    );
    let rest = stream.rest();
    assert!(!rest.is_whole, "a file of two trails looks whole");
    let told = ended(&fixture, first.header("audit-export-id").unwrap());
    assert_eq!((&told["status"], &told["complete"]), (&"failed".into(), &false.into()));
    let text = [first.body, rest.body].concat();
    assert!(!String::from_utf8(text).unwrap().contains("other.thing"));
}

#[test]
fn lines_that_are_no_records_are_left_out_and_counted() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    let mut stored = fill(&mut trail, 100);
    // The last two end with the hash of what is before it.
    let junk = [
        "junk",
        "{\"v\":1}",
        "{}\n{}",
        "{\"x\":1,\"hash\":\"5041bf1f713df204784353e82f6a4a535931cb64f1f4b4a5aeaffcb720918b22\"}",
        "[oops,\"hash\":\"1c4932ac4423df153494599bf7cf384c8fc9077f0033cfba9e2acc2f48ebc4ba\"}",
    ];
    for (seq, record) in (9_001..).zip(junk) {
        trail.execute(&format!(
            "INSERT INTO audit_logs (stream, seq, id, timestamp, event_type, record)
             VALUES ('x', {seq}, '{seq}', 0, 'x', '{record}')"
        ));
    }
    stored.extend(fill(&mut trail, 100));
    let reply = export(&fixture, "");
    assert!(reply.is_whole);
    assert_eq!(lines(&reply.body), stored);
    let told = manifest(&fixture, &reply);
    assert_eq!((&told["damaged"], &told["records"]), (&5.into(), &200.into()));
}

#[test]
fn a_record_that_was_changed_is_exported_as_pages_have_it() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    let stored = fill(&mut trail, 10);
    let changed = stored[4].replace("nothing of note", "something else");
    assert_ne!(changed, stored[4]);
    trail.execute("DROP TRIGGER audit_logs_keep_update");
    trail.execute(&format!("UPDATE audit_logs SET record = '{changed}' WHERE arrival = 5"));
    let exported = lines(&export(&fixture, "").body);
    assert_eq!((&exported[4], exported.len()), (&changed, 10));
}

#[test]
fn one_export_too_many_is_refused_until_another_ends() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    fill(&mut trail, 60_000);
    let first = begin(&fixture, "POST", "/audit/export", &[]);
    let second = begin(&fixture, "POST", "/audit/export?format=csv", &[]);
    let (first, first_stream) = first.read(1_000);
    let (_, second_stream) = second.read(1_000);
    let third = ask(&fixture, "POST", "/audit/export", &[]);
    assert_eq!(third.status, 503);
    assert_eq!(third.header("retry-after"), Some("1"));
    assert_eq!(third.json()["type"], "/problems/overloaded");
    drop(first_stream);
    ended(&fixture, first.header("audit-export-id").unwrap());
    let until = Instant::now() + Duration::from_secs(30);
    while ask(&fixture, "POST", "/audit/export?limit=1", &[]).status != 200 {
        assert!(Instant::now() < until, "an export that ended still counts");
    }
    drop(second_stream);
}

#[test]
fn two_exports_do_not_keep_pages_waiting() {
    let (fixture, mut trail) = Fixture::with_trail(|config| {
        config.readers = 1;
        config.query_timeout = Duration::from_secs(5);
    });
    fill(&mut trail, 60_000);
    let stop = Stop::default();
    thread::scope(|scope| {
        let exports: Vec<_> = (0..2)
            .map(|_| {
                scope.spawn(|| {
                    let mut ended = 0;
                    while !stop.is_set() {
                        ended += usize::from(export(&fixture, "").is_whole);
                    }
                    ended
                })
            })
            .collect();
        let stopper = Stopper(&stop);
        let begun = Instant::now();
        let mut slowest = Duration::ZERO;
        let mut pages = 0;
        while begun.elapsed() < Duration::from_secs(4) {
            let asked = Instant::now();
            fixture.get("/audit/logs?limit=10").ok();
            slowest = slowest.max(asked.elapsed());
            pages += 1;
        }
        drop(stopper);
        let whole: usize = exports.into_iter().map(|export| export.join().unwrap()).sum();
        assert!(whole > 0 && pages > 20, "{whole} exports, {pages} pages");
        assert!(slowest < Duration::from_secs(3), "a page took {slowest:?}");
    });
}

#[test]
fn an_export_of_any_size_to_a_slow_client_takes_little_memory() {
    let directory = tempfile::tempdir().unwrap();
    let mut trail = Trail::create(&directory.path().join("audit.db"));
    let large: &str = "x".repeat(4 * 1024).leak();
    for part in 0..20 {
        let range = part * 2_500..(part + 1) * 2_500;
        trail.write_all(range.map(|at| event("auth.login", at).set(Member::Message, large)));
    }
    let server = Process::start(directory.path(), &[("AUDIT_SERVER_READ_MODEL", "off")]);
    server.get("/audit/logs?limit=1").ok();
    let before = server.peak_memory();
    for query in ["", "?event_type=auth.*&compression=none"] {
        let head = format!("POST /audit/export{query} HTTP/1.1\r\nconnection: close\r\n");
        let mut stream = server.connect(&head);
        let mut buffer = vec![0; 1 << 20];
        let mut read = 0;
        loop {
            match stream.read(&mut buffer).unwrap() {
                0 => break,
                count => read += count,
            }
            thread::sleep(Duration::from_millis(2));
        }
        assert!(read > 200_000_000, "{read}");
        let grown = server.peak_memory() - before;
        assert!(grown < 32 * 1024 * 1024, "an export of 200 MB took {} MB", grown >> 20);
    }
}

#[test]
fn a_client_that_stops_reading_is_cut_off() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    let large: &str = "x".repeat(16 * 1024).leak();
    trail.write_all((0..3_000).map(|at| event("auth.login", at).set(Member::Message, large)));
    let (reply, stream) = begin(&fixture, "POST", "/audit/export", &[]).read(1_000);
    let told = ended(&fixture, reply.header("audit-export-id").unwrap());
    assert_eq!(told["status"], "cancelled");
    assert!(!stream.rest().is_whole);
}

#[test]
fn what_an_export_cannot_be_asked_is_refused_by_name() {
    let (fixture, mut trail) = Fixture::with_trail(|_| {});
    let stored = fill(&mut trail, 10);
    let id = serde_json::from_str::<Value>(&stored[3]).unwrap()["id"].as_str().unwrap().to_owned();
    let cursor =
        manifest(&fixture, &export(&fixture, "limit=3"))["cursor"].as_str().unwrap().to_owned();
    let page = fixture.get("/audit/logs?order=arrival&limit=3").ok();
    let of_page = page["next_cursor"].as_str().unwrap();
    for (query, parameter) in [
        ("nonsense=1", "nonsense"),
        ("format=xml", "format"),
        ("format=csv&format=json", "format"),
        ("compression=br", "compression"),
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("order=desc", "order"),
        ("order=asc", "order"),
        ("after=x", "after"),
        ("after=01935000-0000-7000-8000-000000000000", "after"),
        (&format!("after={id}&cursor={cursor}"), "after"),
        (&format!("cursor={cursor}&severity=info"), "cursor"),
        (&format!("cursor={of_page}"), "cursor"),
        ("cursor=AAAA", "cursor"),
    ] {
        let reply = export(&fixture, query);
        assert_eq!(reply.status, 400, "{query}");
        assert_eq!(reply.json()["parameter"], parameter, "{query}");
    }
    assert_eq!(lines(&export(&fixture, "order=arrival").body), stored);
    assert_eq!(lines(&export(&fixture, &format!("after={id}")).body), stored[4..]);
    fixture.get(&format!("/audit/logs?order=arrival&cursor={cursor}")).problem(400);

    let got = fixture.get("/audit/export").problem(405);
    assert_eq!(got["detail"], "an export is asked for with POST");
    let got = ask(&fixture, "GET", "/api/audit/export", &[]);
    assert_eq!((got.status, got.header("allow")), (405, Some("POST")));
    let large = ask(&fixture, "POST", "/audit/export", &[("content-length", "70000")]);
    assert_eq!(large.status, 413);
    // Sent whole or not: it is not read.
    let form = ask(&fixture, "POST", "/audit/export", &[("content-length", "20")]);
    let told = String::from_utf8(form.body).unwrap();
    assert!(form.status == 400 && told.contains("stand in the query string"), "{told}");
    let stranger = fixture.server.send("POST", "/audit/export", &[("content-length", "0")]);
    stranger.problem(401);
    let old = super::raw::old_protocol(&fixture, "/audit/export");
    assert!(old.starts_with("HTTP/1.0 505") || old.starts_with("HTTP/1.1 505"), "{old}");
    assert_eq!(lines(&ask(&fixture, "POST", "/api/audit/export", &[]).body), stored);
}
