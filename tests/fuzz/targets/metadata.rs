//! Metadata of an authorization server (RFC 8414): the first line is the configured issuer, the
//! rest is the document.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey::oauth::metadata;
use planetkey_fuzz::{check_error, first_line, text};

fuzz_target!(|data: &[u8]| {
    let Some(text) = text(data) else { return };
    let (issuer, document) = first_line(text);
    for allow_insecure_loopback in [false, true] {
        match metadata::well_known_urls(issuer, allow_insecure_loopback.into()) {
            Ok(urls) => {
                let server: url::Url = issuer.parse().expect("an issuer is a URL");
                for url in urls {
                    check_endpoint(&url, allow_insecure_loopback);
                    // The metadata request goes to the configured server.
                    assert_eq!(url.origin(), server.origin());
                    assert!(url.path().contains("/.well-known/"), "{url}");
                }
            }
            Err(error) => check_error(&error),
        }
        let Ok(document) = serde_json::from_str(document) else { continue };
        match metadata::parse(&document, issuer, allow_insecure_loopback.into()) {
            Ok(metadata) => {
                assert_eq!(metadata.issuer, issuer);
                assert_eq!(
                    document.get("issuer").and_then(serde_json::Value::as_str),
                    Some(issuer)
                );
                let endpoints = [
                    ("authorization_endpoint", metadata.authorization_endpoint),
                    ("token_endpoint", metadata.token_endpoint),
                    ("device_authorization_endpoint", metadata.device_authorization_endpoint),
                    ("revocation_endpoint", metadata.revocation_endpoint),
                    ("introspection_endpoint", metadata.introspection_endpoint),
                    ("userinfo_endpoint", metadata.userinfo_endpoint),
                    ("jwks_uri", metadata.jwks_uri),
                ];
                for (name, endpoint) in endpoints {
                    let named = document
                        .get(name)
                        .and_then(serde_json::Value::as_str)
                        .filter(|named| !named.is_empty());
                    assert_eq!(endpoint.as_deref(), named, "{name}");
                    if let Some(endpoint) = endpoint {
                        check_endpoint(
                            &endpoint.parse().expect("an endpoint is a URL"),
                            allow_insecure_loopback,
                        );
                    }
                }
                let announces = document.get("authorization_response_iss_parameter_supported")
                    == Some(&true.into());
                assert_eq!(metadata.authorization_response_iss_parameter_supported, announces);
            }
            Err(error) => check_error(&error),
        }
    }
});

/// Checks that the URL is https, or loopback if allowed, and cannot carry a secret or hide another
/// host.
fn check_endpoint(url: &url::Url, allow_insecure_loopback: bool) {
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    assert!(
        url.scheme() == "https" || url.scheme() == "http" && loopback && allow_insecure_loopback,
        "{url}"
    );
    assert!(
        url.username().is_empty() && url.password().is_none() && url.fragment().is_none(),
        "{url}"
    );
}
