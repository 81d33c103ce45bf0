//! What is asked of a report, read from the text of a query string or of a command line.

use std::collections::BTreeMap;

use time::OffsetDateTime;

use super::{Window, compliance::Regulation};
use crate::{
    Error,
    filter::{Text, TimeRange, date},
    query::{InvalidValue, Kind, Parameter, RepeatedParameter, Sight, UnknownParameter},
};

/// The most days that a report is about.
pub(crate) const MAX_DAYS: u32 = 366;

/// The most days in which anomalies are looked for: more would take memory for each hour of each user.
pub(crate) const MAX_LOOKBACK_DAYS: u32 = 92;

/// Which report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    Security,
    Trading,
    Compliance,
    Anomalies,
}

/// How a report is given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Html,
}

const fn of(
    name: &'static str,
    kind: Kind,
    description: &'static str,
    example: &'static str,
) -> Parameter {
    Parameter { name, description, example, kind }
}

const END: Parameter = of(
    "end_date",
    Kind::Time,
    "The end of the time: a date, meaning the whole of its day in UTC, or RFC 3339. When absent, now.",
    "2026-11-21",
);

const FORMAT: Parameter = of(
    "format",
    Kind::Word(&["json", "html"]),
    "`json`, the default, or `html`: a page to read and to print. When absent, a browser gets the page.",
    "json",
);

const SECURITY: &[Parameter] = &[
    of(
        "days",
        Kind::Days { default: 7, most: MAX_DAYS },
        "How many days, up to the end; 7 when absent.",
        "7",
    ),
    END,
    FORMAT,
];

const TRADING: &[Parameter] = &[
    of(
        "days",
        Kind::Days { default: 30, most: MAX_DAYS },
        "How many days, up to the end; 30 when absent.",
        "30",
    ),
    of(
        "user_id",
        Kind::Text,
        "Only records with this `user_id`: of a person or an agent.",
        "agent-1",
    ),
    END,
    FORMAT,
];

const COMPLIANCE: &[Parameter] = &[
    of(
        "days",
        Kind::Days { default: 90, most: MAX_DAYS },
        "How many days, up to the end; 90 when absent.",
        "90",
    ),
    of(
        "regulations",
        Kind::Regulations,
        "Which regulations, separated by commas: SOX, GDPR, PCI-DSS, HIPAA, SOC2, ISO27001, MIFID2. All when absent.",
        "SOX,PCI-DSS",
    ),
    END,
    FORMAT,
];

const ANOMALIES: &[Parameter] = &[
    of(
        "lookback_days",
        Kind::Days { default: 7, most: MAX_LOOKBACK_DAYS },
        "In how many days, up to the end, anomalies are looked for; 7 when absent. Days begin at midnight UTC, and the first is a whole one. What is usual is taken from the 84 days before it.",
        "7",
    ),
    of(
        "threshold",
        Kind::Threshold,
        "From how many robust standard deviations on something is an anomaly, 1 to 100; 3 when absent. More finds less.",
        "3.0",
    ),
    END,
    FORMAT,
];

impl Which {
    /// Its name.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Security => "security",
            Self::Trading => "trading",
            Self::Compliance => "compliance",
            Self::Anomalies => "anomalies",
        }
    }

    /// What it takes.
    pub(crate) fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::Security => SECURITY,
            Self::Trading => TRADING,
            Self::Compliance => COMPLIANCE,
            Self::Anomalies => ANOMALIES,
        }
    }

    /// How many days when nothing is said, and at most.
    fn days(self) -> (u32, u32) {
        let days = |parameter: &Parameter| match parameter.kind {
            Kind::Days { default, most } => Some((default, most)),
            _ => None,
        };
        self.parameters().iter().find_map(days).unwrap_or((MAX_DAYS, MAX_DAYS))
    }
}

