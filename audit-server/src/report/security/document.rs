//! The report for people.

use super::{
    AttemptWindow, BruteForce, Counted, Denials, FirstSeen, FollowingLogin, Incidents, Privileged,
    SecurityReport, Spraying, SubjectMember,
};
use crate::report::{Block, Cell, Document, Table, Tone, Top};

impl SecurityReport {
    /// All of it, in the order in which it is read: what is bad first.
    pub(crate) fn document(&self) -> Document {
        let mut document = Document::new("Security");
        document.sections.push(self.header.section());
        document
            .section("Brute force", self.brute_force(&self.brute_force))
            .section("Password spraying", self.sprayed(&self.spraying))
            .section("Failed logins", incidents(&self.failed_logins))
            .section("Accounts locked", incidents(&self.lockouts))
            .section("Addresses blocked", incidents(&self.blocked))
            .section("Addresses outside the whitelist", incidents(&self.whitelist_violations))
            .section("Rate limits", incidents(&self.rate_limits))
            .section("Permissions denied", denials(&self.permission_denials))
            .section("Privileged actions", privileged(&self.privileged_actions))
            .section("New addresses of users", first_seen(&self.first_seen_addresses))
            .section("All records", self.counts())
            .section("Hour by hour", self.hours())
    }

    /// A number that should be none. Where there was nothing to look at, or not all was, none is no
    /// good news.
    fn alarming(&self, name: &str, count: u64) -> (String, Cell) {
        let tone = match count {
            0 if self.header.records == 0 || self.failed_logins.without_user > 0 => Tone::Unknown,
            0 => Tone::Good,
            _ => Tone::Bad,
        };
        (name.to_owned(), Cell::toned(count, tone))
    }

    fn sprayed(&self, found: &Spraying) -> Vec<Block> {
        let thresholds = &self.thresholds;
        let text = Block::Text(format!(
            "Failed logins of at least {} users from one address within {} seconds. Those that name no \
         user are not looked at.",
            thresholds.spraying_users, thresholds.spraying_window_seconds,
        ));
        let pairs = Block::Pairs(vec![
            self.alarming("episodes", found.episodes.total),
            self.alarming("followed by a login", found.followed_by_login),
        ]);
        let mut table = Table::new([
            "address",
            "#users",
            "#attempts",
            "first",
            "last",
            "#at its worst",
            "#users then",
            "from",
            "to",
            "login that followed",
        ]);
        for episode in &found.episodes.items {
            let mut row: Vec<Cell> = vec![
                episode.address.as_str().into(),
                episode.users.into(),
                episode.attempts.into(),
                episode.first.as_str().into(),
                episode.last.as_str().into(),
            ];
            row.extend(peak(&episode.peak));
            row.push(login(episode.login.as_ref()));
            table.push(row);
        }
        vec![text, pairs, shown(table, &found.episodes)]
    }

    fn brute_force(&self, found: &BruteForce) -> Vec<Block> {
        let thresholds = &self.thresholds;
        let mut blocks = vec![Block::Text(format!(
            "At least {} failed logins of one user or from one address within {} seconds. A login \
             follows when it is later than the first of them and at most {} seconds later than the \
             last.",
            thresholds.brute_force_attempts,
            thresholds.brute_force_window_seconds,
            thresholds.success_within_seconds,
        ))];
        if let Some(since) = &self.attempts_since {
            blocks.push(Block::Text(format!(
                "There are too many failed logins: brute force and spraying were looked for from \
                 {since} on."
            )));
        }
        if let Some(since) = &self.logins_since {
            blocks.push(Block::Text(format!(
                "There are too many logins: those that followed were looked for from {since} on."
            )));
        }
        blocks.push(Block::Pairs(vec![
            self.alarming("episodes", found.episodes.total),
            self.alarming("followed by a login", found.followed_by_login),
        ]));
        let mut table = Table::new([
            "user or address",
            "member",
            "#attempts",
            "#users",
            "#addresses",
            "first",
            "last",
            "#at its worst",
            "#users then",
            "from",
            "to",
            "login that followed",
        ]);
        for episode in &found.episodes.items {
            let mut row: Vec<Cell> = vec![
                episode.subject.as_str().into(),
                episode.member.text().into(),
                episode.attempts.into(),
                episode.users.into(),
                episode.addresses.into(),
                episode.first.as_str().into(),
                episode.last.as_str().into(),
            ];
            row.extend(peak(&episode.peak));
            row.push(login(episode.login.as_ref()));
            table.push(row);
        }
        blocks.push(shown(table, &found.episodes));
        blocks
    }

    fn counts(&self) -> Vec<Block> {
        let mut types = Table::new(["event type", "#records"]);
        for item in &self.by_event_type.items {
            types.push([item.event_type.as_str().into(), item.count.into()]);
        }
        let mut severities = Table::new(["severity", "#records"]);
        for item in &self.by_severity {
            severities.push([item.severity.as_str().into(), item.count.into()]);
        }
        let mut statuses = Table::new(["status", "#records"]);
        for item in &self.by_status.items {
            statuses.push([or_none(item.status.as_deref()), item.count.into()]);
        }
        vec![
            shown(types, &self.by_event_type),
            Block::Table(severities),
            shown(statuses, &self.by_status),
        ]
    }

    fn hours(&self) -> Vec<Block> {
        let mut blocks = Vec::new();
        if self.hours_left_out > 0 {
            blocks.push(Block::Text(format!(
                "{} hours before these are left out.",
                self.hours_left_out
            )));
        }
        let series = |unit: &str, count: fn(&super::Hour) -> u64| Block::Series {
            unit: unit.to_owned(),
            points: self.hourly.iter().map(|hour| (hour.hour.clone(), count(hour))).collect(),
        };
        blocks.push(series("records", |hour| hour.records));
        blocks.push(series("failed logins", |hour| hour.failed_logins));
        blocks.push(series("security events", |hour| hour.security_events));
        blocks
    }
}

