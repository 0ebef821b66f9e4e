//! Authorization codes and their grant (RFC 6749 4.1.3) with PKCE (RFC 7636).

use std::collections::HashMap;
use std::io;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::authorization_server::{Call, refusal};
use crate::client_authentication::{invalid_request, value};
use crate::http::{Expiry, Response};
use crate::sessions::End;
use crate::state::State;
use crate::token_endpoint::Form;
use crate::tokens::random_text;
use crate::user_tokens::Grant;

/// All issued codes, used or unused.
#[derive(Default)]
pub(crate) struct Codes {
    codes: HashMap<String, Code>,
}

struct Code {
    grant: Grant,
    redirect_uri: String,
    challenge: String,
    expiry: Expiry,
    used: bool,
    /// The session that the code started.
    session: Option<usize>,
}

impl Codes {
    pub(crate) fn issue(
        &mut self,
        grant: Grant,
        redirect_uri: &str,
        challenge: &str,
        lifetime: u64,
    ) -> io::Result<String> {
        let code = random_text(24)?;
        let known = Code {
            grant,
            redirect_uri: redirect_uri.to_owned(),
            challenge: challenge.to_owned(),
            expiry: Expiry::after(lifetime),
            used: false,
            session: None,
        };
        self.codes.insert(code.clone(), known);
        Ok(code)
    }
}

pub(crate) fn respond(
    call: &Call,
    state: &mut State,
    client: &str,
    form: &Form,
) -> Result<Value, Response> {
    let missing = |name: &str| invalid_request(&format!("Missing form parameter: {name}"));
    let code = value(form, "code").ok_or_else(|| missing("code"))?;
    let redirect_uri = value(form, "redirect_uri").ok_or_else(|| missing("redirect_uri"))?;
    let verifier = value(form, "code_verifier").ok_or_else(|| missing("code_verifier"))?;
    if !is_verifier(verifier) {
        return Err(invalid_request("code_verifier is 43 to 128 unreserved characters"));
    }
    let issuer = call.server.issuer(call.origin);
    let invalid_grant = |description| refusal(400, "invalid_grant", description);
    let known = state
        .codes
        .codes
        .get_mut(code)
        .ok_or_else(|| invalid_grant("Invalid authorization code"))?;
    // An attempt of another client does not use up the code.
    if known.grant.client != client || known.grant.issuer != issuer {
        return Err(invalid_grant("Invalid authorization code"));
    }
    if known.used {
        // RFC 6749 4.1.2: a code that is used twice has leaked, so its session ends.
        if let Some(session) = known.session {
            state.sessions.end(session, End::CodeReuse);
        }
        return Err(invalid_grant("The authorization code was used before"));
    }
    // The first attempt uses up the code, also if it fails.
    known.used = true;
    if known.expiry.has_passed() {
        return Err(invalid_grant("The authorization code has expired"));
    }
    if known.redirect_uri != redirect_uri {
        return Err(invalid_grant("redirect_uri is not that of the authorization request"));
    }
    if known.challenge != challenge(verifier) {
        return Err(invalid_grant("Failed to verify code verifier"));
    }
    let grant = known.grant.clone();
    let (session, response) = grant
        .open(call, state)
        .map_err(|error| refusal(500, "server_error", &error.to_string()))?;
    if let Some(known) = state.codes.codes.get_mut(code) {
        known.session = Some(session);
    }
    Ok(response)
}

/// RFC 7636 4.1.
fn is_verifier(text: &str) -> bool {
    (43..=128).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte))
}

/// RFC 7636 4.2, S256.
fn challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()))
}

/// Whether this has the form of an S256 challenge: 32 bytes, without padding.
pub(crate) fn is_challenge(text: &str) -> bool {
    URL_SAFE_NO_PAD.decode(text).is_ok_and(|bytes| bytes.len() == 32)
}

#[cfg(test)]
mod tests {
    use super::{challenge, is_challenge};

    #[test]
    fn the_challenge_is_that_of_rfc_7636_appendix_b() {
        let expected = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
        assert_eq!(challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"), expected);
        assert!(is_challenge(expected));
        assert!(!is_challenge(&format!("{expected}=")));
    }
}
