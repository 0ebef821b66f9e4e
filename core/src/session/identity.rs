//! Who is logged in: ID token, userinfo, introspection.

use super::Session;
use super::client::Client;
use super::endpoints::Endpoint;
use super::interruptible::interruptibly;
use super::person::Person;
use super::renewing::Renewing;
use crate::error::{Error, Result, Status};
use crate::http::{Http, Patience};
use crate::oauth::id_token::{self, Algorithm, Claims, DEFAULT_ALGORITHMS, Expected, Verification};
use crate::oauth::jwks::{self, Jwks};
use crate::oauth::metadata::Metadata;
use crate::oauth::{exchange, introspection, userinfo};
use crate::secret::Secret;
use crate::text::one_line;
use serde_json::{Map, Value};
use std::sync::Arc;
use std::time::Duration;

/// Keys are asked for again after this: one that a server has withdrawn is not trusted for longer.
const KEYS_AGE_MS: u64 = 10 * 60 * 1000;
/// A token with an unknown key makes the keys be asked for again, but not more often than this.
const KEYS_SPACING_MS: u64 = 60 * 1000;

impl Session {
    /// What the server says of the person who is logged in (OpenID Connect Core 5.3): `sub`, and by scope name, e-mail address and more. The
    /// subject is compared with the session's own.
    ///
    /// Blocks; uses the network. Errors: UNSUPPORTED where nobody logs in to this session or the server has no such endpoint, LOGIN_REQUIRED,
    /// MISCONFIGURED (the scope `openid` was not granted), TOKEN_INVALID (`bad_subject`), UNAVAILABLE, TIMEOUT, CANCELLED, PROTOCOL.
    pub fn userinfo(&self) -> Result<Map<String, Value>> {
        let person = self.person()?;
        person.userinfo().map_err(|error| error.with_profile(person.profile()))
    }

    /// The claims of the session's ID token, verified against the server's keys: who logged in, and when. It may be older than the access token,
    /// so that it has expired says nothing.
    ///
    /// Blocks; uses the network where the keys are not at hand. Errors: UNSUPPORTED where nobody logs in to this session, LOGIN_REQUIRED where
    /// nobody has, MISCONFIGURED where the scope `openid` was not asked for, TOKEN_INVALID, UNAVAILABLE, TIMEOUT, CANCELLED, PROTOCOL.
    pub fn id_token_claims(&self) -> Result<Map<String, Value>> {
        let person = self.person()?;
        person.id_token_claims().map_err(|error| error.with_profile(person.profile()))
    }

    /// What the server says of a token (RFC 7662), `active` first; of the session's own access token where none is given.
    ///
    /// Blocks; uses the network. Errors: INVALID_ARGUMENT, UNSUPPORTED where the session holds no tokens or the server has no such endpoint,
    /// MISCONFIGURED, UNAVAILABLE, TIMEOUT, CANCELLED, PROTOCOL.
    pub fn introspect(&self, token: Option<&str>) -> Result<Map<String, Value>> {
        let renewing = self.tokens()?.clone();
        let (token, hint) = match token {
            Some("") => return Err(Error::invalid_argument("give the token that is asked about, or none for the session's own")),
            Some(token) => (Secret::from(token), None),
            None => (Secret::from(renewing.current(self.wait())?.token()), Some("access_token")),
        };
        let timeout = self.timeout;
        interruptibly(self.wait(), "the introspection", move || {
            let (http, client) = (&renewing.http, &renewing.client);
            let deadline_ms = deadline_ms(http, timeout);
            let endpoint = client.required_endpoint(Endpoint::Introspection, http, Patience::Patient, deadline_ms)?;
            let (_, authentication) = client.token_endpoint(http, Patience::Patient, deadline_ms)?;
            let answer =
                introspection::introspect(http, &endpoint, &authentication, &token, hint, Patience::Patient, deadline_ms)?;
            Ok(answer.members)
        })
    }
}

