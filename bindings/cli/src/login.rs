//! `planetkey login`: which credential, which profile, and what to ask before.

use planetkey::deployment::PROFILE_PLANET_USER;
use planetkey::environment::variable;
use planetkey::profile::client_config::{ClientConfig, Grant};
use planetkey::profile::precedence::{self, FoundCredential, Level};
use planetkey::profile::store::M2mLogin;
use planetkey::profile::{Profiles, SystemEnvironment, load, names};
use planetkey::secret::Secret;
use planetkey::{LoginResult, Named, Options, Result, Session};
use serde_json::json;

use crate::arguments::{Login, Shared};
use crate::session::{Secrets, encryption, needs_disk, options};
use crate::streams::{Streams, mistake};
use crate::user_login;

/// What the login does.
enum Plan {
    SaveApiKey {
        api_key: Secret,
        profile: Option<String>,
    },
    SaveClient(M2mLogin),
    /// The profile already contains an API key.
    UseApiKey {
        profile: String,
    },
    /// The profile already contains an M2M client.
    UseClient {
        profile: String,
    },
    /// The profile of a user.
    LogUserIn {
        profile: String,
    },
}

/// The outcome.
enum Done {
    Saved { verified: bool },
    LoggedIn(Box<LoginResult>),
}

/// Saves a credential in a profile, or logs a user in.
pub(crate) fn run(login: &Login, shared: &Shared, streams: &mut Streams<'_>) -> Result<String> {
    needs_disk(shared, "log in for")?;
    if shared.api_key_transport.is_some() {
        return Err(mistake(
            "--api-key-transport is for one command and cannot be saved; leave it out",
        ));
    }
    let options = options(shared);
    let profiles = options.profiles()?;
    let (plan, is_from_environment) = plan(login, shared, &profiles, streams)?;
    plan.check(login)?;
    let name = plan.profile(&profiles)?;
    // Asked before anything is done, so that a question without an answer changes nothing.
    let make_default = becomes_default(login, &profiles, &name, streams)?;
    // Log records would break the line that counts down.
    let counts_down = shared.verbose == 0;
    let done = plan.carry_out(login, &profiles, &options, counts_down, streams)?;
    streams.say(&match &done {
        Done::Saved { verified } => format!("{} the profile {name}", plan.outcome(*verified)),
        Done::LoggedIn(logged_in) => user_login::summary(logged_in),
    });
    if make_default {
        profiles.set_default(&name)?;
        streams.say(&format!("{name} is now the default profile"));
    }
    if !is_from_environment {
        note_precedence(&options, &name, streams);
    }
    if !login.json {
        return Ok(String::new());
    }
    let summary = profiles.summary(&name)?;
    let object = match done {
        Done::Saved { verified } => json!({
            "profile": name,
            "client_type": summary.client_type,
            "verified": verified,
            "default": summary.selected,
            "file": summary.file.map(|file| file.display().to_string()),
            "expires_at": summary.expires_at,
        }),
        Done::LoggedIn(logged_in) => {
            let mut object = logged_in.to_json();
            object["client_type"] = summary.client_type.into();
            object["default"] = summary.selected.into();
            object
        }
    };
    Ok(crate::text::json(&object))
}

impl Plan {
    /// The profile of the login. Errors: those of the core, for a profile that cannot be written.
    fn profile(&self, profiles: &Profiles) -> Result<String> {
        match self {
            Plan::SaveApiKey { profile, .. } => profiles.api_key_profile(profile.as_deref()),
            Plan::SaveClient(client) => profiles.m2m_profile(client),
            Plan::UseApiKey { profile }
            | Plan::UseClient { profile }
            | Plan::LogUserIn { profile } => Ok(profile.clone()),
        }
    }

    /// Checks that the other options fit. Errors: INVALID_ARGUMENT.
    fn check(&self, login: &Login) -> Result<()> {
        let is_of_user = matches!(self, Plan::LogUserIn { .. });
        if !login.scopes.is_empty() && !is_of_user && !matches!(self, Plan::SaveClient(_)) {
            return Err(mistake(
                "--scope is for the login of a user or with --auth-client-id; leave it out",
            ));
        }
        if login.user.is_named() && !is_of_user {
            return Err(mistake(
                "this login needs no user; leave out the options of user logins, or name the profile of a user",
            ));
        }
        if is_of_user && (login.no_verify || login.sops) {
            return Err(mistake(
                "--no-verify and --sops are for an API key or an M2M client; leave them out",
            ));
        }
        Ok(())
    }

