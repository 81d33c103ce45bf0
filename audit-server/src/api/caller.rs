//! Who asks.

use poem::{FromRequest, Request, RequestBody};

use super::problem::Problem;
use crate::auth::{KeyInfo, Scope};

/// The credential that the guard has let in.
#[derive(Debug, Clone)]
pub(super) struct Caller(pub(super) KeyInfo);

impl Caller {
    /// Whether details of restricted records are shown: to whoever may take all records away.
    pub(super) fn sees_restricted(&self) -> bool {
        self.0.role.may(Scope::Export)
    }
}

impl<'a> FromRequest<'a> for Caller {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        // What nobody guards has no caller, and asks for none.
        Ok(request.data::<Self>().cloned().ok_or_else(Problem::internal)?)
    }
}
