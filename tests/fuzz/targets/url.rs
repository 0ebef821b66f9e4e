//! The host policy: the input is the URL of a request.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey::{
    ApiKeyTransport, Authorization, Result, Session, Status, redact_url, strip_api_key,
};
use planetkey_fuzz::{CANARY, check_hidden, check_secretive, key_session, m2m_session, text};
use std::sync::LazyLock;

/// A session and its API key transport.
struct Holder {
    session: Session,
    transport: Option<ApiKeyTransport>,
}

static HOLDERS: LazyLock<Vec<Holder>> = LazyLock::new(|| {
    let keys = [ApiKeyTransport::Basic, ApiKeyTransport::Header, ApiKeyTransport::Query];
    let mut holders: Vec<Holder> = keys
        .into_iter()
        .map(|transport| Holder { session: key_session(transport), transport: Some(transport) })
        .collect();
    holders.push(Holder { session: m2m_session(), transport: None });
    holders
});

const PLANET: [&str; 6] = [
    "api.planet.com",
    "tiles.planet.com",
    "tiles0.planet.com",
    "tiles1.planet.com",
    "tiles2.planet.com",
    "tiles3.planet.com",
];

fuzz_target!(|data: &[u8]| {
    let Some(url) = text(data) else { return };
    check_forms(url);
    for holder in HOLDERS.iter() {
        let outcomes = [holder.session.authorize(url), holder.session.headers(url)];
        for outcome in &outcomes {
            match outcome {
                Ok(authorization) => check_authorization(url, authorization, holder),
                Err(error) => {
                    check_secretive(error);
                    assert!(
                        matches!(error.status(), Status::InvalidArgument | Status::HostRefused),
                        "{error}"
                    );
                }
            }
        }
        check_signed(url, holder, &outcomes[0]);
        let header = holder.session.with_header(url, str::to_owned);
        assert_eq!(
            header.ok().as_deref(),
            outcomes[1].as_ref().ok().and_then(Authorization::header_value)
        );
        // A valid token is cached, so nothing waits.
        let cached = holder
            .session
            .authorize_cached(url)
            .map(|cached| cached.expect("a cached token").url().to_owned());
        assert_eq!(cached.ok().as_deref(), outcomes[0].as_ref().ok().map(Authorization::url));
    }
});

/// Checks that other URL parsers see the same host as the policy, and that the header can carry the
/// credential.
fn check_authorization(url: &str, authorization: &Authorization, holder: &Holder) {
    for url in [url, authorization.url()] {
        let host = host_by_the_generic_syntax(url).to_ascii_lowercase();
        let allowed =
            PLANET.contains(&host.as_str()) || holder.transport.is_none() && is_sentinel_hub(&host);
        assert!(allowed, "{url:?} goes to {host}");
        let parsed = url::Url::parse(url).expect("a URL");
        assert_eq!(
            (parsed.scheme(), parsed.host_str(), parsed.port()),
            ("https", Some(host.as_str()), None),
            "{url:?}"
        );
        assert!(parsed.username().is_empty() && parsed.password().is_none(), "{url:?}");
    }
    let headers: Vec<(&str, &str)> = authorization.headers().collect();
    assert_eq!(headers.len(), usize::from(holder.transport != Some(ApiKeyTransport::Query)));
    assert!(
        headers.iter().all(|(_, value)| value.bytes().all(|byte| (b' '..=b'~').contains(&byte)))
    );
    // One credential in one place (RFC 6750 2).
    let keys = values_of_api_key(authorization.url());
    assert_eq!(
        keys,
        if headers.is_empty() { vec![CANARY.to_owned()] } else { Vec::new() },
        "{}",
        authorization.url()
    );
    if !headers.is_empty() {
        check_hidden(authorization.url());
    }
    check_hidden(&format!("{authorization:?}"));
}

fn check_signed(url: &str, holder: &Holder, authorized: &Result<Authorization>) {
    match holder.session.signed_url(url) {
        Ok(signed) => {
            assert!(authorized.is_ok(), "a URL that can be signed can be authorized: {url:?}");
            assert_eq!(values_of_api_key(&signed), [CANARY]);
            assert_eq!(
                holder.session.signed_url(&signed).expect("again"),
                signed,
                "signing twice is signing once"
            );
            check_hidden(&redact_url(&signed));
            let stripped = strip_api_key(&signed);
            check_hidden(&stripped);
            // Stripping removes nothing else but separators without a parameter.
            assert_eq!(
                without_dangling_separators(&stripped),
                without_dangling_separators(&strip_api_key(url)),
                "{url:?}"
            );
        }
        Err(error) => {
            check_secretive(&error);
            assert!(authorized.is_err() || holder.transport.is_none(), "{url:?}: {error}");
        }
    }
}

/// Stripping and redacting accept any text, URL or not.
fn check_forms(url: &str) {
    let stripped = strip_api_key(url);
    assert!(values_of_api_key(&stripped).is_empty(), "{url:?}: {stripped:?}");
    assert_eq!(strip_api_key(&stripped), stripped);
    let redacted = redact_url(url);
    assert!(
        values_of_api_key(&redacted).iter().all(|value| value == "REDACTED"),
        "{url:?}: {redacted:?}"
    );
    assert_eq!(redact_url(&redacted), redacted);
    if values_of_api_key(url).is_empty() {
        assert_eq!(stripped, url, "what has no key stays as it is");
    }
    // A key is found at any place among the parameters.
    let (before, fragment) = url.split_at(url.find('#').unwrap_or(url.len()));
    let (base, query) = before.split_once('?').unwrap_or((before, ""));
    for pair in [format!("api_key={CANARY}"), format!("api%5Fke%79={CANARY}")] {
        for query in [format!("{pair}&{query}"), format!("{query}&{pair}")] {
            let with_key = format!("{base}?{query}{fragment}");
            check_hidden(&redact_url(&with_key));
            check_hidden(&strip_api_key(&with_key));
        }
    }
}

fn without_dangling_separators(url: &str) -> (&str, &str) {
    let (before, fragment) = url.split_at(url.find('#').unwrap_or(url.len()));
    let bare = if before.contains('?') { before.trim_end_matches('&') } else { before };
    (bare.strip_suffix('?').unwrap_or(bare), fragment)
}

/// Parses the query as a server does.
fn values_of_api_key(url: &str) -> Vec<String> {
    let before = url.split('#').next().unwrap_or("");
    let query = before.split_once('?').map_or("", |(_, query)| query);
    let pairs = url::form_urlencoded::parse(query.as_bytes());
    pairs.filter(|(name, _)| name == "api_key").map(|(_, value)| value.into_owned()).collect()
}

/// The host by RFC 3986 appendix B, without port and user information.
fn host_by_the_generic_syntax(url: &str) -> &str {
    let authority = url
        .split_once("://")
        .map_or("", |(_, rest)| rest)
        .split(['/', '?', '#'])
        .next()
        .unwrap_or("");
    let host = authority.rsplit('@').next().unwrap_or("");
    host.split(':').next().unwrap_or("")
}

fn is_sentinel_hub(host: &str) -> bool {
    host.strip_suffix(".sentinel-hub.com")
        .is_some_and(|name| ["services", "services-uswest2", "creodias", "code-de"].contains(&name))
}
