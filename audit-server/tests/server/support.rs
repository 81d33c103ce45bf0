//! A trail to write to, a Redis to push to, a server over both, and a client.

use std::{
    io::{self, BufRead, BufReader},
    net::{SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use audit_layer::record::{Draft, Hash, Line, Member};
use audit_server::{Config, KeyStore, Server};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::oneshot;
use uuid::Uuid;

pub(crate) const STREAM: &str = "payments@web-1~k3x9q2";

/// 2026-11-21T00:00:00Z in microseconds.
pub(crate) const DAY: i64 = 1_795_219_200_000_000;

/// A record in the making.
pub(crate) struct Event {
    pub(crate) draft: Draft<'static>,
}

/// An event of that type, so many microseconds into [`DAY`].
pub(crate) fn event(event_type: &'static str, micros: i64) -> Event {
    let mut draft = Draft::new(STREAM, 0, Hash::ZERO, event_type, "INFO");
    draft.timestamp = DAY + micros;
    Event { draft }
}

impl Event {
    pub(crate) fn set(mut self, member: Member, text: &'static str) -> Self {
        self.draft.set_text(member, text);
        self
    }

    pub(crate) fn with(mut self, change: impl FnOnce(&mut Draft<'static>)) -> Self {
        change(&mut self.draft);
        self
    }
}

/// The writer's side of the database: a stand-in that applies the real migration.
pub(crate) struct Trail {
    connection: rusqlite::Connection,
    path: PathBuf,
    seq: u64,
    head: Hash,
}

impl Trail {
    pub(crate) fn create(path: &Path) -> Self {
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;").unwrap();
        connection
            .execute_batch(include_str!("../../../audit-layer/src/sink/migrations/0001_trail.sql"))
            .unwrap();
        connection
            .execute_batch("PRAGMA application_id = 1096107092; PRAGMA user_version = 1;")
            .unwrap();
        Self { connection, path: path.to_owned(), seq: 0, head: Hash::ZERO }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Numbers, chains and seals an event, without storing it.
    pub(crate) fn seal(&mut self, event: Event) -> Line {
        let mut draft = event.draft;
        self.seq += 1;
        draft.seq = self.seq;
        draft.prev_hash = self.head;
        if draft.id.is_nil() {
            draft.id =
                Uuid::from_u128(0x0193_509c_3a5f_7cc1_8b5e_0000_0000_0000 + u128::from(self.seq));
        }
        let line = draft.seal();
        self.head = line.hash;
        line
    }

    pub(crate) fn write(&mut self, event: Event) -> String {
        let line = self.seal(event);
        self.store(&line.text);
        line.text.into()
    }

    pub(crate) fn write_all(&mut self, events: impl IntoIterator<Item = Event>) -> Vec<String> {
        self.connection.execute_batch("BEGIN").unwrap();
        let lines = events.into_iter().map(|event| self.write(event)).collect();
        self.connection.execute_batch("COMMIT").unwrap();
        lines
    }

    /// Stores a line as the writer does, in each table that it belongs to.
    pub(crate) fn store(&self, line: &str) {
        let record = audit_layer::record::Record::parse(line).unwrap();
        let timestamp = audit_layer::record::parse_timestamp(&record.timestamp).unwrap();
        let mut insert = self
            .connection
            .prepare_cached(
                "INSERT INTO audit_logs (stream, seq, id, timestamp, event_type, record)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )
            .unwrap();
        let arrival = insert
            .insert((
                &*record.stream,
                i64::try_from(record.seq).unwrap(),
                &*record.id,
                timestamp,
                &*record.event_type,
                line,
            ))
            .unwrap();
        let category = &*record.category;
        let security = matches!(category, "auth" | "security" | "admin")
            || record.status.as_deref() == Some("denied");
        if security {
            let sql = "INSERT INTO security_events (arrival, timestamp, event_type, severity)
                       VALUES (?1, ?2, ?3, ?4)";
            let row = (arrival, timestamp, &*record.event_type, &*record.severity);
            self.connection.prepare_cached(sql).unwrap().execute(row).unwrap();
        }
        if matches!(category, "financial" | "trade" | "risk") {
            let sql = "INSERT INTO financial_audit_logs (arrival, timestamp, event_type)
                       VALUES (?1, ?2, ?3)";
            let row = (arrival, timestamp, &*record.event_type);
            self.connection.prepare_cached(sql).unwrap().execute(row).unwrap();
        }
        let sql = "INSERT OR REPLACE INTO audit_cursors (stream, seq, hash) VALUES (?1, ?2, ?3)";
        let row = (&*record.stream, i64::try_from(record.seq).unwrap(), &*record.hash);
        self.connection.prepare_cached(sql).unwrap().execute(row).unwrap();
    }

    pub(crate) fn execute(&self, sql: &str) {
        self.connection.execute_batch(sql).unwrap();
    }
}

/// A directory with a trail, keys and a running server over them.
pub(crate) struct Fixture {
    pub(crate) directory: TempDir,
    pub(crate) server: Running,
    pub(crate) keys: KeyStore,
    pub(crate) key: String,
}

impl Fixture {
    /// Starts a server; there is no trail yet.
    pub(crate) fn start(change: impl FnOnce(&mut Config)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut config = config_in(directory.path());
        change(&mut config);
        let keys = KeyStore::open(&config.keys).unwrap();
        let (_, key) = keys.create("tests").unwrap();
        let server = Running::start(config);
        Self { directory, server, keys, key: key.expose().to_owned() }
    }

    /// Starts a server over an empty trail.
    pub(crate) fn with_trail(change: impl FnOnce(&mut Config)) -> (Self, Trail) {
        let fixture = Self::start(change);
        let trail = fixture.create_trail();
        (fixture, trail)
    }

    pub(crate) fn create_trail(&self) -> Trail {
        Trail::create(&self.directory.path().join("audit.db"))
    }

    /// Asks with the key.
    pub(crate) fn get(&self, path: &str) -> Answer {
        let bearer = format!("Bearer {}", self.key);
        self.server.send("GET", path, &[("authorization", &bearer)])
    }

    /// The messages of the records of a page that must be there.
    pub(crate) fn messages(&self, path: &str) -> Vec<String> {
        let page = self.get(path).ok();
        let records = page["records"].as_array().unwrap();
        records.iter().map(|record| record["message"].as_str().unwrap().to_owned()).collect()
    }

    /// Follows the cursors from the first page to the end for now; `between` runs before each further page.
    pub(crate) fn walk(&self, path: &str, mut between: impl FnMut()) -> Vec<Value> {
        let mut records = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = self.get(&format!("{path}{cursor}")).ok();
            records.extend_from_slice(page["records"].as_array().unwrap());
            let Some(next) = page["next_cursor"].as_str() else { return records };
            // The order of arrival always has a next page.
            if page["records"].as_array().unwrap().is_empty() && page["truncated"] == false {
                return records;
            }
            cursor = format!("&cursor={next}");
            between();
        }
    }
}

pub(crate) fn config_in(directory: &Path) -> Config {
    let mut config = Config::default();
    config.listen = SocketAddr::from(([127, 0, 0, 1], 0));
    config.db = directory.join("audit.db");
    config.keys = directory.join("audit-keys.db");
    config.read_model = Some(directory.join("audit-read-model.db"));
    // Many tests ask without a key, all from one address.
    config.lockout_after = 0;
    // And many more often than any person.
    config.rate_limit = None;
    config.rate_limit_address = None;
    // Most tests count the records of their trail.
    config.journal = None;
    // Far beyond what any query here takes, also on a busy machine.
    config.query_timeout = Duration::from_secs(30);
    config
}

/// A server on a thread of its own.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Running {
    pub(crate) fn start(config: Config) -> Self {
        let (started, address) = std::sync::mpsc::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let server = Server::bind(config).await.unwrap();
                started.send(server.local_addr()).unwrap();
                server.run(async { stopped.await.unwrap_or_default() }).await.unwrap();
            });
        });
        let address = address.recv().expect("the server starts");
        Self { address, stop: Some(stop), thread: Some(thread) }
    }

    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
        send(self.address, method, path, headers)
    }

    /// Asks the server to stop and does not wait.
    pub(crate) fn begin_stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Waits until the server has stopped.
    pub(crate) fn wait(&mut self) {
        if let Some(thread) = self.thread.take() {
            thread.join().expect("the server ends in good order");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.begin_stop();
        if !thread::panicking() {
            self.wait();
        }
    }
}

