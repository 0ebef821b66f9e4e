//! Authentication to the Planet Insights Platform: API keys and OAuth 2.0 access tokens that stay
//! fresh and are sent only to the hosts that accept them.
//!
//! This is the synchronous core. C, C++, Python, Node and the `planetkey` command are thin layers
//! over it. Start with [`Session::builder`].
//!
//! ```no_run
//! use planetkey::Session;
//!
//! let session = Session::builder().from_defaults()?;
//! for (name, value) in session.headers("https://api.planet.com/basemaps/v1/mosaics")?.headers() {
//!     println!("{name}: {} characters", value.len());
//! }
//! # Ok::<(), planetkey::Error>(())
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

// The bindings, the command and the tests use these modules. They are not part of the public API.
#[doc(hidden)]
pub mod authorize;
#[doc(hidden)]
pub mod child;
mod client;
#[doc(hidden)]
pub mod clock;
#[doc(hidden)]
pub mod credential;
#[doc(hidden)]
pub mod deployment;
#[doc(hidden)]
pub mod environment;
#[doc(hidden)]
pub mod error;
mod file;
#[doc(hidden)]
pub mod http;
#[doc(hidden)]
pub mod jwt;
#[doc(hidden)]
pub mod login;
#[doc(hidden)]
pub mod oauth;
#[doc(hidden)]
pub mod profile;
#[doc(hidden)]
pub mod secret;
#[doc(hidden)]
pub mod secret_json;
#[doc(hidden)]
pub mod session;
#[doc(hidden)]
pub mod setting;
#[doc(hidden)]
pub mod storage;
#[doc(hidden)]
pub mod text;
#[doc(hidden)]
pub mod threads;
mod token_cache;
mod user_namespace;

pub use authorize::api_key::strip_api_key;
pub use authorize::redact::redact_url;
pub use client::{ProvidedToken, ProviderRequest, TokenProvider};
pub use credential::{ApiKeyTransport, CredentialKind, Transport};
#[doc(hidden)]
pub use error::catalogue;
pub use error::{Error, Reason, Result, Status};
pub use login::{
    BrowserLogin, BrowserOpener, DeviceLogin, LoginOptions, Method, Prompt, PromptKind, Prompter,
    QrCodeStyle,
};
pub use secret::Secret;
pub use session::{
    AccessToken, ApiResponse, Authorization, DEFAULT_TIMEOUT, Header, HostStatus, Immediate,
    Interrupt, LoginResult, LogoutResult, Options, Revocation, Revoke, Session, SessionBuilder,
    SessionStatus, SourceStatus, settle,
};
#[doc(hidden)]
pub use session::{Named, Runtime};
pub use storage::{Storage, StoreStatus};

/// Whether a log record with this target comes from this library. Only those are known to hold no
/// secret.
pub fn is_own_log_target(target: &str) -> bool {
    target.strip_prefix("planetkey").is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// The version of this library.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
