//! What a refresh is for.

/// Decides which earlier failures a refresh waits for, and whether it repeats requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// No caller waits: the cached token is still valid.
    Background,
    /// A caller waits and has no valid token.
    TokenNeeded,
    /// A caller waits for a newer token than the cached one.
    NewerWanted,
    /// As [`Purpose::NewerWanted`]; the caller asked for a refresh and may have changed something
    /// before.
    Forced,
}
