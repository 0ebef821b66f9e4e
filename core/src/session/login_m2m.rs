//! The login of an M2M client: its credentials are tested, then saved.

use super::Session;
use super::constructors::insecure_loopback_of;
use super::local_storage::saved_locally;
use super::options::Options;
use crate::error::Result;
use crate::profile::client_config::{ClientConfig, STORAGE_COMMAND};
use crate::profile::load;
use crate::profile::store::M2mLogin;
use crate::secret::Secret;
use crate::storage::sops::Encryption;
use crate::storage::{Binding, TornRead};
use std::time::Instant;

impl Session {
    /// Requests a token with this M2M client and, if that succeeds, saves the client as
    /// [`crate::profile::Profiles::save_m2m`] does, and the token for the next session of the
    /// profile. Returns the profile's name. Nothing is written before the server has responded.
    ///
    /// For commands, so `PLANETKEY_ALLOW_INSECURE_LOOPBACK` applies. Blocks and uses the network.
    /// Errors: as
    /// [`crate::profile::Profiles::save_m2m`] and [`Session::access_token`].
    #[doc(hidden)]
    pub fn login_m2m(
        login: &M2mLogin,
        encryption: Encryption,
        options: &Options,
    ) -> Result<String> {
        let profiles = options.profiles()?;
        let (_, mut members) = profiles.m2m_document(login)?;
        // The trial saves nothing.
        let has_command = members.0.remove(STORAGE_COMMAND).is_some();
        let config = Secret::from(serde_json::to_string(&members.0).unwrap_or_default());
        let allow_insecure_loopback = match options.allow_insecure_loopback {
            Some(allow) => Some(allow),
            None => insecure_loopback_of(options.runtime.environment.as_ref())?,
        };
        let trial = Options {
            save: Some(false),
            profile: None,
            storage: None,
            allow_insecure_loopback,
            ..options.clone()
        };
        let session = Session::from_client_config(config.expose(), &trial)?;
        session.access_token()?;
        let name = profiles.save_m2m(login, encryption)?;
        let tokens = session.tokens()?;
        if let Some(stored) = tokens.tokens()
            && let Some(file) = profiles.root().token_file(&name)?
        {
            let helper = match ClientConfig::from_json(config.expose())? {
                ClientConfig::OAuth(client) if has_command => {
                    load::storage_helper(profiles.root(), &name, &client)?
                }
                _ => None,
            };
            // The profile was just written for this client.
            let binding = Binding { owns_place: true, ..tokens.client().binding() };
            let storage = saved_locally(profiles.root(), options, &file, binding, helper)?;
            let _lock = storage.lock(Instant::now() + session.timeout)?;
            storage.save(&stored)?;
            // Read the file again now, so that an unreadable one fails here and not when the token
            // is needed.
            storage.load(tokens.now(), TornRead::Retry)?;
        }
        Ok(name)
    }
}