    fn carry_out(
        &self,
        login: &Login,
        profiles: &Profiles,
        options: &Options,
        counts_down: bool,
        streams: &mut Streams<'_>,
    ) -> Result<Done> {
        match self {
            Plan::LogUserIn { profile } => {
                return user_login::log_in(login, profile, options, counts_down, streams)
                    .map(|logged_in| Done::LoggedIn(Box::new(logged_in)));
            }
            Plan::SaveApiKey { api_key, profile } => {
                profiles.save_api_key_as(profile.as_deref(), api_key, encryption(login.sops))?;
            }
            Plan::SaveClient(client) if login.no_verify => {
                profiles.save_m2m(client, encryption(login.sops))?;
            }
            Plan::SaveClient(client) => {
                Session::login_m2m(client, encryption(login.sops), options)?;
                return Ok(Done::Saved { verified: true });
            }
            Plan::UseClient { profile } if !login.no_verify => {
                let named = Named { profile: Some(profile.clone()), ..Named::default() };
                Session::from_named(&named, options)?.refresh()?;
                return Ok(Done::Saved { verified: true });
            }
            Plan::UseApiKey { .. } | Plan::UseClient { .. } => {}
        }
        Ok(Done::Saved { verified: false })
    }

    fn outcome(&self, verified: bool) -> &'static str {
        match self {
            Plan::SaveApiKey { .. } => "the API key is saved in",
            Plan::SaveClient(_) if verified => "the client works and is saved in",
            Plan::SaveClient(_) => "the client is saved, not verified, in",
            Plan::UseApiKey { .. } => "an API key is already saved in",
            Plan::UseClient { .. } if verified => "the saved client still works in",
            Plan::UseClient { .. } => "a client is already saved, not verified, in",
            Plan::LogUserIn { .. } => "a user is logged in to",
        }
    }
}

/// The plan by the options, else by the environment, else by the default profile; and whether it
/// was the environment.
fn plan(
    login: &Login,
    shared: &Shared,
    profiles: &Profiles,
    streams: &mut Streams<'_>,
) -> Result<(Plan, bool)> {
    let names_a_key =
        login.with_api_key || shared.auth_api_key.is_some() || shared.auth_api_key_file.is_some();
    if login.user.is_named() && (names_a_key || shared.auth_client_id.is_some()) {
        return Err(mistake(
            "an API key or an M2M client needs no user; leave out the options of user logins",
        ));
    }
    let names_a_secret =
        shared.auth_client_secret.is_some() || shared.auth_client_secret_file.is_some();
    if names_a_key && (names_a_secret || shared.auth_client_id.is_some()) {
        return Err(mistake("a login saves one credential; name an API key or a client, not both"));
    }
    if names_a_secret && shared.auth_client_id.is_none() {
        return Err(mistake("a client secret was given without its id; add --auth-client-id"));
    }
    for (option, value) in [
        ("--auth-client-secret", &shared.auth_client_secret),
        ("--auth-api-key", &shared.auth_api_key),
    ] {
        if value.is_some() {
            streams.note(&format!(
                "every user of this machine can see the value of {option} while the command runs; {option}-file hides it"
            ));
        }
    }
    let profile = shared.profile.clone();
    if names_a_key {
        let named = Secrets::read(shared, streams)?.api_key;
        let (api_key, is_from_environment) = match (named, login.with_api_key) {
            (Some(api_key), false) => (api_key, false),
            (Some(_), true) => {
                return Err(mistake(
                    "--with-api-key and an API key exclude each other; leave one out",
                ));
            }
            (None, _) => match in_environment(profiles)?.into_iter().find_map(api_key_of) {
                Some(api_key) => (api_key, true),
                None => (
                    streams.ask_secret(
                        "API key:",
                        "name a file with --auth-api-key-file, or set PL_API_KEY",
                    )?,
                    false,
                ),
            },
        };
        return Ok((Plan::SaveApiKey { api_key, profile }, is_from_environment));
    }
    if let Some(client_id) = &shared.auth_client_id {
        let of_environment =
            |found| client_of(found).filter(|client| client.client_id == *client_id);
        let (client_secret, is_from_environment) = match Secrets::read(shared, streams)?
            .client_secret
        {
            Some(client_secret) => (client_secret, false),
            None => match in_environment(profiles)?.into_iter().find_map(of_environment) {
                Some(client) => (client.client_secret, true),
                None => {
                    let question = format!("Secret of the client {client_id}:");
                    (
                        streams
                            .ask_secret(&question, "name a file with --auth-client-secret-file")?,
                        false,
                    )
                }
            },
        };
        let client = M2mLogin {
            client_id: client_id.clone(),
            client_secret,
            scopes: login.scopes.clone(),
            profile,
        };
        return Ok((Plan::SaveClient(client), is_from_environment));
    }
    plan_without_credential(login, profile, profiles)
}

