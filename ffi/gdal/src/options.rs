//! How GDAL is to be given credentials.

use std::fmt;
use std::sync::Arc;

use planetkey::{Error, Result, Status};

/// Runs a call that may block, once and on the same thread.
pub type Wait = Arc<dyn Fn(&mut (dyn FnMut() + Send)) + Send + Sync>;

/// Which requests of `/vsicurl/` carry a credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Those to the session's hosts. GDAL can do that from 3.7 on.
    #[default]
    Hosts,
    /// The same, and with an older GDAL those of the names that [`crate::Gdal::path`] gives.
    Paths,
    /// All, wherever they go: for programs that read from nowhere else.
    EveryHost,
}

impl Scope {
    /// By name: `hosts`, `paths` or `every_host`.
    ///
    /// Errors: INVALID_ARGUMENT.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "hosts" => Ok(Scope::Hosts),
            "paths" => Ok(Scope::Paths),
            "every_host" => Ok(Scope::EveryHost),
            _ => Err(Error::new(Status::InvalidArgument, "scope must be hosts, paths or every_host")),
        }
    }
}

/// When GDAL learns of a new token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// With every request, for datasets that stay open too. GDAL follows redirects anew each time.
    #[default]
    Live,
    /// When a dataset is opened: it keeps that token. GDAL remembers where it was redirected to, and goes there without the token. From
    /// GDAL 3.10 on.
    AtOpen,
}

impl Header {
    /// By name: `live` or `at_open`.
    ///
    /// Errors: INVALID_ARGUMENT.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "live" => Ok(Header::Live),
            "at_open" => Ok(Header::AtOpen),
            _ => Err(Error::new(Status::InvalidArgument, "header must be live or at_open")),
        }
    }
}

/// What [`crate::Gdal::install`] takes; what is not set has its default.
#[derive(Clone)]
pub struct Options {
    /// Which requests of `/vsicurl/` carry a credential.
    pub scope: Scope,
    /// When GDAL learns of a new token.
    pub header: Header,
    /// Some of the session's hosts; without them all.
    pub hosts: Option<Vec<String>>,
    /// Whether `CPLHTTPFetch` is given credentials too. The callback for that belongs to the whole process.
    pub fetch: bool,
    /// Around a call that waits for a token on a thread of GDAL, for languages whose interpreter has a lock.
    pub wait: Option<Wait>,
}

impl Default for Options {
    fn default() -> Self {
        Options { scope: Scope::default(), header: Header::default(), hosts: None, fetch: true, wait: None }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { scope, header, hosts, fetch, wait: _ } = self;
        write!(f, "Options({scope:?}, {header:?}, {hosts:?}, fetch: {fetch})")
    }
}
