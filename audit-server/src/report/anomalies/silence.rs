//! Silence where there always was something.
//!
//! What is looked at is not how long nothing came, but how much should have come meanwhile: an hour at noon may
//! be longer than a night. A silence is unusual when chance would bring it hardly ever (of what comes
//! by chance), or when it is several times as long, measured so, as the longest before the
//! window (of what comes by the clock, as heartbeats do, which chance never leaves out).

use super::{
    anomaly::AnomalyKind,
    finding::{About, Finding, Terms, length, plain},
    robust::{gate, median, sigmas, spread, stretch},
    series::{DAYS_TAIL, Expected, Series},
    tally::Tally,
};
use crate::filter::TimeRange;

/// Something that may fall silent.
struct Voice {
    about: About,
    series: Series,
    /// What falls silent when this does: places of voices.
    within: Vec<usize>,
}

/// A silence of a voice.
struct Silence {
    voice: usize,
    range: TimeRange,
    score: f64,
    /// How many records should have come.
    missed: f64,
    periods: String,
    observations: u64,
}

/// Event types, categories and the whole trail that fell silent.
pub(super) fn silences(tally: &Tally, all: &[Series], terms: &Terms) -> Vec<Finding> {
    let voices = voices(tally, all, terms);
    let grid = &terms.grid;
    let tests = voices.len() * (grid.hours - grid.base_hours());
    let gate = gate(terms.threshold, (tests, 1.0), (0.0, 1.0));
    let mut found: Vec<Silence> = Vec::new();
    for (at, voice) in voices.iter().enumerate() {
        let mut of_voice = by_hour(at, &voice.series, terms);
        of_voice.retain(|silence| silence.score >= gate);
        if of_voice.is_empty() {
            of_voice = by_day(at, &voice.series, terms);
            of_voice.retain(|silence| silence.score >= gate);
        }
        found.extend(of_voice);
    }
    let implied = |silence: &Silence| {
        found.iter().any(|other| {
            let part = voices.get(silence.voice).is_some_and(|v| v.within.contains(&other.voice));
            part && covers(other.range, silence.range)
        })
    };
    let told = found.iter().filter(|silence| !implied(silence));
    told.filter_map(|silence| {
        let voice = voices.get(silence.voice)?;
        Some(Finding {
            kind: AnomalyKind::Silence,
            about: voice.about.clone(),
            score: silence.score,
            gate,
            range: silence.range,
            count: 0,
            observed: "0".to_owned(),
            expected: plain(silence.missed),
            unit: "records",
            observations: silence.observations,
            sentence: format!(
                "no record for {}, in which {} are usual (from {} weeks before).",
                silence.periods,
                plain(silence.missed),
                silence.observations,
            ),
            statuses: Vec::new(),
        })
    })
    .collect()
}

/// Whether a silence is mostly within another.
fn covers(whole: TimeRange, part: TimeRange) -> bool {
    let both = whole.and(part);
    (both.to - both.from) as f64 >= 0.6 * (part.to - part.from) as f64
}

/// All event types, the categories that have several, and the trail.
fn voices(tally: &Tally, all: &[Series], terms: &Terms) -> Vec<Voice> {
    let mut trail = Voice { about: About::default(), series: Series::default(), within: vec![] };
    let mut out: Vec<Voice> = Vec::new();
    let mut categories: Vec<(&str, usize)> = Vec::new();
    let category = audit_layer::event_type::category;
    let known = |series: &Series| {
        series.counts.iter().take(terms.grid.base_hours()).any(|count| *count > 0)
    };
    let types = || tally.types.iter().zip(all).filter(|(_, series)| known(series));
    for (name, series) in types() {
        trail.series.add(series);
        match categories.iter_mut().find(|(of, _)| *of == category(name)) {
            Some((_, count)) => *count += 1,
            None => categories.push((category(name), 1)),
        }
    }
    out.push(trail);
    categories.retain(|(_, count)| *count > 1);
    for (of, _) in &categories {
        let mut series = Series::default();
        types().filter(|(name, _)| category(name) == *of).for_each(|(_, one)| series.add(one));
        let about = About { category: Some((*of).into()), ..About::default() };
        out.push(Voice { about, series, within: vec![0] });
    }
    for (name, series) in types() {
        let place = categories.iter().position(|(of, _)| *of == category(name));
        let within = [0].into_iter().chain(place.map(|at| at + 1)).collect();
        let about = About { event_type: Some(name.clone()), ..About::default() };
        out.push(Voice { about, series: series.clone(), within });
    }
    out
}

