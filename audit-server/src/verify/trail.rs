//! All streams of one path, followed beside each other.

use std::{collections::HashMap, path::Path};

use super::{
    Break, Cause, MAX_STREAMS, PathKind, PathReport, Place, Receipt, ReceiptResult, StreamReport,
    Unreadable,
    chain::Chain,
    line::{Line, Members, NotARecord},
};

/// The state of a verification of one path.
#[derive(Debug)]
pub(super) struct Trail<'r> {
    path: &'r Path,
    receipts: &'r [Receipt],
    chains: Vec<Chain<'r>>,
    by_name: HashMap<Box<str>, usize>,
    /// The chain of the record before: nearly always that of the next one, too.
    latest: usize,
    breaks: Vec<Break>,
    /// Whether something that belongs to no stream was reported already.
    strayed: bool,
    /// Whether anything here was a record, sound or not.
    recognised: bool,
    notices: Vec<String>,
}

impl<'r> Trail<'r> {
    pub(super) fn new(path: &'r Path, receipts: &'r [Receipt]) -> Self {
        Self {
            path,
            receipts,
            chains: Vec::new(),
            by_name: HashMap::new(),
            latest: 0,
            breaks: Vec::new(),
            strayed: false,
            recognised: false,
            notices: Vec::new(),
        }
    }

    /// Takes one line or `record` column.
    ///
    /// `stream` is asked for the stream that something beside the record names; `beside`, for a
    /// record that has its hash, for what stands beside it and differs.
    pub(super) fn take(
        &mut self,
        bytes: &[u8],
        place: impl Fn() -> Place,
        stream: impl Fn() -> Option<String>,
        beside: impl FnOnce(&Members<'_>) -> Option<Cause>,
    ) -> Result<(), Unreadable> {
        let line = match Line::read(bytes) {
            Ok(line) => line,
            Err(NotARecord::Newer(v)) => return Err(Unreadable::NewerRecord(v)),
            Err(NotARecord::Malformed(why)) => {
                self.break_at(stream().as_deref(), None, Some(place()), Cause::NotARecord(why));
                return Ok(());
            }
        };
        self.recognised = true;
        let members = &line.members;
        if !line.intact {
            // Any byte may be the changed one, so that the stream is believed only if it is known.
            let beside = stream();
            let stream =
                self.position(members.stream).map_or(beside.as_deref(), |_| Some(members.stream));
            self.break_at(stream, Some(members.seq), Some(place()), Cause::Changed);
            return Ok(());
        }
        let at = match self.position(members.stream) {
            Some(at) => at,
            None => match members.stream.parse() {
                Ok(name) if self.chains.len() < MAX_STREAMS => {
                    self.by_name.insert(members.stream.into(), self.chains.len());
                    self.chains.push(Chain::new(name, self.receipts));
                    self.chains.len() - 1
                }
                Ok(_) => return Err(Unreadable::TooManyStreams),
                Err(_) => {
                    let cause = Cause::NotARecord("its stream is not a stream's name".to_owned());
                    self.break_at(None, Some(members.seq), Some(place()), cause);
                    return Ok(());
                }
            },
        };
        self.latest = at;
        let Some(chain) = self.chains.get_mut(at) else { return Ok(()) };
        if chain.broken {
            chain.unfollowed += 1;
            return Ok(());
        }
        let result = match beside(members) {
            Some(cause) => Err(cause),
            None => chain.follow(&line),
        };
        if let Err(cause) = result {
            self.break_at(Some(members.stream), Some(members.seq), Some(place()), cause);
        }
        Ok(())
    }

    fn position(&self, stream: &str) -> Option<usize> {
        match self.chains.get(self.latest) {
            Some(chain) if chain.name.as_str() == stream => Some(self.latest),
            _ => self.by_name.get(stream).copied(),
        }
    }

    pub(super) fn chain(&self, stream: &str) -> Option<&Chain<'r>> {
        self.chains.get(self.position(stream)?)
    }

    pub(super) fn chains(&self) -> &[Chain<'r>] {
        &self.chains
    }

    /// Whether there is something here and none of it is a record.
    pub(super) fn is_something_else(&self) -> bool {
        !self.recognised && !self.breaks.is_empty()
    }

    pub(super) fn notice(&mut self, text: impl Into<String>) {
        self.notices.push(text.into());
    }

    /// Reports a break, unless one of the same stream was reported before. What belongs to no
    /// known stream counts as one stream more.
    pub(super) fn break_at(
        &mut self,
        stream: Option<&str>,
        seq: Option<u64>,
        place: Option<Place>,
        cause: Cause,
    ) {
        let known = stream.and_then(|stream| self.position(stream));
        match known.and_then(|at| self.chains.get_mut(at)) {
            Some(chain) => {
                chain.unfollowed += u64::from(place.is_some());
                if std::mem::replace(&mut chain.broken, true) {
                    return;
                }
            }
            None if std::mem::replace(&mut self.strayed, true) => return,
            None => {}
        }
        let stream = stream.and_then(|stream| stream.parse().ok());
        self.breaks.push(Break { path: self.path.to_owned(), stream, seq, place, cause });
    }

    /// Closes the verification. `ends_here` says whether the path is where its streams end.
    pub(super) fn finish(
        mut self,
        kind: PathKind,
        ends_here: bool,
        unreadable: Option<Unreadable>,
    ) -> PathReport {
        let whole = ends_here && unreadable.is_none();
        let mut receipts = Vec::new();
        for chain in &self.chains {
            for (receipt, result) in chain.receipts(whole) {
                let stated = || Box::new(receipt.clone());
                let cause = match result {
                    ReceiptResult::Differs => Some(Cause::ReceiptDiffers(stated())),
                    ReceiptResult::CutOff { last } => Some(Cause::CutOff(stated(), last)),
                    _ => None,
                };
                if let Some(cause) = cause {
                    self.breaks.push(Break {
                        path: self.path.to_owned(),
                        stream: Some(chain.name.clone()),
                        seq: Some(receipt.seq),
                        place: None,
                        cause,
                    });
                }
                receipts.push((receipt.clone(), result));
            }
        }
        let unfollowed = self.chains.iter().map(|chain| chain.unfollowed).sum();
        let streams: Vec<_> = self
            .chains
            .iter()
            .filter(|chain| chain.records > 0 || chain.broken)
            .map(StreamReport::of)
            .collect();
        if streams.is_empty() && self.breaks.is_empty() && unreadable.is_none() {
            self.notices.push("holds no record yet".to_owned());
        }
        PathReport {
            path: self.path.to_owned(),
            kind,
            files: Vec::new(),
            streams,
            unfollowed,
            breaks: self.breaks,
            notices: self.notices,
            receipts,
            unreadable,
        }
    }
}
