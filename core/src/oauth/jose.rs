//! Signature algorithms and key types (RFC 7518, RFC 8037).

/// The type of a key, according to its own members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyType {
    Rsa,
    P256,
    P384,
    Ed25519,
}

/// A signature algorithm for tokens. All use a private key whose public half is in the server's key
/// set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Algorithm {
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

/// The algorithms that a client accepts if it has agreed on no other (OpenID Connect Core 3.1.3.7,
/// 7.).
pub const DEFAULT_ALGORITHMS: &[Algorithm] = &[Algorithm::Rs256];

impl Algorithm {
    const ALL: [Algorithm; 9] = [
        Algorithm::Rs256,
        Algorithm::Rs384,
        Algorithm::Rs512,
        Algorithm::Ps256,
        Algorithm::Ps384,
        Algorithm::Ps512,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::EdDsa,
    ];

    /// The algorithm with this name of RFC 7518 3.1; `None` for `none`, for shared secrets and for
    /// unknown names.
    pub fn from_name(name: &str) -> Option<Self> {
        Algorithm::ALL.into_iter().find(|algorithm| algorithm.name() == name)
    }

    /// The name of RFC 7518 3.1.
    pub const fn name(self) -> &'static str {
        match self {
            Algorithm::Rs256 => "RS256",
            Algorithm::Rs384 => "RS384",
            Algorithm::Rs512 => "RS512",
            Algorithm::Ps256 => "PS256",
            Algorithm::Ps384 => "PS384",
            Algorithm::Ps512 => "PS512",
            Algorithm::Es256 => "ES256",
            Algorithm::Es384 => "ES384",
            Algorithm::EdDsa => "EdDSA",
        }
    }

    /// The algorithms that are accepted if a server announces them
    /// (`id_token_signing_alg_values_supported`, OpenID Connect Discovery 3).
    pub const ACCEPTED: [Algorithm; 4] =
        [Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa];

    /// Those of [`Algorithm::ACCEPTED`] that a server's metadata announces; RS256 if it announces
    /// none of them.
    pub fn announced(supported: Option<&[String]>) -> Vec<Self> {
        let named =
            supported.unwrap_or_default().iter().filter_map(|name| Algorithm::from_name(name));
        let accepted: Vec<Self> =
            named.filter(|algorithm| Algorithm::ACCEPTED.contains(algorithm)).collect();
        if accepted.is_empty() { DEFAULT_ALGORITHMS.to_vec() } else { accepted }
    }

    /// The only type of key that makes such signatures.
    pub(crate) const fn key_type(self) -> KeyType {
        match self {
            Algorithm::Es256 => KeyType::P256,
            Algorithm::Es384 => KeyType::P384,
            Algorithm::EdDsa => KeyType::Ed25519,
            _ => KeyType::Rsa,
        }
    }

    pub(super) const fn implementation(self) -> jsonwebtoken::Algorithm {
        use jsonwebtoken::Algorithm as Known;
        match self {
            Algorithm::Rs256 => Known::RS256,
            Algorithm::Rs384 => Known::RS384,
            Algorithm::Rs512 => Known::RS512,
            Algorithm::Ps256 => Known::PS256,
            Algorithm::Ps384 => Known::PS384,
            Algorithm::Ps512 => Known::PS512,
            Algorithm::Es256 => Known::ES256,
            Algorithm::Es384 => Known::ES384,
            Algorithm::EdDsa => Known::EdDSA,
        }
    }
}
