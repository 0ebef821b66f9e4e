//! The three forms of an API key, and how a URL may change.

use crate::common::*;
use planetkey::clock::ManualClock;
use planetkey::{ApiKeyTransport, CredentialKind, Session, Status, redact_url, strip_api_key};
use std::sync::Arc;

fn query_session(key: &str) -> Session {
    Session::from_api_key(
        key,
        ApiKeyTransport::Query,
        &options(&Fake::new(), &Arc::new(ManualClock::new(NOW))),
    )
    .unwrap()
}

#[test]
fn the_query_form_preserves_every_other_byte() {
    let session = query_session("KEY");
    for (url, signed) in [
        ("https://api.planet.com", "https://api.planet.com?api_key=KEY"),
        ("https://api.planet.com/a?", "https://api.planet.com/a?api_key=KEY"),
        ("https://api.planet.com/a?b=1", "https://api.planet.com/a?b=1&api_key=KEY"),
        ("https://api.planet.com/a?b=1&", "https://api.planet.com/a?b=1&api_key=KEY"),
        ("https://api.planet.com/a#f", "https://api.planet.com/a?api_key=KEY#f"),
        ("https://api.planet.com/a?b#f?x", "https://api.planet.com/a?b&api_key=KEY#f?x"),
        (
            "https://api.planet.com/{z}/{x}/{y}.png?q={q}",
            "https://api.planet.com/{z}/{x}/{y}.png?q={q}&api_key=KEY",
        ),
        ("https://api.planet.com/a?B=%2f+ü&&c", "https://api.planet.com/a?B=%2f+ü&&c&api_key=KEY"),
        // Signing is idempotent, and another key is replaced wherever it is in the query.
        ("https://api.planet.com/a?api_key=KEY", "https://api.planet.com/a?api_key=KEY"),
        ("https://api.planet.com/a?api_key=OLD&b=1", "https://api.planet.com/a?b=1&api_key=KEY"),
        (
            "https://api.planet.com/a?x&api_key=OLD&api_key=OLDER&y",
            "https://api.planet.com/a?x&y&api_key=KEY",
        ),
        ("https://api.planet.com/a?%61pi_key=OLD", "https://api.planet.com/a?api_key=KEY"),
        ("https://api.planet.com/a?api_key", "https://api.planet.com/a?api_key=KEY"),
        // Parameters that only look similar are not changed.
        (
            "https://api.planet.com/api_key=1?my_api_key=2&api_keys=3",
            "https://api.planet.com/api_key=1?my_api_key=2&api_keys=3&api_key=KEY",
        ),
        ("https://api.planet.com/a#api_key=1", "https://api.planet.com/a?api_key=KEY#api_key=1"),
    ] {
        assert_eq!(session.signed_url(url).unwrap(), signed);
        assert_eq!(session.authorize(url).unwrap().url(), signed);
        assert_eq!(session.signed_url(signed).unwrap(), signed, "idempotent");
    }
    assert_eq!(
        query_session("a/b+c&d=é%").signed_url("https://api.planet.com/").unwrap(),
        "https://api.planet.com/?api_key=a%2Fb%2Bc%26d%3D%C3%A9%25"
    );
}

#[test]
fn an_api_key_in_a_url_can_be_stripped_and_redacted() {
    for (url, stripped, redacted) in [
        ("https://a/?api_key=K", "https://a/", "https://a/?api_key=REDACTED"),
        (
            "https://a/?b=1&api_key=K&c#f",
            "https://a/?b=1&c#f",
            "https://a/?b=1&api_key=REDACTED&c#f",
        ),
        (
            "https://a/?api%5fkey=K&api_key=L",
            "https://a/",
            "https://a/?api_key=REDACTED&api_key=REDACTED",
        ),
        ("https://a/b#api_key=K", "https://a/b#api_key=K", "https://a/b#api_key=REDACTED"),
        ("no url ?x=%zz", "no url ?x=%zz", "no url ?x=%zz"),
        ("", "", ""),
    ] {
        assert_eq!(strip_api_key(url), stripped);
        assert_eq!(redact_url(url), redacted);
    }
    let url = "https://api.planet.com/{z}?a=1&b";
    assert_eq!(strip_api_key(&query_session("KEY").signed_url(url).unwrap()), url);
}

