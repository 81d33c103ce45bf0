//! The report as it stands in JSON.

use poem_openapi::{Enum, Object};
use serde::Serialize;

use crate::report::{Header, Top};

/// Who tried to get in, who got in, and what those did who may do more than others. Times are in UTC;
/// addresses are those of `ip_address`, users those of `user_id` or, of records that have none, of
/// `username`, and `member` says which.
#[derive(Debug, Clone, PartialEq, Serialize, Object)]
pub(crate) struct SecurityReport {
    /// What the report is about.
    pub(crate) header: Header,
    /// From when on things are called what they are called here.
    pub(crate) thresholds: SecurityThresholds,
    /// The 1000 most frequent event types.
    pub(crate) by_event_type: Top<EventTypeCount>,
    /// All severities, gravest first.
    pub(crate) by_severity: Vec<SeverityCount>,
    /// The 1000 most frequent statuses.
    pub(crate) by_status: Top<StatusCount>,
    /// `auth.failed`, and `auth.login` whose status is `failure`, `denied` or `error`.
    pub(crate) failed_logins: Incidents,
    /// Brute force and spraying were looked for from this time on, because there are more than 2000000
    /// failed logins; `null` when it was all of the window.
    pub(crate) attempts_since: Option<String>,
    /// Logins that followed were looked for from this time on, because there are more than 2000000; `null`
    /// when it was all of the window.
    pub(crate) logins_since: Option<String>,
    /// Many failed logins in a short time, of one user or from one address.
    pub(crate) brute_force: BruteForce,
    /// Failed logins of many users from one address in a short time.
    pub(crate) spraying: Spraying,
    /// `security.account_locked`.
    pub(crate) lockouts: Incidents,
    /// `security.rate_limited`.
    pub(crate) rate_limits: Incidents,
    /// `security.ip_blocked`.
    pub(crate) blocked: Incidents,
    /// `security.ip_whitelist_violation`.
    pub(crate) whitelist_violations: Incidents,
    /// `auth.permission_denied`.
    pub(crate) permission_denials: Denials,
    /// `admin.*`, `risk.override`, `security.account_unlocked`, `data.export` and `data.secret_access`.
    pub(crate) privileged_actions: Privileged,
    /// Addresses in the window that a user had in no record before it.
    pub(crate) first_seen_addresses: FirstSeen,
    /// Each hour that the window touches, earliest first.
    pub(crate) hourly: Vec<Hour>,
    /// How many hours before these are left out, because there are more than 8785.
    pub(crate) hours_left_out: u64,
}

/// From when on things are called what they are called here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct SecurityThresholds {
    /// Brute force is at least so many failed logins of one user or from one address,
    pub(crate) brute_force_attempts: u64,
    /// at most so many seconds apart.
    pub(crate) brute_force_window_seconds: u64,
    /// Spraying is failed logins of at least so many users from one address,
    pub(crate) spraying_users: u64,
    /// at most so many seconds apart.
    pub(crate) spraying_window_seconds: u64,
    /// A login follows an episode when it is at most so many seconds later than the last attempt.
    pub(crate) success_within_seconds: u64,
}

/// How many records of an event type there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct EventTypeCount {
    /// The event type.
    pub(crate) event_type: String,
    /// How many records.
    pub(crate) count: u64,
}

/// How many records of a severity there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct SeverityCount {
    /// The severity.
    pub(crate) severity: String,
    /// How many records.
    pub(crate) count: u64,
}

/// How many records of a status there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct StatusCount {
    /// The status; `null` for records that have none.
    pub(crate) status: Option<String>,
    /// How many records.
    pub(crate) count: u64,
}

/// How often something happened, to whom and from where.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct Incidents {
    /// How often.
    pub(crate) count: u64,
    /// How many of these records name no user.
    pub(crate) without_user: u64,
    /// How many of these records name no address.
    pub(crate) without_address: u64,
    /// The 50 users with most; of equals those with the earliest first one.
    pub(crate) by_user: Top<Counted>,
    /// The 50 addresses with most; of equals those with the earliest first one.
    pub(crate) by_address: Top<Counted>,
}

/// In which member of its records the text of a subject stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Enum)]
#[oai(rename_all = "snake_case")]
#[serde(rename_all = "snake_case")]
pub(crate) enum SubjectMember {
    /// A user, by the identity that the application knows.
    UserId,
    /// A user, by a name alone: these records have no `user_id`.
    Username,
    /// An address.
    IpAddress,
}

/// A user or an address, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "CountedSubject")]
pub(crate) struct Counted {
    /// The user or the address.
    pub(crate) name: String,
    /// In which member of the records that stands.
    pub(crate) member: SubjectMember,
    /// How often.
    pub(crate) count: u64,
    /// The first time.
    pub(crate) first: String,
    /// The last time.
    pub(crate) last: String,
}

/// Many failed logins in a short time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct BruteForce {
    /// The 50 episodes with most attempts; of equals the earliest. An attack on one user from one address
    /// is two of them.
    pub(crate) episodes: Top<BruteForceEpisode>,
    /// How many of all episodes a login followed; of those that are not shown, too.
    pub(crate) followed_by_login: u64,
}

/// Failed logins that are all in full windows with some in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct BruteForceEpisode {
    /// The user whose attempts these are, from wherever, or the address, of whomever.
    pub(crate) subject: String,
    /// In which member of the records that stands.
    pub(crate) member: SubjectMember,
    /// How many failed logins.
    pub(crate) attempts: u64,
    /// How many different users they name.
    pub(crate) users: u64,
    /// How many different addresses they come from.
    pub(crate) addresses: u64,
    /// The first of them.
    pub(crate) first: String,
    /// The last of them.
    pub(crate) last: String,
    /// When it was worst.
    pub(crate) peak: AttemptWindow,
    /// The first login of that user, under that name, or from that address, that followed; `null` when none
    /// did.
    pub(crate) login: Option<FollowingLogin>,
}