/// The command `audit-server serve` as a process, with a key.
pub(crate) struct Process {
    process: Child,
    pub(crate) address: SocketAddr,
    key: String,
}

impl Process {
    /// Starts it over `audit.db` and `audit-keys.db` in that directory.
    pub(crate) fn start(directory: &Path, environment: &[(&str, &str)]) -> Self {
        let keys = KeyStore::open(directory.join("audit-keys.db")).unwrap();
        let (_, key) = keys.create("tests").unwrap();
        let mut process = Command::new(env!("CARGO_BIN_EXE_audit-server"))
            .args(["serve", "--listen", "127.0.0.1:0"])
            .current_dir(directory)
            .env_clear()
            .envs(environment.iter().copied())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.strip_prefix("listening on http://").unwrap().split(',').next().unwrap();
        let address = address.parse().unwrap();
        Self { process, address, key: key.expose().to_owned() }
    }

    /// Asks with the key.
    pub(crate) fn get(&self, path: &str) -> Answer {
        send(self.address, "GET", path, &[("x-api-key", &self.key)])
    }

    /// Sends a head with the key, and leaves the answer to be read.
    pub(crate) fn connect(&self, head: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).unwrap();
        let head = format!("{head}host: x\r\nx-api-key: {}\r\n\r\n", self.key);
        io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
        stream
    }

    /// The nice values of all of its threads.
    pub(crate) fn nice(&self) -> Vec<i32> {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.process.id())).unwrap();
        tasks.filter_map(|task| nice_of(&task.unwrap().path())).collect()
    }

    /// The most bytes of memory that it has taken so far.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(status).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The nice value of a process or thread in `/proc`; none when it has ended.
