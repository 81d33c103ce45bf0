//! Who asks, and for what.

use poem::{FromRequest, Request, RequestBody};

use super::problem::Problem;
use crate::{
    auth::{KeyInfo, Scope},
    self_audit::Asked,
};

/// The credential that the guard has let in, and what it was let in for.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) key: KeyInfo,
    pub(super) asked: Asked,
}

impl Caller {
    /// Whether details of restricted records are shown: to whoever may take all records away.
    pub(super) fn sees_restricted(&self) -> bool {
        self.key.role.may(Scope::Export)
    }
}

impl<'a> FromRequest<'a> for Caller {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        // What nobody guards has no caller, and asks for none.
        Ok(request.data::<Self>().cloned().ok_or_else(Problem::internal)?)
    }
}