#[test]
fn i9_14b_redact_url_hides_user_information_and_secrets_after_every_separator() {
    for (url, redacted) in [
        ("https://KEY:@host/p", "https://REDACTED@host/p"),
        ("https://user:KEY@host", "https://REDACTED@host"),
        ("https://a@KEY@host/p@q", "https://REDACTED@host/p@q"),
        ("HTTPS:\\\\KEY:@host\\p", "HTTPS:\\\\REDACTED@host\\p"),
        (" https://\tKEY@host", " https://\tREDACTED@host"),
        ("//KEY@host/", "//REDACTED@host/"),
        ("KEY:@host/", "REDACTED@host/"),
        ("https://user:K/EY@host?x", "https://user:K/EY@host?x"),
        ("https://user:K?EY@host/x", "https://REDACTED@host/x"),
        ("https://user:K#EY@host/x", "https://REDACTED@host/x"),
        ("https://host/#api_key=KEY", "https://host/#api_key=REDACTED"),
        ("https://host/?a=1#b=2&api_key=KEY", "https://host/?a=1#b=2&api_key=REDACTED"),
        ("https://host/#/route?api_key=KEY", "https://host/#/route?api_key=REDACTED"),
        ("https://host/?a=1;api_key=KEY", "https://host/?a=1;api_key=REDACTED"),
        ("https://host/?api_key=KEY;KEY&b=2", "https://host/?api_key=REDACTED&b=2"),
        ("https://host/?api_key=KEY?KEY/KEY&b=2", "https://host/?api_key=REDACTED&b=2"),
        ("https://host/x;api_key=KEY/y;b=2?c=3", "https://host/x;api_key=REDACTED/y;b=2?c=3"),
        ("https://host/&api_key=KEY", "https://host/&api_key=REDACTED"),
        (
            "https://host/?API_Key=KEY&Api-Key=KEY&apikey=KEY",
            "https://host/?API_Key=REDACTED&Api-Key=REDACTED&apikey=REDACTED",
        ),
        ("https://host/?%61pi%5FKE%59=KEY", "https://host/?%61pi%5FKE%59=REDACTED"),
        ("https://host/?%61pi%255Fke%59=KEY&x", "https://host/?%61pi%255Fke%59=REDACTED&x"),
        ("https://host/?my_api_key[]=KEY", "https://host/?my_api_key[]=REDACTED"),
        (
            "https://host/?access_token=KEY&refresh_token=KEY",
            "https://host/?access_token=REDACTED&refresh_token=REDACTED",
        ),
        (
            "https://host/?to=https%3A%2F%2Fa%2F%3Fapi_key%3DKEY&b=2",
            "https://host/?to=REDACTED&b=2",
        ),
        ("https://host/?to=https://KEY@a/b&c=3", "https://host/?to=REDACTED&c=3"),
    ] {
        assert_eq!(redact_url(url), redacted, "{url}");
        assert_eq!(redact_url(redacted), redacted);
    }
    // A URL without a secret is not changed.
    for url in [
        "https://tiles.planet.com/{z}/{x}/{y}.png?a=1&b&=&c=%zz#f=1",
        "https://host/password/reset?api=key",
        "https://host/a@b?c=d@e&to=https%3A%2F%2Fa%2Fb",
        "/api_key/x",
        "é?ü=ö;ß#&&;;??##//",
    ] {
        assert_eq!(redact_url(url), url);
    }
    // A key is inserted before each character of a URL.
    let template = "https://user:word@host/a;b=c/d?e=f;g&h=i#j=k&l";
    for (at, _) in template.char_indices() {
        for separator in ["?", "&", ";", "#", "/"] {
            let (before, after) = template.split_at(at);
            let url = format!("{before}{separator}api_key=CANARY&{after}");
            assert!(!redact_url(&url).contains("CANARY"), "{url}: {}", redact_url(&url));
        }
    }
}

#[test]
fn each_transport_has_its_name() {
    let options = options(&Fake::new(), &Arc::new(ManualClock::new(NOW)));
    for (transport, name) in [
        (ApiKeyTransport::Basic, "basic"),
        (ApiKeyTransport::Header, "header"),
        (ApiKeyTransport::Query, "query"),
    ] {
        assert_eq!(
            (transport.name(), ApiKeyTransport::from_name(name).unwrap()),
            (name, transport)
        );
        let session = Session::from_api_key("KEY", transport, &options).unwrap();
        let authorization = session.authorize(PLANET).unwrap();
        assert_eq!(
            (authorization.credential(), authorization.transport().name()),
            (CredentialKind::ApiKey, name)
        );
        assert_eq!(
            (authorization.source(), authorization.source_index()),
            ("argument: api_key", 0)
        );
        assert_eq!((authorization.expires_at(), authorization.generation()), (None, 1));
        // The URL form is available for every transport on request.
        assert_eq!(session.signed_url(PLANET).unwrap(), format!("{PLANET}?api_key=KEY"));
        assert_eq!(session.api_key().unwrap(), "KEY");
        assert!(
            session.authorize_cached(PLANET).unwrap().is_some()
                && session.status().sources()[0].token_cached
        );
        let status = session.access_token().unwrap_err().status();
        assert_eq!(status, Status::Unsupported);
        assert!(!repeats(&session, "t", 401, None));
        for unsupported in [session.refresh(), session.invalidate("t").map(drop)] {
            assert_eq!(unsupported.unwrap_err().status(), Status::Unsupported);
        }
    }
    for bad in ["", "Basic", "bearer", "query "] {
        assert_eq!(ApiKeyTransport::from_name(bad).unwrap_err().status(), Status::InvalidArgument);
    }
    assert_eq!(bench().session.api_key().unwrap_err().status(), Status::Unsupported);
}
