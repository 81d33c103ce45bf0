//! The questions, each as a query string and as the SQL that a hand would write for it.
//!
//! By hand means: the indexes that the trail has, `json_extract` for everything else, `LIKE` for
//! words, newest first. Nobody who writes such a query has an index on what he looks for.

use rusqlite::types::Value as SqlValue;

use super::values::Values;

/// A kind of question; each draw asks for other values.
pub(crate) struct Question {
    pub(crate) name: &'static str,
    pub(crate) draw: fn(&mut Values) -> Asked,
    /// Whether it is full text.
    pub(crate) is_of_words: bool,
}

/// A question: conditions that all must hold.
#[derive(Debug, Default, Clone)]
pub(crate) struct Asked {
    /// Names and values of the query string.
    pub(crate) parameters: Vec<(String, String)>,
    /// The same in SQL, without placeholders' numbers, and what stands for them.
    pub(crate) conditions: Vec<String>,
    pub(crate) values: Vec<SqlValue>,
}

impl Asked {
    /// That the member, or detail, is this text.
    fn is(self, name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        let sql = match name {
            "event_type" => "event_type = ?".to_owned(),
            _ => format!("json_extract(record, '$.{name}') = ?"),
        };
        self.both(name, value.clone(), sql, [value.into()])
    }

    /// A parameter, and its condition in SQL.
    fn both<const N: usize>(
        mut self,
        name: &str,
        value: impl Into<String>,
        sql: impl Into<String>,
        values: [SqlValue; N],
    ) -> Self {
        self.parameters.push((name.to_owned(), value.into()));
        self.conditions.push(sql.into());
        self.values.extend(values);
        self
    }

    /// That these words stand in it somewhere.
    fn says(self, q: &str) -> Self {
        let mut asked = self;
        asked.parameters.push(("q".to_owned(), q.to_owned()));
        // A phrase stays together.
        let texts: Vec<&str> =
            if q.starts_with('"') { vec![q.trim_matches('"')] } else { q.split(' ').collect() };
        for text in texts {
            asked.conditions.push("record LIKE ?".to_owned());
            asked.values.push(format!("%{}%", text.trim_end_matches('*')).into());
        }
        asked
    }
}

fn all() -> Asked {
    Asked::default()
}

const fn question(name: &'static str, draw: fn(&mut Values) -> Asked) -> Question {
    Question { name, draw, is_of_words: false }
}

const fn words(name: &'static str, draw: fn(&mut Values) -> Asked) -> Question {
    Question { name, draw, is_of_words: true }
}

/// At least this severity.
fn severe(asked: Asked) -> Asked {
    let sql = "json_extract(record, '$.severity') IN ('error', 'critical')";
    asked.both("severity", "error", sql, [])
}

/// Every question, in the order in which they are asked.
pub(crate) const QUESTIONS: &[Question] = &[
    question("user_id, frequent", |v| all().is("user_id", v.user(0..10))),
    question("user_id, rare", |v| all().is("user_id", v.user(9_000..10_000))),
    question("user_id, absent", |v| all().is("user_id", format!("x-{}", v.number(0..1 << 40)))),
    question("ip_address", |v| all().is("ip_address", v.of("/ip_address"))),
    question("request_id", |v| all().is("request_id", v.of("/request_id"))),
    question("correlation_id", |v| all().is("correlation_id", v.of("/correlation_id"))),
    question("session_id", |v| all().is("session_id", v.of("/session_id"))),
    question("status=failure", |_| all().is("status", "failure")),
    question("status!=success", |_| {
        let sql = "json_extract(record, '$.status') IS NOT 'success'";
        all().both("status!", "success", sql, [])
    }),
    question("severity>=error", |_| severe(all())),
    question("level", |v| all().is("level", v.pick(&["WARN", "ERROR"]))),
    question("category", |v| {
        let category = v.pick(&["auth", "data", "financial", "trade", "risk", "admin", "security"]);
        let sql = "event_type >= ? AND event_type < ?";
        let bounds = [format!("{category}.").into(), format!("{category}/").into()];
        all().both("category", category, sql, bounds)
    }),
    question("event_type", |v| all().is("event_type", v.of("/event_type"))),
    question("event_type=x.*", |v| {
        let pattern = v.pick(&["auth.*", "risk.*", "admin.*", "security.*", "financial.*"]);
        let sql = "event_type GLOB ?";
        all().both("event_type", pattern, sql, [pattern.to_owned().into()])
    }),
    question("resource", |v| all().is("resource", v.of("/resource"))),
    question("tenant", |v| all().is("tenant", v.of("/tenant"))),
    question("regulation", |v| {
        let flag = v.pick(&["SOX", "GDPR", "PCI-DSS", "HIPAA"]);
        let sql = format!("json_extract(record, '$.regulatory_flags.\"{flag}\"') IS NOT NULL");
        all().both("regulation", flag, sql, [])
    }),
    question("data_classification", |v| {
        all().is("data_classification", v.of("/data_classification"))
    }),
    question("details.symbol", |v| all().is("details.symbol", v.of("/details/symbol"))),
    question("details.amount>=x", |v| {
        let least = v.number(20_000..200_000);
        let sql = "CAST(json_extract(record, '$.details.amount') AS REAL) >= ?";
        let bound = [SqlValue::Real(least as f64)];
        all().both("details.amount>", least.to_string(), sql, bound)
    }),
    question("duration_us>=x", |v| {
        let least = i64::try_from(v.number(300_000..900_000)).unwrap_or(i64::MAX);
        let sql = "json_extract(record, '$.duration_us') >= ?";
        all().both("duration_us>", least.to_string(), sql, [least.into()])
    }),
    question("user_id + status", |v| {
        all().is("user_id", v.user(0..200)).is("status", v.pick(&["failure", "denied"]))
    }),
    question("status + event_type", |_| {
        all().is("status", "failure").is("event_type", "financial.transfer")
    }),
    question("status + event_type, never", |_| {
        all().is("status", "failure").is("event_type", "trade.executed")
    }),
    question("tenant + severity", |v| severe(all().is("tenant", v.of("/tenant")))),
    question("symbol + side", |v| {
        let (symbol, side) = v.pair("/details/symbol", "/details/side");
        all().is("details.symbol", symbol).is("details.side", side)
    }),
    words("word, common", |v| all().says(v.pick(&["order", "executed", "issued", "granted"]))),
    words("word, rare", |v| {
        all().says(v.pick(&["tontine", "usufructuary", "debenture", "testamentary", "novation"]))
    }),
    words("two words", |v| {
        let noun = v.pick(&["account", "ledger", "escrow", "hedge"]);
        let adjective = v.pick(&["monthly", "frozen", "disputed", "contingent"]);
        all().says(&format!("{adjective} {noun}"))
    }),
    words("phrase", |v| {
        all().says(v.pick(&[
            "\"joint account\"",
            "\"too many failures\"",
            "\"price moved away\"",
            "\"lost its lock\"",
            "\"order size limit\"",
        ]))
    }),
    words("prefix", |v| all().says(v.pick(&["retro*", "deb*", "reconc*", "whitel*", "usu*"]))),
];
