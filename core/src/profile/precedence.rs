//! The available credentials, highest precedence first: the environment, configuration files, the
//! built-in profile of a user.

use super::client_config::{ClientConfig, Grant, OAuthClient};
use super::paths::Root;
use super::planet_json::{self, Preferences};
use super::{load, names, sentinelhub};
use crate::deployment::PROFILE_PLANET_USER;
use crate::environment::{Environment, secret, variable};
use crate::error::Result;
use crate::secret::Secret;

/// The level of a credential in the order of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Environment variables. They were set on purpose, so a problem with one is an error.
    Environment,
    /// Files. A problem with one is noted, and the rest is used.
    Files,
    /// The built-in profile.
    BuiltIn,
}

/// A credential and where it was found.
#[derive(Clone, Debug)]
pub struct FoundCredential {
    /// The client configuration.
    pub config: ClientConfig,
    /// Where it comes from, for users: `environment: PL_API_KEY`.
    pub source: String,
    /// The profile it belongs to.
    pub profile: Option<String>,
    /// The profile in whose directory its tokens are saved; `None` for API keys, and for a client
    /// whose id is not a valid directory name.
    pub token_profile: Option<String>,
    /// Its level in the order of precedence.
    pub level: Level,
}

/// All available credentials in their order, with notes about those that were skipped.
///
/// Reads files; writes nothing and uses no network, unless a profile is encrypted. Errors:
/// MISCONFIGURED, LOGIN_REQUIRED, UNSUPPORTED, STORAGE for a profile that the environment names and
/// that cannot be used. Another credential is never chosen instead of it.
pub fn find(
    environment: &dyn Environment,
    root: &Root,
) -> Result<(Vec<FoundCredential>, Vec<String>)> {
    let mut search =
        Search { root, found: Vec::new(), notes: Vec::new(), has_sentinelhub_client: false };
    search.environment(environment)?;
    let names_a_section = variable(environment, "SH_PROFILE")?.is_some();
    search.files(names_a_section);
    search.built_in();
    Ok((search.found, search.notes))
}

/// The profile for a login that names none: the default profile if it has a user login, else the
/// built-in one.
///
/// Reads files; writes nothing and uses no network, unless a profile is encrypted.
pub fn to_log_in(root: &Root) -> Option<FoundCredential> {
    let mut search =
        Search { root, found: Vec::new(), notes: Vec::new(), has_sentinelhub_client: false };
    let (preferences, _) = planet_json::read(root);
    if let Some(opened) = preferences.profile.and_then(|profile| load::open(root, &profile).ok())
        && matches!(&opened.config, ClientConfig::OAuth(client) if client.client_type.login().is_some())
    {
        search.add_profile(
            opened,
            format!("{}: {}", planet_json::NAME, planet_json::PROFILE),
            Level::Files,
        );
    } else {
        let opened = load::open(root, PROFILE_PLANET_USER).ok()?;
        search.add_profile(
            opened,
            format!("built-in profile: {PROFILE_PLANET_USER}"),
            Level::BuiltIn,
        );
    }
    search.found.pop()
}

struct Search<'a> {
    root: &'a Root,
    found: Vec<FoundCredential>,
    notes: Vec<String>,
    /// Whether the environment holds a client of sentinelhub.
    has_sentinelhub_client: bool,
}

