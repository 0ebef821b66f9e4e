//! `token.json`: the input is the file, in any state.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey::clock::{Moment, Monotonic};
use planetkey::oauth::token_endpoint::MAX_LIFETIME_S;
use planetkey::secret::Secret;
use planetkey::storage::{
    CustomStorage, Saved, Storage, Stored, TokenStorage, TornRead, python_json,
};
use planetkey::{Result, Status};
use planetkey_fuzz::{NOW, check_error, check_hidden, with_canary};
use serde_json::{Map, Value};
use std::sync::{Arc, Mutex};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);
const HERE: Moment = Moment { monotonic: Monotonic::from_millis(1_000_000), unix_ms: NOW * 1000 };

fuzz_target!(|data: &[u8]| {
    let document = python_json::parse(data);
    if let Some(document) = &document {
        check_rewriting(document);
    }
    let Ok(text) = std::str::from_utf8(data) else { return };
    check_session(text, document.as_ref());
    if let Some(planted) = document
        .and_then(|document| with_canary(&document, &["access_token", "refresh_token", "id_token"]))
    {
        check_hidden(&format!("{:?}", load(&Text::holding(&Value::from(planted).to_string()))));
    }
});

/// The file between two processes: the written file equals the read one, in the SDK's form.
fn check_rewriting(document: &Map<String, Value>) {
    let written = python_json::to_bytes(document);
    check_form(&written);
    let again = python_json::parse(&written).expect("what was written can be read");
    let saved = document.iter().filter(|(name, value)| !name.starts_with("__") && !value.is_null());
    let mut saved: Value =
        saved.map(|(name, value)| (name.clone(), value.clone())).collect::<Map<_, _>>().into();
    forget_number_members(&mut saved);
    check_same(&saved, &Value::from(again.clone()));
    assert_eq!(python_json::to_bytes(&again), written, "writing it again changes nothing");
    // Additions of a text editor or an interrupted write do no harm.
    let edited = [b"\xef\xbb\xbf\r\n".as_slice(), &written, b"\r\n\0\0"].concat();
    assert_eq!(python_json::parse(&edited), Some(again));
}

/// serde_json reads an object that starts with this member as a number, so it is not written.
fn forget_number_members(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("$serde_json::private::Number");
            members.values_mut().for_each(forget_number_members);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_number_members),
        _ => {}
    }
}

/// The file as a session.
fn check_session(text: &str, document: Option<&Map<String, Value>>) {
    let storage = Text::holding(text);
    let (saved, document) = match (load(&storage), document) {
        (Ok(saved), Some(document)) => (saved, document),
        (Ok(saved), None) => return assert!(matches!(saved, Saved::Nothing) && text.is_empty()),
        (Err(error), document) => {
            check_error(&error);
            assert_eq!(
                (error.status(), error.reason()),
                (Status::LoginRequired, Some(planetkey::Reason::Corrupt))
            );
            return assert!(
                document.is_none() && !text.is_empty(),
                "a readable file is not corrupt"
            );
        }
    };
    let member =
        |name: &str| document.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let stored = match saved {
        Saved::Tokens(stored) => stored,
        Saved::Nothing => {
            return assert!(
                member("refresh_token").is_none()
                    && !member("access_token").is_some_and(is_b64token)
            );
        }
        Saved::Foreign => panic!("the file names no client"),
    };
    check_stored(&stored);
    let token = stored.tokens.access_token.expose();
    assert_eq!(
        (!token.is_empty()).then_some(token),
        member("access_token").filter(|token| is_b64token(token))
    );
    assert_eq!(&stored.tokens.members.0, document, "unknown members are preserved");

    // Saved and read again here: nothing is lost, and the lifetime does not grow.
    storage.save(&stored).expect("it holds anything");
    let again = tokens(load(&storage));
    assert_eq!(
        (again.tokens.lifetime, again.remaining),
        (stored.tokens.lifetime, stored.remaining)
    );
    assert_eq!(
        (again.tokens.access_token.expose(), &again.tokens.scopes),
        (token, &stored.tokens.scopes)
    );
    // Received just now and read by a process that knows the file only, as Planet's SDK does. Times
    // are whole seconds there.
    let life = stored.tokens.lifetime;
    storage.save(&Stored::received(stored.tokens.clone(), HERE)).expect("it holds anything");
    let elsewhere = tokens(load(&Text::holding(&storage.text())));
    check_stored(&elsewhere);
    assert_eq!(elsewhere.tokens.access_token.expose(), token);
    assert!(
        life < SECOND || elsewhere.remaining <= life + SECOND,
        "{:?} > {life:?}",
        elsewhere.remaining
    );
    let written = python_json::parse(storage.text().as_bytes()).expect("an object");
    for time in ["_iat", "_exp"] {
        assert!(written.get(time).is_some_and(Value::is_u64), "{time}");
    }
}

