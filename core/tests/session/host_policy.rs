//! Which credential may go to which host: every trick of the design's section 6.

use crate::common::*;
use planetkey::clock::ManualClock;
use planetkey::{ApiKeyTransport, Options, Session, Status};
use serde_json::json;
use std::sync::Arc;

fn options_with(allowed: &[&str], loopback: bool) -> Options {
    options(&Fake::new(), &Arc::new(ManualClock::new(NOW))).with(|it| {
        it.allowed_hosts = Some(allowed.iter().map(|host| (*host).to_owned()).collect());
        it.allow_insecure_loopback = Some(loopback);
    })
}

fn key_session(allowed: &[&str], loopback: bool) -> Session {
    Session::from_api_key("KEY", ApiKeyTransport::Basic, &options_with(allowed, loopback)).unwrap()
}

/// Asks for a credential in every way, and asserts that all give the same result.
fn verdict(session: &Session, url: &str) -> Result<(), Status> {
    let status = |result: planetkey::Result<()>| result.map_err(|error| error.status());
    let first = status(session.authorize(url).map(drop));
    for other in [
        status(session.authorize_cached(url).map(drop)),
        status(session.headers(url).map(drop)),
        status(session.headers_cached(url).map(drop)),
        status(session.with_header(url, |_| ())),
    ] {
        assert_eq!(other, first, "{url}");
    }
    first
}

#[test]
fn literal_hosts_are_accepted_in_any_case_and_with_443() {
    let session = key_session(&[], false);
    for url in [
        "https://api.planet.com",
        "https://api.planet.com/",
        "https://api.planet.com?x",
        "https://api.planet.com#x",
        "https://api.planet.com:443/data",
        "HTTPS://API.PLANET.COM/data",
        "hTTps://Api.Planet.Com:443",
        "https://tiles.planet.com/basemaps/v1/planet-tiles/x/gmap/{z}/{x}/{y}.png",
        "https://tiles0.planet.com/?a=https://evil.example/&b=@evil.example",
        "https://tiles3.planet.com/a//b/../c;d=e/ü/%2F/\\evil.example",
    ] {
        assert_eq!(verdict(&session, url), Ok(()), "{url}");
        assert_eq!(session.authorize(url).unwrap().url(), url, "the URL stays as it is");
    }
}

#[test]
fn i9_16_an_at_sign_after_an_empty_path_is_refused() {
    let session = key_session(&[], true);
    for url in [
        "https://api.planet.com?@evil.example/",
        "https://api.planet.com#@evil.example",
        "https://api.planet.com?user:word@evil.example/",
        "https://api.planet.com:443?a=b#c@evil.example/d",
        "https://API.planet.com?\\@evil.example",
        "http://127.0.0.1:80?@evil.example/",
        "http://localhost#@evil.example/",
    ] {
        assert_eq!(verdict(&session, url), Err(Status::HostRefused), "{url}");
        assert!(session.authorize(url).unwrap_err().message().contains("%40"));
    }
    for url in [
        "https://api.planet.com?a=/b@c",
        "https://api.planet.com/?@x",
        "https://api.planet.com?a=b%40c",
        "https://api.planet.com#/@",
    ] {
        assert_eq!(verdict(&session, url), Ok(()), "{url}");
    }
}

#[test]
fn i10_22_the_refusal_of_a_host_of_another_deployment_names_it() {
    let error =
        key_session(&[], false).headers("https://sh.dataspace.copernicus.eu/ogc/wms").unwrap_err();
    assert_eq!(error.status(), Status::HostRefused);
    assert!(error.message().contains("deployment copernicus-data-space"), "{error}");
    let options =
        options_with(&[], false).with(|it| it.deployment = Some("copernicus-data-space".into()));
    let session = Session::from_m2m("id", "secret", &options).unwrap();
    let error = session.headers("https://services.sentinel-hub.com/x").unwrap_err();
    assert_eq!(error.status(), Status::HostRefused);
    assert!(error.message().contains("deployment planet"), "{error}");
    // A host of the same provider that the deployment does not list.
    let error = key_session(&[], false)
        .headers("https://catalogue.dataspace.copernicus.eu/odata/v1")
        .unwrap_err();
    assert!(
        error.message().contains("deployment copernicus-data-space")
            && error.message().contains("allowed_hosts"),
        "{error}"
    );
    for near in [
        "https://dataspace.copernicus.eu/",
        "https://notdataspace.copernicus.eu/",
        "https://www.planet.com/",
    ] {
        let error = key_session(&[], false).headers(near).unwrap_err();
        assert!(!error.message().contains("copernicus-data-space"), "{error}");
    }
    // For other hosts the advice is the usual one.
    let error = key_session(&[], false).headers("https://example.org/").unwrap_err();
    assert!(
        error.message().contains("allowed_hosts") && !error.message().contains("deployment"),
        "{error}"
    );
}

