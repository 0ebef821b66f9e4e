//! A token provider. Its function runs on the JavaScript thread.

use std::sync::Arc;

use planetkey::{Error, ProvidedToken, ProviderRequest, Result, Secret, Status, TokenProvider};

use crate::calls::{Answer, Call, JavaScript};

/// The provider of this number in `lib/provider.cjs`.
pub(crate) struct NodeProvider {
    pub(crate) javascript: Arc<JavaScript>,
    pub(crate) number: u32,
}

impl TokenProvider for NodeProvider {
    fn token(&self, request: &ProviderRequest<'_>) -> Result<ProvidedToken> {
        let rejected_token = request.rejected_token.map(Secret::from);
        let call = Call::Token { timeout: request.timeout, rejected_token };
        match self.javascript.call(self.number, call, request.timeout)? {
            Some(Answer::Token(token)) => Ok(token),
            Some(_) => Err(Error::new(Status::Internal, "the token provider was not asked")),
            None => {
                let waited = request.timeout.as_millis();
                let message = format!("the token provider did not return within {waited} ms");
                Err(Error::new(Status::Timeout, message))
            }
        }
    }
}
