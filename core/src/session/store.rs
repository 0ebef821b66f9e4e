//! Where the tokens of a client are saved if a store is named: which store, with which keys, and
//! whether it is used.

use super::options::Options;
use crate::client::Client;
use crate::error::{Error, Result};
use crate::storage::{StoreStatus, TokenStorage};
use std::sync::Arc;

#[cfg(feature = "store")]
pub(super) use with_store::Store;
#[cfg(not(feature = "store"))]
pub(super) use without_store::Store;

const VARIABLE: &str = "PLANETKEY_STORE";

/// A storage, and what `status()` says about a store that it does not use.
pub(super) struct Placed {
    pub(super) storage: Arc<dyn TokenStorage>,
    pub(super) unused: Option<StoreStatus>,
}

/// What a client's configuration says about the place of its tokens.
#[derive(Clone, Copy)]
pub(super) struct ProfilePlace<'a> {
    /// The store that it names.
    pub(super) store: Option<&'a str>,
    /// Whether it names a program.
    pub(super) has_command: bool,
    /// The profile of a user session.
    pub(super) profile: Option<&'a str>,
}

impl Placed {
    pub(super) fn without_store(storage: Arc<dyn TokenStorage>) -> Self {
        Placed { storage, unused: None }
    }
}

/// The URL that the options or the environment name, with what names it.
///
/// Errors: INVALID_ARGUMENT for a store beside the application's own storage; MISCONFIGURED for the
/// variable.
fn named(options: &Options) -> Result<Option<(String, Option<String>)>> {
    if let Some(url) = &options.store {
        if options.storage.is_some() {
            return Err(Error::invalid_argument(
                "the options storage and store name two places for the tokens; give one of them",
            ));
        }
        return Ok(Some((url.clone(), None)));
    }
    // The application's own storage is named by the call, so it precedes the environment.
    if options.storage.is_some() {
        return Ok(None);
    }
    let environment = options.runtime.environment.as_ref();
    let set = crate::environment::secret(environment, VARIABLE)?;
    Ok(set.map(|set| (set.secret.expose().to_owned(), Some(set.name))))
}

/// An error about the URL of a store that is not an argument of the call.
fn in_configuration(error: &Error, source: &str) -> Error {
    error.in_configuration(format!("{source}: {}", error.message()))
}

#[cfg(feature = "store")]
mod with_store {
    use super::*;
    use crate::environment::secret;
    use crate::http::{ProxyEnvironment, ReqwestTransport};
    use crate::profile::paths::expanded;
    use crate::storage::redis_store::{
        Keys, MIN_KEY_CHARACTERS, SessionInStore, StoreLocation, StoreSettings, TokenInStore,
    };
    use std::path::PathBuf;

    const KEY_VARIABLE: &str = "PLANETKEY_STORE_KEY";

    /// The store of a session.
    pub(in crate::session) struct Store(Option<StoreLocation>);

    impl Store {
        /// What the options or the environment name. Opens nothing.
        ///
        /// Errors: INVALID_ARGUMENT, MISCONFIGURED.
        pub(in crate::session) fn of(options: &Options) -> Result<Self> {
            let Some((url, variable)) = named(options)? else { return Ok(Store(None)) };
            let location = StoreLocation::parse(&url).map_err(|error| match variable {
                None => error,
                Some(name) => in_configuration(&error, &format!("the environment variable {name}")),
            });
            Ok(Store(Some(location?)))
        }