/// Checks that a header can carry the tokens, and that their lifetime has the limit.
fn check_stored(stored: &Stored) {
    let token = stored.tokens.access_token.expose();
    if token.is_empty() {
        assert_eq!(stored.remaining, Duration::ZERO, "what is not there does not live");
        assert!(
            stored
                .tokens
                .members
                .0
                .get("refresh_token")
                .and_then(Value::as_str)
                .is_some_and(|token| !token.is_empty())
        );
    } else {
        assert!(is_b64token(token), "{token:?}");
    }
    assert!(
        stored.remaining <= stored.tokens.lifetime,
        "{:?} > {:?}",
        stored.remaining,
        stored.tokens.lifetime
    );
    assert!(
        stored.tokens.lifetime <= Duration::from_secs(MAX_LIFETIME_S),
        "{:?}",
        stored.tokens.lifetime
    );
    assert!(
        stored
            .tokens
            .scopes
            .iter()
            .all(|scope| !scope.is_empty() && !scope.contains([' ', '\t', '\n', '\r']))
    );
}

/// Whether this is a token by RFC 6750 2.1 of a length that a header can carry.
fn is_b64token(token: &str) -> bool {
    let body = token.trim_end_matches('=');
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    !body.is_empty() && body.bytes().all(fits) && token.len() <= 256 * 1024
}

/// An application's storage in memory.
#[derive(Default)]
struct Memory(Mutex<Option<Secret>>);

impl Storage for Memory {
    fn load(&self) -> Result<Option<Secret>> {
        Ok(self.0.lock().expect("not poisoned").clone())
    }

    fn save(&self, text: Option<&Secret>) -> Result<()> {
        *self.0.lock().expect("not poisoned") = text.cloned();
        Ok(())
    }
}

/// A storage with a text.
struct Text {
    callbacks: Arc<Memory>,
    storage: CustomStorage,
}

impl Text {
    fn holding(text: &str) -> Self {
        let callbacks = Arc::new(Memory(Mutex::new(Some(Secret::from(text)))));
        Text { storage: CustomStorage::new(callbacks.clone(), "binding".to_owned()), callbacks }
    }

    fn save(&self, stored: &Stored) -> Result<()> {
        self.storage.save(stored).map(drop)
    }

    fn text(&self) -> String {
        self.callbacks
            .load()
            .ok()
            .flatten()
            .map(|text| text.expose().to_owned())
            .unwrap_or_default()
    }
}

fn load(text: &Text) -> Result<Saved> {
    text.storage.load(HERE, TornRead::Retry).map(|(kept, _)| kept)
}

fn tokens(saved: Result<Saved>) -> Arc<Stored> {
    match saved {
        Ok(Saved::Tokens(stored)) => stored,
        other => panic!("tokens were lost: {other:?}"),
    }
}

/// Checks the form of Python's `json.dumps(document, indent=2, sort_keys=True)`: ASCII, no final
/// line end, two spaces for each level.
fn check_form(written: &[u8]) {
    assert!(written.is_ascii() && written.ends_with(b"}") && written.starts_with(b"{"));
    let mut indented = 0;
    for line in written.split(|byte| *byte == b'\n') {
        let spaces = line.iter().take_while(|byte| **byte == b' ').count();
        let content = &line[spaces..];
        let closes = content.starts_with(b"}") || content.starts_with(b"]");
        assert_eq!(spaces, indented - usize::from(closes) * 2, "{}", String::from_utf8_lossy(line));
        indented = spaces + 2 * usize::from(content.ends_with(b"{") || content.ends_with(b"["));
        assert!(
            !content.ends_with(b" ") && content.iter().all(|byte| *byte >= b' ' && *byte != 0x7f)
        );
    }
}

/// Whether the values are equal. Numbers are compared by value, not by spelling.
fn check_same(left: &Value, right: &Value) {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            assert!(left.keys().eq(right.keys()), "the members differ");
            left.values().zip(right.values()).for_each(|(left, right)| check_same(left, right));
        }
        (Value::Array(left), Value::Array(right)) => {
            assert_eq!(left.len(), right.len());
            left.iter().zip(right).for_each(|(left, right)| check_same(left, right));
        }
        (Value::Number(left), Value::Number(right)) => {
            let (left, right) = (left.to_string(), right.to_string());
            let number = |text: &str| text.parse::<f64>().expect("a number");
            // Integers are exact, however long. Python writes no negative zero.
            let is_integer = !left.contains(['.', 'e', 'E']);
            let same = if is_integer {
                left == right || left == "-0" && right == "0"
            } else {
                number(&left) == number(&right)
            };
            assert!(same, "{left}, {right}");
        }
        _ => assert_eq!(left, right),
    }
}