impl Search<'_> {
    fn environment(&mut self, environment: &dyn Environment) -> Result<()> {
        let named = |name: &str| format!("environment: {name}");
        let level = Level::Environment;
        if let Some(profile) = variable(environment, "PL_AUTH_PROFILE")? {
            let opened = load::open(self.root, &profile)?;
            self.add_profile(opened, named("PL_AUTH_PROFILE"), level);
        }
        self.add_pair(environment, "PL_AUTH_CLIENT_ID", "PL_AUTH_CLIENT_SECRET")?;
        for name in ["PL_API_KEY", "PLANET_API_KEY"] {
            if let Some(key) = secret(environment, name)? {
                self.add_key(key.secret, named(&key.name), level);
            }
        }
        self.sentinelhub(environment)
    }

    /// Adds the environment's id and secret with the section that names their server, then the
    /// section's own client.
    fn sentinelhub(&mut self, environment: &dyn Environment) -> Result<()> {
        let names = ("SH_CLIENT_ID", "SH_CLIENT_SECRET");
        let (id, secret) = (variable(environment, names.0)?, secret(environment, names.1)?);
        let profile = variable(environment, "SH_PROFILE")?;
        if id.is_none() && secret.is_none() && profile.is_none() {
            return Ok(());
        }
        let section = match &profile {
            Some(profile) => sentinelhub::read(self.root, profile)?,
            // Without the section, the server for the secret is unknown.
            None => sentinelhub::read_default(self.root)?,
        };
        let section_name = profile.as_deref().unwrap_or(sentinelhub::DEFAULT_PROFILE);
        let is_set = (id.is_some(), secret.is_some());
        let (secret, secret_name) = match secret {
            Some(found) => (Some(found.secret), found.name),
            None => (None, names.1.to_owned()),
        };
        if is_set != (false, false) {
            match (section.with(id, secret).client(section_name), is_set) {
                (Ok(Some(config)), is_set) => {
                    let source = match is_set {
                        (true, true) => format!("environment: {}, {secret_name}", names.0),
                        (true, false) => format!(
                            "environment: {}; sentinelhub config.toml: {}",
                            names.0,
                            shown(section_name)
                        ),
                        _ => format!(
                            "environment: {secret_name}; sentinelhub config.toml: {}",
                            shown(section_name)
                        ),
                    };
                    self.has_sentinelhub_client = true;
                    self.add_client(config, source, None, Level::Environment);
                }
                (_, (true, _)) => self.half(names.0, names.1, ""),
                (_, (false, _)) => self.half(&secret_name, names.0, ""),
            }
        }
        let Some(profile) = profile else { return Ok(()) };
        match section.client(&profile) {
            Ok(Some(config)) => {
                self.add_client(config, "environment: SH_PROFILE".to_owned(), Some(profile), Level::Environment);
            }
            Err(error) if !self.has_sentinelhub_client => return Err(error),
            Ok(None) if !self.has_sentinelhub_client => self.notes.push(format!(
                "SH_PROFILE was ignored: the profile {} of sentinelhub's config.toml has no sh_client_id and sh_client_secret",
                shown(&profile)
            )),
            _ => {}
        }
        Ok(())
    }

    fn files(&mut self, names_a_section: bool) {
        let (preferences, notes) = planet_json::read(self.root);
        self.notes.extend(notes);
        self.preferences(preferences);
        if names_a_section {
            return;
        }
        let profile = sentinelhub::DEFAULT_PROFILE;
        match sentinelhub::read_default(self.root).and_then(|section| section.client(profile)) {
            Ok(Some(config)) => {
                self.add_client(
                    config,
                    format!("sentinelhub config.toml: {profile}"),
                    Some(profile.to_owned()),
                    Level::Files,
                );
            }
            Ok(None) => {}
            // The environment replaces this client.
            Err(_) if self.has_sentinelhub_client => {}
            Err(error) => self.notes.push(format!("{}; it was ignored", error.message())),
        }
    }

    fn preferences(&mut self, preferences: Preferences) {
        let named = |names: &str| format!("{}: {names}", planet_json::NAME);
        let Preferences { profile, client_id, client_secret, api_key, key } = preferences;
        if let Some(profile) = profile {
            self.preferred_profile(&profile, named(planet_json::PROFILE));
        }
        let pair = (planet_json::CLIENT_ID, planet_json::CLIENT_SECRET);
        match (client_id, client_secret) {
            (Some(id), Some(secret)) => {
                self.add_client(
                    m2m(id, secret),
                    named(&format!("{}, {}", pair.0, pair.1)),
                    None,
                    Level::Files,
                );
            }
            (Some(_), None) => self.half(pair.0, pair.1, " in .planet.json"),
            (None, Some(_)) => self.half(pair.1, pair.0, " in .planet.json"),
            (None, None) => {}
        }
        for (key, name) in [(api_key, planet_json::API_KEY), (key, planet_json::KEY)] {
            if let Some(key) = key {
                self.add_key(key, named(name), Level::Files);
            }
        }
    }

    /// A problem with a file must not prevent the use of other credentials, such as an API key in
    /// the same file.
    fn preferred_profile(&mut self, profile: &str, source: String) {
        let opened = match load::open(self.root, profile) {
            Ok(opened) => opened,
            Err(error) => {
                return self.notes.push(format!("{source} was ignored: {}", error.message()));
            }
        };
        let needs_user_login = matches!(&opened.config, ClientConfig::OAuth(client) if client.client_type.grant() == Grant::RefreshToken);
        let has_command = matches!(&opened.config, ClientConfig::OAuth(client) if client.storage_command.is_some());
        if needs_user_login && !self.root.has_saved(profile, has_command).unwrap_or(false) {
            self.notes.push(format!(
                "{source} was ignored: no user has logged in to the profile {}",
                shown(profile)
            ));
        } else {
            self.add_profile(opened, source, Level::Files);
        }
    }

    fn built_in(&mut self) {
        if self.root.has_session(PROFILE_PLANET_USER).unwrap_or(false) {
            if let Ok(opened) = load::open(self.root, PROFILE_PLANET_USER) {
                self.add_profile(
                    opened,
                    format!("built-in profile: {PROFILE_PLANET_USER}"),
                    Level::BuiltIn,
                );
            }
        } else if let Err(error) = self.root.check_profiles()
            && self.found.is_empty()
        {
            self.notes.push(format!("{PROFILE_PLANET_USER} was ignored: {}", error.message()));
        } else if self.found.is_empty()
            && !self.notes.iter().any(|note| note.contains(PROFILE_PLANET_USER))
        {
            // If there is another credential, this one is not missed.
            self.notes.push(format!("{PROFILE_PLANET_USER}: no user has logged in"));
        }
    }

    /// Adds an id and a secret of the same level. They are never combined with those of another
    /// level.
    fn add_pair(
        &mut self,
        environment: &dyn Environment,
        id_name: &str,
        secret_name: &str,
    ) -> Result<()> {
        match (variable(environment, id_name)?, secret(environment, secret_name)?) {
            (Some(id), Some(secret)) => {
                let source = format!("environment: {id_name}, {}", secret.name);
                self.add_client(m2m(id, secret.secret), source, None, Level::Environment);
            }
            (Some(_), None) => self.half(id_name, secret_name, ""),
            (None, Some(secret)) => self.half(&secret.name, id_name, ""),
            (None, None) => {}
        }
        Ok(())
    }

    fn half(&mut self, present: &str, absent: &str, place: &str) {
        self.notes
            .push(format!("{present} is set{place} without {absent} and was ignored; set both"));
    }

    fn add_profile(&mut self, opened: load::Profile, source: String, level: Level) {
        let load::Profile { name, config, .. } = opened;
        let token_profile = match config {
            ClientConfig::OAuth(_) => names::directory(&name).ok(),
            ClientConfig::ApiKey { .. } => None,
        };
        self.add(FoundCredential { config, source, profile: Some(name), token_profile, level });
    }

    fn add_client(
        &mut self,
        config: ClientConfig,
        source: String,
        profile: Option<String>,
        level: Level,
    ) {
        let token_profile = match &config {
            ClientConfig::OAuth(client) => names::m2m_profile(&client.client_id),
            ClientConfig::ApiKey { .. } => None,
        };
        self.add(FoundCredential { config, source, profile, token_profile, level });
    }

    fn add_key(&mut self, api_key: Secret, source: String, level: Level) {
        let config = ClientConfig::ApiKey { api_key, as_header: false };
        self.add(FoundCredential { config, source, profile: None, token_profile: None, level });
    }

    /// Adds a credential, unless a higher level already has the same session.
    fn add(&mut self, found: FoundCredential) {
        let is_listed = |one: &FoundCredential| {
            one.token_profile.is_some() && one.token_profile == found.token_profile
        };
        if found.level == Level::Environment || !self.found.iter().any(is_listed) {
            self.found.push(found);
        }
    }
}

fn m2m(client_id: String, client_secret: Secret) -> ClientConfig {
    ClientConfig::OAuth(Box::new(OAuthClient {
        client_id,
        client_secret: Some(client_secret),
        ..OAuthClient::default()
    }))
}

fn shown(profile: &str) -> String {
    crate::text::one_line(profile, 100)
}
