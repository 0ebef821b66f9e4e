//! What follows an API's response, and which hosts a session serves.

use crate::common::*;
use planetkey::clock::ManualClock;
use planetkey::{ApiKeyTransport, ApiResponse, Authorization, Immediate, Session, Status};
use std::sync::Arc;

const ELSEWHERE: &str = "https://storage.example.com/scene.tif";
const INVALID_TOKEN: Option<&str> = Some(r#"Bearer realm="planet", error="invalid_token""#);

fn key_session(transport: ApiKeyTransport) -> Session {
    Session::from_api_key(
        "KEY/+~",
        transport,
        &options(&Fake::new(), &Arc::new(ManualClock::new(NOW))),
    )
    .unwrap()
}

fn header(authorization: &Authorization) -> &str {
    authorization.header_value().unwrap()
}

fn refused<'a>(url: &'a str, sent: Option<&'a str>) -> ApiResponse<'a> {
    let mut response = ApiResponse::new(url, 401);
    response.sent = sent;
    response
}

/// Returns the results of the blocking and the non-blocking call, as the value of the header.
fn both(session: &Session, response: &ApiResponse<'_>) -> (Option<String>, String) {
    let cached = match session.after_api_response_cached(response).unwrap() {
        Immediate::Nothing => "final".to_owned(),
        Immediate::WouldBlock => "would block".to_owned(),
        Immediate::Authorization(repeat) => header(&repeat).to_owned(),
        _ => unreachable!(),
    };
    let repeat = session.after_api_response(response).unwrap();
    (repeat.map(|repeat| repeat.header_value().unwrap_or("in the URL").to_owned()), cached)
}

#[test]
fn a_refused_token_is_replaced_and_the_request_repeated_once() {
    let bench = bench();
    let first = bench.session.authorize(SENTINEL_HUB).unwrap();
    let second = bench.session.after_response(&first, 401, INVALID_TOKEN).unwrap().unwrap();
    assert_eq!((header(&first), header(&second)), ("Bearer token-1", "Bearer token-2"));
    assert_eq!(second.url(), SENTINEL_HUB);
    // The API refuses the new token too, so the token is not the cause.
    assert!(bench.session.after_response(&second, 401, INVALID_TOKEN).unwrap().is_none());
    // Another caller comes later with the old token.
    let repeat = bench.session.after_response(&first, 401, None).unwrap().unwrap();
    assert_eq!(header(&repeat), "Bearer token-2");
    assert_eq!(bench.fake.count(), 2);
}

#[test]
fn a_response_that_does_not_refuse_the_token_is_final() {
    let bench = bench();
    let authorization = bench.session.authorize(SENTINEL_HUB).unwrap();
    let scope = Some(r#"Bearer error="insufficient_scope""#);
    for (http_status, challenge) in [
        (200, None),
        (401, scope),
        (403, scope),
        (403, INVALID_TOKEN),
        (500, None),
        (407, INVALID_TOKEN),
    ] {
        let repeat = bench.session.after_response(&authorization, http_status, challenge).unwrap();
        assert!(repeat.is_none(), "{http_status} {challenge:?}");
    }
    assert_eq!(bench.token(), "token-1");
}

#[test]
fn the_refusal_of_an_api_key_is_final() {
    for transport in [ApiKeyTransport::Basic, ApiKeyTransport::Header, ApiKeyTransport::Query] {
        let session = key_session(transport);
        let authorization = session.authorize(PLANET).unwrap();
        assert!(
            session.after_response(&authorization, 401, None).unwrap().is_none(),
            "{transport:?}"
        );
    }
    // The client may encode the key in the query differently.
    let session = key_session(ApiKeyTransport::Query);
    let url = format!("{PLANET}?api_key=KEY/%2B%7e");
    assert_eq!(both(&session, &refused(&url, None)), (None, "final".to_owned()));
}

#[test]
fn a_credential_lost_on_a_redirect_is_sent_to_a_host_of_the_session() {
    let bench = bench();
    bench.token();
    // A response to a request without the token says nothing about the token.
    for sent in [None, Some("Basic bmV0cmM6eA==")] {
        let mut response = refused(SENTINEL_HUB, sent);
        response.www_authenticate = Some(r#"Bearer error="invalid_request""#);
        assert_eq!(
            both(&bench.session, &response),
            (Some("Bearer token-1".to_owned()), "Bearer token-1".to_owned())
        );
        response.can_repeat = false;
        assert_eq!(both(&bench.session, &response), (None, "final".to_owned()));
    }
    assert_eq!(both(&bench.session, &refused(ELSEWHERE, None)), (None, "final".to_owned()));
    assert_eq!(
        both(&bench.session, &refused(ELSEWHERE, Some("Bearer of-another"))),
        (None, "final".to_owned())
    );
    assert_eq!(bench.fake.count(), 1, "nothing was refreshed");

    // A key in the URL is lost with every redirect.
    let session = key_session(ApiKeyTransport::Query);
    let repeat = session.after_api_response(&refused(PLANET, None)).unwrap().unwrap();
    assert_eq!(repeat.url(), format!("{PLANET}?api_key=KEY%2F%2B~"));
}

#[test]
fn a_401_of_a_foreign_host_does_not_invalidate_the_token() {
    let bench = bench();
    bench.token();
    // A client forwarded the token by mistake.
    for url in [ELSEWHERE, "https://user@api.planet.com/", "http://127.0.0.1/"] {
        for sent in [None, Some("Bearer token-1")] {
            let mut response = refused(url, sent);
            response.www_authenticate = INVALID_TOKEN;
            assert_eq!(both(&bench.session, &response), (None, "final".to_owned()), "{url}");
        }
    }
    assert_eq!(bench.token(), "token-1");
    assert_eq!(bench.fake.count(), 1, "nothing was refreshed");
}

#[test]
fn a_401_of_a_request_that_cannot_be_repeated_invalidates_the_token() {
    let bench = bench();
    let mut response = refused(SENTINEL_HUB, Some("Bearer token-1"));
    response.can_repeat = false;
    bench.token();
    assert!(bench.session.after_api_response(&response).unwrap().is_none());
    assert_eq!(bench.token(), "token-2");
}

#[test]
fn the_call_that_never_blocks_returns_would_block() {
    let bench = bench();
    bench.token();
    let response = refused(SENTINEL_HUB, Some("Bearer token-1"));
    assert!(matches!(
        bench.session.after_api_response_cached(&response),
        Ok(Immediate::WouldBlock)
    ));
    assert_eq!(bench.fake.count(), 1, "and it starts nothing that the caller waits for");
    assert_eq!(header(&bench.session.authorize(SENTINEL_HUB).unwrap()), "Bearer token-2");
    let late = bench.session.after_api_response_cached(&response).unwrap();
    assert!(
        matches!(late, Immediate::Authorization(repeat) if header(&repeat) == "Bearer token-2")
    );
}

#[test]
fn the_error_of_a_failed_refresh_is_returned() {
    let bench = bench();
    let authorization = bench.session.authorize(SENTINEL_HUB).unwrap();
    bench.fake.answers(oauth_error(401, "invalid_client"));
    let error = bench.session.after_response(&authorization, 401, None).unwrap_err();
    assert_eq!(
        (error.status(), error.oauth_error()),
        (Status::Misconfigured, Some("invalid_client"))
    );
}

#[test]
fn log_records_about_a_response_hold_no_secret() {
    let text =
        format!("{:?}", refused("https://api.planet.com/?api_key=KEY", Some("Bearer token-1")));
    assert_eq!(text, "ApiResponse(401 to a request with Authorization header)");
}

#[test]
fn foreign_hosts_get_no_credential_and_invalid_urls_are_errors() {
    let bench = bench();
    for url in [
        ELSEWHERE,
        "http://api.planet.com/",
        "https://user@api.planet.com/",
        "https://api.planet.com:8443/",
        "https://127.0.0.1/",
    ] {
        assert!(bench.session.authorize_if_served(url).unwrap().is_none(), "{url}");
        assert!(
            matches!(bench.session.authorize_if_served_cached(url), Ok(Immediate::Nothing)),
            "{url}"
        );
    }
    assert_eq!(bench.fake.count(), 0, "a host that is not served costs no token");
    for url in ["", "data:,x", "api.planet.com", "https:///path"] {
        assert_eq!(
            bench.session.authorize_if_served(url).unwrap_err().status(),
            Status::InvalidArgument,
            "{url}"
        );
        assert_eq!(
            bench.session.authorize_if_served_cached(url).unwrap_err().status(),
            Status::InvalidArgument,
            "{url}"
        );
    }
    assert!(matches!(
        bench.session.authorize_if_served_cached(SENTINEL_HUB),
        Ok(Immediate::WouldBlock)
    ));
    let authorization = bench.session.authorize_if_served(SENTINEL_HUB).unwrap().unwrap();
    assert_eq!(header(&authorization), "Bearer token-1");
    assert!(matches!(
        bench.session.authorize_if_served_cached(SENTINEL_HUB),
        Ok(Immediate::Authorization(_))
    ));
    // Only the refusal of the host becomes `None`. Other errors are returned.
    let empty =
        Session::from_defaults(&options(&Fake::new(), &Arc::new(ManualClock::new(NOW)))).unwrap();
    assert_eq!(
        empty.authorize_if_served(SENTINEL_HUB).unwrap_err().status(),
        Status::LoginRequired
    );
}