/// Stretches without anything, and what was expected in each.
fn gaps(counts: impl Iterator<Item = (usize, u32, f64)>) -> Vec<(usize, usize, f64)> {
    let mut out: Vec<(usize, usize, f64)> = Vec::new();
    let mut open = false;
    for (at, count, expected) in counts {
        if count > 0 {
            open = false;
            continue;
        }
        match out.last_mut().filter(|_| open) {
            Some((_, to, missed)) => {
                *to = at + 1;
                *missed += expected;
            }
            None => out.push((at, at + 1, expected)),
        }
        open = true;
    }
    out.retain(|(.., missed)| *missed > 0.0);
    out
}

/// How unusual a gap is.
fn score(missed: f64, longest: f64, usual: f64, (spread, periods): (f64, usize)) -> f64 {
    if missed < 2.0 * longest {
        return 0.0;
    }
    let by_chance = missed / (spread * spread);
    let by_history = missed / (longest + usual).max(0.1) * (periods.max(1) as f64).ln();
    sigmas(by_chance.max(by_history))
}

fn by_hour(voice: usize, series: &Series, terms: &Terms) -> Vec<Silence> {
    let Some(expected) = Expected::new(series, terms) else { return Vec::new() };
    let grid = &terms.grid;
    let of = |from: usize, to: usize| {
        let hours = series.counts.iter().copied().enumerate().take(to).skip(from);
        gaps(hours.map(|(hour, count)| (hour, count, expected.low(terms, hour))))
    };
    let longest = of(expected.from, expected.to).iter().fold(0.0_f64, |most, gap| most.max(gap.2));
    let usual = expected.usual_low();
    let periods = (expected.from..expected.to).filter(|h| expected.low(terms, *h) > 0.0).count();
    of(grid.base_hours(), grid.whole_hours)
        .into_iter()
        .map(|(from, to, missed)| Silence {
            voice,
            range: grid.span_of_hours(from, to),
            score: score(missed, longest, usual, (expected.spread, periods)),
            missed,
            periods: length(to - from, "hour"),
            observations: expected.observations(),
        })
        .collect()
}

/// The same by days, for what is too rare for hours.
fn by_day(voice: usize, series: &Series, terms: &Terms) -> Vec<Silence> {
    let grid = &terms.grid;
    let from = series.first_day(terms);
    if grid.base_days < from + super::MIN_DAYS {
        return Vec::new();
    }
    let days: Vec<u32> = series.counts.chunks(24).map(|hours| hours.iter().sum()).collect();
    let mut of_week: Vec<f64> = Vec::new();
    for day_of_week in 0..7 {
        let same = |from: usize| {
            let days = days.iter().enumerate().take(grid.base_days).skip(from);
            let same = days.filter(|(day, _)| grid.day_of_week(*day) == day_of_week);
            median(&mut same.map(|(_, count)| f64::from(*count)).collect::<Vec<_>>())
        };
        of_week.push(same(from).min(same(from.max(grid.base_days.saturating_sub(28)))));
    }
    let low = |day: usize| of_week.get(grid.day_of_week(day)).copied().unwrap_or(0.0);
    let of = |from: usize, to: usize| {
        let days = days.iter().copied().enumerate().take(to).skip(from);
        gaps(days.map(|(day, count)| (day, count, low(day))))
    };
    let longest = of(from, grid.base_days).iter().fold(0.0_f64, |most, gap| most.max(gap.2));
    let mut some: Vec<f64> = of_week.iter().copied().filter(|low| *low > 0.0).collect();
    let usual = median(&mut some);
    let mut residuals: Vec<f64> = days
        .iter()
        .enumerate()
        .take(grid.base_days)
        .skip(from)
        .map(|(day, count)| stretch(f64::from(*count)) - stretch(low(day)))
        .collect();
    let spread = spread(&mut residuals, DAYS_TAIL);
    let periods = (from..grid.base_days).filter(|day| low(*day) > 0.0).count();
    of(grid.base_days, grid.whole_hours / 24)
        .into_iter()
        .map(|(from, to, missed)| Silence {
            voice,
            range: grid.span_of_days(from, to),
            score: score(missed, longest, usual, (spread, periods)),
            missed,
            periods: length(to - from, "day"),
            observations: ((grid.base_days - series.first_day(terms)) / 7) as u64,
        })
        .collect()
}
