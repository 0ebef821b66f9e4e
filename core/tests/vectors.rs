//! Runs the shared cases of `tests/vectors` against the core. `tests/vectors/README.md` documents
//! their format.

use planetkey::profile::{FixedEnvironment, HOME_VARIABLE};
use planetkey::{ApiKeyTransport, Authorization, Error, Options, Result, Session};
use planetkey_simulator::{Settings, Simulator};
use serde_json::{Map, Value, json};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use std::time::{SystemTime, UNIX_EPOCH};

/// How far an expiry may be from now plus the lifetime, in seconds. It allows for the run time of a
/// case and is not a promise.
const EXPIRY_TOLERANCE_S: i64 = 60;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/vectors")
}

/// Cases that must fail.
const WRONG_CASES: &str = "must_fail.json";

/// Returns the suites in the order of their names. `errors.json` is not a list of cases.
fn suites() -> Vec<Value> {
    let entries = std::fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<PathBuf> = entries
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter(|path| {
            path.file_name().is_some_and(|name| name != "errors.json" && name != WRONG_CASES)
        })
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap())
        .collect()
}

fn list(value: Option<&Value>) -> &[Value] {
    value.and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, member: &str) -> &'a str {
    value[member].as_str().unwrap_or_else(|| panic!("{member} must be a string in {value}"))
}

fn texts(value: &Value) -> Vec<String> {
    list(Some(value))
        .iter()
        .map(|item| item.as_str().expect("a list of strings").to_owned())
        .collect()
}