/// The window with most in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct AttemptWindow {
    /// The first failed login in it.
    pub(crate) begin: String,
    /// The last failed login in it.
    pub(crate) end: String,
    /// How many failed logins are in it.
    pub(crate) attempts: u64,
    /// How many different users they name.
    pub(crate) users: u64,
}

/// A login after failed ones.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct FollowingLogin {
    /// When.
    pub(crate) at: String,
    /// Who, when the record says so.
    pub(crate) user: Option<String>,
    /// In which member of the record that stands.
    pub(crate) member: Option<SubjectMember>,
    /// From where, when the record says so.
    pub(crate) address: Option<String>,
}

/// Failed logins of many users from one address in a short time. Those that name no user are not looked
/// at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct Spraying {
    /// The 50 episodes with most users; of equals the earliest.
    pub(crate) episodes: Top<SprayingEpisode>,
    /// How many of all episodes a login followed; of those that are not shown, too.
    pub(crate) followed_by_login: u64,
}

/// Failed logins from one address that are all in windows of many users with some in common.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct SprayingEpisode {
    /// The address.
    pub(crate) address: String,
    /// How many different users.
    pub(crate) users: u64,
    /// How many failed logins.
    pub(crate) attempts: u64,
    /// The first of them.
    pub(crate) first: String,
    /// The last of them.
    pub(crate) last: String,
    /// The window with most users, which shows it.
    pub(crate) peak: AttemptWindow,
    /// The first login from that address that followed; `null` when none did.
    pub(crate) login: Option<FollowingLogin>,
}

/// What was refused for want of a permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "PermissionDenials")]
pub(crate) struct Denials {
    /// How often.
    pub(crate) count: u64,
    /// How many of these records name no user.
    pub(crate) without_user: u64,
    /// The 50 users with most; of equals those with the earliest first one.
    pub(crate) by_user: Top<DeniedUser>,
}

/// A user to whom something was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct DeniedUser {
    /// The user.
    pub(crate) user: String,
    /// In which member of the records that stands.
    pub(crate) member: SubjectMember,
    /// How often.
    pub(crate) count: u64,
    /// The first time.
    pub(crate) first: String,
    /// The last time.
    pub(crate) last: String,
    /// What was refused, the 10 most frequent; `null` when there are more than 2000000 pairs of a user
    /// with a class of resources.
    pub(crate) resources: Option<Top<DeniedResource>>,
}

/// A class of resources that was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct DeniedResource {
    /// The resource, with `*` for each part that has a digit: `/accounts/42` is one of `/accounts/*`;
    /// `null` for records that name none.
    pub(crate) resource: Option<String>,
    /// How often.
    pub(crate) count: u64,
}

/// What only few may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "PrivilegedActions")]
pub(crate) struct Privileged {
    /// How often.
    pub(crate) count: u64,
    /// The 1000 most frequent types of such actions.
    pub(crate) by_event_type: Top<PrivilegedType>,
    /// The 50 most frequent of a user; of equals those with the earliest first one. `null` when there are
    /// more than 2000000 pairs of a type, a status and a severity with a user.
    pub(crate) by_user: Option<Top<PrivilegedAction>>,
}

/// A type of privileged actions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct PrivilegedType {
    /// The event type.
    pub(crate) event_type: String,
    /// How often.
    pub(crate) count: u64,
    /// How many of these did not succeed: their status is `failure`, `denied` or `error`.
    pub(crate) failed: u64,
}

/// What a user did of one type of privileged actions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
pub(crate) struct PrivilegedAction {
    /// The event type.
    pub(crate) event_type: String,
    /// The user; `null` for records that name none.
    pub(crate) user: Option<String>,
    /// In which member of the records that stands.
    pub(crate) member: Option<SubjectMember>,
    /// How often.
    pub(crate) count: u64,
    /// How many of these did not succeed: their status is `failure`, `denied` or `error`.
    pub(crate) failed: u64,
    /// The first time.
    pub(crate) first: String,
    /// The last time.
    pub(crate) last: String,
}

/// Addresses that a user never had before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "FirstSeenAddresses")]
pub(crate) struct FirstSeen {
    /// The 50 that were met last, of users who have records before the window. `null` when the window
    /// has more than 2000000 pairs of a user with an address.
    pub(crate) addresses: Option<Top<NewAddress>>,
    /// How many users have an address in the window and no record before it: all their addresses are new, and
    /// are not listed. `null` as above.
    pub(crate) new_users: Option<u64>,
}

/// An address that a user never had before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "FirstSeenAddress")]
pub(crate) struct NewAddress {
    /// The user.
    pub(crate) user: String,
    /// The address.
    pub(crate) address: String,
    /// How many records the user has from there.
    pub(crate) count: u64,
    /// The first time.
    pub(crate) first: String,
    /// The last time.
    pub(crate) last: String,
}

/// What an hour has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Object)]
#[oai(rename = "SecurityHour")]
pub(crate) struct Hour {
    /// When it begins.
    pub(crate) hour: String,
    /// How many records.
    pub(crate) records: u64,
    /// How many failed logins.
    pub(crate) failed_logins: u64,
    /// How many records of the category `security`.
    pub(crate) security_events: u64,
}