pub(crate) fn nice_of(task: &Path) -> Option<i32> {
    let stat = std::fs::read_to_string(task.join("stat")).ok()?;
    // Its name is in parentheses, and may have any in it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(16)?.parse().ok()
}

fn send(address: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)]) -> Answer {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .proxy(None)
        .build()
        .into();
    let uri = format!("http://{}{path}", address);
    let mut request = ureq::http::Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut response = agent.run(request.body(()).unwrap()).unwrap();
    let headers = response.headers().iter().map(|(name, value)| {
        (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned())
    });
    Answer {
        status: response.status().as_u16(),
        headers: headers.collect(),
        body: response.body_mut().with_config().limit(64 * 1024 * 1024).read_to_string().unwrap(),
    }
}

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error} in {self:?}"))
    }

    /// The body of an answer that must be good.
    pub(crate) fn ok(&self) -> Value {
        assert_eq!(self.status, 200, "{}", self.body);
        let content = self.header("content-type").unwrap_or_default();
        assert_eq!(content.split(';').next(), Some("application/json"));
        self.json()
    }

    /// The problem that the answer must be.
    pub(crate) fn problem(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.body);
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.body);
        let problem = self.json();
        assert_eq!(problem["status"], status);
        let kind = problem["type"].as_str().unwrap();
        assert!(kind.starts_with("/problems/"), "{kind}");
        assert!(problem["title"].is_string() && problem["detail"].is_string());
        problem
    }
}

/// A `redis-server` of the test's own.
pub(crate) struct Redis {
    process: Option<Child>,
    pub(crate) port: u16,
    _directory: TempDir,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let port = TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port();
        let directory = tempfile::tempdir().unwrap();
        let mut redis = Self { process: None, port, _directory: directory };
        redis.restart();
        redis
    }

    pub(crate) fn stop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().unwrap();
            process.wait().unwrap();
        }
    }

    pub(crate) fn restart(&mut self) {
        self.stop();
        let process = Command::new("redis-server")
            .args(["--port", &self.port.to_string(), "--bind", "127.0.0.1"])
            .args(["--save", "", "--appendonly", "no", "--daemonize", "no"])
            .current_dir(self._directory.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("these tests need redis-server: install the package redis-server (or redis)");
        self.process = Some(process);
        let until = Instant::now() + Duration::from_secs(30);
        while redis::Client::open(self.url()).unwrap().get_connection().is_err() {
            assert!(Instant::now() < until, "redis-server does not come up");
            thread::sleep(Duration::from_millis(20));
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Pushes a line to the head of its list, as the layer does.
    pub(crate) fn push(&self, line: &str) {
        let record: Value = serde_json::from_str(line).unwrap();
        self.push_to(&format!("audit:logs:{}", record["category"].as_str().unwrap()), line);
    }

    pub(crate) fn push_to(&self, list: &str, line: &str) {
        let client = redis::Client::open(format!("{}/1", self.url())).unwrap();
        let mut connection = client.get_connection().unwrap();
        redis::cmd("LPUSH").arg(list).arg(line).exec(&mut connection).unwrap();
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(process) = &mut self.process {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

/// A port where nothing listens.
pub(crate) fn closed_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
