//! A static credential source: an API key and the profile that it comes from. A change of the
//! profile is noticed within a second.

use crate::authorize::api_key;
use crate::clock::Clock;
use crate::credential::{ApiKey, ApiKeyTransport};
use crate::error::{Error, Reason, Result, Status};
use crate::file::{self, Version};
use crate::profile::client_config::ClientConfig;
use crate::profile::{Root, load};
use crate::secret::Secret;
use crate::storage::sops;
use crate::token_cache::{CachedToken, Watch};
use arc_swap::{ArcSwap, ArcSwapOption};
use std::path::PathBuf;
use std::sync::Arc;

/// A key with the header made from it.
pub(crate) struct HeldKey {
    pub(crate) key: ApiKey,
    pub(crate) snapshot: Arc<CachedToken>,
}

/// The files of the profile that the key comes from.
struct Watched {
    root: Root,
    profile: String,
    files: Vec<PathBuf>,
    seen: ArcSwap<Vec<Option<Version>>>,
    clock: Arc<dyn Clock>,
    turn: Watch,
}

/// An API key, as its profile holds it now.
pub(crate) struct ApiKeySource {
    pub(crate) transport: ApiKeyTransport,
    held: ArcSwapOption<HeldKey>,
    watched: Option<Box<Watched>>,
}

impl ApiKeySource {
    /// Errors: INVALID_ARGUMENT if this is not an API key, or cannot be sent in this form.
    pub(crate) fn new(key: &str, transport: ApiKeyTransport) -> Result<Self> {
        let held = hold(key, transport, 1)?;
        Ok(ApiKeySource { transport, held: ArcSwapOption::from_pointee(held), watched: None })
    }

    /// Follows the profile that the key was read from. An encrypted profile is not followed,
    /// because decrypting it runs a program.
    pub(crate) fn watching(
        mut self,
        root: &Root,
        profile: &load::Profile,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let token = root.token_file(&profile.name).ok().flatten();
        let files: Vec<PathBuf> = profile.config_file.iter().cloned().chain(token).collect();
        let is_encrypted = files.iter().any(|file| sops::is_encrypted(file));
        if !is_encrypted && !files.is_empty() {
            let seen = ArcSwap::from_pointee(versions(&files));
            let (root, profile) = (root.clone(), profile.name.clone());
            self.watched =
                Some(Box::new(Watched { root, profile, files, seen, clock, turn: Watch::new() }));
        }
        self
    }

    /// The key. Uses no network; checks the profile's files at most once a second.
    ///
    /// Errors: LOGIN_REQUIRED if the key was removed from its profile.
    #[inline]
    pub(crate) fn current(&self) -> Result<Arc<HeldKey>> {
        self.look();
        self.held.load_full().ok_or_else(|| self.gone())
    }

    /// As [`ApiKeySource::current`], but lends the key without a copy.
    #[inline]
    pub(crate) fn with_current<T>(&self, use_it: impl FnOnce(&CachedToken) -> T) -> Result<T> {
        self.look();
        match self.held.load().as_ref() {
            Some(held) => Ok(use_it(&held.snapshot)),
            None => Err(self.gone()),
        }
    }

    pub(crate) fn is_available(&self) -> bool {
        self.look();
        self.held.load().is_some()
    }

    fn gone(&self) -> Error {
        let profile = self.watched.as_ref().map(|watched| watched.profile.as_str());
        let name = crate::text::one_line(profile.unwrap_or_default(), 100);
        Error::new(
            Status::LoginRequired,
            format!("the API key was removed from the profile '{name}'; log in to it again"),
        )
        .with_reason(Reason::LoggedOut)
        .with_profile(profile)
    }

    #[inline]
    fn look(&self) {
        if let Some(watched) = &self.watched {
            let now = watched.clock.now();
            if watched.turn.is_due(now) && watched.turn.take_turn(now) {
                self.reread(watched);
            }
        }
    }

    #[cold]
    fn reread(&self, watched: &Watched) {
        let versions = versions(&watched.files);
        if versions == **watched.seen.load() {
            return;
        }
        let generation = self.held.load().as_ref().map_or(1, |held| held.snapshot.generation + 1);
        let read =
            load::open(&watched.root, &watched.profile).and_then(|profile| match profile.config {
                ClientConfig::ApiKey { api_key, .. } => {
                    hold(api_key.expose(), self.transport, generation)
                }
                ClientConfig::OAuth(_) => {
                    Err(Error::misconfigured("the profile holds no API key any more"))
                }
            });
        match read {
            Ok(held) => self.held.store(Some(Arc::new(held))),
            // Another process may be writing the file now. Then the version differs in a second.
            Err(error) if error.retryable() => return,
            Err(error) => {
                log::info!("the API key of the profile {} is gone: {error}", watched.profile);
                self.held.store(None);
            }
        }
        watched.seen.store(Arc::new(versions));
    }
}

fn versions(files: &[PathBuf]) -> Vec<Option<Version>> {
    files.iter().map(|path| file::version(path)).collect()
}

fn hold(key: &str, transport: ApiKeyTransport, generation: u64) -> Result<HeldKey> {
    let key = ApiKey::new(key)?;
    let header = match transport {
        ApiKeyTransport::Basic => api_key::basic(&key),
        ApiKeyTransport::Header if !key.expose().is_ascii() => {
            return Err(Error::invalid_argument(
                "this API key holds a character that a header cannot carry; use the transport basic",
            ));
        }
        ApiKeyTransport::Header => api_key::header(&key),
        ApiKeyTransport::Query => Secret::default(),
    };
    let mut snapshot = CachedToken::fixed(header);
    snapshot.generation = generation;
    Ok(HeldKey { key, snapshot: Arc::new(snapshot) })
}
