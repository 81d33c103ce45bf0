//! A real redis-server of a test's own: on a free port, started, stopped, stalled and killed.

use std::{
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A running redis-server; killed when dropped.
pub struct RedisServer {
    port: u16,
    dir: tempfile::TempDir,
    durable: bool,
    child: Option<Child>,
}

impl RedisServer {
    /// A server that forgets everything when it stops.
    pub fn start() -> Self {
        Self::new(false)
    }

    /// A server that still has everything after it was killed.
    pub fn start_durable() -> Self {
        Self::new(true)
    }

    fn new(durable: bool) -> Self {
        let dir = tempfile::tempdir().expect("a directory for redis-server");
        let mut server = Self { port: free_port(), dir, durable, child: None };
        server.resume_after_kill();
        server
    }

    /// Starts the server again on the same port.
    pub fn resume_after_kill(&mut self) {
        assert!(self.child.is_none(), "redis-server runs already");
        let child = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string(), "--save", ""])
            .args(["--appendonly", if self.durable { "yes" } else { "no" }])
            .arg("--dir")
            .arg(self.dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("redis-server cannot be started; install it: apt-get install redis-server");
        self.child = Some(child);
        let until = Instant::now() + Duration::from_secs(60);
        loop {
            let pong = self
                .client()
                .get_connection_with_timeout(Duration::from_secs(1))
                .and_then(|mut connection| redis::cmd("PING").query::<String>(&mut connection));
            if pong.is_ok() {
                return;
            }
            assert!(Instant::now() < until, "redis-server did not come up: {pong:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Kills the server as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Stops the server from answering, connections open.
    pub fn stall(&self) {
        self.signal("STOP");
    }

    /// Ends a stall.
    pub fn go_on(&self) {
        self.signal("CONT");
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.as_ref().expect("redis-server runs").id().to_string();
        let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status();
        assert!(sent.is_ok_and(|status| status.success()), "kill -{signal} {pid}");
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    fn client(&self) -> redis::Client {
        redis::Client::open(format!("{}/1", self.url())).expect("an address")
    }

    /// A connection to the database that the sink uses unless told otherwise.
    pub fn connection(&self) -> redis::Connection {
        self.client().get_connection().expect("redis-server answers")
    }

    /// A list, newest first.
    pub fn list(&self, category: &str) -> Vec<String> {
        let mut connection = self.connection();
        redis::cmd("LRANGE")
            .arg(format!("audit:logs:{category}"))
            .arg(0)
            .arg(-1)
            .query(&mut connection)
            .expect("LRANGE")
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port that nobody listens on now.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}