#[test]
fn urls_that_a_parser_would_repair_are_refused() {
    let session = key_session(&[], false);
    for url in [
        // User information: before the host, after it, and as a look-alike.
        "https://user@api.planet.com/",
        "https://user:pass@api.planet.com/",
        "https://@api.planet.com/",
        "https://api.planet.com@evil.example/",
        "https://api.planet.com:443@evil.example/",
        "https://api.planet.com%40evil.example/",
        // Backslashes, which browsers read as slashes.
        "https://api.planet.com\\@evil.example/",
        "https://evil.example\\api.planet.com/",
        "https://evil.example\\.api.planet.com/",
        "https:\\\\api.planet.com/",
        "https:/\\api.planet.com/",
        // White space and control characters, anywhere.
        " https://api.planet.com/",
        "https://api.planet.com/ ",
        "https://api.planet.com /",
        "https:// api.planet.com/",
        "https://api.pla\tnet.com/",
        "https://api.pla\nnet.com/",
        "https://api.planet.com\r\nHost: evil.example/",
        "https://api.planet.com/a\r\nX-Evil: 1",
        "https://api.planet.com/a b",
        "https://api.planet.com/\u{0}",
        "https://api.planet.com/\u{7f}",
        "ht\ntps://api.planet.com/",
        "\u{feff}https://api.planet.com/",
        // Escapes and non-ASCII letters.
        "https://api%2Eplanet%2Ecom/",
        "https://%61pi.planet.com/",
        "https://api.planet.com%00.evil.example/",
        "https://ａｐｉ.planet.com/",
        "https://api。planet。com/",
        "https://api.plаnet.com/",
        "https://api.planet.com\u{200b}/",
        "https://api.planet\u{ad}.com/",
        "https://xn--api-planet-com-0000/",
        "https://xn--plnet-4ve.com/",
        "https://api.xn--plnet-4ve.com/",
        // Dots.
        "https://api.planet.com./",
        "https://api.planet.com.:443/",
        "https://.api.planet.com/",
        "https://api..planet.com/",
        // Ports.
        "https://api.planet.com:444/",
        "https://api.planet.com:80/",
        "https://api.planet.com:/",
        "https://api.planet.com:0443/",
        "https://api.planet.com:+443/",
        "https://api.planet.com:443:443/",
        "https://api.planet.com:65979/",
        "https://api.planet.com:４４３/",
        // Look-alikes.
        "https://api.planet.com.evil.example/",
        "https://evil.example/api.planet.com",
        "https://evil.example?https://api.planet.com/",
        "https://evil.example#@api.planet.com/",
        "https://evil-api.planet.com/",
        "https://apiplanet.com/",
        "https://planet.com/",
        "https://www.planet.com/",
        "https://tiles4.planet.com/",
        "https://api-planet-com/",
        "https://api.planet.co/",
        "https://api.planet.comm/",
        "https://*.planet.com/",
        "https://{s}.planet.com/",
        // IP addresses.
        "https://1.2.3.4/",
        "https://[2001:db8::1]/",
        "https://16909060/",
        "https://0x01020304/",
        "https://1.2.3/",
        "https://[api.planet.com]/",
    ] {
        let status = verdict(&session, url).unwrap_err();
        assert!(
            matches!(status, Status::HostRefused | Status::InvalidArgument),
            "{url:?}: {status}"
        );
        session.signed_url(url).unwrap_err();
    }
}

