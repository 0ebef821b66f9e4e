//! Sessions on disk: failures of files, locks and other processes, and an application's own storage
//! (design, section 7).
//!
//! Names start with the number of the fault if there is one; `tests/README.md` lists them.
#![cfg(unix)]

mod by_command;
mod child_process;
mod custom;
mod damaged_files;
mod disk;
mod killed_process;
mod links;
mod locks;
mod m2m_tokens;
mod memory;
mod processes;
mod python_json;
mod refresh_races;
mod revoked_marks;
mod rotation_races;
mod stopped_process;
mod store;
mod unsaved;
mod watch;
