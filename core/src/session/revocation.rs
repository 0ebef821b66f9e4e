//! What became of a refresh token at its server.

use crate::error::Error;

/// What became of a refresh token at its server (RFC 7009).
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Revocation {
    /// There was no refresh token, or the caller did not ask to revoke it.
    #[default]
    NotAsked,
    /// The server no longer accepts it.
    Revoked,
    /// Unknown: the server did not confirm the revocation, so the token may still be valid.
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
