//! What became of a refresh token at its server.

use crate::error::Error;

/// What became of a refresh token at its server (RFC 7009).
#[derive(Clone, Debug)]
pub enum Revocation {
    /// There was none, or nobody asked for it.
    NotAsked,
    /// The server does not accept it any more.
    Revoked,
    /// Nobody knows: the server did not say that it has revoked it, and it must be taken to be alive.
    Unknown(Error),
}

impl Revocation {
    /// `none`, `revoked` or `unknown`.
    pub const fn name(&self) -> &'static str {
        match self {
            Revocation::NotAsked => "none",
            Revocation::Revoked => "revoked",
            Revocation::Unknown(_) => "unknown",
        }
    }
}
