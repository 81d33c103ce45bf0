//! What a server reports of generated trails, to the number.
//!
//! Each trail is asked twice: of a server with a read model, and of one that reads the lines.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::{
    error::Error,
    net::SocketAddr,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use audit_layer::record::format_timestamp;
use audit_server::{Config, KeyStore, Server};
use query_bench::{
    books::{Span, attacks, hold},
    generator::{DEFAULT_END, Expected, Seed, Shape, World},
    load::load,
};
use serde_json::Value;
use tokio::sync::oneshot;

/// What a trail has here: more than a chunk of the read model's, and some of everything.
const RECORDS: u64 = 60_000;
/// It ends in a past that is past for every clock, since records of the future are another thing to
/// a report; and on the same day of the week.
const END: i64 = DEFAULT_END - 104 * 7 * 86_400_000_000;

/// A server on a thread of its own.
struct Running {
    address: SocketAddr,
    key: String,
    agent: ureq::Agent,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    /// Over the trail in that directory; with a read model, when it has every record.
    fn start(directory: &Path, has_model: bool) -> Self {
        let mut config = Config::default();
        config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
        config.db = directory.join("audit.db");
        config.keys = directory.join(format!("keys-{has_model}.db"));
        config.read_model = has_model.then(|| directory.join("read-model.db"));
        // Two servers are asked of one trail, which is not to change between.
        config.journal = None;
        // Far beyond what anything takes here, also on a busy machine.
        config.report_timeout = Duration::from_secs(120);
        let (_, key) = KeyStore::open(&config.keys).unwrap().create("tests").unwrap();
        let (started, address) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            tokio::runtime::Runtime::new().unwrap().block_on(async {
                let server = Server::bind(config).await.unwrap();
                started.send(server.local_addr()).unwrap();
                server.run(async { stopped.await.unwrap_or_default() }).await.unwrap();
            });
        });
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(150)))
            .proxy(None)
            .build()
            .into();
        let (address, key) = (address.recv().unwrap(), key.expose().to_owned());
        let server = Self { address, key, agent, stop: Some(stop), thread: Some(thread) };
        let until = Instant::now() + Duration::from_secs(120);
        while has_model && server.ask("/health/detail").unwrap()["read_model"]["state"] != "current"
        {
            assert!(Instant::now() < until, "the read model does not catch up");
            thread::sleep(Duration::from_millis(20));
        }
        server
    }

    fn ask(&self, path: &str) -> Result<Value, Box<dyn Error>> {
        let uri = format!("http://{}{path}", self.address);
        let mut response = self.agent.get(uri).header("x-api-key", &self.key).call()?;
        let body = response.body_mut().with_config().limit(64 * 1024 * 1024).read_to_string()?;
        match response.status().as_u16() {
            200 => Ok(serde_json::from_str(&body)?),
            status => Err(format!("{path}: {status} {body}").into()),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
        if let Some(thread) = self.thread.take().filter(|_| !thread::panicking()) {
            thread.join().unwrap();
        }
    }
}

/// A trail of that seed, what is known of it, and both servers.
struct House {
    expected: Expected,
    world: World,
    with: Running,
    without: Running,
    _directory: tempfile::TempDir,
}

impl House {
    fn of(seed: Seed) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let shape = Shape { end: END, ..Shape::of(RECORDS) };
        let expected = load(&directory.path().join("audit.db"), seed, shape, |_| {}).unwrap();
        Self {
            expected,
            world: World::new(seed, &shape),
            with: Running::start(directory.path(), true),
            without: Running::start(directory.path(), false),
            _directory: directory,
        }
    }
}

/// Removes what differs each time, and what only a read model knows: whether the chain is intact.
fn settle(with: &mut Value, without: &mut Value) {
    for report in [&mut *with, &mut *without] {
        remove(report, &["chain"]);
        remove(&mut report["header"], &["generated_at"]);
        each(&mut report["regulations"]).for_each(|it| remove(it, &["met", "gaps", "no_data"]));
    }
    let regulations = each(&mut with["regulations"]).zip(each(&mut without["regulations"]));
    for (with, without) in regulations {
        let controls = each(&mut with["controls"]).zip(each(&mut without["controls"]));
        for (with, without) in controls {
            let reason = without["reason"].as_str().unwrap();
            if reason.contains("the chain was not followed") {
                for control in [with, without] {
                    remove(control, &["state", "reason"]);
                }
            }
        }
    }
}

fn remove(object: &mut Value, names: &[&str]) {
    let Some(object) = object.as_object_mut() else { return };
    object.retain(|name, _| !names.contains(&&**name));
}

fn each(list: &mut Value) -> impl Iterator<Item = &mut Value> {
    list.as_array_mut().into_iter().flatten()
}

/// Where the two differ: a path in the JSON, with both.
fn differences(path: &str, one: &Value, other: &Value, found: &mut Vec<String>) {
    match (one, other) {
        (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
            for (name, value) in a {
                differences(&format!("{path}/{name}"), value, &b[name], found);
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (at, (a, b)) in a.iter().zip(b).enumerate() {
                differences(&format!("{path}/{at}"), a, b, found);
            }
        }
        _ if one == other => {}
        _ => found.push(format!("{path}: {one} and {other}")),
    }
}

/// Holds all figures of a house against its books, and what two servers say against each other.
fn every_figure_agrees(house: &House) {
    let ask = |path: &str| house.with.ask(path);
    for comparison in hold(&house.expected, &house.world, &ask).unwrap() {
        assert_eq!(comparison.different, 0, "{comparison:#?}");
        assert!(comparison.compared > 2_000, "{comparison:?}");
    }
    let compliance = house.with.ask("/audit/reports/compliance").unwrap();
    assert_eq!(compliance["chain"]["intact"], true);
    let span = Span::of(&house.expected).unwrap();
    let (whole, end) = (span.days(), format_timestamp(span.to));
    for path in [
        &*format!("/audit/reports/security?days={whole}"),
        "/audit/reports/security?days=7",
        &*format!("/audit/reports/trading?days={whole}"),
        "/audit/reports/trading?days=30&user_id=agent-03",
        "/audit/reports/compliance?days=2",
        "/audit/anomalies?lookback_days=7",
        "/audit/anomalies?lookback_days=30&threshold=2",
        "/audit/stats?interval=hour&top=user_id,ip_address,status&limit=1000",
        "/audit/stats?top=user_id,ip_address&severity=warning",
        // Most of these are there once.
        "/audit/stats?top=user_id,ip_address&severity=critical&limit=12",
    ] {
        let path = format!("{path}&end_date={end}");
        let mut with = house.with.ask(&path).unwrap();
        let mut without = house.without.ask(&path).unwrap();
        settle(&mut with, &mut without);
        let mut found = Vec::new();
        differences("", &with, &without, &mut found);
        assert!(found.is_empty(), "{path}, with a read model and without: {found:#?}");
    }
}

#[test]
fn every_figure_is_that_of_the_books_with_a_read_model_and_without() {
    every_figure_agrees(&House::of(Seed(1)));
}

/// Of a house that was attacked on the last of its days, and once before.
#[test]
fn every_figure_of_a_house_under_attack_is_that_of_its_books_and_the_attack_is_found() {
    let house = House::of(Seed(10));
    every_figure_agrees(&house);
    let found = attacks(&house.expected, &|path| house.with.ask(path)).unwrap();
    assert!(found.rare && found.all == 1 && found.missed.is_empty(), "{found:?}");
}
