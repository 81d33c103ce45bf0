//! All streams of one path, followed beside each other.

use std::{collections::HashMap, path::Path};

use audit_layer::record::VERSION;

use super::{
    Break, Cause, MAX_STREAMS, PathKind, PathReport, Place, Receipt, ReceiptResult, Start,
    StreamReport, Unreadable,
    chain::Chain,
    line::{Line, Members, NotARecord},
    start,
};

/// The state of a verification of one path.
#[derive(Debug)]
pub(super) struct Trail<'r> {
    path: &'r Path,
    kind: PathKind,
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
    /// What could not be read first.
    unreadable: Option<Unreadable>,
}

impl<'r> Trail<'r> {
    pub(super) fn new(path: &'r Path, kind: PathKind, receipts: &'r [Receipt]) -> Self {
        Self {
            path,
            kind,
            receipts,
            chains: Vec::new(),
            by_name: HashMap::new(),
            latest: 0,
            breaks: Vec::new(),
            strayed: false,
            recognised: false,
            notices: Vec::new(),
            unreadable: None,
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
    ) {
        let line = match Line::read(bytes) {
            Ok(line) => line,
            Err(NotARecord::Newer(v)) => {
                self.recognised = true;
                self.could_not_read(Unreadable::NewerRecord(v));
                return;
            }
            Err(NotARecord::Malformed(why)) => {
                self.break_at(stream().as_deref(), None, Some(place()), Cause::NotARecord(why));
                return;
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
            return;
        }
        let at = match self.position(members.stream) {
            Some(at) => at,
            None => match members.stream.parse() {
                Ok(name) if self.chains.len() < MAX_STREAMS => {
                    self.by_name.insert(members.stream.into(), self.chains.len());
                    self.chains.push(Chain::new(name, place(), self.receipts));
                    self.chains.len() - 1
                }
                Ok(_) => {
                    self.could_not_read(Unreadable::TooManyStreams);
                    return;
                }
                Err(_) => {
                    let cause = Cause::NotARecord("its stream is not a stream's name".to_owned());
                    self.break_at(None, Some(members.seq), Some(place()), cause);
                    return;
                }
            },
        };
        self.latest = at;
        let Some(chain) = self.chains.get_mut(at) else { return };
        if members.v > VERSION {
            // Its links are followed; what else it has is not known here.
            self.unreadable.get_or_insert(Unreadable::NewerRecord(members.v));
        }
        if chain.broken {
            chain.unfollowed += 1;
            return;
        }
        let result = match beside(members) {
            Some(cause) if members.v == VERSION => Err(cause),
            _ => chain.follow(&line),
        };
        if let Err(cause) = result {
            self.break_at(Some(members.stream), Some(members.seq), Some(place()), cause);
        } else if let Some(told) = start::told(members, self.kind) {
            let of = told.stream.as_deref().map_or(Some(at), |stream| self.position(stream));
            if let Some(chain) = of.and_then(|of| self.chains.get_mut(of)) {
                chain.explain(&told, of != Some(at));
            }
        }
    }

    /// Keeps why a part could not be read; the first reason is the path's.
    pub(super) fn could_not_read(&mut self, why: Unreadable) {
        self.unreadable.get_or_insert(why);
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

    /// Reports something that belongs to no stream, whatever else was reported.
    pub(super) fn break_of_path(&mut self, cause: Cause) {
        let path = self.path.to_owned();
        self.breaks.push(Break { path, stream: None, seq: None, place: None, cause });
    }

    /// Closes the verification. `to_end` says that the path is where its streams end, and was read
    /// that far.
    pub(super) fn finish(mut self, to_end: bool) -> PathReport {
        let mut receipts = Vec::new();
        for chain in &self.chains {
            // What explains a start mostly comes after it.
            if to_end && !chain.broken && chain.how_it_starts() == Start::Unexplained {
                self.breaks.push(Break {
                    path: self.path.to_owned(),
                    stream: Some(chain.name.clone()),
                    seq: Some(chain.first),
                    place: Some(chain.begins.clone()),
                    cause: Cause::LateStart(chain.first),
                });
            }
            for (receipt, result) in chain.receipts(to_end) {
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
        if streams.is_empty() && self.breaks.is_empty() && self.unreadable.is_none() {
            self.notices.push("holds no record yet".to_owned());
        }
        PathReport {
            path: self.path.to_owned(),
            kind: self.kind,
            files: Vec::new(),
            streams,
            unfollowed,
            breaks: self.breaks,
            notices: self.notices,
            receipts,
            to_end,
            indexes: false,
            unreadable: self.unreadable,
        }
    }
}