#[test]
fn other_schemes_and_shapes_are_refused() {
    let session = key_session(&[], false);
    for url in [
        "http://api.planet.com/",
        "HTTP://api.planet.com/",
        "http://api.planet.com:443/",
        "http://api.planet.com:80/",
    ] {
        assert_eq!(verdict(&session, url), Err(Status::HostRefused), "{url}");
    }
    let long = format!("https://{}.planet.com/", "a".repeat(300));
    assert_eq!(verdict(&session, &long), Err(Status::HostRefused));
    let very_long = format!("https://api.planet.com/{}", "a".repeat(64 * 1024));
    for url in [
        "",
        "https",
        "https:",
        "https:/",
        "https://",
        "https:///",
        "https:/api.planet.com/",
        "https:///api.planet.com/",
        "https:api.planet.com",
        "//api.planet.com/",
        "/api.planet.com",
        "api.planet.com",
        "api.planet.com/data",
        "ftp://api.planet.com/",
        "file:///etc/passwd",
        "javascript:https://api.planet.com/",
        "view-source:https://api.planet.com/",
        "blob:https://api.planet.com/x",
        "wss://api.planet.com/",
        "httpss://api.planet.com/",
        "xhttps://api.planet.com/",
        "ｈttps://api.planet.com/",
        "https://?api.planet.com",
        "https://#api.planet.com",
        &very_long,
    ] {
        assert_eq!(
            verdict(&session, url),
            Err(Status::InvalidArgument),
            "{}",
            url.get(..60).unwrap_or(url)
        );
    }
}

/// Tests every special character at every position: another parser must read an accepted URL the
/// same way.
#[test]
fn another_parser_reads_an_accepted_url_the_same_way() {
    let session = key_session(&[], false);
    let nasty: Vec<char> = (0u8..=0x7f)
        .map(char::from)
        .chain([
            '\u{80}', '\u{a0}', '\u{ad}', 'ａ', '。', '．', '／', '＠', '：', '\u{200b}',
            '\u{2028}', '\u{202e}', '\u{feff}', 'ß', 'а',
        ])
        .collect();
    let mut accepted = 0;
    for base in [
        "https://api.planet.com/a?b#c",
        "https://tiles0.planet.com:443",
        "https://api.planet.com@evil.example/",
    ] {
        for at in 0..=base.len() {
            for c in &nasty {
                for replaced in [0, 1] {
                    let rest = base.get(at + replaced..).unwrap_or("");
                    let url = format!("{}{c}{rest}", &base[..at]);
                    if session.authorize(&url).is_err() {
                        continue;
                    }
                    accepted += 1;
                    let parsed =
                        url::Url::parse(&url).unwrap_or_else(|error| panic!("{url:?}: {error}"));
                    let host = parsed.host_str().unwrap();
                    assert!(
                        [
                            "api.planet.com",
                            "tiles0.planet.com",
                            "tiles1.planet.com",
                            "tiles2.planet.com",
                            "tiles3.planet.com",
                            "tiles.planet.com"
                        ]
                        .contains(&host),
                        "{url:?} is {host}"
                    );
                    assert_eq!(
                        (parsed.scheme(), parsed.port(), parsed.username(), parsed.password()),
                        ("https", None, "", None),
                        "{url:?}"
                    );
                    // The URL was not repaired: it contains the host literally.
                    assert!(
                        url.to_ascii_lowercase().starts_with(&format!("https://{host}")),
                        "{url:?}"
                    );
                }
            }
        }
    }
    assert!(accepted > 500, "the test has something to look at: {accepted}");
}

#[test]
fn each_kind_of_credential_has_its_hosts() {
    let key = key_session(&[], false);
    let m2m = bench().session;
    for host in ["api", "tiles", "tiles0", "tiles1", "tiles2", "tiles3"] {
        let url = format!("https://{host}.planet.com/");
        assert_eq!(verdict(&key, &url), Ok(()));
        assert!(!key.authorize(&url).unwrap().under_development());
        assert_eq!(verdict(&m2m, &url), Ok(()));
        assert!(
            m2m.authorize(&url).unwrap().under_development(),
            "Planet lists it as under development"
        );
    }
    for host in ["services", "services-uswest2", "creodias", "code-de"] {
        let url = format!("https://{host}.sentinel-hub.com/");
        assert_eq!(verdict(&key, &url), Err(Status::HostRefused));
        assert_eq!(verdict(&m2m, &url), Ok(()));
        assert!(!m2m.authorize(&url).unwrap().under_development());
    }
    let hosts = |session: &Session| session.status().sources()[0].hosts.clone();
    assert!(
        hosts(&key).contains(&"api.planet.com".to_owned())
            && !hosts(&key).contains(&"services.sentinel-hub.com".to_owned())
    );
    assert!(hosts(&m2m).contains(&"services.sentinel-hub.com".to_owned()));
}

