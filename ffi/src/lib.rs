//! The C interface of planetkey: opaque handles over the crate `planetkey`, and nothing else.
//!
//! The documentation of every function is written for readers of `include/planetkey.h`, which cbindgen makes from this
//! crate; the header's first comment is the manual (it stands in `ffi/cbindgen.toml`). One module per type:
//!
//! - `boundary` is the only place where a result becomes a status, an out-parameter and an error, and where a panic stops;
//! - `handle` and `input` turn pointers from C into references and text, and check them;
//! - `settings` is what all options have in common;
//! - the others are the functions, each written out by hand because cbindgen does not see what a macro makes.
//!
//! Rules about tokens, hosts and files live in the core.

// The type names are C's, so that the header needs no table of renamings.
#![allow(non_camel_case_types)]
// What C has to keep to is said for C readers in the words of each parameter.
#![allow(clippy::missing_safety_doc)]
// `@param[in]` is Doxygen, not a link.
#![allow(rustdoc::broken_intra_doc_links)]

mod authorization;
mod boundary;
mod error;
mod exit;
mod gdal;
mod gdal_options;
mod handle;
mod identity;
mod input;
mod log;
mod login;
mod login_options;
mod login_result;
mod options;
mod options_handle;
mod prompt;
mod session;
mod session_info;
mod status;
mod storage;
mod string;
mod url;
mod version;

pub use authorization::*;
pub use error::*;
pub use exit::*;
pub use gdal::*;
pub use gdal_options::*;
pub use identity::*;
pub use log::*;
pub use login::*;
pub use login_options::*;
pub use login_result::*;
pub use options::*;
pub use prompt::*;
pub use session::*;
pub use session_info::*;
pub use status::*;
pub use storage::*;
pub use string::*;
pub use url::*;
pub use version::*;
