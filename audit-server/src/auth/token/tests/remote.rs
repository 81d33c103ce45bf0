//! Keys at a URL: a server of a few lines that answers as it is told.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use ureq::tls::RootCerts;

use super::support::{
    NOW, claims, ed25519, jwks, logged, p256, rsa_a, rsa_b, secret, settings, time,
};
use crate::auth::token::{
    Checked, JwksSource, JwksUrl, Refused, TokenSettings, Tokens,
    fetch::{Fetch, TIMEOUT},
    remote::{AT_MOST_EVERY, TRUSTED_FOR},
};

/// How the server answers.
#[derive(Clone)]
enum Answer {
    /// At once.
    Whole(String),
    /// That, when it is released.
    Held(Arc<AtomicBool>, Box<Answer>),
    /// A head, and then a byte now and then.
    Drip,
    /// A head, and then without an end.
    Flood,
    /// Not at all.
    Silence,
    /// By hanging up.
    HangUp,
}

fn ok(body: &str) -> Answer {
    Answer::Whole(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
}

struct Provider {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    asked: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Provider {
    fn new(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new(answer));
        let (asked, stop) = (Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let (with, count, stopped) = (Arc::clone(&answer), Arc::clone(&asked), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                if stopped.load(Ordering::SeqCst) {
                    break;
                }
                count.fetch_add(1, Ordering::SeqCst);
                let answer = with.lock().unwrap_or_else(PoisonError::into_inner).clone();
                let stopped = Arc::clone(&stopped);
                thread::spawn(move || respond(stream.unwrap(), answer, &stopped));
            }
        });
        Self { address, answer, asked, stop, thread: Some(thread) }
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = answer;
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }

    /// What fetches its keys from there, in that time.
    fn tokens(&self, timeout: Duration) -> At {
        let url = format!("http://{}/jwks?code=hunter2", self.address);
        At::new(&url, Fetch { timeout, ..Fetch::default() })
    }
}

impl Drop for Provider {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        self.thread.take().unwrap().join().unwrap();
    }
}

fn respond(mut stream: TcpStream, answer: Answer, stopped: &AtomicBool) {
    let mut request = Vec::new();
    let mut bytes = [0; 1024];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut bytes) {
            Ok(read @ 1..) => request.extend_from_slice(&bytes[..read]),
            _ => return,
        }
    }
    assert!(request.starts_with(b"GET /jwks?code=hunter2 HTTP/1.1\r\n"));
    let wait = |for_long: Duration| {
        let until = Instant::now() + for_long;
        while Instant::now() < until && !stopped.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(10));
        }
    };
    match answer {
        Answer::Whole(text) => drop(stream.write_all(text.as_bytes())),
        Answer::Held(release, answer) => {
            while !release.load(Ordering::SeqCst) && !stopped.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(5));
            }
            if let Answer::Whole(text) = *answer {
                drop(stream.write_all(text.as_bytes()));
            }
        }
        Answer::Drip => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{"));
            while !stopped.load(Ordering::SeqCst) && stream.write_all(b" ").is_ok() {
                thread::sleep(Duration::from_millis(50));
            }
        }
        Answer::Flood => {
            drop(stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n"));
            while !stopped.load(Ordering::SeqCst) && stream.write_all(&[b' '; 4096]).is_ok() {}
        }
        Answer::Silence => wait(Duration::from_secs(60)),
        Answer::HangUp => {}
    }
}

/// What fetches keys, at times that a test says.
struct At {
    tokens: Tokens,
    begin: Instant,
}

impl At {
    fn new(url: &str, fetch: Fetch) -> Self {
        let jwks = Some(JwksSource::Url(url.parse().unwrap()));
        let begin = Instant::now();
        let tokens =
            Tokens::open_with(&TokenSettings { jwks, ..settings() }, fetch, begin).unwrap();
        Self { tokens, begin }
    }

    fn at(&self, seconds: u64) -> Instant {
        self.begin + Duration::from_secs(seconds)
    }

    fn refresh(&self, seconds: u64) {
        self.tokens.remote().unwrap().refresh(self.at(seconds));
    }

    fn may_refresh(&self, seconds: u64) -> bool {
        self.tokens.remote().unwrap().may_refresh(self.at(seconds))
    }

    fn next(&self) -> u64 {
        self.tokens.next_refresh().unwrap().duration_since(self.begin).as_secs()
    }

    fn check(&self, seconds: u64, token: &str) -> Checked {
        self.tokens.check_at(token, time(NOW), self.at(seconds))
    }
}