/// What is asked of a report.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) which: Which,
    pub(crate) window: Window,
    pub(crate) range: TimeRange,
    /// Whether no end was given.
    pub(crate) up_to_now: bool,
    /// None when nothing is said of it.
    pub(crate) form: Option<Form>,
    pub(crate) user: Option<Text>,
    pub(crate) regulations: Vec<Regulation>,
    pub(crate) threshold: f64,
    /// What of the trail is seen by who asks.
    pub(crate) sight: Sight,
}

impl Request {
    /// Reads a query string, without its `?`.
    ///
    /// # Errors
    /// [`UnknownParameter`], [`RepeatedParameter`], [`InvalidValue`].
    pub(crate) fn read(which: Which, query_string: &str) -> Result<Self, Error> {
        let mut given = BTreeMap::new();
        for (name, value) in form_urlencoded::parse(query_string.as_bytes()) {
            let known = which.parameters().iter().find(|parameter| parameter.name == name);
            let Some(parameter) = known else {
                return Err(UnknownParameter { name: name.chars().take(64).collect() }.into());
            };
            if given.insert(parameter.name, value.into_owned()).is_some() {
                return Err(RepeatedParameter { name: parameter.name.to_owned() }.into());
            }
        }
        Self::of(which, &given)
    }

    /// Reads values by the names of their parameters.
    ///
    /// # Errors
    /// [`InvalidValue`].
    pub(crate) fn of(which: Which, given: &BTreeMap<&'static str, String>) -> Result<Self, Error> {
        let read = |name: &'static str| given.get(name).map(String::as_str);
        let invalid = |name: &str| {
            let name = name.to_owned();
            move |reason: String| InvalidValue { name, reason }
        };
        let days_name = if which == Which::Anomalies { "lookback_days" } else { "days" };
        let (default, most) = which.days();
        let days = match read(days_name) {
            None => default,
            Some(text) => {
                let days = text.parse().ok().filter(|days| (1..=most).contains(days));
                let reason = || invalid(days_name)(format!("it is an integer from 1 to {most}"));
                days.ok_or_else(reason)?
            }
        };
        let end = match read("end_date") {
            None => i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1000)
                .unwrap_or(i64::MAX),
            Some(text) => date::end(text).map_err(invalid("end_date"))?,
        };
        let form = match read("format") {
            None => None,
            Some("json") => Some(Form::Json),
            Some("html") => Some(Form::Html),
            Some(_) => return Err(invalid("format")("it is json or html".to_owned()).into()),
        };
        let user = read("user_id").map(str::parse).transpose().map_err(invalid("user_id"))?;
        let regulations = match read("regulations") {
            None => Regulation::ALL.to_vec(),
            Some(text) => Regulation::list(text).map_err(invalid("regulations"))?,
        };
        let threshold = match read("threshold") {
            None => DEFAULT_THRESHOLD,
            Some(text) => {
                let threshold = text.parse().ok().filter(|number| (1.0..=100.0).contains(number));
                let reason = || invalid("threshold")("it is a number from 1 to 100".to_owned());
                threshold.ok_or_else(reason)?
            }
        };
        let (window, range) = match which {
            Which::Anomalies => Window::whole_days_before(end, days),
            _ => Window::before(end, days),
        };
        let up_to_now = read("end_date").is_none();
        let sight = Sight::default();
        Ok(Self { which, window, range, up_to_now, form, user, regulations, threshold, sight })
    }

    /// The same, as somebody asks who sees that much.
    #[must_use]
    pub(crate) fn seen_with(self, sight: Sight) -> Self {
        Self { sight, ..self }
    }

    /// Whether it is about the usual days up to now: what is asked again and again.
    pub(crate) fn is_standing(&self) -> bool {
        self.up_to_now && self.window.days == self.which.days().0
    }
}

/// From how many robust standard deviations on something is an anomaly when nobody says it.
pub(crate) const DEFAULT_THRESHOLD: f64 = 3.0;