impl Person {
    fn userinfo(&self) -> Result<Map<String, Value>> {
        let snapshot = self.renewing().current(self.wait())?;
        let members = match self.ask_userinfo(snapshot.token()) {
            Err(error) if error.http_status() == Some(401) && self.takes_another_token(snapshot.token()) => {
                self.ask_userinfo(self.renewing().current(self.wait())?.token())
            }
            answer => answer,
        }?;
        let stored = self.stored();
        let id_token = stored.as_ref().and_then(|stored| stored.tokens.id_token());
        if let Some(subject) = id_token.and_then(|token| crate::jwt::text_claim(token, "sub")) {
            userinfo::check_subject(&members, &subject)?;
        }
        Ok(members)
    }

    /// Takes a refused token out of use, unless somebody has done so already.
    fn takes_another_token(&self, refused: &str) -> bool {
        let renewing = self.renewing();
        renewing.invalidate(refused) || !renewing.holds(refused) || renewing.is_rejected()
    }

    fn ask_userinfo(&self, access_token: &str) -> Result<Map<String, Value>> {
        let (person, token) = (self.clone(), Secret::from(access_token));
        interruptibly(self.wait(), "asking for userinfo", move || {
            let http = person.http();
            let deadline_ms = deadline_ms(http, person.timeout());
            let endpoint = person.client().required_endpoint(Endpoint::Userinfo, http, Patience::Patient, deadline_ms)?;
            userinfo::request(http, &endpoint, &token, Patience::Patient, deadline_ms).map_err(|error| {
                match error.http_status() {
                    Some(403) => exchange::reworded(
                        &error,
                        error.status(),
                        &format!("the access token does not open the userinfo endpoint; {}", person.log_in_for_openid()),
                    ),
                    _ => error,
                }
            })
        })
    }

