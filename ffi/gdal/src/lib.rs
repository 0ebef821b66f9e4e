//! GDAL in this process, with a session's credentials: one rule for C and Python.
//!
//! planetkey neither links GDAL nor reads its headers. It looks for GDAL among the objects of the process ([`loaded`]) and calls a dozen
//! functions of its stable C interface ([`library`]):
//!
//! - GDAL reads the file that the option `GDAL_HTTP_HEADER_FILE` names once for each HTTP request of `/vsicurl/`, through its own file
//!   systems. planetkey is one of them ([`header_file`]), so a dataset that stays open gets the current token with every request.
//! - GDAL asks a callback before each `CPLHTTPFetch`, which is everything but `/vsicurl/` and the tiles of WMS ([`fetch`]).
//!
//! `installation` says which hosts, and keeps GDAL from handing the header on.

#![deny(missing_docs)]

mod fetch;
mod functions;
mod gate;
mod header_file;
mod installation;
mod leftover;
mod library;
mod loaded;
mod options;

pub use installation::Gdal;
pub use options::{Header, Options, Scope, Wait};
