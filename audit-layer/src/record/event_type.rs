//! The taxonomy: the standard names of what happens, as constants and as [`EventType`].
//!
//! An `event_type` is any dotted lower-case name; these are the ones that the server's reports,
//! the dashboards and the typed tables know. Use the constants in events:
//!
//! ```
//! use audit_layer::event_type;
//! tracing::info!(target: "audit", event_type = event_type::AUTH_LOGIN, status = "success");
//! ```

use std::{fmt, str::FromStr};

/// The longest event type in bytes.
pub const MAX_EVENT_TYPE_BYTES: usize = 128;

macro_rules! taxonomy {
    ($($(#[$doc:meta])* $constant:ident $variant:ident = $name:literal;)+) => {
        $($(#[$doc])* pub const $constant: &str = $name;)+

        /// A standard event type.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum EventType { $($(#[$doc])* $variant),+ }

        impl EventType {
            /// Every standard event type.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name that a record carries.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }
    };
}

taxonomy! {
    /// A user or program proved who it is.
    AUTH_LOGIN AuthLogin = "auth.login";
    /// A session was ended by its user.
    AUTH_LOGOUT AuthLogout = "auth.logout";
    /// Someone could not prove who they are.
    AUTH_FAILED AuthFailed = "auth.failed";
    /// A token was given out.
    AUTH_TOKEN_ISSUED AuthTokenIssued = "auth.token_issued";
    /// A token was exchanged for a newer one.
    AUTH_TOKEN_REFRESHED AuthTokenRefreshed = "auth.token_refreshed";
    /// A token was made invalid.
    AUTH_TOKEN_REVOKED AuthTokenRevoked = "auth.token_revoked";
    /// A password was reset or changed.
    AUTH_PASSWORD_RESET AuthPasswordReset = "auth.password_reset";
    /// A second factor was asked for, enrolled or removed.
    AUTH_MFA AuthMfa = "auth.mfa";
    /// An access check said yes.
    AUTH_PERMISSION_GRANTED AuthPermissionGranted = "auth.permission_granted";
    /// An access check said no.
    AUTH_PERMISSION_DENIED AuthPermissionDenied = "auth.permission_denied";

    /// A caller went over its rate.
    SECURITY_RATE_LIMITED SecurityRateLimited = "security.rate_limited";
    /// An address was blocked.
    SECURITY_IP_BLOCKED SecurityIpBlocked = "security.ip_blocked";
    /// A request came from an address that is not on the allow-list.
    SECURITY_IP_WHITELIST_VIOLATION SecurityIpWhitelistViolation = "security.ip_whitelist_violation";
    /// An account was locked.
    SECURITY_ACCOUNT_LOCKED SecurityAccountLocked = "security.account_locked";
    /// An account was unlocked.
    SECURITY_ACCOUNT_UNLOCKED SecurityAccountUnlocked = "security.account_unlocked";
    /// Signs of an intruder.
    SECURITY_INTRUSION SecurityIntrusion = "security.intrusion";
    /// Any other alarm.
    SECURITY_ALERT SecurityAlert = "security.alert";

    /// Data was looked at or for.
    DATA_ACCESS DataAccess = "data.access";
    /// A datum was read.
    DATA_READ DataRead = "data.read";
    /// A datum was made.
    DATA_CREATE DataCreate = "data.create";
    /// A datum was changed.
    DATA_UPDATE DataUpdate = "data.update";
    /// A datum was deleted.
    DATA_DELETE DataDelete = "data.delete";
    /// Data left the system.
    DATA_EXPORT DataExport = "data.export";
    /// A secret was read.
    DATA_SECRET_ACCESS DataSecretAccess = "data.secret_access";
    /// A person's data was erased.
    DATA_ERASED DataErased = "data.erased";

    /// A privileged action.
    ADMIN_ACTION AdminAction = "admin.action";
    /// An account was made.
    ADMIN_USER_CREATED AdminUserCreated = "admin.user_created";
    /// A user's role was changed.
    ADMIN_ROLE_CHANGED AdminRoleChanged = "admin.role_changed";
    /// The configuration was changed.
    ADMIN_CONFIG_CHANGED AdminConfigChanged = "admin.config_changed";
    /// An access key was made.
    ADMIN_KEY_CREATED AdminKeyCreated = "admin.key_created";
    /// An access key was revoked.
    ADMIN_KEY_REVOKED AdminKeyRevoked = "admin.key_revoked";

    /// A movement of money of any kind.
    FINANCIAL_TRANSACTION FinancialTransaction = "financial.transaction";
    /// Money came in.
    FINANCIAL_DEPOSIT FinancialDeposit = "financial.deposit";
    /// Money was taken out.
    FINANCIAL_WITHDRAWAL FinancialWithdrawal = "financial.withdrawal";
    /// Money went from one account to another.
    FINANCIAL_TRANSFER FinancialTransfer = "financial.transfer";
    /// Money was given back.
    FINANCIAL_REFUND FinancialRefund = "financial.refund";

    /// It was decided to trade, or not to.
    TRADE_DECISION TradeDecision = "trade.decision";
    /// An order was executed.
    TRADE_EXECUTED TradeExecuted = "trade.executed";
    /// An order was cancelled.
    TRADE_CANCELLED TradeCancelled = "trade.cancelled";

    /// A risk limit stopped or changed an action.
    RISK_LIMIT_TRIGGERED RiskLimitTriggered = "risk.limit_triggered";
    /// A risk limit was overridden.
    RISK_OVERRIDE RiskOverride = "risk.override";
    /// A risk measure is out of bounds.
    RISK_ALERT RiskAlert = "risk.alert";

    /// A request came in.
    API_REQUEST ApiRequest = "api.request";
    /// A request was answered.
    API_RESPONSE ApiResponse = "api.response";
    /// A request failed.
    API_ERROR ApiError = "api.error";

    /// An autonomous agent decided.
    AGENT_DECISION AgentDecision = "agent.decision";
    /// An autonomous agent saw a signal.
    AGENT_SIGNAL AgentSignal = "agent.signal";
    /// An autonomous agent called a tool or a model.
    AGENT_CALL AgentCall = "agent.call";

    /// A fault in the program.
    ERROR_EXCEPTION ErrorException = "error.exception";

    /// A writer opened its stream and begins to record. Written by the layer.
    SYSTEM_STARTUP SystemStartup = "system.startup";
    /// A writer ends in good order. Written by the layer.
    SYSTEM_SHUTDOWN SystemShutdown = "system.shutdown";
    /// A setting of the system was read or changed.
    SYSTEM_CONFIG SystemConfig = "system.config";
    /// A writer lives, and how much it has recorded. Written by the layer.
    SYSTEM_HEARTBEAT SystemHeartbeat = "system.heartbeat";
    /// The head of a stream, stated so that it can be kept elsewhere.
    SYSTEM_CHECKPOINT SystemCheckpoint = "system.checkpoint";
    /// The wall clock jumped. Written by the layer.
    SYSTEM_CLOCK_STEP SystemClockStep = "system.clock_step";
    /// A new stream takes the place of one whose journal is lost.
    SYSTEM_STREAM_OPENED SystemStreamOpened = "system.stream_opened";
    /// Records were dropped: how many, why and when. Written by the layer.
    SYSTEM_AUDIT_GAP SystemAuditGap = "system.audit_gap";
    /// Records of a killed writer were delivered.
    SYSTEM_AUDIT_RECOVERED SystemAuditRecovered = "system.audit_recovered";
    /// Records were removed from a sink within its bounds: which. Written by the layer.
    SYSTEM_AUDIT_TRIMMED SystemAuditTrimmed = "system.audit_trimmed";
}

/// The plain names of older systems and the event type each is recorded as. The name itself stays
/// in `details.event_type`.
pub const PLAIN_NAMES: &[(&str, EventType)] = &[
    ("access_denied", EventType::AuthPermissionDenied),
    ("access_granted", EventType::AuthPermissionGranted),
    ("account_locked", EventType::SecurityAccountLocked),
    ("account_unlocked", EventType::SecurityAccountUnlocked),
    ("admin_action", EventType::AdminAction),
    ("agent_decision", EventType::AgentDecision),
    ("api_error", EventType::ApiError),
    ("api_request", EventType::ApiRequest),
    ("api_response", EventType::ApiResponse),
    ("authentication", EventType::AuthLogin),
    ("authentication_failed", EventType::AuthFailed),
    ("authentication_failure", EventType::AuthFailed),
    ("config_change", EventType::AdminConfigChanged),
    ("configuration_change", EventType::AdminConfigChanged),
    ("data_access", EventType::DataAccess),
    ("data_deletion", EventType::DataDelete),
    ("data_export", EventType::DataExport),
    ("data_modification", EventType::DataUpdate),
    ("deposit", EventType::FinancialDeposit),
    ("error", EventType::ErrorException),
    ("exception", EventType::ErrorException),
    ("ip_blocked", EventType::SecurityIpBlocked),
    ("login", EventType::AuthLogin),
    ("login_failed", EventType::AuthFailed),
    ("logout", EventType::AuthLogout),
    ("password_reset", EventType::AuthPasswordReset),
    ("permission_denied", EventType::AuthPermissionDenied),
    ("permission_granted", EventType::AuthPermissionGranted),
    ("rate_limit", EventType::SecurityRateLimited),
    ("rate_limited", EventType::SecurityRateLimited),
    ("refund", EventType::FinancialRefund),
    ("risk_limit", EventType::RiskLimitTriggered),
    ("risk_override", EventType::RiskOverride),
    ("security_alert", EventType::SecurityAlert),
    ("system_shutdown", EventType::SystemShutdown),
    ("system_startup", EventType::SystemStartup),
    ("token_refresh", EventType::AuthTokenRefreshed),
    ("token_revoked", EventType::AuthTokenRevoked),
    ("trade", EventType::TradeExecuted),
    ("trade_decision", EventType::TradeDecision),
    ("trade_execution", EventType::TradeExecuted),
    ("transaction", EventType::FinancialTransaction),
    ("transfer", EventType::FinancialTransfer),
    ("withdrawal", EventType::FinancialWithdrawal),
];

impl EventType {
    /// The category: the part of the name before the first dot.
    #[must_use]
    pub fn category(self) -> &'static str {
        category(self.as_str())
    }

    /// The event type that a plain name of an older system stands for.
    #[must_use]
    pub fn from_plain_name(name: &str) -> Option<Self> {
        // None of them has a dot, and nearly every event type has.
        if name.contains('.') {
            return None;
        }
        let at = PLAIN_NAMES.binary_search_by_key(&name, |(plain, _)| plain).ok()?;
        PLAIN_NAMES.get(at).map(|(_, event_type)| *event_type)
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EventType {
    type Err = String;

    /// # Errors
    /// A sentence when the name is not a standard one.
    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .iter()
            .copied()
            .find(|event_type| event_type.as_str() == name)
            .ok_or_else(|| format!("{name:?} is not a standard event type"))
    }
}

/// The category of an event type: the part before the first dot.
#[must_use]
pub fn category(event_type: &str) -> &str {
    let end = event_type.bytes().position(|byte| byte == b'.');
    end.and_then(|end| event_type.get(..end)).unwrap_or(event_type)
}

/// Whether `name` can be an event type: at least two parts of lower-case letters, digits and `_`,
/// each beginning with a letter or digit, joined by dots, the first beginning with a letter, and
/// no longer than [`MAX_EVENT_TYPE_BYTES`].
#[must_use]
pub fn is_event_type(name: &str) -> bool {
    let part = |part: &str| {
        part.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    name.len() <= MAX_EVENT_TYPE_BYTES
        && name.as_bytes().first().is_some_and(u8::is_ascii_lowercase)
        && name.contains('.')
        && name.split('.').all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_standard_name_is_an_event_type() {
        for event_type in EventType::ALL {
            assert!(is_event_type(event_type.as_str()), "{event_type}");
            assert_eq!(event_type.as_str().parse(), Ok(*event_type));
        }
        assert_eq!(EventType::ALL.len(), 59);
        assert_eq!(EventType::FinancialRefund.category(), "financial");
    }

    #[test]
    fn plain_names_are_sorted_and_are_not_event_types() {
        assert!(PLAIN_NAMES.is_sorted_by_key(|(plain, _)| plain));
        assert!(PLAIN_NAMES.iter().all(|(plain, _)| !is_event_type(plain)));
        assert_eq!(EventType::from_plain_name("authentication"), Some(EventType::AuthLogin));
        assert_eq!(
            EventType::from_plain_name("transaction"),
            Some(EventType::FinancialTransaction)
        );
        assert_eq!(EventType::from_plain_name("dance"), None);
    }

    #[test]
    fn other_dotted_lower_case_names_are_event_types_too() {
        for good in ["billing.invoice_sent", "a.b", "a.2fa.x_1"] {
            assert!(is_event_type(good), "{good}");
        }
        let long = format!("a.{}", "b".repeat(MAX_EVENT_TYPE_BYTES));
        for bad in [
            "login",
            "Auth.login",
            "auth.",
            ".auth",
            "auth..x",
            "auth.log in",
            "2fa.x",
            "auth.é",
            &long,
        ] {
            assert!(!is_event_type(bad), "{bad}");
        }
    }
}
