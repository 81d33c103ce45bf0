//! The filters of the HTTP API as flags, for every command that asks the trail.

use clap::Args;

use crate::{Error, InvalidValue};

// No doc comment: clap would print it in place of what the command is for.
#[derive(Debug, Args)]
pub(super) struct FilterArgs {
    /// Only records for which this expression holds.
    #[arg(value_name = "EXPRESSION")]
    expression: Option<String>,
    /// The same, as a flag.
    #[arg(long, value_name = "EXPRESSION", conflicts_with = "expression")]
    filter: Option<String>,
    /// Only records from then on: a date, or RFC 3339.
    #[arg(long, value_name = "TIME")]
    start: Option<String>,
    /// Only records up to then: a date, meaning the whole of its day, or RFC 3339.
    #[arg(long, value_name = "TIME")]
    end: Option<String>,
    /// Only records of the user with this id.
    #[arg(long, value_name = "ID")]
    user: Option<String>,
    /// Only records of this event type, or with `auth.*` of all that begin so; may be repeated.
    #[arg(long = "type", value_name = "TYPE")]
    types: Vec<String>,
    /// Only records at least as grave as this: debug, info, warning, error or critical.
    #[arg(long, value_name = "SEVERITY")]
    severity: Option<String>,
    /// Only records with this status.
    #[arg(long, value_name = "STATUS")]
    status: Option<String>,
    /// Only records that say these words, "phrases" and beginnings*.
    #[arg(long, value_name = "WORDS")]
    text: Option<String>,
    /// Any condition of the HTTP API: details.amount>=10, status!=success; may be repeated.
    #[arg(long = "where", value_name = "NAME=VALUE")]
    conditions: Vec<String>,
}

impl FilterArgs {
    /// The flags that are parameters of the HTTP API under another name.
    fn flags(&self) -> [(&'static str, &'static str, Option<&String>); 7] {
        [
            ("--filter", "filter", self.filter.as_ref()),
            ("--start", "start_date", self.start.as_ref()),
            ("--end", "end_date", self.end.as_ref()),
            ("--user", "user_id", self.user.as_ref()),
            ("--severity", "severity", self.severity.as_ref()),
            ("--status", "status", self.status.as_ref()),
            ("--text", "q", self.text.as_ref()),
        ]
    }

    /// What they are in the HTTP API.
    pub(super) fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        let types = self.types.iter().map(|name| ("event_type", name.as_str()));
        let flags =
            self.flags().into_iter().filter_map(|(_, name, value)| Some((name, value?.as_str())));
        let expression = self.expression.iter().map(|text| ("filter", text.as_str()));
        let conditions = self
            .conditions
            .iter()
            .map(|condition| condition.split_once('=').unwrap_or((condition, "")));
        types.chain(flags).chain(expression).chain(conditions)
    }

    /// The same as a query string, with what stands beside it.
    pub(super) fn query_string<'p>(
        &'p self,
        others: impl IntoIterator<Item = (&'p str, &'p str)>,
    ) -> String {
        let mut text = form_urlencoded::Serializer::new(String::new());
        text.extend_pairs(self.parameters()).extend_pairs(others);
        text.finish()
    }

    /// The error with the name of the flag, when a flag was the mistake: one of these, or of the
    /// others, which are called like their parameters.
    pub(super) fn by_flag(
        &self,
        error: Error,
        others: &[(&'static str, Option<&String>)],
    ) -> Error {
        let Error::InvalidValue(InvalidValue { name, reason }) = error else { return error };
        let flag = match name.as_str() {
            "filter" if self.expression.is_some() => Some("the expression".to_owned()),
            "event_type" if !self.types.is_empty() => Some("--type".to_owned()),
            name => {
                let flags = self.flags();
                let given =
                    flags.iter().find(|(_, known, value)| *known == name && value.is_some());
                let other = others.iter().find(|(known, value)| *known == name && value.is_some());
                given
                    .map(|(flag, ..)| (*flag).to_owned())
                    .or_else(|| other.map(|(name, _)| format!("--{name}")))
            }
        };
        InvalidValue { name: flag.unwrap_or(name), reason }.into()
    }
}
