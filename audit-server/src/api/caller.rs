//! Who asks, and for what.

use poem::{FromRequest, Request, RequestBody};

use super::problem::Problem;
use crate::{auth::Credential, query::Sight, self_audit::Asked};

/// The credential that the guard has let in, and what it was let in for.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    pub(super) credential: Credential,
    pub(super) asked: Asked,
    /// What of the trail it sees.
    pub(super) sight: Sight,
}

impl<'a> FromRequest<'a> for Caller {
    async fn from_request(request: &'a Request, _: &mut RequestBody) -> poem::Result<Self> {
        // What nobody guards has no caller, and asks for none.
        Ok(request.data::<Self>().cloned().ok_or_else(Problem::internal)?)
    }
}
