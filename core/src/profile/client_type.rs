//! The client types of Planet's SDK that obtain tokens.

/// How tokens are refreshed without a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Grant {
    /// The client requests a token in its own name, at any time (RFC 6749 4.4).
    ClientCredentials,
    /// A user logs in once; afterwards the refresh token is used (RFC 6749 6).
    RefreshToken,
}

/// How a user logs in with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum KindOfLogin {
    /// In the browser of the same machine (RFC 6749 4.1).
    AuthorizationCode,
    /// On any device (RFC 8628).
    DeviceCode,
}

/// How a client authenticates at the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthenticationKind {
    /// Nothing: a public client.
    None,
    /// `client_secret`.
    Secret,
    /// `client_privkey` or `client_privkey_file`.
    PrivateKey,
}

/// The `client_type` of auth_client.json.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ClientType {
    /// `oidc_auth_code`: a browser login.
    AuthCode,
    /// `oidc_auth_code_secret`
    AuthCodeSecret,
    /// `oidc_auth_code_pubkey`
    AuthCodePubkey,
    /// `oidc_device_code`: a login on another device.
    DeviceCode,
    /// `oidc_device_code_secret`
    DeviceCodeSecret,
    /// `oidc_device_code_pubkey`
    DeviceCodePubkey,
    /// `oidc_client_credentials_secret`: an M2M client.
    #[default]
    ClientCredentialsSecret,
    /// `oidc_client_credentials_pubkey`
    ClientCredentialsPubkey,
    /// `oidc_resource_owner`: a login with a password, which Planet's SDK supports and planetkey
    /// does not. Its tokens are refreshed.
    ResourceOwner,
    /// `oidc_resource_owner_secret`
    ResourceOwnerSecret,
    /// `oidc_resource_owner_pubkey`
    ResourceOwnerPubkey,
}

impl ClientType {
    /// Every type.
    pub const ALL: [ClientType; 11] = [
        ClientType::AuthCode,
        ClientType::AuthCodeSecret,
        ClientType::AuthCodePubkey,
        ClientType::DeviceCode,
        ClientType::DeviceCodeSecret,
        ClientType::DeviceCodePubkey,
        ClientType::ClientCredentialsSecret,
        ClientType::ClientCredentialsPubkey,
        ClientType::ResourceOwner,
        ClientType::ResourceOwnerSecret,
        ClientType::ResourceOwnerPubkey,
    ];

    /// The name in auth_client.json: `oidc_device_code`.
    pub const fn name(self) -> &'static str {
        match self {
            ClientType::AuthCode => "oidc_auth_code",
            ClientType::AuthCodeSecret => "oidc_auth_code_secret",
            ClientType::AuthCodePubkey => "oidc_auth_code_pubkey",
            ClientType::DeviceCode => "oidc_device_code",
            ClientType::DeviceCodeSecret => "oidc_device_code_secret",
            ClientType::DeviceCodePubkey => "oidc_device_code_pubkey",
            ClientType::ClientCredentialsSecret => "oidc_client_credentials_secret",
            ClientType::ClientCredentialsPubkey => "oidc_client_credentials_pubkey",
            ClientType::ResourceOwner => "oidc_resource_owner",
            ClientType::ResourceOwnerSecret => "oidc_resource_owner_secret",
            ClientType::ResourceOwnerPubkey => "oidc_resource_owner_pubkey",
        }
    }

    /// The type with this name.
    pub fn from_name(name: &str) -> Option<ClientType> {
        ClientType::ALL.into_iter().find(|client_type| client_type.name() == name)
    }

    /// How its tokens are refreshed.
    pub const fn grant(self) -> Grant {
        match self {
            ClientType::ClientCredentialsSecret | ClientType::ClientCredentialsPubkey => {
                Grant::ClientCredentials
            }
            _ => Grant::RefreshToken,
        }
    }

    /// How a user logs in; `None` for M2M clients, and for passwords, which planetkey does not
    /// send.
    pub const fn login(self) -> Option<KindOfLogin> {
        match self {
            ClientType::AuthCode | ClientType::AuthCodeSecret | ClientType::AuthCodePubkey => {
                Some(KindOfLogin::AuthorizationCode)
            }
            ClientType::DeviceCode
            | ClientType::DeviceCodeSecret
            | ClientType::DeviceCodePubkey => Some(KindOfLogin::DeviceCode),
            _ => None,
        }
    }

    /// How it authenticates.
    pub const fn authentication(self) -> AuthenticationKind {
        match self {
            ClientType::AuthCode | ClientType::DeviceCode | ClientType::ResourceOwner => {
                AuthenticationKind::None
            }
            ClientType::AuthCodeSecret
            | ClientType::DeviceCodeSecret
            | ClientType::ClientCredentialsSecret
            | ClientType::ResourceOwnerSecret => AuthenticationKind::Secret,
            ClientType::AuthCodePubkey
            | ClientType::DeviceCodePubkey
            | ClientType::ClientCredentialsPubkey
            | ClientType::ResourceOwnerPubkey => AuthenticationKind::PrivateKey,
        }
    }
}
