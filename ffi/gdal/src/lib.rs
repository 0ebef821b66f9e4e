//! GDAL in this process with a session's credentials. The C library and the Python module share it.
//!
//! planetkey neither links GDAL nor reads its headers. It finds GDAL among the objects of the
//! process ([`loaded`]) and calls a dozen functions of its stable C interface ([`library`]):
//!
//! - For each HTTP request of `/vsicurl/`, GDAL reads the file that the option
//!   `GDAL_HTTP_HEADER_FILE` names. It opens the file through its own virtual file systems.
//!   planetkey installs one ([`header_file`]), so that a dataset that stays open sends the current
//!   token.
//! - Before each `CPLHTTPFetch` GDAL calls a callback ([`fetch`]). `CPLHTTPFetch` makes all
//!   requests except those of `/vsicurl/` and of WMS tiles.
//!
//! [`installation`] decides which hosts get a credential, and keeps GDAL from sending the
//! credential to the target of a redirect. [`gdal`] is what the bindings call.

#![deny(missing_docs)]

mod change_lock;
mod conflict;
mod fetch;
mod functions;
mod gdal;
mod header_file;
mod header_lines;
mod installation;
mod library;
mod loaded;
mod names;
mod options;

pub use gdal::Gdal;
pub use options::{Header, Options, Scope, Wait};
