//! Proof Key for Code Exchange (RFC 7636): only the client that requested a code can redeem it.

use crate::clock::Random;
use crate::error::{Error, Result, Status};
use crate::secret::Secret;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// The only method in use; there is no fallback to `plain` (RFC 7636 7.2).
pub const METHOD: &str = "S256";

/// A code verifier: 256 random bits, made for one attempt.
#[derive(Debug)]
pub struct Verifier(Secret);

impl Verifier {
    /// A new verifier.
    ///
    /// Errors: INTERNAL (no random numbers).
    pub fn new(random: &dyn Random) -> Result<Self> {
        random_text(random).map(Verifier)
    }

    /// BASE64URL(SHA256(ASCII(verifier))), without padding (RFC 7636 4.2).
    pub fn challenge(&self) -> String {
        let digest =
            aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, self.expose().as_bytes());
        URL_SAFE_NO_PAD.encode(digest)
    }

    /// The verifier itself, for the token request.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }
}

/// 256 random bits as 43 characters that are safe in every context: a verifier, a state, a nonce.
///
/// Errors: INTERNAL.
pub(crate) fn random_text(random: &dyn Random) -> Result<Secret> {
    let mut bytes = zeroize::Zeroizing::new([0u8; 32]);
    random
        .fill(bytes.as_mut_slice())
        .map_err(|_| Error::new(Status::Internal, "the operating system gave no random numbers"))?;
    Ok(Secret::from(URL_SAFE_NO_PAD.encode(bytes.as_slice())))
}
