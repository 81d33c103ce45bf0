//! A question, asked often: of the first page, deep into the answer, and from the middle of time.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{client::Client, figures::Figures, questions::Question, values::Values};

/// Which page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Depth {
    /// The newest records.
    First,
    /// From the newest on, along [`PAGES`] cursors.
    Deep,
    /// Up to a time in the middle third of the history.
    Middle,
}

/// How many pages a walk has.
pub(crate) const PAGES: usize = 50;

impl Depth {
    pub(crate) const ALL: [Self; 3] = [Self::First, Self::Deep, Self::Middle];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Deep => "deep",
            Self::Middle => "middle",
        }
    }
}

/// When to stop asking: at so many answers, or when the time is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Enough {
    pub(crate) answers: usize,
    pub(crate) time: Duration,
}

/// Asks one after the other, with other values each time.
pub(crate) fn one(
    client: &Client,
    question: &Question,
    depth: Depth,
    values: &mut Values,
    enough: Enough,
) -> Figures {
    let begun = Instant::now();
    let mut figures = Figures::default();
    let done = |figures: &Figures| {
        figures.times.len() + figures.errors >= enough.answers || begun.elapsed() > enough.time
    };
    while !done(&figures) {
        let asked = (question.draw)(values);
        let until = (depth == Depth::Middle).then(|| values.middle());
        let mut cursor: Option<String> = None;
        for _ in 0..if depth == Depth::Deep { PAGES } else { 1 } {
            match client.page(&asked, until, cursor.as_deref()) {
                Ok(page) => {
                    figures.page(page.took, page.records, page.truncated);
                    cursor = page.next;
                }
                Err(error) => {
                    figures.errors += 1;
                    figures.first_error.get_or_insert_with(|| error.to_string());
                    // A refusal costs nothing: not to ask again at once.
                    thread::sleep(Duration::from_millis(20));
                    cursor = None;
                }
            }
            if cursor.is_none() || done(&figures) {
                break;
            }
        }
    }
    figures
}

/// The same from many clients at once, each for itself.
pub(crate) fn many(
    clients: &[Client],
    question: &Question,
    depth: Depth,
    values: &mut Values,
    enough: Enough,
) -> Figures {
    let mut all = Figures::default();
    thread::scope(|scope| {
        let running: Vec<_> = clients
            .iter()
            .map(|client| {
                let mut values = values.fork();
                scope.spawn(move || one(client, question, depth, &mut values, enough))
            })
            .collect();
        for client in running {
            match client.join() {
                Ok(figures) => all.add(figures),
                Err(_) => all.errors += 1,
            }
        }
    });
    all
}
