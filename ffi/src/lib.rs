//! The C interface of planetkey: opaque handles over the crate `planetkey`.
//!
//! The documentation of every function is written for readers of `include/planetkey.h`, which
//! cbindgen generates from this crate. The header's first comment is the manual; it is in
//! `ffi/cbindgen.toml`.
//!
//! - [`boundary`] turns results into statuses, out-parameters and errors, and stops panics.
//! - [`handle`] and [`input`] check pointers from C and turn them into references and text.
//! - [`options_handle`] is what all handles of options have in common.
//! - The other modules are the extern functions. Each is written out, because cbindgen does not see
//!   what a macro generates.
//!
//! Rules about tokens, hosts and files are in the core.

// The types have their names in C, so that the header needs no table of renamings.
#![allow(non_camel_case_types)]
// The documentation of the parameters says what C must do.
#![allow(clippy::missing_safety_doc)]
// `@param[in]` is Doxygen's, not a link. The links above are to private modules.
#![allow(rustdoc::broken_intra_doc_links, rustdoc::private_intra_doc_links)]

// The order of these modules is the order of the functions in the header.

// Sessions.
mod session;

mod provider;

mod session_info;

mod exit;

// Authorization of requests.
mod authorize;

mod authorization;

mod url;

// Logins of users.
mod login;

mod login_result;

mod prompt;

mod logout;

mod identity;

// Errors and text.
mod error;

mod status;

mod string;

// Options.
mod options;

mod login_options;

// Storage.
mod storage;

// GDAL.
mod gdal;

mod gdal_options;

// Log records and the version.
mod log;

mod version;

// No extern functions.
mod boundary;
mod handle;
mod input;
mod options_handle;
mod text;
mod user_data;

pub use authorization::*;
pub use authorize::*;
pub use error::*;
pub use exit::*;
pub use gdal::*;
pub use gdal_options::*;
pub use identity::*;
pub use log::*;
pub use login::*;
pub use login_options::*;
pub use login_result::*;
pub use logout::*;
pub use options::*;
pub use prompt::*;
pub use provider::*;
pub use session::*;
pub use session_info::*;
pub use status::*;
pub use storage::*;
pub use string::*;
pub use url::*;
pub use user_data::*;
pub use version::*;