#[test]
fn keys_are_fetched_and_followed_when_they_rotate() {
    let provider = Provider::new(ok(&jwks(&[rsa_a().jwk("a")])));
    let at = provider.tokens(TIMEOUT);
    let (old, new) = (rsa_a().token("a", &claims()), p256().token("b", &claims()));
    assert_eq!(at.next(), 0);
    assert_eq!(at.check(0, &old), Checked::UnknownKey);
    assert!(at.may_refresh(0));
    at.refresh(0);
    at.check(0, &old).valid();
    assert_eq!(at.next(), 600);

    provider.answers(ok(&jwks(&[rsa_a().jwk("a"), p256().jwk("b")])));
    assert_eq!(at.check(60, &new), Checked::UnknownKey);
    assert!(at.may_refresh(60));
    at.refresh(60);
    at.check(60, &new).valid();
    at.check(60, &old).valid();

    provider.answers(ok(&jwks(&[p256().jwk("b")])));
    at.check(659, &old).valid();
    assert_eq!(at.next(), 660);
    at.refresh(660);
    assert_eq!(at.check(660, &old), Checked::UnknownKey);
    at.check(660, &new).valid();
}

#[test]
fn made_up_names_of_keys_cost_one_fetch_in_ten_seconds() {
    let provider = Provider::new(ok(&jwks(&[rsa_a().jwk("a"), ed25519().jwk("e")])));
    let at = provider.tokens(TIMEOUT);
    at.refresh(0);
    for (number, second) in (0..100).map(|number| (number, number / 10)) {
        let token = rsa_b().token(&format!("made-up-{number}"), &claims());
        assert_eq!(at.check(second, &token), Checked::UnknownKey);
        assert!(!at.may_refresh(second));
        at.refresh(second);
    }
    assert_eq!(provider.asked(), 1);
    assert!(at.may_refresh(AT_MOST_EVERY.as_secs()));
    at.refresh(AT_MOST_EVERY.as_secs());
    assert_eq!(provider.asked(), 2);
}

