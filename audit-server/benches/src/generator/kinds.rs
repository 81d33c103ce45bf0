//! What the code of the house would say at each kind of event.
//!
//! A message is a sentence with places: `{user}`, `{ip}`, `{resource}`, `{correlation}`, the name of
//! a detail, or `{noun}`, `{adjective}`, `{verb}` for a word of the house, of which some are common
//! and some are rare. So full text has words of every frequency to look for.

use super::{
    event::Event,
    random::{Chance, Skewed},
    words,
};
use audit_layer::record::Member;

/// Where in the code events of a type come from, and what they say.
#[derive(Debug)]
pub(crate) struct Kind {
    pub(crate) event_type: &'static str,
    pub(crate) action: &'static str,
    pub(crate) source: &'static str,
    pub(crate) logger: &'static str,
    pub(crate) messages: &'static [&'static str],
}

/// The kind of that type.
pub(crate) fn kind(event_type: &str) -> &'static Kind {
    let found = KINDS.iter().find(|kind| kind.event_type == event_type);
    found.unwrap_or_else(|| unreachable!("{event_type} is in the table"))
}

macro_rules! kinds {
    ($($event_type:literal $action:literal $logger:literal $source:literal [$($message:literal),+];)+) => {
        const KINDS: &[Kind] = &[$(Kind {
            event_type: $event_type,
            action: $action,
            source: $source,
            logger: $logger,
            messages: &[$($message),+],
        }),+];
    };
}

kinds! {
    "api.response" "" "audit" "src/api/mod.rs:112"
        ["{route} answered", "Answered {route}", "{route} done, {noun} returned"];
    "api.request" "" "audit" "src/api/mod.rs:87"
        ["{method} {resource} asked", "Request for {resource}", "{method} from the {adjective} client"];
    "api.error" "" "audit" "src/api/mod.rs:131"
        ["{resource} failed: {reason}", "No answer for {resource}, the {noun} {reason}"];
    "data.read" "read" "audit" "src/store/read.rs:54"
        ["{resource} read", "{user} looked at {resource}", "Read the {adjective} {noun} of {resource}"];
    "data.access" "search" "audit" "src/store/read.rs:91"
        ["Searched for a {adjective} {noun}", "{user} listed {resource}"];
    "data.update" "update" "audit" "src/store/write.rs:40"
        ["{resource} changed: {field}", "{user} {verb} the {noun} of {resource}", "New {field} for {resource}"];
    "data.create" "create" "audit" "src/store/write.rs:22"
        ["{resource} made", "{user} added a {adjective} {noun}"];
    "data.delete" "delete" "audit" "src/store/write.rs:77"
        ["{resource} deleted", "{user} removed an {adjective} {noun}"];
    "data.export" "export" "audit" "src/store/export.rs:31"
        ["{resource} exported as {format}", "Export of the {adjective} {noun} for {user}"];
    "auth.login" "login" "audit::auth" "src/auth/login.rs:64"
        ["User login successful", "{user} signed in with {method}", "Welcome back from {ip}"];
    "auth.logout" "logout" "audit::auth" "src/auth/login.rs:120"
        ["{user} signed out", "Session ended by its user"];
    "auth.failed" "login" "audit::auth" "src/auth/login.rs:71"
        ["User login failed: {reason}", "{user} could not sign in: {reason}", "Login refused from {ip}"];
    "auth.mfa" "verify" "audit::auth" "src/auth/mfa.rs:39"
        ["Second factor accepted", "{user} confirmed with {method}"];
    "auth.token_issued" "issue" "audit::auth" "src/auth/token.rs:28"
        ["Access token issued", "Token for {scope} given to {user}"];
    "auth.token_refreshed" "refresh" "audit::auth" "src/auth/token.rs:55"
        ["Access token refreshed", "{user} keeps {scope} for another hour"];
    "auth.token_revoked" "revoke" "audit::auth" "src/auth/token.rs:83"
        ["Access token revoked", "Token of {user} is worth nothing any more"];
    "auth.password_reset" "reset" "audit::auth" "src/auth/password.rs:46"
        ["Password changed", "{user} chose a new password"];
    "auth.permission_granted" "authorize" "audit::auth" "src/auth/policy.rs:90"
        ["{permission} granted", "{user} may {permission}"];
    "auth.permission_denied" "authorize" "audit::auth" "src/auth/policy.rs:97"
        ["{permission} denied", "{user} may not {permission} {resource}", "Access to {resource} denied by {policy}"];
    "security.rate_limited" "limit" "audit::security" "src/security/rate.rs:58"
        ["Too many requests from {ip}", "Rate limit of {route} reached"];
    "security.account_locked" "lock" "audit::security" "src/security/lock.rs:33"
        ["Account locked after too many failures", "{user} is locked out"];
    "security.ip_blocked" "block" "audit::security" "src/security/block.rs:21"
        ["{ip} blocked", "No more requests are taken from {ip}"];
    "security.ip_whitelist_violation" "check" "audit::security" "src/security/list.rs:44"
        ["{ip} is not on the list", "Request for {route} from an address that is not allowed"];
    "security.alert" "alert" "audit::security" "src/security/alert.rs:19"
        ["Unusual {noun} of {user}", "{adjective} sign-in from a new address"];
    "admin.action" "maintain" "audit::admin" "src/admin/action.rs:25"
        ["{user} {verb} the {adjective} {noun}"];
    "admin.role_changed" "change_role" "audit::admin" "src/admin/roles.rs:61"
        ["Role of {target} is now {role}", "{user} made {target} {role}"];
    "admin.config_changed" "configure" "audit::admin" "src/admin/config.rs:72"
        ["{setting} changed", "{user} set {setting} for the {noun}"];
    "admin.user_created" "create_user" "audit::admin" "src/admin/users.rs:30"
        ["Account {target} made", "{user} welcomed {target}"];
    "agent.signal" "" "audit::agent" "src/agent/signal.rs:48"
        ["{symbol} moved: {adjective} {noun}", "Signal for {symbol} in the {noun}"];
    "agent.decision" "" "audit::agent" "src/agent/decide.rs:83"
        ["{agent} proposes to {side} {symbol}", "{agent} sees a {adjective} {noun} in {symbol}", "Time to {side} {symbol}"];
    "trade.decision" "" "audit::trade" "src/trade/decide.rs:57"
        ["Order for {symbol} accepted", "{agent} may {side} {quantity} {symbol}"];
    "trade.executed" "" "audit::trade" "src/trade/execute.rs:102"
        ["{side} {quantity} {symbol} at {price}", "Order for {symbol} executed at {venue}", "{venue} filled {quantity} {symbol}"];
    "trade.cancelled" "" "audit::trade" "src/trade/execute.rs:128"
        ["Order for {symbol} cancelled: {reason}", "{agent} gave up on {symbol}"];
    "risk.limit_triggered" "limit" "audit::risk" "src/risk/limit.rs:66"
        ["{limit} of {agent} reached", "{symbol} stopped by the {limit}"];
    "risk.override" "override" "audit::risk" "src/risk/limit.rs:94"
        ["{limit} of {agent} overridden", "{user} lets {symbol} pass for {adjective} reasons"];
    "risk.alert" "alert" "audit::risk" "src/risk/watch.rs:37"
        ["{limit} is nearly used up", "{adjective} exposure in {symbol}"];
    "financial.transaction" "book" "audit::money" "src/money/book.rs:45"
        ["{amount} {currency} booked", "Booked for the {adjective} {noun}"];
    "financial.deposit" "deposit" "audit::money" "src/money/deposit.rs:38"
        ["{amount} {currency} paid in", "Deposit to {resource}"];
    "financial.withdrawal" "withdraw" "audit::money" "src/money/withdraw.rs:52"
        ["{amount} {currency} paid out", "Withdrawal from {resource}"];
    "financial.transfer" "transfer" "audit::money" "src/money/transfer.rs:71"
        ["Transfer of {amount} {currency}", "{user} moved {amount} {currency} to {iban}"];
    "financial.refund" "refund" "audit::money" "src/money/refund.rs:29"
        ["Refund of {amount} {currency}", "Money back for a {adjective} {noun}"];
    "error.exception" "handle" "audit::error" "src/error.rs:17"
        ["{exception} in the {noun}", "{exception}: the {adjective} {noun} {reason}", "Gave up after {attempts} attempts"];
    "system.heartbeat" "" "audit" "src/pipeline/worker.rs:210"
        ["heartbeat"];
    "system.config" "load" "audit::system" "src/config.rs:15"
        ["Configuration read again", "{setting} taken from the {noun}"];
}

