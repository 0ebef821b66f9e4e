//! A token response. The input is what the server sends: the status, headers, an empty line, the
//! body. Headers are `content-type`, `date` (in Unix seconds), `retry-after` and `location` (a
//! host).
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey::clock::{ManualClock, SystemRandom};
use planetkey::credential::TokenSet;
use planetkey::http::{CallContext, Form, Http, Replay, Response, Retry};
use planetkey::oauth::client_authentication::ClientAuthentication;
use planetkey::oauth::token_endpoint::{self, MAX_LIFETIME_S, TokenRequest};
use planetkey::secret::Secret;
use planetkey::{Result, Status};
use planetkey_fuzz::{
    CANARY, Fixed, NOW, answer, check_error, check_hidden, check_secretive, with_canary,
};
use serde_json::{Map, Value};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

const SECRETS: [&str; 3] = ["access_token", "refresh_token", "id_token"];

static ENDPOINT: LazyLock<url::Url> =
    LazyLock::new(|| "https://as.example/token".parse().expect("a URL"));

fuzz_target!(|data: &[u8]| {
    let Some(response) = response(data) else { return };
    let outcome = ask(&response);
    match &outcome {
        Ok(tokens) => check_tokens(tokens, &response),
        Err(error) => {
            check_error(error);
            let allowed = [
                Status::Misconfigured,
                Status::LoginRequired,
                Status::Denied,
                Status::Unavailable,
                Status::Protocol,
            ];
            assert!(allowed.contains(&error.status()), "{error}");
            assert!(error.http_status().is_none_or(|status| status == response.status), "{error}");
        }
    }
    // The same response again has the same result.
    assert_eq!(summary(&outcome), summary(&ask(&response)));

    let Ok(Value::Object(document)) = serde_json::from_slice(text(&response)) else { return };
    if let Some(document) = with_canary(&document, &SECRETS) {
        let body = planetkey::http::Body(Value::from(document).to_string().into_bytes());
        match ask(&Response { body, ..response }) {
            Ok(tokens) => check_hidden(&format!("{tokens:?}")),
            Err(error) => check_secretive(&error),
        }
    }
});

fn ask(response: &Response) -> Result<TokenSet> {
    let clock = Arc::new(ManualClock::new(NOW));
    let http = Http::new(Fixed::new(response.clone()), clock, Arc::new(SystemRandom));
    let authentication = ClientAuthentication::ClientSecretPost {
        client_id: "client".to_owned(),
        client_secret: Secret::from(CANARY),
    };
    let request = TokenRequest {
        endpoint: &ENDPOINT,
        form: Form::default(),
        authentication: &authentication,
        scopes: &["planet".to_owned()],
        replay: Replay::Safe,
    };
    token_endpoint::send(
        &CallContext::within(&http, Retry::WithinDeadline, Duration::from_secs(30)),
        request,
    )
}

/// The body without a byte order mark.
fn text(response: &Response) -> &[u8] {
    response.body.0.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&response.body.0)
}

fn check_tokens(tokens: &TokenSet, response: &Response) {
    assert!((200..300).contains(&response.status));
    let document: Map<String, Value> =
        serde_json::from_slice(text(response)).expect("a JSON object");
    assert_eq!(tokens.members.0, document, "every member is preserved");
    let member = |name: &str| document.get(name).and_then(Value::as_str);
    let token = tokens.access_token.expose();
    assert_eq!(Some(token), member("access_token"));
    // The b64token of RFC 6750 2.1 cannot end a header or start another.
    let body = token.trim_end_matches('=');
    assert!(
        !body.is_empty()
            && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte)),
        "{token:?}"
    );
    assert!(member("token_type").is_some_and(|kind| kind.eq_ignore_ascii_case("bearer")));
    assert!(
        matches!(document.get("error"), None | Some(Value::Null)),
        "an error was taken for a token"
    );
    assert!(
        !tokens.lifetime.is_zero() && tokens.lifetime <= Duration::from_secs(MAX_LIFETIME_S),
        "{:?}",
        tokens.lifetime
    );
    // No token lives longer than the server says.
    let stated = match document.get("expires_in") {
        Some(Value::Number(number)) => number.as_f64(),
        Some(Value::String(text)) => text.trim().parse().ok(),
        _ => None,
    };
    assert!(
        stated.is_none_or(|stated| tokens.lifetime.as_millis() as f64 <= stated * 1000.0),
        "{stated:?}, {:?}",
        tokens.lifetime
    );
    assert!(
        tokens
            .scopes
            .iter()
            .all(|scope| !scope.is_empty() && !scope.contains([' ', '\t', '\n', '\r'])),
        "{:?}",
        tokens.scopes
    );
}

fn summary(outcome: &Result<TokenSet>) -> String {
    match outcome {
        Ok(tokens) => format!("{:?} {:?}", tokens.lifetime, tokens.scopes),
        Err(error) => format!("{error} {:?}", error.retry_after()),
    }
}

fn response(data: &[u8]) -> Option<Response> {
    let end = data.windows(2).position(|pair| pair == b"\n\n")?;
    let mut lines = std::str::from_utf8(&data[..end]).ok()?.lines();
    let status = lines.next()?.parse().ok().filter(|status| (100..=999).contains(status))?;
    let mut response = Response { media_type: None, ..answer(status, &data[end + 2..]) };
    for line in lines {
        match line.split_once(": ") {
            Some(("content-type", value)) => response.media_type = Some(value.to_ascii_lowercase()),
            Some(("date", value)) => response.date = value.parse().ok(),
            Some(("retry-after", value)) => response.retry_after = Some(value.to_owned()),
            Some(("location", value)) => response.location_host = Some(value.to_owned()),
            _ => {}
        }
    }
    Some(response)
}