        /// Puts a client's tokens into the store, if one is named. `local`: where they are saved
        /// otherwise.
        ///
        /// Errors: MISCONFIGURED.
        pub(in crate::session) fn place(
            &self,
            options: &Options,
            client: &Client,
            place: ProfilePlace<'_>,
            local: Arc<dyn TokenStorage>,
        ) -> Result<Placed> {
            // The call precedes the profile, and the profile precedes the environment.
            if place.has_command && options.store.is_none() {
                return Ok(Placed::without_store(local));
            }
            let of_profile =
                place.store.filter(|_| options.store.is_none() && options.storage.is_none());
            let location = match of_profile {
                Some(url) => Some(StoreLocation::parse(url).map_err(|error| {
                    in_configuration(&error, "the client configuration")
                        .with_file(client.config_file())
                })?),
                None => self.0.clone(),
            };
            // A call that wants nothing to be saved, and names no store, wants none.
            let saves = options.save != Some(false) || options.store.is_some();
            let Some(location) = location.filter(|_| saves) else {
                return Ok(Placed::without_store(local));
            };
            let binding = client.binding();
            if let Some(secret) = client.is_m2m().then(|| client.secret_bytes()).flatten() {
                let keys = Keys::derive([secret])?;
                let settings = settings(options, location, keys)?;
                let storage = Arc::new(TokenInStore::new(settings, binding, local));
                return Ok(Placed::without_store(storage));
            }
            let Some(keys) = user_keys(options)? else {
                let why = format!(
                    "{KEY_VARIABLE} is not set, so the session is not shared and stays on this machine"
                );
                let unused = Some(StoreStatus::unused(location.shown(), &why));
                return Ok(Placed { storage: local, unused });
            };
            let settings = settings(options, location, keys)?;
            let storage = Arc::new(SessionInStore::new(settings, binding, place.profile));
            Ok(Placed::without_store(storage))
        }
    }

    fn settings(options: &Options, location: StoreLocation, keys: Keys) -> Result<StoreSettings> {
        let environment = options.runtime.environment.as_ref();
        let path = |file: PathBuf| expanded(environment, "ca_file", file);
        let files = options.ca_file.clone().into_iter().chain(location.ca_file.clone());
        let transport = ReqwestTransport {
            ca_files: files.map(path).collect::<Result<_>>()?,
            proxy: None,
            proxy_env: ProxyEnvironment::of(environment, options.runtime.extra_ca_variable),
        };
        Ok(StoreSettings {
            location,
            tls: Arc::new(move || transport.tls_settings()),
            keys,
            clock: options.runtime.clock.clone(),
            random: options.runtime.random.clone(),
        })
    }

    /// The keys of the environment, separated by commas or spaces. The first one seals.
    ///
    /// Errors: MISCONFIGURED.
    fn user_keys(options: &Options) -> Result<Option<Keys>> {
        let Some(set) = secret(options.runtime.environment.as_ref(), KEY_VARIABLE)? else {
            return Ok(None);
        };
        let text = set.secret.expose();
        let keys: Vec<&str> = text.split([',', ' ']).filter(|key| !key.is_empty()).collect();
        if keys.is_empty() || keys.iter().any(|key| key.chars().count() < MIN_KEY_CHARACTERS) {
            return Err(Error::misconfigured(format!(
                "{} must hold random keys of at least {MIN_KEY_CHARACTERS} characters each, separated by commas; make one with `openssl rand -base64 32`",
                set.name
            )));
        }
        Keys::derive(keys.iter().map(|key| key.as_bytes())).map(Some)
    }
}

#[cfg(not(feature = "store"))]
mod without_store {
    use super::*;
    use crate::error::Status;

    /// No store: this library was built without the feature.
    pub(in crate::session) struct Store(());

    impl Store {
        /// Errors: UNSUPPORTED if a store is named.
        pub(in crate::session) fn of(options: &Options) -> Result<Self> {
            match named(options)? {
                None => Ok(Store(())),
                Some(_) => Err(unsupported()),
            }
        }

        /// Errors: UNSUPPORTED if the client's configuration names a store.
        pub(in crate::session) fn place(
            &self,
            _: &Options,
            client: &Client,
            place: ProfilePlace<'_>,
            local: Arc<dyn TokenStorage>,
        ) -> Result<Placed> {
            match place.store {
                None => Ok(Placed::without_store(local)),
                Some(_) => Err(in_configuration(&unsupported(), "the client configuration")
                    .with_file(client.config_file())),
            }
        }
    }

    fn unsupported() -> Error {
        Error::new(
            Status::Unsupported,
            "this library was built without the feature store, so no store can be used",
        )
    }
}