/// Fills the places of a message.
#[derive(Debug)]
pub(crate) struct Speaker {
    nouns: Skewed,
    adjectives: Skewed,
}

impl Speaker {
    pub(crate) fn new() -> Self {
        let ranks = |list: &[&str]| Skewed::new(u32::try_from(list.len()).unwrap_or(1), 1);
        Self { nouns: ranks(words::NOUNS), adjectives: ranks(words::ADJECTIVES) }
    }

    /// A message for the event, once everything else of it is known.
    pub(crate) fn say(&self, chance: &mut Chance, event: &Event) -> String {
        let mut rest = chance.pick(kind(event.event_type).messages);
        let mut out = String::with_capacity(64);
        while let Some((before, behind)) = rest.split_once('{') {
            out.push_str(before);
            let (place, behind) = behind.split_once('}').unwrap_or((behind, ""));
            self.fill(&mut out, chance, event, place);
            rest = behind;
        }
        out.push_str(rest);
        out
    }

    fn fill(&self, out: &mut String, chance: &mut Chance, event: &Event, place: &str) {
        let member = match place {
            "user" => event.member(Member::Username).or(event.member(Member::UserId)),
            "ip" => event.member(Member::IpAddress),
            "resource" => event.member(Member::Resource),
            "noun" => words::NOUNS.get(self.nouns.draw(chance)).copied(),
            "adjective" => words::ADJECTIVES.get(self.adjectives.draw(chance)).copied(),
            "verb" => Some(chance.pick(words::VERBS)),
            name => event.detail_text(name),
        };
        out.push_str(member.unwrap_or("someone"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_many_sentences_and_each_kind_is_a_standard_type() {
        assert!(KINDS.iter().map(|kind| kind.messages.len()).sum::<usize>() >= 80);
        for kind in KINDS {
            let known: Result<audit_layer::EventType, _> = kind.event_type.parse();
            assert!(known.is_ok(), "{}", kind.event_type);
        }
    }
}
