//! What is known about a store or a `storage_command`, for `status()`.

use crate::text::one_line;

/// What is known about the store of a session, or about the `storage_command` that saves it. Nothing
/// is sent or run to find out: it is what the last command or run showed.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreStatus {
    /// Its URL without user, password and parameters; `storage_command` and the program.
    pub name: String,
    /// Whether it could be used; `None` before the first command or run.
    pub reachable: Option<bool>,
    /// What it holds for this session; `None` before it was read.
    pub holds: Option<&'static str>,
    /// Why it could not be used, or is not used.
    pub problem: Option<String>,
}

impl StoreStatus {
    /// Nothing is known yet.
    pub(crate) fn unknown(name: &str) -> Self {
        StoreStatus { name: name.to_owned(), reachable: None, holds: None, problem: None }
    }

    /// It is not used, for this reason.
    pub(crate) fn unused(name: &str, why: &str) -> Self {
        StoreStatus { problem: Some(one_line(why, 300)), ..StoreStatus::unknown(name) }
    }

    pub(super) fn reached(&mut self) {
        (self.reachable, self.problem) = (Some(true), None);
    }

    pub(super) fn failed(&mut self, why: &str) {
        (self.reachable, self.problem) = (Some(false), Some(one_line(why, 300)));
    }
}
