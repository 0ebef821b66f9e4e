//! Which credential may go to which URL, and in which form. Pure: no state, no network.

pub mod api_key;
pub mod challenge;
pub mod redact;
mod target;
pub(crate) mod template;

pub(crate) use target::{Target, is_host_entry, is_loopback_authority as is_loopback_entry};

use crate::deployment::{Acceptance, Deployment, InsecureLoopback, ResourceServer, Subject};
use crate::error::{Error, Result, Status};

/// The kinds of credential that a request can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CredentialClass {
    /// A token that an authorization server of the deployment issued.
    Token(Subject),
    /// A token of a server that the deployment does not know.
    ForeignToken,
    /// An API key.
    ApiKey,
}

/// The hosts that the caller allows in addition to those of the deployment.
#[derive(Clone, Copy)]
pub(crate) enum AllowedHosts<'a> {
    /// Allowed for the session's tokens only.
    ForTokens(&'a [String]),
    /// Allowed also for the API key that the call names.
    ForApiKey(&'a [String]),
}

/// The host policy of one session (docs/explanation/design.md, section 6).
#[derive(Clone, Debug)]
pub(crate) struct HostPolicy {
    /// Their hosts are names in lower case, with a port only for loopback: a host can equal
    /// [`Target::authority`].
    servers: Vec<ResourceServer>,
    /// The same hosts, except this machine, each with its slash, as a URL has them after
    /// `https://`.
    beginnings: Vec<String>,
    /// For each of `beginnings`, the index of its server in `servers`.
    servers_of_beginnings: Vec<usize>,
    /// Planet's hosts that never take an API key, whatever another deployment or a call allows.
    never_for_api_keys: Vec<String>,
    /// Hosts that the call or profile allows for its own credential.
    allowed: Vec<String>,
    allowed_for_api_key: bool,
    insecure_loopback: InsecureLoopback,
}

impl HostPolicy {
    /// Errors: INVALID_ARGUMENT for an entry of `allowed_hosts` that is not an exact host name;
    /// MISCONFIGURED for one of the deployment.
    pub(crate) fn new(
        deployment: &Deployment,
        allowed: AllowedHosts<'_>,
        insecure_loopback: InsecureLoopback,
    ) -> Result<Self> {
        let servers = deployment.resource_servers.clone();
        if !servers.iter().flat_map(|server| &server.hosts).all(|host| target::is_host_entry(host))
        {
            return Err(Error::misconfigured(
                "the deployment lists a host that is not an exact host name in lower case",
            ));
        }
        let hosts = servers
            .iter()
            .enumerate()
            .flat_map(|(index, server)| server.hosts.iter().map(move |host| (host, index)));
        let hosts = hosts.filter(|(host, _)| !is_loopback_entry(host));
        let (beginnings, servers_of_beginnings) =
            hosts.map(|(host, index)| (format!("{host}/"), index)).unzip();
        let (allowed_hosts, allowed_for_api_key) = match allowed {
            AllowedHosts::ForTokens(hosts) => (hosts, false),
            AllowedHosts::ForApiKey(hosts) => (hosts, true),
        };
        for host in allowed_hosts {
            if !target::is_host_entry(host) {
                return Err(Error::invalid_argument(
                    "allowed_hosts takes exact host names in lower case, without scheme, port, path or wildcard: tiles.example.org",
                ));
            }
        }
        let never = |server: &&ResourceServer| server.api_key == Acceptance::No;
        let planet = Deployment::planet()?;
        let never_for_api_keys = planet
            .resource_servers
            .iter()
            .filter(never)
            .flat_map(|server| server.hosts.clone())
            .collect();
        Ok(HostPolicy {
            servers,
            beginnings,
            servers_of_beginnings,
            never_for_api_keys,
            allowed: allowed_hosts.to_vec(),
            allowed_for_api_key,
            insecure_loopback,
        })
    }

    /// Reads a URL as [`Target::parse`] does. This is fast for the hosts of the deployment, to
    /// which most requests go.
    #[inline]
    pub(crate) fn target<'a>(&self, url: &'a str) -> Result<Target<'a>> {
        Target::at_host(url, &self.beginnings).map_or_else(|| Target::parse(url), Ok)
    }

    /// A deployment has few hosts, so a linear search is faster than hashing.
    #[inline]
    fn server(&self, authority: &str) -> Option<&ResourceServer> {
        self.servers.iter().find(|server| server.hosts.iter().any(|host| host == authority))
    }

    /// The server of a target that [`HostPolicy::target`] read.
    #[inline]
    fn server_of(&self, target: &Target<'_>) -> Option<&ResourceServer> {
        match target.listed() {
            Some(listed) => {
                self.servers_of_beginnings.get(listed).and_then(|index| self.servers.get(*index))
            }
            None => self.server(target.authority()),
        }
    }

    fn never_takes_api_keys(&self, authority: &str) -> bool {
        self.never_for_api_keys.iter().any(|host| host == authority)
    }

    /// Whether a credential of this kind may go to the target.
    #[inline]
    pub(crate) fn accepts(&self, target: &Target<'_>, kind: CredentialClass) -> Acceptance {
        if !self.may_speak_to(target) {
            return Acceptance::No;
        }
        let authority = target.authority();
        if kind == CredentialClass::ApiKey && self.never_takes_api_keys(authority) {
            return Acceptance::No;
        }
        let server = self.server_of(target);
        if let Some(server) = server {
            let by_deployment = by_deployment(server, kind);
            if by_deployment != Acceptance::No || kind == CredentialClass::ApiKey {
                return by_deployment;
            }
        }
        let listed = self.allowed.iter().any(|host| host == authority)
            && (kind != CredentialClass::ApiKey || self.allowed_for_api_key);
        if listed || target.loopback && server.is_none() { Acceptance::Yes } else { Acceptance::No }
    }

    /// The hosts that accept this kind of credential, for messages and `status()`.
    pub(crate) fn hosts_for(&self, kind: CredentialClass) -> Vec<String> {
        let mut hosts: Vec<String> = self
            .servers
            .iter()
            .filter(|server| by_deployment(server, kind) != Acceptance::No)
            .flat_map(|server| server.hosts.iter().cloned())
            .collect();
        if kind != CredentialClass::ApiKey || self.allowed_for_api_key {
            hosts.extend(self.allowed.iter().filter(|host| self.server(host).is_none()).cloned());
        }
        if kind == CredentialClass::ApiKey {
            hosts.retain(|host| !self.never_takes_api_keys(host));
        }
        hosts.sort();
        hosts
    }

    /// Whether any credential may go there: to this machine only if the session allows it.
    pub(crate) fn may_speak_to(&self, target: &Target<'_>) -> bool {
        !target.loopback || self.insecure_loopback == InsecureLoopback::Allowed
    }

    /// The built-in deployment that this host belongs to, if the session uses another deployment.
    fn preset_of(&self, host: &str) -> Option<&'static str> {
        let has_host = |name: &&str| {
            let preset = Deployment::from_text(name);
            preset.is_ok_and(|preset| {
                preset
                    .resource_servers
                    .iter()
                    .any(|server| server.hosts.iter().any(|listed| listed == host))
            })
        };
        Deployment::PRESETS.iter().copied().filter(|_| self.server(host).is_none()).find(has_host)
    }

    /// The built-in deployment whose provider owns this host, with its hosts. The host is none of
    /// them, but its name ends as theirs do.
    fn provider_of(&self, host: &str) -> Option<(&'static str, Vec<String>)> {
        // A domain such as planet.com is too wide: api.planet.com says nothing about
        // www.planet.com.
        let domain = |listed: &str| {
            listed
                .split_once('.')
                .map(|(_, domain)| domain.to_owned())
                .filter(|domain| domain.matches('.').count() > 1)
        };
        Deployment::PRESETS.iter().find_map(|name| {
            let hosts: Vec<String> = Deployment::from_text(name)
                .ok()?
                .resource_servers
                .into_iter()
                .flat_map(|server| server.hosts)
                .collect();
            let is_near = hosts
                .iter()
                .filter_map(|listed| domain(listed))
                .any(|domain| host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.')));
            let is_own = hosts.iter().any(|listed| self.server(listed).is_some());
            (is_near && !is_own).then_some((*name, hosts))
        })
    }

    /// The error that says why none of the credentials that the call may use goes there, and which
    /// one would. `beside`: the session's other credentials; `hosts`: where those credentials go.
    pub(crate) fn refusal(
        &self,
        target: &Target<'_>,
        held: &[CredentialClass],
        beside: &[CredentialClass],
        mut hosts: Vec<String>,
    ) -> Error {
        let host = target.authority();
        let message = if !self.may_speak_to(target) {
            format!(
                "{host} is this machine; set allow_insecure_loopback to send credentials to a test server on it"
            )
        } else if held.contains(&CredentialClass::ApiKey)
            && (self.never_takes_api_keys(host)
                || self.server(host).is_some_and(|server| server.api_key == Acceptance::No))
        {
            if beside.iter().any(|kind| self.accepts(target, *kind) != Acceptance::No) {
                let message = format!(
                    "an API key must never go to {host}, which takes this session's access token: use headers or authorize instead of a signed URL"
                );
                return Error::new(Status::HostRefused, message);
            }
            format!(
                "an API key must never go to {host}: it takes OAuth access tokens; give this session an M2M client (PL_AUTH_CLIENT_ID and PL_AUTH_CLIENT_SECRET) or a user login"
            )
        } else if held.contains(&CredentialClass::ApiKey)
            && self.allowed.iter().any(|allowed| allowed == host)
        {
            format!(
                "{host} is in allowed_hosts, and there it takes an API key only if the call names the key, not one that was found in environment or files: name the key in the call"
            )
        } else if let Some(preset) = self.preset_of(host) {
            format!(
                "{host} is a host of the deployment {preset}, and this session is one of another; open it with deployment {preset} (the option, or PLANETKEY_DEPLOYMENT) and a client of that deployment"
            )
        } else if let Some((preset, hosts)) = self.provider_of(host) {
            format!(
                "{host} is not a host of the deployment {preset} ({}), and not of this session; if it takes tokens of that deployment, open the session with deployment {preset} and list the host in allowed_hosts",
                hosts.join(", ")
            )
        } else if self.server(host).is_some() {
            format!(
                "{host} does not take this session's token: it comes from an authorization server that {host} does not know"
            )
        } else {
            hosts.sort();
            hosts.dedup();
            format!(
                "{host} is not a host of this session; its credentials go only to {}; list the host in allowed_hosts if it is yours",
                if hosts.is_empty() {
                    "hosts listed in allowed_hosts".to_owned()
                } else {
                    hosts.join(", ")
                }
            )
        };
        Error::new(Status::HostRefused, message)
    }
}

/// Whether the deployment accepts a credential at its own hosts.
fn by_deployment(server: &ResourceServer, kind: CredentialClass) -> Acceptance {
    match kind {
        CredentialClass::Token(Subject::User) => server.user_token,
        CredentialClass::Token(Subject::M2m) => server.m2m_token,
        CredentialClass::ForeignToken => Acceptance::No,
        CredentialClass::ApiKey => server.api_key,
    }
}