fn plan_without_credential(
    login: &Login,
    profile: Option<String>,
    profiles: &Profiles,
) -> Result<(Plan, bool)> {
    let exists = |name: &str| names::is_built_in(name) || profiles.summary(name).is_ok();
    if let Some(name) = &profile
        && exists(name)
    {
        return Ok((use_profile(name, profiles)?, false));
    }
    if profile.is_none()
        && let Some(name) = variable(&SystemEnvironment, "PL_AUTH_PROFILE")?
    {
        return Ok((use_profile(&name, profiles)?, true));
    }
    if login.user.is_named() {
        // Not the credentials of the environment.
        return Ok((
            Plan::LogUserIn { profile: profile.unwrap_or_else(|| profile_of_user(profiles)) },
            false,
        ));
    }
    let first = in_environment(profiles)?.into_iter().find_map(|found| match found.config {
        ClientConfig::ApiKey { .. } => {
            api_key_of(found).map(|api_key| Plan::SaveApiKey { api_key, profile: profile.clone() })
        }
        ClientConfig::OAuth(_) => client_of(found).map(|client| {
            let scopes = if login.scopes.is_empty() { client.scopes } else { login.scopes.clone() };
            Plan::SaveClient(M2mLogin { scopes, profile: profile.clone(), ..client })
        }),
    });
    if let Some(plan) = first {
        return Ok((plan, true));
    }
    let name =
        profile.or_else(|| profiles.selected()).unwrap_or_else(|| PROFILE_PLANET_USER.to_owned());
    Ok((use_profile(&name, profiles)?, false))
}

/// A login with what the profile already contains.
fn use_profile(name: &str, profiles: &Profiles) -> Result<Plan> {
    let profile = name.to_owned();
    match load::open(profiles.root(), name)?.config {
        ClientConfig::ApiKey { .. } => Ok(Plan::UseApiKey { profile }),
        ClientConfig::OAuth(client) if client.client_type.grant() == Grant::ClientCredentials => {
            Ok(Plan::UseClient { profile })
        }
        ClientConfig::OAuth(_) => Ok(Plan::LogUserIn { profile }),
    }
}

/// The user's profile to log in to if none is named: the default one, if it is a user's.
fn profile_of_user(profiles: &Profiles) -> String {
    let selected = profiles
        .selected()
        .filter(|name| matches!(use_profile(name, profiles), Ok(Plan::LogUserIn { .. })));
    selected.unwrap_or_else(|| PROFILE_PLANET_USER.to_owned())
}

/// The credentials of the environment, highest precedence first.
fn in_environment(profiles: &Profiles) -> Result<Vec<FoundCredential>> {
    let (mut found, _) = precedence::find(&SystemEnvironment, profiles.root())?;
    found.retain(|found| found.level == Level::Environment && found.profile.is_none());
    Ok(found)
}

fn api_key_of(found: FoundCredential) -> Option<Secret> {
    match found.config {
        ClientConfig::ApiKey { api_key, .. } => Some(api_key),
        ClientConfig::OAuth(_) => None,
    }
}

fn client_of(found: FoundCredential) -> Option<M2mLogin> {
    match found.config {
        ClientConfig::OAuth(client) => {
            let client = *client;
            let client_secret = client.client_secret?;
            Some(M2mLogin {
                client_id: client.client_id,
                client_secret,
                scopes: client.scopes,
                profile: None,
            })
        }
        ClientConfig::ApiKey { .. } => None,
    }
}

/// Whether the profile becomes the default one. It does if there is none, as with Planet's SDK. It
/// replaces another one only if the user says so.
fn becomes_default(
    login: &Login,
    profiles: &Profiles,
    name: &str,
    streams: &mut Streams<'_>,
) -> Result<bool> {
    let Some(before) = profiles.selected() else { return Ok(true) };
    if matches!((names::directory(&before), names::directory(name)), (Ok(before), Ok(name)) if before == name)
        || login.no
    {
        return Ok(false);
    }
    if login.yes {
        return Ok(true);
    }
    let instead = format!(
        "the default profile is {before}; use --yes to make {name} the default, or --no to keep {before}"
    );
    streams.confirm(&format!("The default profile is {before}. Make {name} the default?"), &instead)
}

/// Notes that the environment takes precedence over the saved login.
fn note_precedence(options: &Options, name: &str, streams: &mut Streams<'_>) {
    let Ok(session) = Session::from_defaults(options) else { return };
    let status = session.status();
    if let Some(first) = status.sources().first()
        && first.profile.as_deref() != Some(name)
        && let Some(variables) = first.source.strip_prefix("environment: ")
    {
        streams.note(&format!(
            "the credential of the environment ({variables}) takes precedence over this profile"
        ));
    }
}
