//! A device authorization response (RFC 8628 3.2): the input is the document.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey::clock::Monotonic;
use planetkey::oauth::device_code::{Poll, Schedule, parse};
use planetkey::{Error, Status};
use planetkey_fuzz::{CANARY, check_error, check_hidden, check_line, check_secretive, text};
use serde_json::Value;
use std::time::Duration;

fuzz_target!(|data: &[u8]| {
    let Some(document) = text(data).and_then(|text| serde_json::from_str::<Value>(text).ok())
    else {
        return;
    };
    for allow_insecure_loopback in [false, true] {
        let answer = match parse(&document, allow_insecure_loopback.into()) {
            Ok(answer) => answer,
            Err(error) => {
                assert_eq!(error.status(), Status::Protocol);
                check_error(&error);
                continue;
            }
        };
        let member = |name: &str| document.get(name).and_then(Value::as_str);
        assert_eq!(Some(answer.device_code.expose()), member("device_code"));
        // Every shown text is one line, exactly as the server sent it.
        assert_eq!(Some(answer.user_code.as_str()), member("user_code"));
        check_line(&answer.user_code, 100);
        let addresses = [Some(&answer.verification_uri), answer.verification_uri_complete.as_ref()];
        for address in addresses.into_iter().flatten() {
            assert!(
                address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\'),
                "{address:?}"
            );
            let url: url::Url = address.parse().expect("a URL");
            let loopback = match url.host() {
                Some(url::Host::Domain(name)) => name == "localhost",
                Some(url::Host::Ipv4(address)) => address.is_loopback(),
                Some(url::Host::Ipv6(address)) => address.is_loopback(),
                None => false,
            };
            assert!(
                url.scheme() == "https"
                    || url.scheme() == "http" && loopback && allow_insecure_loopback,
                "{url}"
            );
            assert!(url.username().is_empty() && url.password().is_none(), "{url}");
        }
        assert!(
            (Duration::from_secs(1)..=Duration::from_secs(60)).contains(&answer.interval),
            "{:?}",
            answer.interval
        );
        assert!(answer.expires_in <= Duration::from_secs(24 * 3600));
        // No poll comes earlier than the server wants, and the end of the login does not move.
        let mut now = Monotonic::from_millis(1_000);
        let mut schedule = Schedule::new(&answer, now);
        let ends = schedule.expires();
        for outcome in [
            Poll::Pending,
            Poll::SlowDown,
            unreachable(),
            Poll::Pending,
            unreachable(),
            unreachable(),
        ] {
            assert!(
                schedule.next() >= now + answer.interval
                    && schedule.next() <= now + Duration::from_secs(240)
            );
            now = schedule.next();
            schedule.polled(&outcome, now);
            assert_eq!(schedule.expires(), ends);
        }
    }
    // The device code is not visible.
    let Some(mut planted) =
        document.as_object().cloned().filter(|all| all.contains_key("device_code"))
    else {
        return;
    };
    planted.insert("device_code".to_owned(), Value::from(CANARY));
    match parse(&Value::from(planted), true.into()) {
        Ok(answer) => check_hidden(&format!("{answer:?}")),
        Err(error) => check_secretive(&error),
    }
});

fn unreachable() -> Poll {
    Poll::Unreachable {
        retry_after: Some(Duration::from_secs(2)),
        error: Error::new(Status::Unavailable, "away"),
    }
}
