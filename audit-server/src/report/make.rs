//! Making a report from a trail.

use std::collections::BTreeMap;

use audit_layer::record::Member;
use serde::Serialize;

use super::{
    Document, Header, Request, Which,
    anomalies::{Anomalies, MAX_BASELINE_DAYS, Settings, count, make_ready},
    compliance::{ChainVerdict, Compliance, TrailEvidence, compliance},
    kept::{Going, Kept},
    security::{FirstMet, Security, SecurityReport},
    trading::{Trading, TradingReport},
};
use crate::{
    Error,
    auth::TenantBound,
    filter::{Field, Filter, Test, TimeRange},
    query::{Study, Trail},
    read_model::{Column, Met, Taken, Wanted},
    store::Deadline,
};

/// The security report of what the request asks for.
///
/// # Errors
/// When the trail cannot be read, or not in time. So for each report here.
pub(crate) fn security(
    trail: &Trail,
    kept: Option<&Kept>,
    request: &Request,
    deadline: Deadline,
) -> Result<SecurityReport, Error> {
    let seen = request.sight.all();
    let Going { mut study, fold: mut first_met, taken, is_kept } =
        match kept.filter(of_all(request)) {
            Some(kept) => first_met(trail, kept, deadline)?,
            None => Going::begin(trail, deadline, FirstMet::default())?,
        };
    let range = request.range;
    let mut fold = Security::new(range);
    let met = study.fold(range, &seen, Security::COLUMNS, &mut fold)?;
    if is_kept {
        study.fold_rest(&EVER, &taken, &mut first_met)?;
    }
    if is_kept && first_met.is_complete() {
        fold.know(&first_met);
    } else {
        let before = TimeRange { from: i64::MIN, to: range.from.saturating_sub(1) };
        study.fold(before, &seen, EVER.columns, &mut fold.earlier())?;
    }
    let header = header(&study, request, met)?;
    study.in_time(fold.finish(study.legend(), &mut study.texts(), header))
}

/// Whether what is kept is for who asks: it is of all records.
fn of_all(request: &Request) -> impl Fn(&&Kept) -> bool {
    let all = !request.sight.is_of_tenant();
    move |_| all
}

/// Who was met where, ever.
const EVER: Wanted<'static> = Wanted {
    range: TimeRange { from: i64::MIN, to: i64::MAX },
    filter: &Filter::ANY,
    columns: &[Column::Users, Column::Addresses],
};

fn first_met<'t>(
    trail: &'t Trail,
    kept: &Kept,
    deadline: Deadline,
) -> Result<Going<'t, FirstMet>, Error> {
    kept.first_met.go_on(trail, deadline, |_| true, FirstMet::default, take_met)
}

fn take_met(
    study: &mut Study<'_>,
    first_met: &mut FirstMet,
    taken: &mut Taken,
) -> Result<bool, Error> {
    Ok(study.take_indexed(&EVER, taken, first_met)?.is_some())
}

/// The trading report.
pub(crate) fn trading(
    trail: &Trail,
    request: &Request,
    deadline: Deadline,
) -> Result<TradingReport, Error> {
    let mut study = trail.study(deadline)?;
    let user = request.user.as_ref().map(|user| user.as_str().to_owned());
    let mut fold = Trading::new(request.range, user);
    let mut filter = Filter::member_is_any(Member::Category, ["trade", "risk", "agent"]);
    if let Some(user) = &request.user {
        let is = Test::Equals(user.clone());
        filter = filter.and(Filter::Is(Field::Member(Member::UserId), is));
    }
    let filter = request.sight.narrowed(filter, &[])?;
    let met = study.fold(request.range, &filter, Trading::COLUMNS, &mut fold)?;
    let header = header(&study, request, met)?;
    study.in_time(fold.finish(study.legend(), &mut study.texts(), header))
}

/// The compliance report. It is about the whole trail: its chain, its gaps, the days without a record.
pub(crate) fn of_compliance(
    trail: &Trail,
    request: &Request,
    deadline: Deadline,
) -> Result<Compliance, Error> {
    if request.sight.is_of_tenant() {
        return Err(TenantBound.into());
    }
    let mut study = trail.study(deadline)?;
    let met = study.fold(request.range, &Filter::ANY, &[], &mut |_: &crate::fact::Facts<'_>| ())?;
    let header = header(&study, request, met)?;
    let newest = study.view().snapshot.last_arrival()?;
    let chain = match study.verdict(request.range)? {
        Some(verdict) => ChainVerdict::of(verdict, newest),
        None => ChainVerdict::unknown(),
    };
    let evidence = TrailEvidence { view: study.view(), deadline, chain };
    compliance(&request.regulations, header, request.range, &evidence)
}

/// The anomalies.
pub(crate) fn anomalies(
    trail: &Trail,
    kept: Option<&Kept>,
    request: &Request,
    deadline: Deadline,
) -> Result<Anomalies, Error> {
    let place = kept.filter(of_all(request)).map(|kept| kept.anomalies(request.is_standing()));
    let (study, count) = count(trail, place, settings(request), &request.sight.all(), deadline)?;
    let header = header(&study, request, count.met)?;
    study.in_time(count.detector.finish(study.legend(), &mut study.texts(), header))
}

/// Makes ready what reports up to now are told from, so that their answers are quick, and forgets what
/// nobody asks for any more; false when there is no index yet, or one that is far behind.
///
/// # Errors
/// When the trail cannot be read, or not in time.
pub(crate) fn prepare(trail: &Trail, kept: &Kept, deadline: Deadline) -> Result<bool, Error> {
    kept.forget();
    let request = Request::of(Which::Anomalies, &BTreeMap::new())?;
    let place = kept.anomalies(true);
    let counted = make_ready(trail, place, settings(&request), deadline)?;
    let begin = FirstMet::default;
    let met = kept.first_met.catch_up(trail, deadline, |_| true, begin, take_met, |_, _| ())?;
    Ok(counted && met.is_ok())
}

fn settings(request: &Request) -> Settings {
    let window = request.range;
    let baseline_from = window.from.saturating_sub(MAX_BASELINE_DAYS * 86_400_000_000);
    Settings { window, baseline_from, threshold: request.threshold }
}

fn header(study: &Study<'_>, request: &Request, met: Met) -> Result<Header, Error> {
    let window = (request.window.clone(), request.range);
    Header::of(request.which.as_str(), study, &request.sight, window, met)
}

/// A report that was made, for who does not care which.
#[derive(Debug)]
pub(crate) struct Made {
    /// The JSON of the HTTP API.
    pub(crate) json: String,
    pub(crate) document: Document,
}

impl Made {
    fn of<R: Serialize>(report: &R, document: fn(&R) -> Document) -> Result<Self, Error> {
        let json = serde_json::to_string(report).map_err(Error::internal)?;
        Ok(Self { json, document: document(report) })
    }
}

/// Makes whichever report is asked for. What is kept makes some quicker.
pub(crate) fn make(
    trail: &Trail,
    kept: Option<&Kept>,
    request: &Request,
    deadline: Deadline,
) -> Result<Made, Error> {
    match request.which {
        Which::Security => {
            Made::of(&security(trail, kept, request, deadline)?, SecurityReport::document)
        }
        Which::Trading => Made::of(&trading(trail, request, deadline)?, TradingReport::document),
        Which::Compliance => {
            Made::of(&of_compliance(trail, request, deadline)?, Compliance::document)
        }
        Which::Anomalies => {
            Made::of(&anomalies(trail, kept, request, deadline)?, Anomalies::document)
        }
    }
}
