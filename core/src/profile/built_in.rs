//! The built-in profiles, which need no file. They always take precedence over a directory of the
//! same name, as in Planet's SDK.

use super::client_config::{ClientConfig, ClientType, OAuthClient};
use crate::deployment::{
    AuthorizationServer, Deployment, PLANET_USER_CLIENT_ID, PLANET_USER_SCOPES, PROFILE_LEGACY,
    PROFILE_PLANET_M2M, PROFILE_PLANET_USER, Subject,
};
use crate::error::{Error, Result};
use crate::secret_json::Members;
use serde_json::{Value, json};

/// What the SDK writes into the configurations that it derives from its built-in ones.
const COMMENT: &str = "OIDC/OAuth server used by Planet Public API endpoints";
const COMMENT_LEGACY: &str = "Planet legacy JWT auth server used by Planet Public API endpoints";
const LEGACY_AUTH_ENDPOINT: &str = "https://api.planet.com/v0/auth/login";

/// The configuration of a built-in profile, by its name in lower case; `None` for any other name.
/// Server and audience are those of the deployment.
///
/// `stored` reads the profile's token file. Errors: MISCONFIGURED for `planet-m2m`, which is only a
/// skeleton; LOGIN_REQUIRED for `legacy` without a key.
pub(super) fn config(
    name: &str,
    stored: &dyn Fn() -> Result<Option<Members>>,
) -> Option<Result<ClientConfig>> {
    match name {
        PROFILE_PLANET_USER => Some(Ok(ClientConfig::OAuth(Box::new(OAuthClient {
            client_type: ClientType::DeviceCode,
            client_id: PLANET_USER_CLIENT_ID.to_owned(),
            scopes: PLANET_USER_SCOPES.map(str::to_owned).into(),
            ..OAuthClient::default()
        })))),
        PROFILE_PLANET_M2M => Some(Err(only_a_form())),
        PROFILE_LEGACY => Some(ClientConfig::from_members(&legacy(), stored)),
        _ => None,
    }
}

/// The configuration of a built-in profile with the members that the SDK's copy of it has.
pub(super) fn document(name: &str, deployment: &Deployment) -> Option<Result<Members>> {
    match name {
        PROFILE_PLANET_USER => Some(server(deployment, Subject::User).map(|server| {
            let mut members = server_members(server, deployment);
            set(&mut members, "client_id", json!(PLANET_USER_CLIENT_ID));
            set(&mut members, "client_type", json!(ClientType::DeviceCode.name()));
            set(&mut members, "scopes", json!(PLANET_USER_SCOPES));
            members
        })),
        PROFILE_PLANET_M2M => Some(Err(only_a_form())),
        PROFILE_LEGACY => Some(Ok(legacy())),
        _ => None,
    }
}

/// The identity of an M2M client of the deployment: what a login with its id and secret saves,
/// without the secret and the scopes.
///
/// Errors: MISCONFIGURED if the deployment has no server for M2M clients.
pub(super) fn m2m_document(deployment: &Deployment, client_id: &str) -> Result<Members> {
    let mut members = server_members(server(deployment, Subject::M2m)?, deployment);
    set(&mut members, "_hidden", json!(true));
    set(&mut members, "client_id", json!(client_id));
    set(&mut members, "client_type", json!(ClientType::ClientCredentialsSecret.name()));
    Ok(members)
}

fn server(deployment: &Deployment, subject: Subject) -> Result<&AuthorizationServer> {
    deployment.authorization_server_for(subject).ok_or_else(|| {
        Error::misconfigured(format!(
            "this deployment has no authorization server for {} tokens",
            subject.name()
        ))
    })
}

fn server_members(server: &AuthorizationServer, deployment: &Deployment) -> Members {
    let mut members = Members::default();
    if Deployment::planet().is_ok_and(|planet| planet.name == deployment.name) {
        set(&mut members, "_comment", json!(COMMENT));
    } else if Deployment::from_text(&deployment.name).is_ok() {
        // A preset: sessions of the profile then need not name it again.
        set(&mut members, "deployment", json!(deployment.name));
    }
    set(&mut members, "auth_server", json!(server.issuer));
    if let Some(audience) = &server.audience {
        set(&mut members, "audiences", json!([audience]));
    }
    members
}

fn legacy() -> Members {
    let mut members = Members::default();
    set(&mut members, "_comment", json!(COMMENT_LEGACY));
    set(&mut members, "_hidden", json!(true));
    set(&mut members, "client_type", json!("planet_legacy"));
    set(&mut members, "legacy_auth_endpoint", json!(LEGACY_AUTH_ENDPOINT));
    members
}

fn set(members: &mut Members, name: &str, value: Value) {
    members.0.insert(name.to_owned(), value);
}

fn only_a_form() -> Error {
    Error::misconfigured(
        "the profile planet-m2m is only a form: give your own client id and secret, in code or as PL_AUTH_CLIENT_ID and PL_AUTH_CLIENT_SECRET",
    )
}
