//! A credential that is longer than any, cut before the request is read.
//!
//! hyper bounds a head as a whole, and answers a larger one itself, before there is a request: whoever tries a
//! token of a megabyte would be refused without being counted and recorded as others are whose credential is wrong.
//! So what is beyond the bound is dropped while it arrives, and what is left is refused as any other that is wrong.
//! Rejected: to read such heads whole, which takes a megabyte for each connection.
//!
//! No other byte is touched, and no control character dropped, so that hyper refuses what it would have. Behind a head,
//! what comes is taken for the next only once the request before is known to have had no body; otherwise, and when both
//! arrive at once, all that follows passes as it came. So a head is never looked for in what hyper takes for something
//! else.

use std::{
    cell::Cell,
    io,
    ops::Range,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// The most bytes of a header with a credential that are read, its name included: more than the longest has that may be
/// right, and so few that a head has room for two.
const MAX_LINE_BYTES: usize = 10 * 1024;

/// The most bytes of one head that are dropped, give or take one read. What comes behind passes, for hyper to refuse
/// if it is too large.
const MAX_DROPPED_BYTES: usize = 4 * 1024 * 1024;

/// How a header begins that has a credential.
const CREDENTIALS: [&str; 2] = ["authorization:", "x-api-key:"];

/// The longest of [`CREDENTIALS`].
const MAX_NAME: usize = CREDENTIALS[0].len();

/// What stands in the place of what is dropped, so that what is left is no credential: no key and no token has it.
const CUT: u8 = b'~';

/// Says that what follows the head that was read last is the next head. To be said before anything more is read.
#[derive(Clone, Default)]
pub(super) struct Next(Arc<AtomicBool>);

impl Next {
    pub(super) fn expect(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    fn take(&self) -> bool {
        self.0.swap(false, Ordering::Relaxed)
    }
}

/// A stream whose heads have no longer credentials than are read.
pub(super) struct ShortCredentials<S> {
    stream: S,
    cutter: Cutter,
}

impl<S> ShortCredentials<S> {
    pub(super) fn new(stream: S) -> (Self, Next) {
        let next = Next::default();
        (Self { stream, cutter: Cutter::new(next.clone()) }, next)
    }
}

struct Cutter {
    next: Next,
    part: Part,
    line: Line,
    dropped: usize,
}

#[derive(PartialEq)]
enum Part {
    RequestLine,
    Headers,
    /// The blank line behind the headers was the last that came.
    End,
    /// What is not to be looked at.
    Other,
}

/// What has come of a line so far.
#[derive(Default)]
struct Line {
    len: usize,
    start: [u8; MAX_NAME],
    has_text: bool,
    /// The last byte was dropped, or replaced.
    is_cut: bool,
}

impl Line {
    fn add(&mut self, text: &[u8]) {
        let room = self.start.get_mut(self.len..).unwrap_or_default();
        room.iter_mut().zip(text).for_each(|(room, byte)| *room = *byte);
        self.has_text |= text.iter().any(|byte| *byte != b'\r');
        self.len = self.len.saturating_add(text.len());
    }

    fn is_credential(&self) -> bool {
        let begins_with = |name: &&str| {
            let start = self.start.get(..name.len()).unwrap_or_default();
            start.eq_ignore_ascii_case(name.as_bytes())
        };
        CREDENTIALS.iter().any(begins_with)
    }
}

impl Cutter {
    fn new(next: Next) -> Self {
        Self { next, part: Part::RequestLine, line: Line::default(), dropped: 0 }
    }

    /// Moves what is kept of the bytes to their front, and says how much it is.
    fn cut(&mut self, bytes: &mut [u8]) -> usize {
        if self.part == Part::End && self.next.take() {
            self.part = Part::RequestLine;
        }
        let (mut kept, mut at) = (0, 0);
        while at < bytes.len() {
            if matches!(self.part, Part::End | Part::Other) {
                self.part = Part::Other;
                return keep(bytes, at..bytes.len(), kept);
            }
            let line_end = memchr::memchr(b'\n', bytes.get(at..).unwrap_or_default());
            let end = line_end.map_or(bytes.len(), |len| at + len);
            let short = self.shorten(bytes.get_mut(at..end).unwrap_or_default());
            kept = keep(bytes, at..at + short, kept);
            at = end;
            if line_end.is_some() {
                kept = keep(bytes, at..at + 1, kept);
                at += 1;
                self.end_line();
            }
        }
        kept
    }

    /// Moves what is kept of a line's text to its front, and says how much it is.
    fn shorten(&mut self, text: &mut [u8]) -> usize {
        let room = MAX_LINE_BYTES.saturating_sub(self.line.len).min(text.len());
        self.line.add(text);
        let is_shortened = self.line.len > MAX_LINE_BYTES
            && self.part == Part::Headers
            && self.line.is_credential()
            && self.dropped < MAX_DROPPED_BYTES;
        if !is_shortened {
            return text.len();
        }
        let beyond = Cell::from_mut(text.get_mut(room..).unwrap_or_default()).as_slice_of_cells();
        let mut places = beyond.iter();
        for byte in beyond.iter().map(Cell::get) {
            let is_kept = byte.is_ascii_control() && byte != b'\t';
            if (is_kept || !self.line.is_cut)
                && let Some(place) = places.next()
            {
                place.set(if is_kept { byte } else { CUT });
                self.line.is_cut = !is_kept;
            }
        }
        let dropped = places.len();
        self.dropped += dropped;
        text.len() - dropped
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        match self.part {
            // Blank lines before a request are none of it (RFC 9112, 2.2).
            Part::RequestLine if line.has_text => self.part = Part::Headers,
            Part::Headers if !line.has_text => {
                self.part = Part::End;
                self.dropped = 0;
            }
            _ => {}
        }
    }
}

/// Moves some bytes behind those that are kept, and says where they end then.
fn keep(bytes: &mut [u8], some: Range<usize>, kept: usize) -> usize {
    let end = kept + some.len();
    if some.start != kept {
        bytes.copy_within(some, kept);
    }
    end
}

impl<S: AsyncRead + Unpin> AsyncRead for ShortCredentials<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let begin = buffer.filled().len();
        loop {
            ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
            let read = buffer.filled_mut().get_mut(begin..).unwrap_or_default();
            if read.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let kept = self.cutter.cut(read);
            buffer.set_filled(begin + kept);
            // To have read nothing would be the end of the stream.
            if kept > 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for ShortCredentials<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REQUEST: &[u8] = b"\r\nGET / HTTP/1.1\r\n";

    fn cutter() -> (Cutter, Next) {
        let next = Next::default();
        (Cutter::new(next.clone()), next)
    }

    /// What is kept of the bytes when they come so many at once.
    fn cut(
        cutter: &mut Cutter,
        mut bytes: &[u8],
        mut sizes: impl Iterator<Item = usize>,
    ) -> Vec<u8> {
        let mut all = Vec::new();
        while !bytes.is_empty() {
            let (read, rest) = bytes.split_at(sizes.next().unwrap_or(usize::MAX).min(bytes.len()));
            let mut read = read.to_vec();
            let kept = cutter.cut(&mut read);
            all.extend_from_slice(&read[..kept]);
            bytes = rest;
        }
        all
    }

    /// What comes at once.
    fn cut_at_once(cutter: &mut Cutter, bytes: &[u8]) -> Vec<u8> {
        cut(cutter, bytes, std::iter::empty())
    }

    /// A header with a credential that is too long, and the end of the head; and what is kept of it.
    fn long() -> (Vec<u8>, Vec<u8>) {
        let long = [b"x-api-key: ", &vec![b'x'; MAX_LINE_BYTES * 2][..], b"\n\r\n"].concat();
        let kept = [&long[..MAX_LINE_BYTES], b"~\n\r\n"].concat();
        (long, kept)
    }

    fn line() -> impl Strategy<Value = Vec<u8>> {
        let start = prop::sample::select(&[
            "Authorization: Bearer ",
            "authorization:",
            "X-API-KEY:",
            "authorization",
            "x-api-keys: ",
            " authorization:",
            "x",
        ]);
        let len = prop_oneof![
            40..80_usize,
            MAX_LINE_BYTES - 2..MAX_LINE_BYTES + 3,
            Just(MAX_LINE_BYTES * 3)
        ];
        (start, len, prop_oneof![Just(b'x'), Just(b' '), Just(0xff)]).prop_map(
            |(start, len, byte)| [start.as_bytes(), &vec![byte; len - start.len()]].concat(),
        )
    }

    fn expected(line: &[u8]) -> Vec<u8> {
        let text = &line[..line.len() - 1];
        let name = text.split(|byte| *byte == b':').next().unwrap().to_ascii_lowercase();
        let is_credential = [&b"authorization"[..], b"x-api-key"].contains(&&*name);
        let (text, end) = match text.strip_suffix(b"\r") {
            Some(text) => (text, &b"\r\n"[..]),
            None => (text, &b"\n"[..]),
        };
        if is_credential && text.contains(&b':') && text.len() > MAX_LINE_BYTES {
            return [&text[..MAX_LINE_BYTES], b"~", end].concat();
        }
        line.to_vec()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn credentials_are_cut_and_all_else_is_as_it_came(
            target in line(), lines in prop::collection::vec((line(), any::<bool>()), 0..6),
            body in line(), sizes in prop::collection::vec(1..40_000_usize, 1..30),
        ) {
            let mut came = [b"\r\n", &*target, b"\r\n"].concat();
            let mut kept = came.clone();
            for (line, is_bare) in &lines {
                let line = [&**line, if *is_bare { &b"\n"[..] } else { b"\r\n" }].concat();
                came.extend_from_slice(&line);
                kept.extend_from_slice(&expected(&line));
            }
            for behind in [&b"\r\n"[..], &body, b"\r\nGET / HTTP/1.1\r\n", &body, b"\n\n"] {
                came.extend_from_slice(behind);
                kept.extend_from_slice(behind);
            }
            let (mut cutter, _) = cutter();
            prop_assert!(cut(&mut cutter, &came, sizes.into_iter().cycle()) == kept);
        }
    }

    #[test]
    fn the_next_head_is_cut_when_it_is_known_for_one() {
        let (long, kept) = long();
        let (mut cutter, next) = cutter();
        let mut all = |bytes: &[u8]| cut_at_once(&mut cutter, bytes);
        for _ in 0..3 {
            assert_eq!(all(REQUEST), REQUEST);
            assert_eq!(all(&long), kept);
            next.expect();
        }
        // Once what came was not, no more is.
        assert_eq!(all(&[REQUEST, b"\n"].concat()), [REQUEST, b"\n"].concat());
        assert_eq!(all(REQUEST), REQUEST);
        next.expect();
        assert_eq!(all(&long), long);
    }

    #[test]
    fn what_comes_with_the_end_of_a_head_is_no_head() {
        let (mut cutter, next) = cutter();
        let (long, _) = long();
        let two = [REQUEST, b"\n", REQUEST, &long].concat();
        assert_eq!(cut_at_once(&mut cutter, &two), two);
        next.expect();
        let other = [REQUEST, &long].concat();
        assert_eq!(cut_at_once(&mut cutter, &other), other);
    }

    #[test]
    fn no_more_is_dropped_than_the_bound() {
        let (mut cutter, next) = cutter();
        cut_at_once(&mut cutter, &[REQUEST, b"x-api-key:"].concat());
        let read = vec![b'x'; 4096];
        let reads = 10 + (MAX_LINE_BYTES + MAX_DROPPED_BYTES) / read.len();
        let kept: usize = (0..reads).map(|_| cutter.cut(&mut read.clone())).sum();
        let most = reads * read.len() - MAX_DROPPED_BYTES;
        assert!((most - read.len()..=most).contains(&kept), "{kept} of {most}");
        // The next has a bound of its own.
        cut_at_once(&mut cutter, b"\n\n");
        next.expect();
        let (long, kept) = long();
        assert_eq!(cut_at_once(&mut cutter, &[REQUEST, &long].concat()), [REQUEST, &kept].concat());
    }

    #[test]
    fn wherever_a_read_ends_a_line_is_cut_the_same() {
        let (long, kept) = long();
        let bound = REQUEST.len() + MAX_LINE_BYTES;
        for first in (1..REQUEST.len() + 20).chain(bound - 3..bound + 4) {
            for second in [1, 2, 3, 4, MAX_LINE_BYTES * 2] {
                let (mut cutter, _) = cutter();
                let came = [REQUEST, &long].concat();
                let all = cut(&mut cutter, &came, [first, second].into_iter());
                assert_eq!(all, [REQUEST, &kept].concat(), "{first} {second}");
            }
        }
    }

    /// hyper is to see, and to refuse, what is no header to some and two to others.
    #[test]
    fn control_characters_are_kept() {
        let start = [b"authorization: ", &vec![b'x'; MAX_LINE_BYTES * 2][..]].concat();
        let bad = b"\rtransfer-encoding: chunked\0\x7f\ty\r\n";
        let (mut cutter, _) = cutter();
        let kept = cut_at_once(&mut cutter, &[REQUEST, &start, bad].concat());
        assert_eq!(kept, [REQUEST, &start[..MAX_LINE_BYTES], b"~\r~\0\x7f~\r\n"].concat());
        let bad = [&start, &b"\ry: z\n"[..]].concat();
        assert_eq!(cut_at_once(&mut cutter, &bad), [&start[..MAX_LINE_BYTES], b"~\r~\n"].concat());
        // Where it is the first that does not fit.
        let line = [&start[..MAX_LINE_BYTES], b"\0yy\n"].concat();
        assert_eq!(cut_at_once(&mut cutter, &line), [&start[..MAX_LINE_BYTES], b"\0~\n"].concat());
    }

    #[tokio::test]
    async fn a_stream_goes_on_when_nothing_of_a_read_is_kept() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let (mut client, server) = tokio::io::duplex(64);
        let (mut server, _) = ShortCredentials::new(server);
        let (long, kept) = long();
        let head = [REQUEST, &long].concat();
        let writing = tokio::spawn(async move { client.write_all(&head).await });
        let mut all = Vec::new();
        server.read_to_end(&mut all).await.unwrap();
        drop(server);
        writing.await.unwrap().unwrap();
        assert_eq!(all, [REQUEST, &kept].concat());
    }
}