#[test]
fn loopback_requires_the_option_and_means_this_computer_only() {
    let (closed, open) = (key_session(&[], false), key_session(&[], true));
    for url in [
        "http://127.0.0.1/",
        "http://127.0.0.1:8080/a",
        "http://localhost:1/",
        "http://LOCALHOST/",
        "http://[::1]:65535/",
        "https://localhost/",
        "https://127.0.0.1:8443/",
    ] {
        assert_eq!(verdict(&closed, url), Err(Status::HostRefused), "{url}");
        assert!(closed.authorize(url).unwrap_err().message().contains("allow_insecure_loopback"));
        assert_eq!(verdict(&open, url), Ok(()), "{url}");
    }
    for url in [
        "http://127.1/",
        "http://127.0.0.1./",
        "http://127.0.0.2/",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "http://evil.localhost/",
        "http://localhost@evil.example/",
        "http://localhost:80@evil.example/",
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0177.0.0.1/",
        "http://0.0.0.0/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::1%25lo]/",
        "http://[::1]evil.example/",
        "http://localhost:/",
        "http://localhost:123456/",
        "http://localhost:a/",
        "http://10.0.0.1/",
        "http://api.planet.com/",
        "http://\u{24db}ocalhost/",
    ] {
        assert_eq!(verdict(&open, url), Err(Status::HostRefused), "{url}");
    }
}

#[test]
fn allowed_hosts_are_exact_names_for_the_credential_of_the_call() {
    let session = key_session(&["tiles.example.org", "localhost:8080"], false);
    assert_eq!(verdict(&session, "https://tiles.example.org/x"), Ok(()));
    assert_eq!(verdict(&session, "https://TILES.example.org:443/x"), Ok(()));
    for url in [
        "http://tiles.example.org/",
        "https://a.tiles.example.org/",
        "https://example.org/",
        "http://localhost:8080/",
    ] {
        assert_eq!(verdict(&session, url), Err(Status::HostRefused), "{url}");
    }
    let m2m = m2m(&options_with(&["tiles.example.org"], false));
    assert_eq!(verdict(&m2m, "https://tiles.example.org/x"), Ok(()));
    for bad in [
        "",
        "https://tiles.example.org",
        "tiles.example.org/",
        "tiles.example.org:8443",
        "*.example.org",
        "Tiles.example.org",
        "tiles.example.org.",
        ".example.org",
        "user@tiles.example.org",
        "tiles example.org",
        "tiles%2Eexample.org",
        "tilés.example.org",
        "1.2.3.4",
        "0x7f.1",
        "xn--a",
        "-tiles.example.org",
        &"a".repeat(300),
    ] {
        let opened =
            Session::from_api_key("KEY", ApiKeyTransport::Basic, &options_with(&[bad], false));
        assert_eq!(opened.unwrap_err().status(), Status::InvalidArgument, "{bad:?}");
    }
}

/// An API key never goes to Sentinel Hub, also if another deployment is chosen and the call lists
/// the host.
#[test]
fn no_allowed_host_lets_an_api_key_go_to_sentinel_hub() {
    for deployment in ["planet", "copernicus-data-space"] {
        let hosts = ["services.sentinel-hub.com", "creodias.sentinel-hub.com"];
        let options =
            options_with(&hosts, false).with(|it| it.deployment = Some(deployment.into()));
        let session = Session::from_api_key("KEY", ApiKeyTransport::Basic, &options).unwrap();
        for host in hosts {
            let url = format!("https://{host}/");
            assert_eq!(verdict(&session, &url), Err(Status::HostRefused), "{deployment} {host}");
            assert_eq!(session.signed_url(&url).unwrap_err().status(), Status::HostRefused);
            assert!(!session.status().sources()[0].hosts.contains(&host.to_owned()));
        }
    }
}

#[test]
fn the_hosts_of_a_deployment_are_checked_too() {
    for host in [
        "API.example.org",
        "*.example.org",
        "api.example.org:8443",
        "https://api.example.org",
        "1.2.3.4",
        "",
    ] {
        let document = json!({
            "name": "mine", "authorization_servers": [],
            "resource_servers": [{"hosts": [host], "user_token": "yes", "m2m_token": "yes", "api_key": "yes"}],
        });
        let options =
            options_with(&[], false).with(|it| it.deployment = Some(document.to_string()));
        let opened = Session::from_api_key("KEY", ApiKeyTransport::Basic, &options);
        assert_eq!(opened.unwrap_err().status(), Status::Misconfigured, "{host:?}");
    }
}