impl SubjectMember {
    fn text(self) -> &'static str {
        match self {
            Self::UserId => "user_id",
            Self::Username => "username",
            Self::IpAddress => "ip_address",
        }
    }
}

fn or_none(text: Option<&str>) -> Cell {
    text.map_or_else(|| Cell::toned("none", Tone::Unknown), Cell::from)
}

fn shown<T>(mut table: Table, top: &Top<T>) -> Block
where
    T: poem_openapi::types::ParseFromJSON + poem_openapi::types::ToJSON + Send + Sync,
{
    table.note = top.note();
    Block::Table(table)
}

fn peak(window: &AttemptWindow) -> [Cell; 4] {
    [
        window.attempts.into(),
        window.users.into(),
        window.begin.as_str().into(),
        window.end.as_str().into(),
    ]
}

fn login(login: Option<&FollowingLogin>) -> Cell {
    let Some(login) = login else { return Cell::toned("none", Tone::Good) };
    let mut text = login.at.clone();
    if let (Some(user), Some(member)) = (&login.user, login.member) {
        text.extend([" of ", member.text(), " ", user]);
    }
    if let Some(address) = &login.address {
        text.extend([" from ", address]);
    }
    Cell::toned(text, Tone::Bad)
}

fn incidents(of: &Incidents) -> Vec<Block> {
    let pairs = Block::Pairs(vec![
        ("records".to_owned(), of.count.into()),
        ("without a user".to_owned(), of.without_user.into()),
        ("without an address".to_owned(), of.without_address.into()),
    ]);
    vec![pairs, counted("user", &of.by_user), counted("address", &of.by_address)]
}

fn counted(name: &str, top: &Top<Counted>) -> Block {
    let mut table = Table::new([name, "member", "#records", "first", "last"]);
    for item in &top.items {
        table.push([
            item.name.as_str().into(),
            item.member.text().into(),
            item.count.into(),
            item.first.as_str().into(),
            item.last.as_str().into(),
        ]);
    }
    shown(table, top)
}

fn denials(of: &Denials) -> Vec<Block> {
    let pairs = Block::Pairs(vec![
        ("records".to_owned(), of.count.into()),
        ("without a user".to_owned(), of.without_user.into()),
    ]);
    let mut table = Table::new(["user", "member", "#records", "first", "last", "resources"]);
    for item in &of.by_user.items {
        let resources = match &item.resources {
            None => Cell::toned("there are too many to tell", Tone::Unknown),
            Some(top) => {
                let name = |resource: &Option<String>| {
                    resource.clone().unwrap_or_else(|| "none".to_owned())
                };
                let each =
                    top.items.iter().map(|it| format!("{} {}", it.count, name(&it.resource)));
                let mut text = each.collect::<Vec<_>>().join(", ");
                if !top.note().is_empty() {
                    text.extend(["; ", &top.note()]);
                }
                Cell::from(text)
            }
        };
        table.push([
            item.user.as_str().into(),
            item.member.text().into(),
            item.count.into(),
            item.first.as_str().into(),
            item.last.as_str().into(),
            resources,
        ]);
    }
    vec![pairs, shown(table, &of.by_user)]
}

fn privileged(of: &Privileged) -> Vec<Block> {
    let text = "What only few may do: admin.*, risk.override, security.account_unlocked, data.export \
                and data.secret_access.";
    let pairs = Block::Pairs(vec![("records".to_owned(), of.count.into())]);
    let mut types = Table::new(["event type", "#records", "#failed"]);
    for item in &of.by_event_type.items {
        types.push([item.event_type.as_str().into(), item.count.into(), item.failed.into()]);
    }
    let by_user = match &of.by_user {
        None => Block::Text("There are too many users to tell what each did.".to_owned()),
        Some(top) => {
            let mut table = Table::new([
                "event type",
                "user",
                "member",
                "#records",
                "#failed",
                "first",
                "last",
            ]);
            for item in &top.items {
                table.push([
                    item.event_type.as_str().into(),
                    or_none(item.user.as_deref()),
                    item.member.map_or("", SubjectMember::text).into(),
                    item.count.into(),
                    item.failed.into(),
                    item.first.as_str().into(),
                    item.last.as_str().into(),
                ]);
            }
            shown(table, top)
        }
    };
    vec![Block::Text(text.to_owned()), pairs, shown(types, &of.by_event_type), by_user]
}

fn first_seen(of: &FirstSeen) -> Vec<Block> {
    let (Some(top), Some(new_users)) = (&of.addresses, of.new_users) else {
        let text = "There are too many users at too many addresses to tell which of them are new.";
        return vec![Block::Text(text.to_owned())];
    };
    let text = "Addresses that a user has in no record before, the latest first. Of users who have \
                no record before, none is listed.";
    let pairs = Block::Pairs(vec![
        ("new addresses".to_owned(), top.total.into()),
        ("users without a record before".to_owned(), new_users.into()),
    ]);
    let mut table = Table::new(["user", "address", "#records", "first", "last"]);
    for item in &top.items {
        table.push([
            item.user.as_str().into(),
            item.address.as_str().into(),
            item.count.into(),
            item.first.as_str().into(),
            item.last.as_str().into(),
        ]);
    }
    vec![Block::Text(text.to_owned()), pairs, shown(table, top)]
}
