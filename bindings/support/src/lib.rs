//! What every binding needs beside the core: the panic guard and the wait at process exit.
//!
//! It is no part of the core, because `atexit` needs unsafe code and the core has none.

#![deny(missing_docs)]

pub mod exit;
pub mod panic;