#[test]
fn every_case_agrees() {
    let driver = Driver::start();
    let (mut executed, mut failures) = (Vec::new(), Vec::new());
    for suite in suites() {
        for case in list(suite.get("cases")) {
            executed.push(text(case, "id").to_owned());
            let differences = driver.run(case);
            if !differences.is_empty() {
                failures.push(format!("{}: {}", text(case, "id"), differences.join("\n    ")));
            }
        }
    }
    if let Some(report) = std::env::var_os("PLANETKEY_VECTORS_REPORT") {
        std::fs::write(report, executed.iter().map(|id| format!("{id}\n")).collect::<String>())
            .unwrap();
    }
    println!("{} passed, {} failed", executed.len() - failures.len(), failures.len());
    assert!(!executed.is_empty());
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

/// Checks what the drivers of all languages assume.
#[test]
fn every_case_is_well_formed() {
    let known = [
        "id",
        "title",
        "source",
        "environment",
        "files",
        "clients",
        "settings",
        "script",
        "seed",
        "session",
        "before",
        "call",
        "expect",
    ];
    let mut ids = HashSet::new();
    for suite in suites() {
        assert!(!text(&suite, "about").is_empty());
        for case in list(suite.get("cases")) {
            let id = text(case, "id");
            assert!(ids.insert(id.to_owned()), "{id} is there twice");
            assert_eq!(
                id.split_once('/').map(|(suite, _)| suite),
                suite["suite"].as_str(),
                "{id} is in another suite"
            );
            assert!(!text(case, "title").is_empty() && !text(case, "source").is_empty(), "{id}");
            assert!(
                case.as_object().unwrap().keys().all(|member| known.contains(&member.as_str())),
                "{id} has an unknown member"
            );
            let op = text(&case["call"], "op");
            let expect =
                case["expect"].as_object().unwrap_or_else(|| panic!("{id} expects nothing"));
            let needed = match op {
                "authorize" | "headers" => Some("headers"),
                "after_response" if expect.contains_key("repeat") => None,
                "after_response" => Some("headers"),
                "status" => Some("status"),
                "open" | "refresh" | "release" => None,
                _ => Some("value"),
            };
            let by_life = op == "authorize" && expect.contains_key("expires_in_s");
            assert!(
                expect.contains_key("error")
                    || by_life
                    || needed.is_none_or(|member| expect.contains_key(member)),
                "{id} does not say what {op} gives"
            );
        }
    }
}

/// A driver that accepts everything would prove nothing.
#[test]
fn the_driver_finds_every_wrong_case() {
    let driver = Driver::start();
    let wrong: Value =
        serde_json::from_str(&std::fs::read_to_string(directory().join(WRONG_CASES)).unwrap())
            .unwrap();
    for case in list(wrong.get("cases")) {
        assert!(!driver.run(case).is_empty(), "{}", text(case, "id"));
    }
}

struct Driver {
    simulator: Simulator,
    variables: Vec<(&'static str, String)>,
}

impl Driver {
    fn start() -> Self {
        let simulator = Simulator::start(Settings::default()).unwrap();
        let described = simulator.description();
        let from = |member: &str| text(&described, member).to_owned();
        let variables = vec![
            ("planet_api", from("planet_api")),
            ("sentinel_hub_api", from("sentinel_hub_api")),
            ("m2m_issuer", from("m2m")),
            ("tls_issuer", from("tls")),
            ("generic_issuer", from("generic")),
            ("token_endpoint", from("token_endpoint")),
            ("proxy", from("proxy")),
            ("client_id", from("client_id")),
            ("client_secret", from("client_secret")),
            ("deployment", from("deployment")),
            ("ca", from("ca")),
            ("long", "a".repeat(65_536)),
        ];
        Driver { simulator, variables }
    }

    /// Replaces `${name}` in every string.
    fn resolve(&self, value: &Value, home: &str) -> Value {
        match value {
            Value::String(text) => {
                let mut text = text.replace("${home}", home);
                for (name, replacement) in &self.variables {
                    text = text.replace(&format!("${{{name}}}"), replacement);
                }
                assert!(!text.contains("${"), "unknown variable in {text}");
                Value::String(text)
            }
            Value::Array(items) => items.iter().map(|item| self.resolve(item, home)).collect(),
            Value::Object(members) => Value::Object(
                members
                    .iter()
                    .map(|(name, member)| (name.clone(), self.resolve(member, home)))
                    .collect(),
            ),
            other => other.clone(),
        }
    }

    /// Runs a case and returns the differences from its expectation.
    fn run(&self, case: &Value) -> Vec<String> {
        let home = tempfile::tempdir().unwrap();
        let case = self.resolve(case, home.path().to_str().unwrap());
        self.simulator.reset();
        if let Some(settings) = case.get("settings") {
            self.simulator.change_settings(settings).unwrap();
        }
        for client in list(case.get("clients")) {
            self.simulator.register_client(client).unwrap();
        }
        for script in list(case.get("script")) {
            let rest = json!({"steps": script["steps"], "repeat": script.get("repeat").unwrap_or(&Value::Bool(false))});
            self.simulator.script(text(script, "target"), &rest).unwrap();
        }
        for (path, content) in case.get("files").and_then(Value::as_object).unwrap_or(&Map::new()) {
            let path = home.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(
                path,
                content.as_str().map_or_else(|| content.to_string(), str::to_owned),
            )
            .unwrap();
        }
        // A session at the user's authorization server, as its token file.
        for seed in list(case.get("seed")) {
            let path = home.path().join(text(seed, "path"));
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            let mut answer = self.simulator.seed_session(&seed["session"]).unwrap();
            for (member, value) in seed.get("set").and_then(Value::as_object).unwrap_or(&Map::new())
            {
                answer[member] = value.clone();
            }
            std::fs::write(path, answer.to_string()).unwrap();
        }
        let mut environment =
            vec![(HOME_VARIABLE.to_owned(), home.path().to_str().unwrap().to_owned())];
        for (name, value) in
            case.get("environment").and_then(Value::as_object).unwrap_or(&Map::new())
        {
            environment
                .push((name.clone(), value.as_str().expect("a variable is a string").to_owned()));
        }
        let session = match case.get("session").map(|session| open(session, environment)) {
            Some(Err(unknown)) => return vec![unknown],
            Some(Ok(session)) => Some(session),
            None => None,
        };
        let mut authorized = None;
        for step in list(case.get("before")) {
            let differences = self.check(
                home.path(),
                session.as_ref(),
                &step["call"],
                &step["expect"],
                &mut authorized,
            );
            if !differences.is_empty() {
                return differences
                    .into_iter()
                    .map(|difference| format!("before: {difference}"))
                    .collect();
            }
        }
        self.check(home.path(), session.as_ref(), &case["call"], &case["expect"], &mut authorized)
    }

    fn check(
        &self,
        home: &Path,
        session: Option<&Result<Session>>,
        call: &Value,
        expect: &Value,
        authorized: &mut Option<Authorization>,
    ) -> Vec<String> {
        let outcome = match (session, text(call, "op")) {
            (_, "strip_api_key") => {
                Ok(json!({"value": planetkey::strip_api_key(text(call, "url"))}))
            }
            (_, "redact_url") => Ok(json!({"value": planetkey::redact_url(text(call, "url"))})),
            (_, "release") => {
                self.simulator.release(text(call, "hold"));
                Ok(json!({}))
            }
            (Some(Ok(_)), "open") => Ok(json!({})),
            (Some(Err(error)), "open") => Err(error.clone()),
            // Only `open` may report that a session cannot be opened.
            (Some(Err(error)), _) => return vec![format!("the session does not open: {error}")],
            (None, op) => return vec![format!("{op} needs a session, or is unknown")],
            (Some(Ok(session)), op) => {
                let session = match call["timeout_ms"].as_u64() {
                    Some(timeout_ms) => {
                        session.with_timeout(std::time::Duration::from_millis(timeout_ms))
                    }
                    None => session.clone(),
                };
                match perform(&session, op, call, authorized) {
                    Some(outcome) => outcome,
                    None => return vec![format!("unknown op {op}")],
                }
            }
        };
        let mut differences = Vec::new();
        for (member, wanted) in expect.as_object().expect("an expectation is an object") {
            match (member.as_str(), &outcome) {
                ("requests", _) => {
                    for (target, count) in wanted.as_object().expect("counts by target") {
                        let counted = self.simulator.count(target).unwrap();
                        if count.as_u64() != Some(counted) {
                            differences
                                .push(format!("{target} had {counted} requests, not {count}"));
                        }
                    }
                }
                ("files", _) => {
                    for (path, wanted) in wanted.as_object().expect("files by path") {
                        differences.extend(different_file(&home.join(path), wanted));
                    }
                }
                ("token_request", _) => {
                    let last =
                        self.simulator.requests("m2m.token").unwrap().pop().unwrap_or_default();
                    differences.extend(different(
                        "the form of the token request",
                        wanted,
                        &last["form"],
                    ));
                }
                ("error", Err(error)) => differences.extend(different_error(wanted, error)),
                ("error", Ok(_)) => differences.push(format!("no error, but expected {wanted}")),
                (_, Err(_)) => {}
                ("expires_in_s", Ok(actual)) => {
                    let now = i64::try_from(
                        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs(),
                    )
                    .unwrap();
                    let left = actual["expires_at"].as_i64().map(|expires_at| expires_at - now);
                    if left.is_none_or(|left| {
                        (left - wanted.as_i64().unwrap()).abs() > EXPIRY_TOLERANCE_S
                    }) {
                        differences.push(format!("expires in {left:?} s, not {wanted}"));
                    }
                }
                ("status", Ok(actual)) => {
                    differences.extend(different_subset("status", wanted, &actual["status"]))
                }
                (_, Ok(actual)) => match actual.get(member) {
                    Some(actual) => differences.extend(different(member, wanted, actual)),
                    None => differences.push(format!("unknown expectation {member}")),
                },
            }
        }
        if let (Err(error), None) = (&outcome, expect.get("error")) {
            differences.push(format!("failed: {error}"));
        }
        differences
    }
}

/// Opens the session of a case, or returns what is wrong with the case if it cannot be tried.
fn open(
    session: &Value,
    environment: Vec<(String, String)>,
) -> std::result::Result<Result<Session>, String> {
    let mut options = Options::default();
    options.runtime.environment = Arc::new(FixedEnvironment::new(environment));
    for (name, value) in session.get("options").and_then(Value::as_object).unwrap_or(&Map::new()) {
        let as_text = || Some(value.as_str().expect("a string").to_owned());
        match name.as_str() {
            "timeout_ms" => options.timeout = value.as_u64().map(Duration::from_millis),
            "deployment" => options.deployment = as_text(),
            "allowed_hosts" => options.allowed_hosts = Some(texts(value)),
            "allow_insecure_loopback" => options.allow_insecure_loopback = value.as_bool(),
            "ca_file" => options.ca_file = as_text().map(PathBuf::from),
            "proxy" => options.proxy = as_text(),
            "store" => options.store = as_text(),
            "save" => options.save = value.as_bool(),
            "storage_root" => options.storage_root = as_text().map(PathBuf::from),
            _ => return Err(format!("unknown option {name}")),
        }
    }
    options.profile =
        session.get("profile").map(|profile| profile.as_str().expect("a string").to_owned());
    Ok(match text(session, "from") {
        "defaults" => Session::from_defaults(&options),
        "profile" => Session::from_profile(text(session, "name"), &options),
        "api_key" => {
            let transport = session
                .get("transport")
                .map_or("basic", |transport| transport.as_str().expect("a string"));
            ApiKeyTransport::from_name(transport).and_then(|transport| {
                Session::from_api_key(text(session, "api_key"), transport, &options)
            })
        }
        "m2m" => {
            options.scopes = session.get("scopes").map(texts);
            options.audience = session
                .get("audience")
                .map(|audience| audience.as_str().expect("a string").to_owned());
            Session::from_m2m(text(session, "client_id"), text(session, "client_secret"), &options)
        }
        "client_config" => match session.get("json") {
            Some(json) => Session::from_client_config(json.as_str().expect("a string"), &options),
            None => Session::from_client_config(&session["config"].to_string(), &options),
        },
        from => return Err(format!("unknown session {from}")),
    })
}

/// Returns `None` for an unknown op.
fn perform(
    session: &Session,
    op: &str,
    call: &Value,
    authorized: &mut Option<Authorization>,
) -> Option<Result<Value>> {
    fn value<T: Into<Value>>(result: Result<T>) -> Result<Value> {
        result.map(|value| json!({"value": value.into()}))
    }
    fn authorization(made: &Authorization) -> Value {
        let headers: Map<String, Value> =
            made.headers().map(|(name, value)| (name.to_owned(), value.into())).collect();
        json!({
            "headers": headers,
            "url": made.url(),
            "credential": made.credential().name(),
            "transport": made.transport().name(),
            "source": made.source(),
            "under_development": made.under_development(),
            "expires_at": made.expires_at(),
        })
    }
    Some(match op {
        "authorize" => {
            session.authorize(text(call, "url")).map(|made| authorization(authorized.insert(made)))
        }
        "authorize_if_served" => {
            session.authorize_if_served(text(call, "url")).map(|made| match made {
                Some(made) => authorization(authorized.insert(made)),
                None => json!({"served": false}),
            })
        }
        "after_response" => {
            let authorized = authorized.as_ref().expect("a call of authorize before");
            let (http_status, www_authenticate) =
                (http_status(call), call["www_authenticate"].as_str());
            session.after_response(authorized, http_status, www_authenticate).map(|repeat| {
                match repeat {
                    Some(repeat) => authorization(&repeat),
                    None => json!({"repeat": false}),
                }
            })
        }
        // The other languages return the headers alone.
        "headers" => session
            .headers(text(call, "url"))
            .map(|made| json!({"headers": authorization(&made)["headers"]})),
        "signed_url" => value(session.signed_url(text(call, "url"))),
        "access_token" => value(session.access_token().map(|token| token.to_string())),
        "api_key" => value(session.api_key()),
        "invalidate" => value(session.invalidate(text(call, "access_token"))),
        "refresh" => session.refresh().map(|()| json!({})),
        "logout" => value(session.logout(planetkey::Revoke::Yes).map(|out| out.removed)),
        "status" => Ok(json!({"status": session.status().to_json()})),
        "is_initialized" => value(Ok(session.is_initialized())),
        _ => return None,
    })
}

fn http_status(call: &Value) -> u16 {
    call["http_status"]
        .as_u64()
        .and_then(|status| u16::try_from(status).ok())
        .expect("an HTTP status")
}

fn different(what: &str, wanted: &Value, actual: &Value) -> Option<String> {
    (wanted != actual).then(|| format!("{what} is {actual}, not {wanted}"))
}

/// Members that are not named may have any value. Lists must have the same length.
fn different_subset(what: &str, wanted: &Value, actual: &Value) -> Vec<String> {
    match (wanted, actual) {
        (Value::Object(members), Value::Object(actual)) => members
            .iter()
            .flat_map(|(member, wanted)| match actual.get(member) {
                Some(actual) => different_subset(&format!("{what}.{member}"), wanted, actual),
                None => vec![format!("{what} has no member {member}")],
            })
            .collect(),
        (Value::Array(items), Value::Array(actual)) if items.len() == actual.len() => items
            .iter()
            .zip(actual)
            .enumerate()
            .flat_map(|(index, (wanted, actual))| {
                different_subset(&format!("{what}[{index}]"), wanted, actual)
            })
            .collect(),
        _ => different(what, wanted, actual).into_iter().collect(),
    }
}

/// Null: no such file. A text: exactly that. An object: JSON with these members.
fn different_file(path: &Path, wanted: &Value) -> Vec<String> {
    let what = path.display().to_string();
    match (std::fs::read_to_string(path), wanted) {
        (Err(_), Value::Null) => Vec::new(),
        (Err(error), _) => vec![format!("{what}: {error}")],
        (Ok(actual), Value::String(wanted)) => {
            (actual != *wanted).then(|| format!("{what} is {actual}")).into_iter().collect()
        }
        (Ok(actual), Value::Object(_)) => match serde_json::from_str(&actual) {
            Ok(actual) => different_subset(&what, wanted, &actual),
            Err(error) => vec![format!("{what}: {error}")],
        },
        (Ok(_), _) => vec![format!("{what} is there")],
    }
}

/// A field that the expectation does not name must not be set on the error. Only the message is
/// free.
fn different_error(wanted: &Value, error: &Error) -> Vec<String> {
    let actual = json!({
        "status": error.status().name(),
        "retryable": error.retryable(),
        "reason": error.reason().map(planetkey::Reason::name),
        "oauth_error": error.oauth_error(),
        "oauth_error_description": error.oauth_error_description(),
        "http_status": error.http_status(),
        "retry_after_ms": error.retry_after().map(|wait| wait.as_millis() as u64),
        "profile": error.profile(),
    });
    let message = error.message();
    let mut differences = Vec::new();
    for (member, actual) in actual.as_object().unwrap() {
        match (wanted.get(member).unwrap_or(&Value::Null), actual.as_u64()) {
            (Value::Array(range), Some(number)) => {
                if number < range[0].as_u64().unwrap() || number > range[1].as_u64().unwrap() {
                    differences.push(format!("{member} is {number}, not in {range:?}"));
                }
            }
            (wanted, _) => differences.extend(different(member, wanted, actual)),
        }
    }
    for member in wanted.as_object().expect("an error is an object").keys() {
        let known = actual.get(member).is_some()
            || member == "message_contains"
            || member == "message_lacks";
        if !known {
            differences.push(format!("unknown expectation {member}"));
        }
    }
    for part in texts(wanted.get("message_contains").unwrap_or(&json!([]))) {
        if !message.contains(&part) {
            differences.push(format!("the message lacks '{part}': {message}"));
        }
    }
    for part in texts(wanted.get("message_lacks").unwrap_or(&json!([]))) {
        if message.contains(&part) {
            differences.push(format!("the message contains '{part}': {message}"));
        }
    }
    if message.is_empty() || message.contains(['\r', '\n']) {
        differences.push(format!("the message is not one line: {message:?}"));
    }
    if !differences.is_empty() {
        differences.push(format!("the error was {error}"));
    }
    differences
}
