//! `WWW-Authenticate`: the input is the header, several ones joined by commas.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey::authorize::challenge::{self, Challenge};
use planetkey::{ApiResponse, Immediate, Session};
use planetkey_fuzz::{m2m_session, text};
use std::sync::LazyLock;

static SESSION: LazyLock<Session> = LazyLock::new(m2m_session);

fuzz_target!(|data: &[u8]| {
    let Some(header) = text(data) else { return };
    let challenges = challenge::parse(header);
    assert!(challenges.len() <= header.matches(',').count() + 1);
    for challenge in &challenges {
        assert!(is_lower_token(&challenge.scheme), "{challenge:?}");
        assert!(
            challenge.parameters.iter().all(|(name, _)| name.is_empty() || is_lower_token(name)),
            "{challenge:?}"
        );
        assert!(
            challenge.parameters.iter().all(|(name, value)| !name.is_empty() || !value.is_empty()),
            "{challenge:?}"
        );
    }

    // A parsed challenge, written in canonical form, is parsed the same.
    let understood: Vec<Challenge> = challenges
        .iter()
        .map(|challenge| Challenge {
            scheme: challenge.scheme.clone(),
            parameters: challenge
                .parameters
                .iter()
                .filter(|(name, _)| !name.is_empty())
                .cloned()
                .collect(),
        })
        .collect();
    let written = write(&understood);
    assert_eq!(challenge::parse(&written), understood, "{written}");
    // Text after it removes nothing.
    let longer = challenge::parse(&format!(
        "{written}{}Basic realm=\"r\"",
        if written.is_empty() { "" } else { ", " }
    ));
    assert_eq!(
        longer.split_last().map(|(last, before)| (last.scheme.as_str(), before)),
        Some(("basic", understood.as_slice()))
    );

    // Only a 401 is about the token, unless its Bearer challenge names another error. The token is
    // not the session's, so that nothing is invalidated.
    let bearer = challenges.iter().find(|challenge| challenge.scheme == "bearer");
    let about_the_token = bearer
        .is_none_or(|bearer| matches!(bearer.parameter("error"), None | Some("invalid_token")));
    let repeats = |status| {
        let mut response = ApiResponse::new("https://services.sentinel-hub.com/", status);
        response.sent = Some("Bearer another");
        response.www_authenticate = Some(header);
        let repeat = SESSION.after_api_response_cached(&response).expect("a session with tokens");
        !matches!(repeat, Immediate::Nothing)
    };
    assert_eq!(repeats(401), about_the_token);
    assert!(!repeats(403) && !repeats(200) && !repeats(407));
});

fn is_lower_token(text: &str) -> bool {
    let fits = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"!#$%&'*+-.^_`|~".contains(&byte)
    };
    !text.is_empty() && text.bytes().all(fits)
}

fn write(challenges: &[Challenge]) -> String {
    let written: Vec<String> = challenges
        .iter()
        .map(|challenge| {
            let quote = |value: &str| value.replace('\\', "\\\\").replace('"', "\\\"");
            let parameters: Vec<String> = challenge
                .parameters
                .iter()
                .map(|(name, value)| format!("{name}=\"{}\"", quote(value)))
                .collect();
            format!("{} {}", challenge.scheme, parameters.join(", ")).trim().to_owned()
        })
        .collect();
    written.join(", ")
}
