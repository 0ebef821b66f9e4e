//! `planetkey login`: who or what is meant, where it goes, and what to ask before.

use planetkey::deployment::PROFILE_PLANET_USER;
use planetkey::environment::variable;
use planetkey::profile::client_config::{ClientConfig, Grant};
use planetkey::profile::precedence::{self, Found, Level};
use planetkey::profile::store::M2mLogin;
use planetkey::profile::{Profiles, SystemEnvironment, load, names};
use planetkey::secret::Secret;
use planetkey::{LoginResult, Named, Options, Result, Session};
use serde_json::json;

use crate::arguments::{Login, Shared};
use crate::person;
use crate::session::{Secrets, needs_disk, options};
use crate::streams::{Streams, mistake};

/// What is to be done.
enum Plan {
    KeepApiKey {
        api_key: Secret,
        profile: Option<String>,
    },
    KeepClient(M2mLogin),
    /// A profile holds an API key already.
    UseApiKey {
        profile: String,
    },
    /// A profile holds a machine-to-machine client already.
    UseClient {
        profile: String,
    },
    /// The profile of a person.
    AskPerson {
        profile: String,
    },
}

/// What came of it.
enum Done {
    Kept { verified: bool },
    LoggedIn(Box<LoginResult>),
}

/// Keeps a credential in a profile and says so.
pub(crate) fn run(login: &Login, shared: &Shared, streams: &mut Streams<'_>) -> Result<String> {
    needs_disk(shared, "log in for")?;
    if shared.api_key_transport.is_some() {
        return Err(mistake("--api-key-transport is for one command and cannot be kept; leave it out"));
    }
    let options = options(shared);
    let profiles = options.profiles()?;
    let (plan, is_from_environment) = plan(login, shared, &profiles, streams)?;
    plan.check(login)?;
    let name = plan.profile(&profiles)?;
    // Asked before anything is done: a question that nobody answers leaves everything as it was.
    let make_default = becomes_default(login, &profiles, &name, streams)?;
    // Log records would come in between.
    let counts_down = shared.verbose == 0;
    let done = plan.carry_out(login, &profiles, &options, counts_down, streams)?;
    streams.say(&match &done {
        Done::Kept { verified } => format!("{} the profile {name}", plan.tale(*verified)),
        Done::LoggedIn(logged_in) => person::tale(logged_in),
    });
    if make_default {
        profiles.set_default(&name)?;
        streams.say(&format!("{name} is the default profile now"));
    }
    if !is_from_environment {
        note_what_goes_before(&options, &name, streams);
    }
    if !login.json {
        return Ok(String::new());
    }
    let summary = profiles.summary(&name)?;
    let object = match done {
        Done::Kept { verified } => json!({
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
    /// The profile that it is about. Errors: as the core's, for one that cannot be written.
    fn profile(&self, profiles: &Profiles) -> Result<String> {
        match self {
            Plan::KeepApiKey { profile, .. } => profiles.api_key_profile(profile.as_deref()),
            Plan::KeepClient(client) => profiles.m2m_profile(client),
            Plan::UseApiKey { profile } | Plan::UseClient { profile } | Plan::AskPerson { profile } => Ok(profile.clone()),
        }
    }

    /// What was said beside it must have a meaning for it. Errors: INVALID_ARGUMENT.
    fn check(&self, login: &Login) -> Result<()> {
        let is_of_person = matches!(self, Plan::AskPerson { .. });
        if !login.scopes.is_empty() && !is_of_person && !matches!(self, Plan::KeepClient(_)) {
            return Err(mistake("--scope is for a login of a person or with --auth-client-id; leave it out"));
        }
        if login.person.is_named() && !is_of_person {
            return Err(mistake(
                "this login needs no person: leave out what says how a person logs in, or name the profile of one",
            ));
        }
        if is_of_person && (login.no_verify || login.sops) {
            return Err(mistake("--no-verify and --sops are for an API key or a machine-to-machine client; leave them out"));
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
            Plan::AskPerson { profile } => {
                return person::log_in(login, profile, options, counts_down, streams)
                    .map(|logged_in| Done::LoggedIn(Box::new(logged_in)));
            }
            Plan::KeepApiKey { api_key, profile } => {
                profiles.save_api_key_as(profile.as_deref(), api_key, login.sops)?;
            }
            Plan::KeepClient(client) if login.no_verify => {
                profiles.save_m2m(client, login.sops)?;
            }
            Plan::KeepClient(client) => {
                Session::login_m2m(client, login.sops, options)?;
                return Ok(Done::Kept { verified: true });
            }
            Plan::UseClient { profile } if !login.no_verify => {
                let named = Named { profile: Some(profile.clone()), ..Named::default() };
                Session::from_named(&named, options)?.refresh()?;
                return Ok(Done::Kept { verified: true });
            }
            Plan::UseApiKey { .. } | Plan::UseClient { .. } => {}
        }
        Ok(Done::Kept { verified: false })
    }

    fn tale(&self, verified: bool) -> &'static str {
        match self {
            Plan::KeepApiKey { .. } => "the API key is kept in",
            Plan::KeepClient(_) if verified => "the client works and is kept in",
            Plan::KeepClient(_) => "the client is kept, untried, in",
            Plan::UseApiKey { .. } => "there is an API key in",
            Plan::UseClient { .. } if verified => "the client works that is in",
            Plan::UseClient { .. } => "there is a client, untried, in",
            Plan::AskPerson { .. } => "somebody is logged in to",
        }
    }
}

/// What the options say, else the environment, else the default profile; and whether it was the environment.
fn plan(login: &Login, shared: &Shared, profiles: &Profiles, streams: &mut Streams<'_>) -> Result<(Plan, bool)> {
    let names_a_key = login.with_api_key || shared.auth_api_key.is_some() || shared.auth_api_key_file.is_some();
    if login.person.is_named() && (names_a_key || shared.auth_client_id.is_some()) {
        return Err(mistake("an API key or a client logs in without a person; leave out what says how a person logs in"));
    }
    let names_a_secret = shared.auth_client_secret.is_some() || shared.auth_client_secret_file.is_some();
    if names_a_key && (names_a_secret || shared.auth_client_id.is_some()) {
        return Err(mistake("a login keeps one credential: name an API key or a client, not both"));
    }
    if names_a_secret && shared.auth_client_id.is_none() {
        return Err(mistake("a client secret was named without its id; give --auth-client-id, too"));
    }
    for (option, value) in [("--auth-client-secret", &shared.auth_client_secret), ("--auth-api-key", &shared.auth_api_key)] {
        if value.is_some() {
            streams.note(&format!(
                "everybody on this machine can see the value of {option} while this runs; {option}-file hides it"
            ));
        }
    }
    let profile = shared.profile.clone();
    if names_a_key {
        let named = Secrets::read(shared, streams)?.api_key;
        let (api_key, is_from_environment) = match (named, login.with_api_key) {
            (Some(api_key), false) => (api_key, false),
            (Some(_), true) => return Err(mistake("--with-api-key takes no other key; leave it out")),
            (None, _) => match in_environment(profiles)?.into_iter().find_map(api_key_of) {
                Some(api_key) => (api_key, true),
                None => (streams.ask_secret("API key:", "name a file with --auth-api-key-file, or set PL_API_KEY")?, false),
            },
        };
        return Ok((Plan::KeepApiKey { api_key, profile }, is_from_environment));
    }
    if let Some(client_id) = &shared.auth_client_id {
        let of_environment = |found| client_of(found).filter(|client| client.client_id == *client_id);
        let (client_secret, is_from_environment) = match Secrets::read(shared, streams)?.client_secret {
            Some(client_secret) => (client_secret, false),
            None => match in_environment(profiles)?.into_iter().find_map(of_environment) {
                Some(client) => (client.client_secret, true),
                None => {
                    let question = format!("Secret of the client {client_id}:");
                    (streams.ask_secret(&question, "name a file with --auth-client-secret-file")?, false)
                }
            },
        };
        let client = M2mLogin { client_id: client_id.clone(), client_secret, scopes: login.scopes.clone(), profile };
        return Ok((Plan::KeepClient(client), is_from_environment));
    }
    plan_without_credential(login, profile, profiles)
}

fn plan_without_credential(login: &Login, profile: Option<String>, profiles: &Profiles) -> Result<(Plan, bool)> {
    let is_there = |name: &str| names::is_built_in(name) || profiles.summary(name).is_ok();
    if let Some(name) = &profile
        && is_there(name)
    {
        return Ok((use_profile(name, profiles)?, false));
    }
    if profile.is_none()
        && let Some(name) = variable(&SystemEnvironment, "PL_AUTH_PROFILE")?
    {
        return Ok((use_profile(&name, profiles)?, true));
    }
    if login.person.is_named() {
        // Credentials of the environment are not what was asked for.
        return Ok((Plan::AskPerson { profile: profile.unwrap_or_else(|| person_of(profiles)) }, false));
    }
    let first = in_environment(profiles)?.into_iter().find_map(|found| match found.config {
        ClientConfig::ApiKey { .. } => api_key_of(found).map(|api_key| Plan::KeepApiKey { api_key, profile: profile.clone() }),
        ClientConfig::OAuth(_) => client_of(found).map(|client| {
            let scopes = if login.scopes.is_empty() { client.scopes } else { login.scopes.clone() };
            Plan::KeepClient(M2mLogin { scopes, profile: profile.clone(), ..client })
        }),
    });
    if let Some(plan) = first {
        return Ok((plan, true));
    }
    let name = profile.or_else(|| profiles.selected()).unwrap_or_else(|| PROFILE_PLANET_USER.to_owned());
    Ok((use_profile(&name, profiles)?, false))
}

/// A login with what a profile holds already.
fn use_profile(name: &str, profiles: &Profiles) -> Result<Plan> {
    let profile = name.to_owned();
    match load::open(profiles.root(), name)?.config {
        ClientConfig::ApiKey { .. } => Ok(Plan::UseApiKey { profile }),
        ClientConfig::OAuth(client) if client.client_type.grant() == Grant::ClientCredentials => Ok(Plan::UseClient { profile }),
        ClientConfig::OAuth(_) => Ok(Plan::AskPerson { profile }),
    }
}

/// The profile of a person to log in to where none is named: the default one, if it is a person's.
fn person_of(profiles: &Profiles) -> String {
    let selected = profiles.selected().filter(|name| matches!(use_profile(name, profiles), Ok(Plan::AskPerson { .. })));
    selected.unwrap_or_else(|| PROFILE_PLANET_USER.to_owned())
}

/// The credentials that the environment holds itself, highest first.
fn in_environment(profiles: &Profiles) -> Result<Vec<Found>> {
    let (mut found, _) = precedence::find(&SystemEnvironment, profiles.root())?;
    found.retain(|found| found.level == Level::Environment && found.profile.is_none());
    Ok(found)
}

fn api_key_of(found: Found) -> Option<Secret> {
    match found.config {
        ClientConfig::ApiKey { api_key, .. } => Some(api_key),
        ClientConfig::OAuth(_) => None,
    }
}

fn client_of(found: Found) -> Option<M2mLogin> {
    match found.config {
        ClientConfig::OAuth(client) => {
            let client = *client;
            let client_secret = client.client_secret?;
            Some(M2mLogin { client_id: client.client_id, client_secret, scopes: client.scopes, profile: None })
        }
        ClientConfig::ApiKey { .. } => None,
    }
}

/// Whether the profile becomes the default one: where there is none it does, as with Planet's SDK, and another one gives way only if
/// somebody says so.
fn becomes_default(login: &Login, profiles: &Profiles, name: &str, streams: &mut Streams<'_>) -> Result<bool> {
    let Some(before) = profiles.selected() else { return Ok(true) };
    if matches!((names::directory(&before), names::directory(name)), (Ok(before), Ok(name)) if before == name) || login.no {
        return Ok(false);
    }
    if login.yes {
        return Ok(true);
    }
    let instead =
        format!("the default profile is {before}: say with --yes that {name} becomes it, or with --no that it does not");
    streams.confirm(&format!("The default profile is {before}. Make {name} the default one?"), &instead)
}

/// The environment goes before what was saved, which surprises whoever has just logged in.
fn note_what_goes_before(options: &Options, name: &str, streams: &mut Streams<'_>) {
    let Ok(session) = Session::from_defaults(options) else { return };
    let status = session.status();
    if let Some(first) = status.sources().first()
        && first.profile.as_deref() != Some(name)
        && let Some(variables) = first.source.strip_prefix("environment: ")
    {
        streams.note(&format!("{variables} of the environment goes before this profile"));
    }
}
