//! A client that sees how a body ends.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::Value;

use super::support::Fixture;

/// What came of an answer.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
    pub(crate) trailers: Vec<(String, String)>,
    /// Whether the body came to its end, as HTTP/1.1 has it.
    pub(crate) is_whole: bool,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        of(&self.headers, name)
    }

    pub(crate) fn trailer(&self, name: &str) -> Option<&str> {
        of(&self.trailers, name)
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

fn of<'f>(fields: &'f [(String, String)], name: &str) -> Option<&'f str> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// An answer whose head has not been read.
pub(crate) struct Begun(BufReader<TcpStream>);

/// A body that was read in part.
pub(crate) struct Rest(BufReader<TcpStream>, u64);

/// Asks with the key, and reads nothing yet.
pub(crate) fn begin(
    fixture: &Fixture,
    method: &str,
    path: &str,
    headers: &[(&str, &str)],
) -> Begun {
    let mut stream = TcpStream::connect(fixture.server.address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let mut head = format!("{method} {path} HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\n", fixture.key);
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).unwrap();
    Begun(BufReader::new(stream))
}

/// Asks with the key.
pub(crate) fn ask(fixture: &Fixture, method: &str, path: &str, headers: &[(&str, &str)]) -> Reply {
    begin(fixture, method, path, headers).read(usize::MAX).0
}

/// Exports what the query asks for.
pub(crate) fn export(fixture: &Fixture, query: &str) -> Reply {
    ask(fixture, "POST", &format!("/audit/export?{query}"), &[])
}

/// All that a request of HTTP/1.0 is answered.
pub(crate) fn old_protocol(fixture: &Fixture, path: &str) -> String {
    let mut stream = TcpStream::connect(fixture.server.address).unwrap();
    let head = format!("POST {path} HTTP/1.0\r\nx-api-key: {}\r\n\r\n", fixture.key);
    stream.write_all(head.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

impl Begun {
    /// Reads the head, and of the body so many bytes at most.
    pub(crate) fn read(self, most: usize) -> (Reply, Rest) {
        let mut reader = self.0;
        let status = line(&mut reader).unwrap();
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        let headers = fields(&mut reader).unwrap();
        let mut reply = Reply { status, headers, ..Reply::default() };
        if let Some(length) = reply.header("content-length") {
            reply.body = vec![0; length.parse().unwrap()];
            reader.read_exact(&mut reply.body).unwrap();
            reply.is_whole = true;
            return (reply, Rest(reader, 0));
        }
        let mut rest = Rest(reader, 0);
        rest.chunks(most, &mut reply);
        (reply, rest)
    }
}

impl Rest {
    /// Reads all that is left.
    pub(crate) fn rest(mut self) -> Reply {
        let mut reply = Reply::default();
        self.chunks(usize::MAX, &mut reply);
        reply
    }

    fn chunks(&mut self, most: usize, reply: &mut Reply) -> Option<()> {
        let reader = &mut self.0;
        while reply.body.len() < most {
            if self.1 == 0 {
                self.1 = u64::from_str_radix(&line(reader)?, 16).unwrap();
                if self.1 == 0 {
                    reply.trailers = fields(reader)?;
                    reply.is_whole = true;
                    return Some(());
                }
            }
            let wanted = self.1.min((most - reply.body.len()) as u64);
            let got = reader.by_ref().take(wanted).read_to_end(&mut reply.body).ok()? as u64;
            self.1 -= got;
            if got < wanted {
                return None;
            }
            if self.1 == 0 {
                line(reader)?;
            }
        }
        None
    }
}

/// A line without its end; none when the connection ends before.
fn line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    line.strip_suffix("\r\n").map(str::to_owned)
}

fn fields(reader: &mut impl BufRead) -> Option<Vec<(String, String)>> {
    let mut fields = Vec::new();
    loop {
        let line = line(reader)?;
        let Some((name, value)) = line.split_once(':') else { return Some(fields) };
        fields.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
}
