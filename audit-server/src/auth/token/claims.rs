//! What a token claims, held against what is expected.
//!
//! Every claim that is looked at has one type, and a claim of another type refuses the token: it is never
//! taken for absent. `exp` is required; `nbf` and `iat` count when they are there. How long a token may
//! live is the issuer's to say and not bounded here: one that is stolen is worth something until `exp`, so
//! minutes are better than days.

use std::{
    fmt,
    time::{SystemTime, UNIX_EPOCH},
};

use serde_json::{Map, Value};

use super::{Refused, RoleNames, claim::ClaimPath};
use crate::auth::{MAX_TENANT_BYTES, Role};

/// By how many seconds the clocks of issuer and server may differ.
const LEEWAY: f64 = 30.0;
const MAX_SUBJECT_BYTES: usize = 256;
/// What stands for all tenants.
const ALL_TENANTS: &str = "*";

/// Who a token lets in, and to what.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TokenInfo {
    /// Who it is: `sub`.
    pub(crate) subject: String,
    /// What they may do.
    pub(crate) role: Role,
    /// The one tenant that they may see; all when there is none.
    pub(crate) tenant: Option<String>,
    /// When it expires, in seconds since 1970.
    pub(crate) expires: i64,
}

/// Without what is in the token.
impl fmt::Debug for TokenInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenInfo").field("role", &self.role).finish_non_exhaustive()
    }
}

/// What claims are held against.
#[derive(Debug)]
pub(super) struct Expected {
    pub(super) issuer: String,
    pub(super) audience: String,
    pub(super) role: ClaimPath,
    pub(super) roles: RoleNames,
    pub(super) tenant: Option<ClaimPath>,
}

impl Expected {
    /// Whom these claims let in at that time.
    pub(super) fn admit(
        &self,
        claims: &Map<String, Value>,
        now: SystemTime,
    ) -> Result<TokenInfo, Refused> {
        let expires = self.in_time(claims, now)?;
        if claims.get("iss").and_then(Value::as_str) != Some(&self.issuer) {
            return Err(Refused::Issuer);
        }
        let mut audiences = texts(claims.get("aud").ok_or(Refused::Audience)?)?;
        if !audiences.any(|audience| audience == self.audience) {
            return Err(Refused::Audience);
        }
        let subject = claims.get("sub").and_then(|sub| plain(sub, MAX_SUBJECT_BYTES));
        let subject = subject.ok_or(Refused::Subject)?;
        let roles = texts(self.role.find(claims).ok_or(Refused::Role)?)?;
        let role = self.roles.highest(roles).ok_or(Refused::Role)?;
        let tenant = match &self.tenant {
            None => None,
            Some(claim) => {
                let tenant = claim.find(claims).and_then(|it| plain(it, MAX_TENANT_BYTES));
                Some(tenant.ok_or(Refused::Tenant)?).filter(|tenant| tenant != ALL_TENANTS)
            }
        };
        if tenant.is_some() && role == Role::Admin {
            return Err(Refused::AdminOfTenant);
        }
        Ok(TokenInfo { subject, role, tenant, expires })
    }

    /// When it expires, if it counts at that time.
    fn in_time(&self, claims: &Map<String, Value>, now: SystemTime) -> Result<i64, Refused> {
        // Before 1970 nothing has been issued yet.
        let now = now.duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64());
        let expires = seconds(claims, "exp")?.ok_or(Refused::Claims)?;
        let not_before = seconds(claims, "nbf")?;
        let issued = seconds(claims, "iat")?;
        if now >= expires + LEEWAY {
            return Err(Refused::Expired);
        }
        if [not_before, issued].into_iter().flatten().any(|begins| now + LEEWAY < begins) {
            return Err(Refused::NotYet);
        }
        // Of a number that has no equal, the nearest.
        Ok(expires as i64)
    }
}

/// Seconds since 1970, with fractions (RFC 7519, NumericDate), if the claim is there.
fn seconds(claims: &Map<String, Value>, name: &str) -> Result<Option<f64>, Refused> {
    let read = |value: &Value| value.as_f64().filter(|seconds| seconds.is_finite());
    claims.get(name).map(|value| read(value).ok_or(Refused::Claims)).transpose()
}

/// The text, or each of the array's.
fn texts(value: &Value) -> Result<impl Iterator<Item = &str>, Refused> {
    let all = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    if all.iter().all(Value::is_string) {
        Ok(all.iter().filter_map(Value::as_str))
    } else {
        Err(Refused::Claims)
    }
}

/// A text that can be written down.
fn plain(value: &Value, most: usize) -> Option<String> {
    let text = value.as_str()?;
    let sound = (1..=most).contains(&text.len()) && !text.contains(char::is_control);
    sound.then(|| text.to_owned())
}
