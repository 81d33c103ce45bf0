//! A real browser, driven through the [WebDriver] protocol that chromedriver speaks: a few JSON
//! requests over HTTP, for which no client library is worth its weight.
//!
//! The browser has no network but this machine's, so that a page which loads anything from
//! elsewhere is found out.
//!
//! [WebDriver]: https://www.w3.org/TR/webdriver2/

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// How long the page may take to show what a test waits for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page.
#[derive(Debug)]
pub struct Browser {
    driver: Child,
    /// Where requests of this session go.
    session: String,
    agent: ureq::Agent,
    _profile: tempfile::TempDir,
}

impl Browser {
    /// Starts chromedriver on a free port and, through it, a headless browser.
    pub fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver cannot be started; install it: apt-get install chromium-driver");
        let mut said = BufReader::new(driver.stdout.take().unwrap()).lines();
        let port = said
            .find_map(|line| {
                let line = line.ok()?;
                line.split_once("successfully on port ")?
                    .1
                    .trim_end_matches('.')
                    .parse::<u16>()
                    .ok()
            })
            .expect("chromedriver says its port");
        // It goes on talking, and must not be stopped by a pipe that is full or closed.
        std::thread::spawn(move || said.for_each(drop));
        let agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(PATIENCE))
            .build()
            .new_agent();
        let profile = tempfile::tempdir().unwrap();
        let driver_url = format!("http://127.0.0.1:{port}/session");
        let mut browser = Self { driver, session: driver_url, agent, _profile: profile };
        let profile = browser._profile.path().display();
        let capabilities = json!({ "capabilities": { "alwaysMatch": {
            "browserName": "chrome",
            "goog:loggingPrefs": { "browser": "ALL" },
            "goog:chromeOptions": { "args": [
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--window-size=1400,2400",
                "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
                format!("--user-data-dir={profile}"),
            ] },
        } } });
        let session = browser.post("", &capabilities);
        let id = session["sessionId"].as_str().expect("a session").to_owned();
        browser.session = format!("{}/{id}", browser.session);
        browser
    }

    /// Sends a command; returns its value, or `None` when an element was not there yet.
    fn try_post(&self, command: &str, body: &Value) -> Option<Value> {
        let mut response = self
            .agent
            .post(format!("{}{command}", self.session))
            .content_type("application/json")
            .send(&body.to_string())
            .unwrap_or_else(|error| panic!("{command}: {error}"));
        let text = response.body_mut().read_to_string().unwrap();
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        match answer["value"]["error"].as_str() {
            None => Some(answer["value"].take()),
            Some("no such element" | "stale element reference" | "element not interactable") => {
                None
            }
            Some(error) => panic!("{command}: {error}: {}", answer["value"]["message"]),
        }
    }

    fn post(&self, command: &str, body: &Value) -> Value {
        self.try_post(command, body).unwrap_or_else(|| panic!("{command} found no element"))
    }

    /// Loads a page.
    pub fn go(&self, url: &str) {
        self.post("/url", &json!({ "url": url }));
    }

    /// Does something with the first element of a CSS selector, as soon as it is there and lets
    /// it be done.
    fn with_element(&self, css: &str, command: &str, body: &Value) {
        let until = Instant::now() + PATIENCE;
        loop {
            let find = json!({ "using": "css selector", "value": css });
            let done = self.try_post("/element", &find).and_then(|element| {
                // A constant of the protocol that marks a reference to an element.
                let id = element["element-6066-11e4-a52e-4f735466cecf"].as_str()?.to_owned();
                self.try_post(&format!("/element/{id}/{command}"), body)
            });
            if done.is_some() {
                return;
            }
            assert!(Instant::now() < until, "{css} never lets itself be used: {}", self.text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Clicks on the first element of a CSS selector.
    pub fn click(&self, css: &str) {
        self.with_element(css, "click", &json!({}));
    }

    /// Types into the first element of a CSS selector.
    pub fn enter(&self, css: &str, text: &str) {
        self.with_element(css, "value", &json!({ "text": text }));
    }

    /// What a script returns.
    pub fn run(&self, script: &str) -> Value {
        self.post("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Waits until a script returns something other than null, and returns that.
    pub fn wait_for(&self, script: &str) -> Value {
        let until = Instant::now() + PATIENCE;
        loop {
            let value = self.run(script);
            if !value.is_null() {
                return value;
            }
            assert!(Instant::now() < until, "{script} stays null: {}", self.text());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// The text that a person sees on the page.
    pub fn text(&self) -> String {
        self.run("return document.body.innerText").as_str().unwrap_or_default().to_owned()
    }

    /// What the browser complained of since the last call: errors of scripts, requests that were
    /// refused, violations of the page's content security policy.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.post("/se/log", &json!({ "type": "browser" }));
        let entries = log.as_array().expect("a list of entries").iter();
        entries
            .filter(|entry| entry["level"] == "SEVERE" || entry["level"] == "WARNING")
            .map(|entry| entry["message"].as_str().unwrap_or_default().to_owned())
            .collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Ends the browser; killing its driver would leave it behind.
        let _ = self.agent.delete(&self.session).call();
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}