#[test]
fn a_refusal_says_which_credential_the_host_accepts() {
    let key = key_session(&[], false);
    let message =
        |session: &Session, url: &str| session.headers(url).unwrap_err().message().to_owned();
    assert!(message(&key, SENTINEL_HUB).contains("PL_AUTH_CLIENT_ID"));
    let elsewhere = message(&key, "https://evil.example/path?secret=1");
    assert!(
        elsewhere.contains("evil.example")
            && elsewhere.contains("api.planet.com")
            && elsewhere.contains("allowed_hosts")
    );
    assert!(!elsewhere.contains("secret=1"), "a URL may hold secrets");
    assert!(message(&key, "http://api.planet.com/").contains("https"));
    // A host that is listed already, and a key that was found in the environment.
    let mut found = options_with(&["tiles.example.org"], false);
    let key = ("PL_API_KEY", "KEY");
    found.runtime.environment =
        std::sync::Arc::new(planetkey::profile::FixedEnvironment::new([key]));
    let listed = message(&Session::from_defaults(&found).unwrap(), "https://tiles.example.org/");
    assert!(
        listed.contains("only if the call names the key") && !listed.contains("list the host"),
        "{listed}"
    );
    // A signed URL for a host whose token the session has.
    let both = [key, ("PL_AUTH_CLIENT_ID", "id"), ("PL_AUTH_CLIENT_SECRET", "secret")];
    found.runtime.environment =
        std::sync::Arc::new(planetkey::profile::FixedEnvironment::new(both));
    let signed = Session::from_defaults(&found).unwrap().signed_url(SENTINEL_HUB).unwrap_err();
    assert_eq!(signed.status(), Status::HostRefused);
    assert!(
        signed.message().contains("use headers or authorize")
            && !signed.message().contains("give this session"),
        "{signed}"
    );
}

#[test]
fn i10_15_signed_url_accepts_the_templates_of_map_clients() {
    let session = key_session(&[], false);
    for host in [
        "tiles{0-3}",
        "tiles{s}",
        "tiles{switch:0,1,2,3}",
        "tiles{switch:3}",
        "{switch:tiles,api,tiles2}",
        "tile{s-s}",
        "TILES{1-2}",
    ] {
        let url = format!(
            "https://{host}.planet.com/basemaps/v1/planet-tiles/x/gmap/{{z}}/{{x}}/{{y}}.png?proc={{p}}"
        );
        assert_eq!(session.signed_url(&url).unwrap(), format!("{url}&api_key=KEY"));
    }
    // Every host that the placeholder expands to must be allowed.
    for host in [
        "tiles{0-4}.planet.com",
        "{s}.planet.com",
        "tiles{switch:0,4}.planet.com",
        "tiles{switch:0,}.planet.com",
        "tiles{3-0}.planet.com",
        "tiles{0-3.planet.com",
        "tiles0-3}.planet.com",
        "tiles{}.planet.com",
        "tiles{0-}.planet.com",
        "tiles{x}.planet.com",
        "tiles{0-z}.planet.com",
        "tiles{switch:0.evil}.planet.com",
        "tiles{s}{s}.planet.com",
        "tiles{s}.evil.example",
        "{switch:tiles,evil}.planet.com",
        "{s}@evil.example",
        "{switch:services,creodias}.sentinel-hub.com",
        "tiles{switch:0,1@evil}.planet.com",
        "tiles{s}.planet.com:8443",
        "{-}.planet.com",
    ] {
        let error = session.signed_url(&format!("https://{host}/x")).unwrap_err();
        assert!(
            matches!(error.status(), Status::HostRefused | Status::InvalidArgument),
            "{host}: {error}"
        );
        assert_eq!(
            verdict(&session, &format!("https://{host}/x")).unwrap_err(),
            Status::HostRefused,
            "{host}"
        );
    }
    session.signed_url("http://tiles{s}.planet.com/").unwrap_err();
    // A template can only be signed. A client must replace the placeholder before it asks for
    // headers.
    assert_eq!(verdict(&session, "https://tiles{0-3}.planet.com/"), Err(Status::HostRefused));
}
