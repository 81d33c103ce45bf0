//! No answer without a valid admin key.
//!
//! A key is looked up right here when nothing stands in the way: a few system calls on a small file
//! take a tenth of the way to another thread and back. Only what may have to wait goes there.

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
        let checked = match self.state.keys.check_at_once(&key) {
            Some(checked) => checked,
            None => {
                let state = self.state.clone();
                self.state.key_readers.run(move |_| state.keys.check(&key)).await
            }
        };
        checked.map_err(Problem::from)?;
        self.inner.call(request).await
    }
}