    /// A login asks for the scopes that it names and for no other: openid alone would cost the session all that it is for.
    fn log_in_for_openid(&self) -> String {
        let mut scopes: Vec<&str> = self.client().scopes().iter().map(String::as_str).collect();
        for scope in ["openid", "profile", "email"] {
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        let scopes = crate::text::one_line(&scopes.join(" --scope "), 300);
        let profile = self.profile().map(|profile| format!("--profile {} ", crate::text::one_line(profile, 100)));
        format!(
            "log in again with openid beside all other scopes, as by `planetkey login {}--force --scope {scopes}`",
            profile.unwrap_or_default()
        )
    }

    fn id_token_claims(&self) -> Result<Map<String, Value>> {
        // Whoever has been logged out has no ID token either.
        self.renewing().current(self.wait())?;
        let stored = self.stored();
        let id_token = stored
            .as_ref()
            .and_then(|stored| stored.tokens.id_token())
            .ok_or_else(|| Error::misconfigured(format!("the session has no ID token; {}", self.log_in_for_openid())))?;
        self.verify_id_token(Secret::from(id_token), None, false).map(|claims| claims.0)
    }

    /// Errors: TOKEN_INVALID, UNSUPPORTED where the server publishes no keys, UNAVAILABLE, TIMEOUT, CANCELLED, PROTOCOL.
    pub(super) fn verify_id_token(&self, id_token: Secret, nonce: Option<String>, check_expiry: bool) -> Result<Claims> {
        let person = self.clone();
        interruptibly(self.wait(), "verifying the ID token", move || {
            let (http, client) = (person.http(), person.client());
            let deadline_ms = deadline_ms(http, person.timeout());
            let algorithms = client.id_token_algorithms(Algorithm::named_by(id_token.expose()), http, deadline_ms)?;
            for refetch in [false, true] {
                let keys = client.keys(http, refetch, deadline_ms)?;
                let expected = Expected {
                    issuer: client.issuer(),
                    client_id: client.client_id(),
                    nonce: nonce.as_deref(),
                    algorithms: &algorithms,
                    now: http.clock().now().unix_ms / 1000,
                    check_expiry,
                };
                if let Verification::Valid(claims) =
                    id_token::verify(id_token.expose(), &keys, &expected).map_err(|error| client.of_issuer(error))?
                {
                    return Ok(claims);
                }
            }
            Err(id_token::unknown_key())
        })
    }
}

impl Renewing {
    /// Why a saved session is not used whose token another issuer names: Planet's SDK does, and sends the refresh token to a server that did not
    /// issue it.
    pub(super) fn of_another_issuer(&self) -> Option<Error> {
        let theirs = one_line(&self.storage.other_issuer()?, 200);
        let saved = self.storage.path().map_or_else(|| "the application's storage".to_owned(), |path| path.display().to_string());
        let configuration =
            self.client.config_file().map_or_else(|| "the client's configuration".to_owned(), |file| file.display().to_string());
        let mine = one_line(self.client.issuer(), 200);
        let log_in = self.log_in_again();
        let message = format!(
            "the saved session in {saved} is not used: its token is from the issuer '{theirs}', and the server of this client is '{mine}', by \
             {configuration}. If both are one server, set issuer to '{theirs}' there; otherwise {log_in}"
        );
        Some(Error::new(Status::LoginRequired, message).with_reason("never_logged_in"))
    }
}

impl Client {
    /// How ID tokens may be signed: as the server announces, within [`Algorithm::ACCEPTED`]; with RS256 where it announces nothing (OpenID
    /// Connect Core 3.1.3.7, 7.). `named`: what the token says of itself.
    ///
    /// Errors: as [`crate::oauth::metadata::fetch`], but for a server without metadata.
    fn id_token_algorithms(&self, named: Option<Algorithm>, http: &Http, deadline_ms: u64) -> Result<Vec<Algorithm>> {
        // A client whose configuration names the keys needs no metadata for what is accepted anyway.
        if self.is_configured(Endpoint::Jwks) && named.is_none_or(|named| DEFAULT_ALGORITHMS.contains(&named)) {
            return Ok(DEFAULT_ALGORITHMS.to_vec());
        }
        let announced = |metadata: &Metadata| Algorithm::announced(metadata.id_token_signing_alg_values_supported.as_deref());
        let accepted = match self.metadata(http, Patience::Patient, deadline_ms) {
            Ok(metadata) => announced(&metadata.0),
            Err(error) if error.status() == Status::Misconfigured => return Ok(DEFAULT_ALGORITHMS.to_vec()),
            Err(error) => return Err(error),
        };
        let may_be_new = named.is_some_and(|named| Algorithm::ACCEPTED.contains(&named) && !accepted.contains(&named));
        match may_be_new.then(|| self.newer_metadata(http, Patience::Patient, deadline_ms)).flatten() {
            Some(newer) => Ok(announced(&newer.0)),
            None => Ok(accepted),
        }
    }

    /// The server's keys: the last copy while it is young. `refetch`: a key was not among them, so they are asked for again unless that was
    /// done a moment ago.
    fn keys(&self, http: &Http, refetch: bool, deadline_ms: u64) -> Result<Arc<Jwks>> {
        let now = http.clock().now();
        if let Some(cached) = self.keys.load_full() {
            let age_ms = now.monotonic_ms.saturating_sub(cached.1.monotonic_ms);
            if age_ms < if refetch { KEYS_SPACING_MS } else { KEYS_AGE_MS } {
                return Ok(Arc::new(cached.0.clone()));
            }
        }
        let uri = self.required_endpoint(Endpoint::Jwks, http, Patience::Patient, deadline_ms)?;
        let keys = jwks::fetch(http, &uri, Patience::Patient, deadline_ms)?;
        self.keys.store(Some(Arc::new((keys.clone(), now))));
        Ok(Arc::new(keys))
    }
}

pub(crate) fn deadline_ms(http: &Http, timeout: Duration) -> u64 {
    http.clock().now().plus_ms(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX)).monotonic_ms
}
