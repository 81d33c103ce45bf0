//! No answer without a credential that may have it, and none from the trail that is not recorded.
//!
//! A key is looked up right here when nothing stands in the way: a few system calls on a small file
//! take a tenth of the way to another thread and back. Only what may have to wait goes there.
//!
//! What was asked and how it was answered is told to [`crate::self_audit`] before the answer leaves. Where
//! a handler tells more of it than the guard knows, the guard leaves what succeeded to the handler: exports are
//! told when they begin and when they end, keys where they are changed, whether or not anybody still waits.

use std::{
    net::IpAddr,
    sync::{Arc, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use poem::{Endpoint, Request, Response, Result, endpoint::BoxEndpoint};

use super::{State, caller::Caller, gate, limits, locked_key, problem::Problem, rate};
use crate::{
    Error,
    auth::{
        self, Checked, Credential, Failed, Forbidden, Presented, Scope, TenantBound, TokenText,
        Tokens, WrongKey,
    },
    filter::Opener,
    self_audit::{Answered, Asked, Refusal},
};

/// An endpoint behind the check of the key.
pub(super) struct Guard {
    pub(super) state: Arc<State>,
    /// Its path in the document.
    pub(super) route: &'static str,
    /// What it asks for.
    pub(super) needed: Scope,
    /// Whether it is about the whole trail, so that nobody has it who sees one tenant's records.
    pub(super) of_whole_trail: bool,
    pub(super) recorded: Recorded,
    pub(super) inner: BoxEndpoint<'static>,
}

/// Which answers the guard records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recorded {
    All,
    /// Those that are an error: what succeeded the handler records.
    Errors,
    /// None: nothing of the trail is read.
    None,
}

/// How many records an answer has.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows(pub(super) u64);

impl Endpoint for Guard {
    type Output = Response;

    async fn call(&self, mut request: Request) -> Result<Response> {
        let begun = Instant::now();
        let from = gate::client(&request);
        let asked = Asked::new(self.route, request.method().as_str(), request.uri(), from);
        let own = self.state.own.as_ref();
        let credential = match self.admitted(&request, asked.from).await {
            Ok(credential) => credential,
            Err(Error::WrongKey(wrong)) => {
                let locked = locked_key::failed(&self.state, request.headers(), from).await;
                return Err(self.failed(asked, wrong, locked).into());
            }
            Err(error) => return Err(Problem::from(error).into()),
        };
        if let Err(refusal) = self.permits(&credential) {
            if let Some(own) = own {
                own.refused(asked, Some(&credential), Refusal::Forbidden);
            }
            return Err(Problem::from(refusal).into());
        }
        rate::check_credential(&self.state, &credential, &asked)?;
        let sight = self.state.sight(&credential);
        let caller = Caller { credential: credential.clone(), asked: asked.clone(), sight };
        let sight = caller.sight.clone();
        request.set_data(caller);
        let answer = match limits::check_body(&request) {
            Ok(()) => self.inner.call(request).await,
            Err(problem) => Err(problem.into()),
        };
        // An answer for which something could not be opened may lack records.
        let answer = match sight.check() {
            Ok(()) => answer,
            Err(failure) => Err(Problem::from(failure).into()),
        };
        let status = match &answer {
            Ok(response) => response.status(),
            Err(error) => error.status(),
        };
        let is_recorded = match self.recorded {
            Recorded::All => true,
            Recorded::Errors => !status.is_success(),
            Recorded::None => false,
        };
        let shown = sight.opener().and_then(Opener::take_shown).filter(|_| status.is_success());
        if let (Some(own), Some(shown)) = (own, shown) {
            own.opened(asked.clone(), &credential, shown);
        }
        if let Some(own) = own.filter(|_| is_recorded) {
            let rows = answer.as_ref().ok().and_then(|response| response.data::<Rows>());
            let rows = rows.map(|Rows(count)| *count);
            let answered = Answered { status: status.as_u16(), rows, took: begun.elapsed() };
            own.read(asked, &credential, answered);
        }
        answer
    }
}

impl Guard {
    /// Whether the credential may have the answer.
    fn permits(&self, credential: &Credential) -> Result<(), Error> {
        let Self { needed, .. } = *self;
        if !credential.role.may(needed) {
            return Err(Forbidden { needed, role: credential.role }.into());
        }
        if self.of_whole_trail && credential.tenant.is_some() {
            return Err(TenantBound.into());
        }
        Ok(())
    }

    /// What is answered to who has no valid key; the key that they named may be locked, for so long yet.
    fn failed(&self, asked: Asked, wrong: WrongKey, key_locked: Option<Duration>) -> Problem {
        let mut lockout = self.state.lockout.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = lockout.failed(auth::host(asked.from), Instant::now());
        drop(lockout);
        let from = asked.from;
        if let Some(own) = &self.state.own {
            own.refused(asked, None, Refusal::Unknown);
            if failed == Failed::LockedOut {
                own.locked_out(from);
            }
        }
        let locked = match failed {
            Failed::Locked(left) => Some(left),
            Failed::Refused | Failed::LockedOut => None,
        };
        match locked.max(key_locked) {
            Some(left) => Problem::locked_out(left),
            None => Error::from(wrong).into(),
        }
    }

    /// The credential of the request, when it opens anything from there.
    async fn admitted(&self, request: &Request, from: IpAddr) -> Result<Credential, Error> {
        let key = match auth::presented(request.headers())? {
            Presented::Key(key) => key,
            Presented::Token(token) => return self.admitted_with(&token).await,
        };
        let checked = match self.state.keys.check_at_once(&key, from) {
            Some(checked) => checked,
            None => {
                let state = self.state.clone();
                self.state.key_readers.run(move |_| state.keys.check(&key, from)).await
            }
        };
        checked.map(Credential::from)
    }

    /// The same for a token. To check one takes less time than the way to another thread and back; only to fetch the
    /// keys of its issuer takes longer, and that is asked for once in ten seconds at most.
    async fn admitted_with(&self, token: &TokenText) -> Result<Credential, Error> {
        let Some(tokens) = &self.state.tokens else { return Err(WrongKey.into()) };
        let check = || tokens.check(token.expose(), SystemTime::now());
        let mut checked = check();
        if checked == Checked::UnknownKey && tokens.may_refresh() {
            let state = self.state.clone();
            let refresh = move || state.tokens.as_ref().map(Tokens::refresh);
            tokio::task::spawn_blocking(refresh).await.map_err(Error::internal)?;
            checked = check();
        }
        match checked {
            Checked::Valid(info) => Ok(info.try_into()?),
            Checked::UnknownKey => Err(WrongKey.into()),
            Checked::Wrong(why) => {
                // What is wrong with it is for the operator, who must ask for it: who sends wrong tokens must not fill
                // the log.
                tracing::debug!(%why, "a token is refused");
                Err(WrongKey.into())
            }
        }
    }
}
