//! An export as whoever takes it sees it: lines and bytes that arrive.

use std::{
    io::Read,
    sync::atomic::{AtomicBool, Ordering},
    time::{Duration, Instant},
};

use serde::Deserialize;

use super::super::{Outcome, client::Client, server::Server};

/// What arrived.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Download {
    pub(super) records: u64,
    pub(super) bytes: u64,
    pub(super) took: Duration,
}

/// What the server says that it sent.
#[derive(Debug, Deserialize)]
struct Manifest {
    status: String,
    records: u64,
    bytes: u64,
    sha256: String,
}

impl Download {
    pub(super) fn add(&mut self, other: Self) {
        self.records += other.records;
        self.bytes += other.bytes;
        self.took += other.took;
    }

    pub(super) fn records_a_second(&self) -> f64 {
        self.records as f64 / self.took.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// Takes everything that the trail has as NDJSON, and drops it; with the `Audit-Export-Id`. When it
    /// is told to stop it goes away.
    pub(super) fn take(server: &Server, stop: &AtomicBool) -> Outcome<(Self, String)> {
        let agent: ureq::Agent =
            ureq::Agent::config_builder().http_status_as_error(false).proxy(None).build().into();
        let begun = Instant::now();
        let uri = format!("{}/audit/export?format=ndjson&compression=none", server.url);
        let mut response = agent.post(uri).header("x-api-key", &server.key).send_empty()?;
        if response.status().as_u16() != 200 {
            let body = response.body_mut().read_to_string()?;
            return Err(format!("{} {body}", response.status().as_u16()).into());
        }
        let id = response.headers().get("audit-export-id");
        let id = id.and_then(|id| id.to_str().ok()).ok_or("an export without an id")?.to_owned();
        let mut reader = response.body_mut().with_config().limit(u64::MAX).reader();
        let (mut buffer, mut taken) = (vec![0; 256 * 1024], Self::default());
        while !stop.load(Ordering::Relaxed) {
            let length = reader.read(&mut buffer)?;
            let read = buffer.get(..length).unwrap_or_default();
            if read.is_empty() {
                break;
            }
            taken.records += read.iter().filter(|byte| **byte == b'\n').count() as u64;
            taken.bytes += length as u64;
        }
        taken.took = begun.elapsed();
        Ok((taken, id))
    }

    /// What the manifest says: the hash when it is the same, else what is not.
    pub(super) fn held(&self, client: &Client, id: &str) -> Outcome<String> {
        let (_, body) = client.get(&format!("/audit/exports/{id}"))?;
        let manifest: Manifest = serde_json::from_str(&body)?;
        let Manifest { status, records, bytes, sha256 } = manifest;
        if status == "complete" && (records, bytes) == (self.records, self.bytes) {
            return Ok(format!("agrees, sha256 {sha256}"));
        }
        Ok(format!("DIFFERS: {status}, {records} records, {bytes} bytes"))
    }
}
