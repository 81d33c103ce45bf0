//! No answer without a valid admin key.

use std::sync::Arc;

use poem::{Endpoint, Request, Response, Result, endpoint::BoxEndpoint};

use super::{State, problem::Problem};
use crate::{Error, auth};

/// An endpoint behind the check of the key.
pub(super) struct Guard {
    pub(super) state: Arc<State>,
    pub(super) inner: BoxEndpoint<'static>,
}

impl Endpoint for Guard {
    type Output = Response;

    async fn call(&self, request: Request) -> Result<Response> {
        let key = auth::presented(request.headers()).map_err(Error::from).map_err(Problem::from)?;
        let state = self.state.clone();
        self.state.key_readers.run(move |_| state.keys.check(&key)).await.map_err(Problem::from)?;
        self.inner.call(request).await
    }
}
