//! Authentication to the Planet Insights Platform: API keys and OAuth 2.0 access tokens, saved fresh and sent only where they belong.
//!
//! This is the synchronous core; C, C++, Python, Node and the `planetkey` command are thin layers over it.
//!
//! ```no_run
//! use planetkey::{Options, Session};
//!
//! let session = Session::from_defaults(&Options::default())?;
//! for (name, value) in session.headers("https://api.planet.com/basemaps/v1/mosaics")?.headers() {
//!     println!("{name}: {} characters", value.len());
//! }
//! # Ok::<(), planetkey::Error>(())
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

pub mod authorize;
pub mod child;
mod client;
pub mod clock;
pub mod credential;
pub mod deployment;
pub mod environment;
pub mod error;
mod file;
pub mod http;
pub mod jwt;
pub mod login;
pub mod oauth;
pub mod profile;
pub mod secret;
pub mod session;
pub mod setting;
pub mod storage;
pub mod text;
#[doc(hidden)]
pub mod threads;
mod token_cache;
mod user_namespace;

pub use authorize::api_key::strip_api_key;
pub use authorize::redact::redact_url;
pub use credential::{ApiKeyTransport, CredentialKind, Transport};
#[doc(hidden)]
pub use error::catalogue;
pub use error::{Error, Reason, Result, Status};
pub use login::{BrowserLogin, DeviceLogin, LoginOptions, Prompt, PromptKind, Prompter};
pub use session::{
    AccessToken, ApiResponse, Authorization, DEFAULT_TIMEOUT, Header, HostStatus, Immediate, Interrupt, LoginResult,
    LogoutResult, Named, Options, OtherUser, Revocation, Revoke, Runtime, Session, SessionBuilder, SessionStatus, SourceStatus,
};

/// Whether a log record with this target is this library's own: only those are known to hold no secret.
pub fn is_own_log_target(target: &str) -> bool {
    target.strip_prefix("planetkey").is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The version of this library.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
