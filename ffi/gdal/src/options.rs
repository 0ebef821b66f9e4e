//! The options of an installation.

use std::fmt;
use std::sync::Arc;

use planetkey::{Error, Result, Status};

/// Runs a call that may block, once and on the same thread.
pub type Wait = Arc<dyn Fn(&mut (dyn FnMut() + Send)) + Send + Sync>;

/// Which requests of `/vsicurl/` carry a credential.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scope {
    /// Requests to the session's hosts. Needs GDAL 3.7 or later.
    #[default]
    Hosts,
    /// The same; with an older GDAL, requests for the names that [`Gdal::path`](crate::Gdal::path)
    /// returns.
    Paths,
    /// Requests to every host: for programs that read from one server only.
    EveryHost,
}

impl Scope {
    /// The scope with this name: `hosts`, `paths` or `every_host`.
    ///
    /// Errors: INVALID_ARGUMENT.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "hosts" => Ok(Scope::Hosts),
            "paths" => Ok(Scope::Paths),
            "every_host" => Ok(Scope::EveryHost),
            _ => {
                Err(Error::new(Status::InvalidArgument, "scope must be hosts, paths or every_host"))
            }
        }
    }
}

/// When GDAL gets a new token.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Header {
    /// With every request, also for datasets that stay open. GDAL follows redirects anew each time.
    #[default]
    Live,
    /// When a dataset is opened, which keeps that token. GDAL remembers redirects and follows them
    /// without the token. Needs GDAL 3.10 or later.
    AtOpen,
}

impl Header {
    /// The value with this name: `live` or `at_open`.
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

/// The options of [`Gdal::install`](crate::Gdal::install).
#[derive(Clone)]
pub struct Options {
    /// Which requests of `/vsicurl/` carry a credential.
    pub scope: Scope,
    /// When GDAL gets a new token.
    pub header: Header,
    /// Some of the session's hosts. `None` means all of them.
    pub hosts: Option<Vec<String>>,
    /// Whether `CPLHTTPFetch` gets credentials too. Its callback belongs to the whole process.
    pub fetch: bool,
    /// Wraps a call that waits for a token on a thread of GDAL, for languages whose interpreter has
    /// a lock.
    pub wait: Option<Wait>,
}

impl Default for Options {
    fn default() -> Self {
        Options {
            scope: Scope::default(),
            header: Header::default(),
            hosts: None,
            fetch: true,
            wait: None,
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Options { scope, header, hosts, fetch, wait: _ } = self;
        write!(f, "Options({scope:?}, {header:?}, {hosts:?}, fetch: {fetch})")
    }
}
