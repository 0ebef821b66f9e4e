//! The endpoints of an authorization server.

use crate::deployment::InsecureLoopback;
use crate::error::Result;
use crate::oauth::metadata::Metadata;
use crate::profile::client_config::OAuthClient;

/// The endpoints of a server other than its token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Authorization,
    DeviceAuthorization,
    Revocation,
    Introspection,
    Userinfo,
    Jwks,
}

impl Endpoint {
    /// The member of the server's metadata that names it.
    pub(crate) const fn member(self) -> &'static str {
        match self {
            Endpoint::Authorization => "authorization_endpoint",
            Endpoint::DeviceAuthorization => "device_authorization_endpoint",
            Endpoint::Revocation => "revocation_endpoint",
            Endpoint::Introspection => "introspection_endpoint",
            Endpoint::Userinfo => "userinfo_endpoint",
            Endpoint::Jwks => "jwks_uri",
        }
    }

    pub(super) fn in_metadata(self, metadata: &Metadata) -> Option<&str> {
        let named = match self {
            Endpoint::Authorization => &metadata.authorization_endpoint,
            Endpoint::DeviceAuthorization => &metadata.device_authorization_endpoint,
            Endpoint::Revocation => &metadata.revocation_endpoint,
            Endpoint::Introspection => &metadata.introspection_endpoint,
            Endpoint::Userinfo => &metadata.userinfo_endpoint,
            Endpoint::Jwks => &metadata.jwks_uri,
        };
        named.as_deref()
    }
}

/// Endpoints that the configuration names, which take precedence over the server's metadata.
pub(super) struct Endpoints(Vec<(Endpoint, url::Url)>);

impl Endpoints {
    /// Errors: MISCONFIGURED.
    pub(super) fn new(client: &OAuthClient, insecure_loopback: InsecureLoopback) -> Result<Self> {
        let named = [
            (Endpoint::Authorization, &client.authorization_endpoint),
            (Endpoint::DeviceAuthorization, &client.device_authorization_endpoint),
            (Endpoint::Revocation, &client.revocation_endpoint),
            (Endpoint::Introspection, &client.introspection_endpoint),
            (Endpoint::Userinfo, &client.userinfo_endpoint),
            (Endpoint::Jwks, &client.jwks_endpoint),
        ];
        let parsed = named
            .into_iter()
            .filter_map(|(endpoint, url)| Some((endpoint, url.as_deref()?)))
            .map(|(endpoint, url)| {
                Ok((endpoint, crate::oauth::endpoint(url, endpoint.member(), insecure_loopback)?))
            });
        parsed.collect::<Result<_>>().map(Endpoints)
    }

    pub(super) fn get(&self, wanted: Endpoint) -> Option<&url::Url> {
        self.0.iter().find(|(endpoint, _)| *endpoint == wanted).map(|(_, url)| url)
    }
}
