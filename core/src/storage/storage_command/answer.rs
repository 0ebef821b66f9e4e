//! The JSON that passes between planetkey and the program of a `storage_command`.

use crate::secret_json::{Members, wipe};
use crate::storage::{python_json, token_file};
use serde_json::{Value, json};

/// The version of the document. A program returns it as it was given.
const VERSION: u64 = 1;

/// What the program returned for `get`.
#[derive(Debug)]
pub enum Answer {
    /// It holds no session of the profile.
    Nothing,
    /// The members of the session.
    Session(Members),
}

/// The document that the program gets, in one line: the profile, and for `store` the session.
pub(super) fn document(profile: &str, session: Option<&Members>) -> Vec<u8> {
    let mut document = Members::default();
    document.0.insert("profile".to_owned(), json!(profile));
    document.0.insert("version".to_owned(), json!(VERSION));
    if let Some(session) = session {
        let mut session = python_json::saved(&session.0);
        document.0.insert("session".to_owned(), Value::Object(std::mem::take(&mut session.0)));
    }
    python_json::to_line(&document)
}

/// Whether these are the tokens that were given.
pub(super) fn is_same(saved: &Members, given: &Members) -> bool {
    token_file::identity(&saved.0) == token_file::identity(&given.0)
}

/// Reads the answer to `get`: the document that was stored, or `{}`.
///
/// Errors: what is wrong with it, without a part of it.
pub fn parse_answer(bytes: &[u8], profile: &str) -> Result<Answer, &'static str> {
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err("it returned nothing; if no session is stored, it must print {}");
    }
    let Some(members) = python_json::parse(bytes) else {
        return Err(
            "its answer is not a JSON object; it must print what it was given to store, or {}",
        );
    };
    let mut members = Members(members);
    if members.0.is_empty() {
        return Ok(Answer::Nothing);
    }
    match members.0.get("version").and_then(Value::as_u64) {
        Some(VERSION) => {}
        Some(_) => return Err("its answer is of a later version of planetkey; use that version"),
        None => return Err("its answer is not what it was given to store: there is no version"),
    }
    if members.text("profile") != Some(profile) {
        return Err(
            "its answer is the session of another profile; give each profile its own place",
        );
    }
    match members.0.remove("session") {
        Some(Value::Object(session)) => {
            let session = Members(session);
            match python_json::is_damaged_session(&session.0) {
                true => Err("the session in its answer is damaged; log in again to replace it"),
                false => Ok(Answer::Session(session)),
            }
        }
        Some(mut other) => {
            wipe(&mut other);
            Err("the session in its answer is damaged; log in again to replace it")
        }
        None => Err("its answer holds no session; if none is stored, it must print {}"),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn members(value: Value) -> Members {
        match value {
            Value::Object(members) => Members(members),
            _ => Members::default(),
        }
    }

    #[test]
    fn a_document_is_one_line_and_is_read_back() {
        let session = members(json!({
            "access_token": "a\nb", "refresh_token": "ü", "empty": null, "__private": 1, "n": 1.50,
        }));
        let line = document("work", Some(&session));
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        let Ok(Answer::Session(read)) = parse_answer(&line, "work") else { unreachable!() };
        assert!(is_same(&read, &session));
        assert_eq!(read.0.len(), 3, "as in token.json");
        assert_eq!(document("work", None), b"{\"profile\":\"work\",\"version\":1}\n");
    }

    #[test]
    fn only_a_document_of_this_profile_or_an_empty_object_is_an_answer() {
        assert!(matches!(parse_answer(b" {} \n", "work"), Ok(Answer::Nothing)));
        let bad: &[(&str, &str)] = &[
            ("", "must print {}"),
            (" \n", "must print {}"),
            ("null", "not a JSON object"),
            ("[]", "not a JSON object"),
            ("{\"version\":1", "not a JSON object"),
            ("{}{}", "not a JSON object"),
            ("{\"access_token\":\"a\"}", "no version"),
            ("{\"version\":2,\"profile\":\"work\"}", "later version"),
            ("{\"version\":1}", "another profile"),
            ("{\"version\":1,\"profile\":\"play\",\"session\":{}}", "another profile"),
            ("{\"version\":1,\"profile\":\"work\"}", "no session"),
            ("{\"version\":1,\"profile\":\"work\",\"session\":\"x\"}", "damaged"),
            ("{\"version\":1,\"profile\":\"work\",\"session\":{\"access_token\":7}}", "damaged"),
        ];
        for (answer, why) in bad {
            let said = parse_answer(answer.as_bytes(), "work").unwrap_err();
            assert!(said.contains(why), "{answer}: {said}");
        }
    }
}