#[test]
fn what_cannot_be_for_a_key_that_is_new_asks_for_no_fetch() {
    let provider = Provider::new(ok(&jwks(&[rsa_a().jwk("a"), ed25519().jwk("e")])));
    let at = provider.tokens(TIMEOUT);
    at.refresh(0);
    for token in [
        secret().token("new", &claims()),
        rsa_b().token("a", &claims()),
        rsa_b().token_of(r#"{"alg":"RS256"}"#, "{}"),
        rsa_b().token_of(r#"{"alg":"none","kid":"new"}"#, "{}"),
        "junk".to_owned(),
    ] {
        assert!(matches!(at.check(20, &token), Checked::Wrong(_)));
    }
}

#[test]
fn all_that_ask_at_once_wait_for_one_fetch_and_too_many_do_not_wait() {
    let release = Arc::<AtomicBool>::default();
    let keys = Box::new(ok(&jwks(&[rsa_a().jwk("a")])));
    let provider = Provider::new(Answer::Held(Arc::clone(&release), keys));
    let at = provider.tokens(Duration::from_secs(60));
    let token = rsa_a().token("a", &claims());
    let waits_until = |condition: &dyn Fn() -> bool| {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !condition() && Instant::now() < deadline {
            thread::sleep(Duration::from_millis(5));
        }
        condition()
    };
    let ask = || {
        at.refresh(0);
        at.check(0, &token).valid();
    };
    let (begun, room, full) = thread::scope(|scope| {
        scope.spawn(ask);
        let begun = waits_until(&|| provider.asked() == 1);
        let room = at.may_refresh(0);
        for _ in 1..8 {
            scope.spawn(ask);
        }
        let full = waits_until(&|| !at.may_refresh(0));
        release.store(true, Ordering::SeqCst);
        (begun, room, full)
    });
    assert!(begun && room && full, "{begun} {room} {full}");
    assert_eq!(provider.asked(), 1);
}

#[test]
fn keys_are_kept_when_they_cannot_be_fetched_and_for_a_day() {
    let provider = Provider::new(ok(&jwks(&[rsa_a().jwk("a")])));
    let at = provider.tokens(Duration::from_secs(2));
    let token = rsa_a().token("a", &claims());
    at.refresh(0);
    let day = TRUSTED_FOR.as_secs();
    let log = logged(|| {
        let body = jwks(&[p256().jwk("b")]);
        for (number, broken) in [
            Answer::HangUp,
            Answer::Silence,
            Answer::Drip,
            Answer::Whole("HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n".to_owned()),
            Answer::Whole(format!(
                "HTTP/1.1 404 No\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            )),
            Answer::Whole("no HTTP at all\r\n\r\n".to_owned()),
            Answer::Whole("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"keys\":".to_owned()),
            ok(""),
            ok("{}"),
            ok(r#"{"keys":[]}"#),
            ok(&(body.clone() + &" ".repeat(256 * 1024))),
            Answer::Whole(format!("HTTP/1.1 200 OK\r\n\r\n{body}{}", " ".repeat(256 * 1024))),
        ]
        .into_iter()
        .enumerate()
        {
            provider.answers(broken);
            let second = 60 * (number as u64 + 1);
            let begin = Instant::now();
            at.refresh(second);
            assert!(begin.elapsed() < Duration::from_secs(10), "{number}");
            at.check(second, &token).valid();
            assert_eq!(at.next(), second + 60);
        }
        assert_eq!(provider.asked(), 13);
    });
    assert_eq!((log.matches("WARN").count(), log.matches("ERROR").count()), (1, 0), "{log}");
    assert!(log.contains("/jwks") && !log.contains("hunter2"), "{log}");

    at.check(day - 1, &token).valid();
    assert_eq!(at.check(day, &token), Checked::UnknownKey);
    let log = logged(|| {
        at.refresh(day);
        at.refresh(day + 60);
    });
    assert_eq!(log.matches("ERROR").count(), 1, "{log}");
    provider.answers(ok(&jwks(&[rsa_a().jwk("a")])));
    let log = logged(|| at.refresh(day + 120));
    assert!(log.contains("can be fetched again"), "{log}");
    at.check(day + 120, &token).valid();
}

#[test]
fn a_provider_that_is_down_at_the_start_is_found_later() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let down = At::new(&format!("http://{free}/jwks"), Fetch::default());
    let token = rsa_a().token("a", &claims());
    let log = logged(|| down.refresh(0));
    assert!(log.contains("ERROR") && log.contains(&free.to_string()), "{log}");
    assert_eq!(down.check(0, &token), Checked::UnknownKey);
    assert_eq!(down.next(), 60);

    let provider = Provider::new(Answer::HangUp);
    let at = provider.tokens(TIMEOUT);
    at.refresh(0);
    assert_eq!(at.check(9, &token), Checked::UnknownKey);
    assert!(!at.may_refresh(9) && at.may_refresh(10));
    provider.answers(ok(&jwks(&[rsa_a().jwk("a")])));
    at.refresh(10);
    at.check(10, &token).valid();
}

#[test]
fn redirects_are_not_followed() {
    let elsewhere = Provider::new(ok(&jwks(&[rsa_a().jwk("a")])));
    let head = format!("Location: http://{}/jwks?code=hunter2", elsewhere.address);
    for status in [301, 302, 303, 307, 308] {
        let redirect = format!("HTTP/1.1 {status} Go\r\n{head}\r\nContent-Length: 0\r\n\r\n");
        let provider = Provider::new(Answer::Whole(redirect));
        let at = provider.tokens(TIMEOUT);
        at.refresh(0);
        assert_eq!(provider.asked(), 1);
        assert_eq!(at.check(0, &rsa_a().token("a", &claims())), Checked::UnknownKey);
    }
    assert_eq!(elsewhere.asked(), 0);
}

#[test]
fn an_answer_that_cannot_be_used_says_what_is_wrong() {
    let message = |answer, timeout| {
        let provider = Provider::new(answer);
        let url: JwksUrl =
            format!("http://{}/jwks?code=hunter2", provider.address).parse().unwrap();
        let error = Fetch { timeout, ..Fetch::default() }.fetch(&url).unwrap_err();
        let message = error.to_string();
        assert!(message.contains(&format!("http://{}/jwks: ", provider.address)), "{message}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        message
    };
    let soon = Duration::from_millis(500);
    assert!(message(Answer::Silence, soon).contains("five seconds"));
    assert!(message(Answer::Drip, soon).contains("five seconds"));
    assert!(message(Answer::Flood, TIMEOUT).contains("the answer is longer than 256 KiB"));
    assert!(message(Answer::HangUp, TIMEOUT).contains("cannot be fetched"));
    assert!(message(ok("[]"), TIMEOUT).contains("no JSON object"));
    let status =
        |line: &str| Answer::Whole(format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n"));
    assert!(message(status("204 Nothing"), TIMEOUT).contains("another status than 200"));
    assert!(message(status("302 Go\r\nLocation: /"), TIMEOUT).contains("redirects"));
}

#[test]
fn an_answer_without_its_length_and_in_chunks_is_read() {
    let body = jwks(&[rsa_a().jwk("a")]);
    let (first, second) = body.split_at(10);
    for answer in [
        format!("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{body}"),
        format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n",
            first.len(),
            second.len()
        ),
    ] {
        let provider = Provider::new(Answer::Whole(answer));
        let at = provider.tokens(TIMEOUT);
        at.refresh(0);
        at.check(0, &rsa_a().token("a", &claims())).valid();
    }
}

#[test]
fn a_fetch_is_over_before_another_may_begin() {
    assert!(TIMEOUT < AT_MOST_EVERY);
    assert_eq!(Fetch::default().timeout, TIMEOUT);
    assert!(matches!(Fetch::default().roots, RootCerts::PlatformVerifier));
}

#[test]
fn a_key_that_is_unknown_is_refused_when_there_is_nothing_to_fetch() {
    let provider = Provider::new(ok(&jwks(&[rsa_a().jwk("a")])));
    let at = provider.tokens(TIMEOUT);
    at.refresh(0);
    // A key alone need not be named; what is signed with another is wrong, and not unknown.
    let token = rsa_b().token_of(r#"{"alg":"RS256"}"#, &claims().to_string());
    assert_eq!(at.check(0, &token).refused(), Refused::Signature);
}
