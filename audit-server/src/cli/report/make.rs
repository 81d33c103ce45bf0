//! Where a report comes from.

use std::{collections::BTreeMap, sync::Arc};

use super::{Question, ReportArgs};
use crate::{
    Config, Error, InvalidValue,
    query::Trail,
    read_model::ReadModel,
    report::{self, Made, Request, Which},
    store::{DatabaseStore, Deadline},
};

/// Makes the report that is asked for, of the trail that the settings name.
///
/// # Errors
/// When the question cannot be read, or the trail cannot, or not in the time that the settings give a
/// report.
pub(super) fn make(args: &ReportArgs, config: Config) -> Result<Made, Error> {
    let (which, mut given) = asked(&args.question);
    if let Some(end) = &args.end {
        given.insert("end_date", end.clone());
    }
    let request = Request::of(which, &given).map_err(by_flag)?;
    if let Some(model) = config.read_model.as_deref().filter(|model| !model.exists()) {
        tracing::warn!(
            "there is no read model {}: the records are read, which takes longer, and nobody has \
             followed the chain; --read-model names one, audit-server reindex makes one, and off \
             does without",
            model.display()
        );
    }
    let database = Arc::new(DatabaseStore::new(config.db));
    let trail = Trail::new(database, config.read_model.map(ReadModel::new));
    report::make(&trail, None, &request, Deadline::after(config.report_timeout))
}

/// What is asked, as a query string would have it behind the name of the report.
pub(super) fn asked_of(args: &ReportArgs) -> String {
    let (which, given) = asked(&args.question);
    let mut text = form_urlencoded::Serializer::new(String::new());
    text.append_pair("report", which.as_str()).extend_pairs(given);
    text.extend_pairs(args.end.iter().map(|end| ("end_date", end)));
    text.finish()
}

/// The error with the name of the flag that was the mistake.
fn by_flag(error: Error) -> Error {
    let Error::InvalidValue(InvalidValue { name, reason }) = error else { return error };
    let flag = match name.as_str() {
        "end_date" => "--end".to_owned(),
        "user_id" => "--user".to_owned(),
        name => format!("--{}", name.replace('_', "-")),
    };
    InvalidValue { name: flag, reason }.into()
}

/// Which report, and its parameters as the HTTP API names them.
fn asked(question: &Question) -> (Which, BTreeMap<&'static str, String>) {
    let days = |days: &u32| ("days", days.to_string());
    match question {
        Question::Security { days: count } => (Which::Security, BTreeMap::from([days(count)])),
        Question::Trading { days: count, user } => {
            let user = user.iter().map(|user| ("user_id", user.clone()));
            (Which::Trading, user.chain([days(count)]).collect())
        }
        Question::Compliance { days: count, regulations } => {
            let names = (!regulations.is_empty()).then(|| ("regulations", regulations.join(",")));
            (Which::Compliance, names.into_iter().chain([days(count)]).collect())
        }
        Question::Anomalies { lookback_days, threshold } => {
            let threshold = threshold.iter().map(|number| ("threshold", number.clone()));
            let lookback = ("lookback_days", lookback_days.to_string());
            (Which::Anomalies, threshold.chain([lookback]).collect())
        }
    }
}
