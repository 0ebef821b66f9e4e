//! The status of a session, without a secret.

use super::source::Source;
use crate::authorize::HostPolicy;
use crate::credential::{CredentialKind, Transport};
use crate::storage::StoreStatus;
use serde_json::{Value, json};

/// One credential source of a session.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SourceStatus {
    /// The kind of credential.
    pub kind: CredentialKind,
    /// Where it was found: `environment: PL_API_KEY`.
    pub source: String,
    /// The profile that it belongs to.
    pub profile: Option<String>,
    /// The client type, as in auth_client.json, or `token_provider`.
    pub client_type: &'static str,
    /// The client id, for tokens of a client.
    pub client_id: Option<String>,
    /// The issuer of its tokens. For a token provider: that of its last token, if it names one.
    pub issuer: Option<String>,
    /// The granted scopes, or the requested ones while there is no token.
    pub scopes: Vec<String>,
    /// Unix seconds at which the current token expires.
    pub expires_at: Option<i64>,
    /// Whether it can serve requests without a login.
    pub initialized: bool,
    /// Whether the next call needs no network.
    pub token_cached: bool,
    /// The hosts that it may go to.
    pub hosts: Vec<String>,
    /// How requests carry it.
    pub transport: Transport,
    /// The file in which its tokens are saved; `None` for an API key and for a session in memory.
    pub file: Option<String>,
    /// The store that is named for its tokens; `None` if there is none, and for an API key.
    pub store: Option<StoreStatus>,
}

/// What a request to one host carries.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HostStatus {
    /// The host, with its port if it is this machine.
    pub host: String,
    /// The index of the source that the request uses.
    pub source_index: usize,
    /// Whether Planet lists that credential at this host as under development.
    pub under_development: bool,
}

/// The status of a session: its sources in their order, and notes on what was skipped.
#[derive(Clone, Debug)]
pub struct SessionStatus {
    sources: Vec<SourceStatus>,
    hosts: Vec<HostStatus>,
    deployment: String,
    notes: Vec<String>,
}

impl SessionStatus {
    pub(super) fn new(
        sources: &[&Source],
        hosts: Vec<HostStatus>,
        policy: &HostPolicy,
        deployment: &str,
        notes: &[String],
    ) -> Self {
        let mut notes = notes.to_vec();
        for (source, error) in
            sources.iter().filter_map(|source| Some((source, source.tokens()?.unsaved_because()?)))
        {
            notes.push(format!(
                "{}: the session lives in this process only ({})",
                source.label,
                error.message()
            ));
        }
        // The token in memory may still be valid for some time, but the next process finds no
        // usable one.
        for (source, error) in sources
            .iter()
            .filter_map(|source| Some((source, source.tokens()?.unreadable_because()?)))
        {
            notes.push(format!(
                "{}: the session that is saved cannot be used ({})",
                source.label,
                error.message()
            ));
        }
        for (source, store) in sources.iter().filter_map(|source| Some((source, source.store()?))) {
            if let Some(problem) = store.problem {
                notes.push(format!(
                    "{}: the store {} is not used ({problem})",
                    source.label, store.name
                ));
            }
        }
        let sources = sources
            .iter()
            .map(|source| {
                let cache = source.tokens();
                let last = cache.and_then(|cache| cache.look_at_last());
                let asked_for = cache.map_or(&[][..], |cache| cache.client().scopes());
                SourceStatus {
                    kind: if cache.is_some() {
                        CredentialKind::AccessToken
                    } else {
                        CredentialKind::ApiKey
                    },
                    source: source.label.to_string(),
                    profile: source.profile.clone(),
                    client_type: cache
                        .map_or("static_apikey", |cache| cache.client().client_type()),
                    client_id: cache
                        .map(|cache| cache.client().client_id().to_owned())
                        .filter(|client_id| !client_id.is_empty()),
                    issuer: cache.and_then(|cache| cache.issuer()),
                    scopes: match &last {
                        Some(last) if !last.scopes.is_empty() => last.scopes.clone(),
                        _ => asked_for.to_vec(),
                    },
                    expires_at: last.and_then(|last| last.expires_at),
                    initialized: source.is_initialized(),
                    token_cached: source.is_usable(),
                    hosts: source.hosts(policy),
                    transport: source.transport(),
                    file: cache
                        .and_then(|cache| cache.file())
                        .map(|file| file.display().to_string()),
                    store: source.store(),
                }
            })
            .collect();
        SessionStatus { sources, hosts, deployment: deployment.to_owned(), notes }
    }

    /// The sources in their order. A URL gets the first one that its host accepts.
    pub fn sources(&self) -> &[SourceStatus] {
        &self.sources
    }

    /// The source that a request to each host uses.
    pub fn hosts(&self) -> &[HostStatus] {
        &self.hosts
    }

    /// The deployment's name.
    pub fn deployment(&self) -> &str {
        &self.deployment
    }

    /// What was skipped, and why.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Whether there is a credential that works without a login.
    pub fn is_initialized(&self) -> bool {
        self.sources.iter().any(|source| source.initialized)
    }

    /// The first source's kind.
    pub fn kind(&self) -> Option<CredentialKind> {
        self.sources.first().map(|source| source.kind)
    }

    /// Where the first source was found.
    pub fn source(&self) -> Option<&str> {
        self.sources.first().map(|source| source.source.as_str())
    }

    /// The first source's profile.
    pub fn profile(&self) -> Option<&str> {
        self.sources.first().and_then(|source| source.profile.as_deref())
    }

    /// The first source's issuer.
    pub fn issuer(&self) -> Option<&str> {
        self.sources.first().and_then(|source| source.issuer.as_deref())
    }

    /// The first source's scopes.
    pub fn scopes(&self) -> &[String] {
        self.sources.first().map_or(&[], |source| source.scopes.as_slice())
    }

    /// The first source's expiry, in Unix seconds.
    pub fn expires_at(&self) -> Option<i64> {
        self.sources.first().and_then(|source| source.expires_at)
    }

    /// The status as JSON: the same object in every language.
    pub fn to_json(&self) -> Value {
        let sources: Vec<Value> = self
            .sources
            .iter()
            .map(|source| {
                json!({
                    "kind": source.kind.name(),
                    "source": source.source,
                    "profile": source.profile,
                    "client_type": source.client_type,
                    "client_id": source.client_id,
                    "issuer": source.issuer,
                    "scopes": source.scopes,
                    "expires_at": source.expires_at,
                    "initialized": source.initialized,
                    "token_cached": source.token_cached,
                    "hosts": source.hosts,
                    "transport": source.transport.name(),
                    "file": source.file,
                    "store": source.store.as_ref().map(|store| json!({
                        "name": store.name,
                        "reachable": store.reachable,
                        "holds": store.holds,
                        "problem": store.problem,
                    })),
                })
            })
            .collect();
        let hosts: Vec<Value> = self
            .hosts
            .iter()
            .map(|host| {
                json!({
                    "host": host.host,
                    "source_index": host.source_index,
                    "under_development": host.under_development,
                })
            })
            .collect();
        json!({
            "initialized": self.is_initialized(),
            "deployment": self.deployment,
            "sources": sources,
            "hosts": hosts,
            "notes": self.notes,
        })
    }
}
