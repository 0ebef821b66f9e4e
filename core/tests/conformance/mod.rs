//! What the standards and Planet's documentation require of a client.
//!
//! Names start with the number of the assertion; `tests/README.md` lists them.

mod authorization_request;
mod authorization_response;
mod client_authentication;
mod device_code;
mod discovery;
mod endpoints;
mod id_token;
mod refresh;
mod revocation_introspection;
#[cfg(unix)]
mod storage;
mod token_response;
mod using_tokens;
