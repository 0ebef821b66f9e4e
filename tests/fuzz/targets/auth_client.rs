//! `auth_client.json`: the input is the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey::Session;
use planetkey::profile::ClientConfig;
use planetkey_fuzz::{
    CANARY, Fixed, check_error, check_form, check_hidden, check_secretive, options, text,
    with_canary,
};
use serde_json::{Map, Value};

const SECRETS: [&str; 7] = [
    "client_secret",
    "client_privkey",
    "client_privkey_password",
    "api_key",
    "password",
    "user_password",
    "key",
];

/// Leak detection is off: a refresh has its own thread, and memory of an ending thread looks like a
/// leak.
#[unsafe(no_mangle)]
extern "C" fn __asan_default_options() -> *const std::ffi::c_char {
    c"detect_leaks=0".as_ptr()
}

fuzz_target!(|data: &[u8]| {
    let Some(text) = text(data) else { return };
    let read = ClientConfig::from_json(text);
    let document = object(text);
    match &read {
        Ok(_) => assert!(document.is_some(), "only an object is a client"),
        Err(error) => check_error(error),
    }
    let Some(document) = document else { return };
    let spelled = Value::from(document.clone()).to_string();
    // serde_json reads an object whose first member has this name as a number.
    if spelled.contains("$serde_json::private::Number") {
        return;
    }
    // Unknown members are ignored.
    let mut more = document.clone();
    if more.insert("_an_unknown_member".to_owned(), Value::Null).is_none() {
        let again = ClientConfig::from_json(&Value::from(more).to_string());
        assert_eq!(read.is_ok(), again.is_ok());
    }
    // Either could name any file of the host.
    let names_a_file = document.contains_key("client_privkey_file")
        || document.get("deployment").is_some_and(Value::is_string);
    if !names_a_file {
        check_session(text);
    }
    if let Some(planted) = with_canary(&document, &SECRETS) {
        let planted = Value::from(planted).to_string();
        match ClientConfig::from_json(&planted) {
            Ok(config) => check_hidden(&format!("{config:?}")),
            Err(error) => check_secretive(&error),
        }
        if !names_a_file {
            check_session(&planted);
        }
    }
});

/// A session of this client, and the requests that its server gets.
fn check_session(text: &str) {
    let server = Fixed::token();
    let session = match Session::from_client_config(text, &options(server.clone())) {
        Ok(session) => session,
        Err(error) => return check_secretive(&error),
    };
    check_hidden(&format!("{session:?} {}", session.status().to_json()));
    if let Err(error) = session.refresh() {
        check_secretive(&error);
    }
    for request in server.seen() {
        check_hidden(request.url.as_str());
        let fields = check_form(&request);
        let sent =
            |name: &str| fields.iter().any(|(field, value)| field == name && !value.is_empty());
        if sent("grant_type") {
            let ways =
                [request.authorization.is_some(), sent("client_secret"), sent("client_assertion")];
            assert!(
                ways.iter().filter(|way| **way).count() <= 1,
                "one authentication method per request: {ways:?}"
            );
            // The secret is only in its place.
            assert!(
                fields
                    .iter()
                    .all(|(name, value)| name == "client_secret" || !value.contains(CANARY)),
                "{fields:?}"
            );
        }
    }
    check_hidden(&format!("{session:?} {}", session.status().to_json()));
}

fn object(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str(text.trim_start_matches('\u{feff}')).ok()
}
