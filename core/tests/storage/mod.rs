//! Sessions on disk: failures of files, locks and other processes, and an application's own storage
//! (design, section 7).
//!
//! Names start with the number of the fault if there is one; `tests/README.md` lists them.
#![cfg(unix)]

mod child;
mod custom;
mod damage;
mod disk;
mod document;
mod killed;
mod links;
mod locks;
mod machines;
mod memory;
mod noticed;
mod overtaken;
mod processes;
mod stopped;
mod unsaved;
