//! What the program of a `storage_command` returns for `get`: the input is its output.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey::storage::python_json;
use planetkey::storage::storage_command::{Answer, parse_answer};
use planetkey_fuzz::{CANARY, check_hidden, check_line};
use serde_json::Value;

const PROFILE: &str = "work";

fuzz_target!(|data: &[u8]| {
    let document = python_json::parse(data);
    match parse_answer(data, PROFILE) {
        Ok(Answer::Nothing) => assert_eq!(document, Some(serde_json::Map::new())),
        Ok(Answer::Session(session)) => {
            let document = document.expect("a session is in a document");
            assert_eq!(document.get("profile").and_then(Value::as_str), Some(PROFILE));
            assert_eq!(document.get("version").and_then(Value::as_u64), Some(1));
            assert_eq!(document.get("session"), Some(&Value::Object(session.0.clone())));
            for member in ["access_token", "refresh_token"] {
                let is_text = |value: &Value| value.is_string() || value.is_null();
                assert!(session.0.get(member).is_none_or(is_text), "{member}");
            }
            check_hidden(&format!("{session:?}"));
        }
        Err(why) => {
            check_line(why, 200);
            // A message is one of a few fixed ones, so it repeats nothing.
            assert!(!why.contains(CANARY));
        }
    }
});
