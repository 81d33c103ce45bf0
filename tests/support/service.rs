//! A process of `bin/service.rs`, told what to do and asked how it went.

use std::{
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, RecvTimeoutError, channel},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use serde_json::Value;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(120);

/// A service that runs. One that is dropped is killed.
pub struct Service {
    child: Child,
    stdin: Option<ChildStdin>,
    answers: Receiver<String>,
    stderr: Option<JoinHandle<String>>,
    /// The stream that it writes.
    pub stream: String,
}

/// One that does not run any more.
#[derive(Debug)]
pub struct Ended {
    pub status: ExitStatus,
    pub stderr: String,
}

impl Service {
    /// Starts a service that must come up.
    pub fn start(command: &mut Command) -> Self {
        match Self::try_start(command) {
            Ok(service) => service,
            Err(ended) => panic!("{command:?}: {ended:?}"),
        }
    }

    /// Starts a service and waits until it records, or has ended.
    pub fn try_start(command: &mut Command) -> Result<Self, Ended> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut pipe = child.stderr.take().unwrap();
        let (sender, answers) = channel();
        std::thread::spawn(move || {
            stdout.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        let stderr = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            let _ = pipe.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let mut service =
            Self { child, stdin, answers, stderr: Some(stderr), stream: String::new() };
        match service.answers.recv_timeout(PATIENCE) {
            Ok(line) => {
                let answer: Value = serde_json::from_str(&line).unwrap();
                service.stream = answer["stream"].as_str().unwrap().to_owned();
                Ok(service)
            }
            Err(RecvTimeoutError::Disconnected) => Err(service.ended()),
            Err(RecvTimeoutError::Timeout) => panic!("{command:?} does not come up"),
        }
    }

    /// Tells it what to do and waits until it is done.
    pub fn ask(&mut self, command: &str) -> Value {
        self.tell(command);
        self.answer(PATIENCE).unwrap_or_else(|| panic!("no answer to {command:?}"))
    }

    /// The same for what must go well; returns what it gave.
    pub fn ask_well(&mut self, command: &str) -> Value {
        let answer = self.ask(command);
        answer.get("ok").cloned().unwrap_or_else(|| panic!("{command:?}: {answer}"))
    }

    /// The same for what must fail; returns the error.
    pub fn ask_in_vain(&mut self, command: &str) -> String {
        let answer = self.ask(command);
        let error = answer.get("error").and_then(Value::as_str);
        error.unwrap_or_else(|| panic!("{command:?}: {answer}")).to_owned()
    }

    /// Tells it what to do; [`Service::answer`] waits until it is done.
    pub fn tell(&mut self, command: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{command}").unwrap();
    }

    /// What it answers, if it does so within that time.
    pub fn answer(&mut self, within: Duration) -> Option<Value> {
        match self.answers.recv_timeout(within) {
            Ok(line) => Some(serde_json::from_str(&line).unwrap()),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => panic!("it has ended: {:?}", self.ended()),
        }
    }

    /// Lets it end in good order.
    pub fn end(mut self) {
        self.ask_well("shutdown 60000");
        let ended = self.ended();
        assert!(ended.status.success(), "{ended:?}");
    }

    /// Whether it has ended by itself.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Waits until it has ended, for whatever reason; it is told that nothing more comes.
    pub fn ended(&mut self) -> Ended {
        drop(self.stdin.take());
        let until = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < until, "it does not end");
            std::thread::sleep(Duration::from_millis(5));
        };
        let stderr = self.stderr.take().map(|stderr| stderr.join().unwrap());
        Ended { status, stderr: stderr.unwrap_or_default() }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
