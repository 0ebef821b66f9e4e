//! Exit codes: the number of the status, one line that says why, and nothing on the output.

use std::ffi::OsString;

use crate::common::{KEY, OTHER_KEY, SECRET, Scene, bare, finish};
use planetkey::Status;
use serde_json::json;

#[test]
fn invalid_command_lines_are_invalid_arguments() {
    let scene = Scene::new();
    for (arguments, part) in [
        (&[][..], "a command is missing"),
        (&["statsu"], "unknown command 'statsu', did you mean status?"),
        (&["logn"], "unknown command 'logn', did you mean login?"),
        (&["logut"], "unknown command 'logut', did you mean logout?"),
        (&["profile", "lst"], "unknown command 'lst', did you mean list?"),
        (&["header", "--jsn", "https://api.planet.com/"], "unknown option --jsn"),
        (&["refresh", "--jsno"], "unknown option --jsno, did you mean --json?"),
        (&["header"], "URL"),
        (&["header", "https://api.planet.com/", "more"], "unexpected argument 'more'"),
        (&["--auth-api-kye=PLAKoption91bc", "status"], "--auth-api-key"),
        (&["--nonsense", "status"], "--nonsense"),
        (&["status", "--json=PLAKoption91bc"], "--json"),
        (&["--timeout-ms", "soon", "status"], "invalid value 'soon' for '--timeout-ms"),
        (&["--timeout-ms", "-1", "status"], "unknown option -1"),
        (&["--timeout-ms", "0", "status"], "timeout"),
        (&["--api-key-transport", "pigeon", "status"], "invalid value 'pigeon'"),
        (&["--api-key-transport", "pigeon", "status"], "basic, header, query"),
        (&["--auth-api-key"], "--auth-api-key"),
        (&["--allowed-host", "*.example.org", "status"], "allowed_hosts"),
        (&["--profile", "a", "--profile", "b", "status"], "--profile"),
        (&["--profile", "../x", "status"], "profile"),
        (&["--profile", "", "status"], "profile"),
    ] {
        let run = scene.run(arguments);
        assert!(run.failed(Status::InvalidArgument).contains(part), "{arguments:?}: {run:?}");
    }
}

#[test]
fn errors_say_what_to_run() {
    let scene = Scene::new();
    let run = |arguments: &[&str]| finish(&mut scene.bare(arguments), b"");
    for (arguments, status, command) in [
        (&["print-access-token"][..], Status::LoginRequired, "`planetkey login`"),
        (
            &["--profile", "planet-user", "print-access-token"],
            Status::LoginRequired,
            "`planetkey login --profile planet-user`",
        ),
        (
            &["--auth-api-key", OTHER_KEY, "header", "https://example.org/"],
            Status::HostRefused,
            "`planetkey status`",
        ),
        (&["--profile", "unknown", "status"], Status::Misconfigured, "`planetkey profile list`"),
        (&["profile", "show", "unknown"], Status::Misconfigured, "`planetkey profile list`"),
        (
            &["profile", "delete", "unknown", "--yes"],
            Status::Misconfigured,
            "`planetkey profile list`",
        ),
    ] {
        let run = run(arguments);
        let message = run.failed(status);
        assert_eq!(message.matches("`planetkey ").count(), 1, "{message}");
        assert!(message.contains(command), "{message}");
    }
}

#[test]
fn a_deployment_without_user_logins_says_what_to_use() {
    let scene = Scene::new();
    let told = finish(
        &mut bare(scene.home.path(), ["--deployment", "copernicus-data-space", "login"]),
        b"",
    );
    let message = told.failed(Status::Misconfigured);
    assert!(
        message.contains("copernicus-data-space") && message.contains("PL_AUTH_CLIENT_ID"),
        "{message}"
    );
}

#[test]
fn misplaced_secrets_are_not_repeated() {
    let scene = Scene::new();
    for arguments in [
        &[OTHER_KEY][..],
        &["print-api-key", OTHER_KEY],
        &["--auth-client-secert=PLAKoption91bc", "status"],
        &["--timeout-ms", OTHER_KEY, "status"],
        &["--api-key-transport", OTHER_KEY, "status"],
        &["status", "--verbose=PLAKoption91bc"],
        &["--auth-api-key", "PLAKoption91bc\n", "print-api-key"],
        &["--auth-api-key", "PLAKoption91bc:", "print-api-key"],
    ] {
        // `failed` looks for the secrets.
        scene.run(arguments).failed(Status::InvalidArgument);
    }
}

#[test]
fn bad_keys_are_invalid_arguments() {
    let scene = Scene::new();
    let huge = "k".repeat(100_000);
    for key in ["", "a:b", "a\r\nX-Evil: 1", "a\n", " ", &huge] {
        let option = format!("--auth-api-key={key}");
        for command in ["print-api-key", "status"] {
            scene.run([option.as_str(), command]).failed(Status::InvalidArgument);
        }
    }
    for client in [["", "secret"], ["id", ""], ["id\n", "secret"], ["id", "secret\r\n"]] {
        let run = scene.run([
            "--auth-client-id",
            client[0],
            "--auth-client-secret",
            client[1],
            "print-access-token",
        ]);
        run.failed(Status::InvalidArgument);
    }
    assert_eq!(scene.simulator.count("connections").unwrap(), 0);
}

#[cfg(unix)]
#[test]
fn arguments_that_are_not_text_are_invalid() {
    use std::os::unix::ffi::OsStringExt;
    let scene = Scene::new();
    let bad = OsString::from_vec(vec![b'x', 0xff, b'y']);
    scene.run([OsString::from("header"), bad.clone()]).failed(Status::InvalidArgument);
    scene
        .run([OsString::from("--auth-api-key"), bad, "status".into()])
        .failed(Status::InvalidArgument);
}

#[test]
fn invalid_and_deceptive_urls_get_no_credential() {
    let scene = Scene::new();
    for url in [
        "",
        " ",
        "api.planet.com",
        "ftp://api.planet.com/",
        "https://",
        "javascript:alert(1)",
        "\nhttps://api.planet.com/",
    ] {
        for command in ["header", "url"] {
            scene.run(["--deployment", "planet", command, url]).failed(Status::InvalidArgument);
        }
    }
    for url in [
        "http://api.planet.com/",
        "https://api.planet.com.evil.example/",
        "https://evil.example/?https://api.planet.com/",
        "https://user@api.planet.com/",
        "https://api.planet.com@evil.example/",
        "https://api.planet.com\\@evil.example/",
        "https://api.planet.com:8443/",
        "https://api.planet.com./",
        "https://api%2eplanet.com/",
        "https://ａpi.planet.com/",
        "https://api.planet.com /",
        "https://api.planet.com/\r\nX-Evil: 1",
        "https://services.sentinel-hub.com.evil.example/",
    ] {
        for command in ["header", "url"] {
            scene.run(["--deployment", "planet", command, url]).failed(Status::HostRefused);
        }
    }
    // An API key never goes to the other domain, by header or by query.
    let url = "https://services.sentinel-hub.com/api/v1/catalog";
    scene.run(["--deployment", "planet", "url", url]).failed(Status::HostRefused);
    scene
        .run(["--deployment", "planet", "--auth-api-key", OTHER_KEY, "header", url])
        .failed(Status::HostRefused);
    assert_eq!(scene.simulator.count("connections").unwrap(), 0);
}

#[test]
fn without_a_credential_a_login_is_required() {
    let home = tempfile::TempDir::new().unwrap();
    for arguments in [
        &["print-access-token"][..],
        &["print-api-key"],
        &["header", "https://api.planet.com/"],
        &["url", "https://api.planet.com/"],
    ] {
        let run = finish(&mut bare(home.path(), arguments), b"");
        assert!(run.failed(Status::LoginRequired).contains("PL_API_KEY"), "{run:?}");
    }
}

#[test]
fn unknown_and_broken_profiles_are_misconfigured() {
    let scene = Scene::new();
    scene.run(["--profile", "unknown", "status"]).failed(Status::Misconfigured);
    scene.file(".planet/broken/auth_client.json", "{");
    scene.run(["--profile", "broken", "status"]).failed(Status::Misconfigured);
    scene.run(["--deployment", "atlantis", "status"]).failed(Status::Misconfigured);
    let mut command = scene.command(["status"]);
    finish(command.env("PLANETKEY_ALLOW_INSECURE_LOOPBACK", "perhaps"), b"")
        .failed(Status::Misconfigured);
}

#[test]
fn responses_of_the_authorization_server_become_exit_codes() {
    let scene = Scene::new();
    for (step, status) in [
        (json!({"status": 400, "json": {"error": "access_denied"}}), Status::Denied),
        (json!({"status": 400, "json": {"error": "invalid_scope"}}), Status::Misconfigured),
        (json!({"status": 400, "json": {"error": "invalid_grant"}}), Status::Misconfigured),
        (json!({"status": 429, "headers": {"Retry-After": "3600"}}), Status::Unavailable),
        (
            json!({"body": "<html>log in to the hotel</html>", "headers": {"Content-Type": "text/html"}}),
            Status::Protocol,
        ),
        (json!({"token_response": {"set": {"token_type": "mac"}}}), Status::Protocol),
        (
            json!({"status": 302, "headers": {"Location": "https://elsewhere.example/"}}),
            Status::Protocol,
        ),
    ] {
        scene.simulator.reset();
        scene
            .simulator
            .script("m2m.token", &json!({"steps": [step.clone()], "repeat": true}))
            .unwrap();
        for arguments in [&["print-access-token"][..], &["header", &scene.sentinel_hub("/x")]] {
            // In the same home a failure would delay the request of the next process.
            scene.afresh(arguments).failed(status);
        }
        assert!(scene.token_requests() >= 2, "{step}");
    }
}

#[test]
fn a_refused_client_is_misconfigured_and_its_secret_is_not_shown() {
    let scene = Scene::new();
    let run = scene.run([
        "--auth-client-id",
        "simulator-client",
        "--auth-client-secret",
        "wrong-secret",
        "print-access-token",
    ]);
    let message = run.failed(Status::Misconfigured);
    assert!(message.contains("simulator-client") && !message.contains("wrong-secret"), "{message}");
}

#[test]
fn a_server_that_never_responds_is_a_timeout() {
    let scene = Scene::new();
    scene
        .simulator
        .script("m2m.token", &json!({"steps": [{"fault": "stall"}], "repeat": true}))
        .unwrap();
    let run = scene.run(["--timeout-ms", "200", "print-access-token"]);
    let message = run.failed(Status::Timeout);
    // The caller or the request notices first. Both messages name the server.
    let issuer = scene.simulator.m2m_issuer();
    let server = issuer.split("/realms").next().unwrap();
    assert!(message.contains(server), "{message}");
    assert!(
        message.contains("within the deadline; try again, or give a longer timeout"),
        "{message}"
    );
}

#[test]
fn verbose_logs_to_standard_error_without_a_secret() {
    let scene = Scene::new();
    let step = json!({"status": 503});
    scene.simulator.script("m2m.token", &json!({"steps": [step]})).unwrap();
    let run = scene.run(["-vv", "header", &scene.sentinel_hub("/x")]);
    assert_eq!(run.code, 0, "{run:?}");
    let token = run.stdout.strip_prefix("Authorization: Bearer ").unwrap().trim_end();
    assert!(run.stderr.lines().any(|line| line.starts_with("planetkey: debug: ")), "{run:?}");
    for secret in [SECRET, KEY, token] {
        assert!(!run.stderr.contains(secret), "{run:?}");
    }
    assert!(
        run.stderr.lines().all(|line| line.starts_with("planetkey: ")),
        "only planetkey's own records: {run:?}"
    );
}

/// The error names the proxy, without the password that its URL may hold.
#[test]
fn a_proxy_that_does_not_work_is_named() {
    let scene = Scene::new();
    let through = |name: &str, proxy: &str| {
        let mut command = bare(scene.home.path(), ["print-access-token", "--timeout-ms", "5000"]);
        command.envs([
            ("PL_AUTH_CLIENT_ID", "id"),
            ("PL_AUTH_CLIENT_SECRET", SECRET),
            (name, proxy),
        ]);
        finish(&mut command, b"")
    };
    for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"] {
        let told = through(name, "http://user:proxy-word@127.0.0.1:1");
        let message = told.failed(Status::Unavailable);
        assert!(
            message.contains(&format!("by the proxy http://127.0.0.1:1 of {name}")),
            "{message}"
        );
        assert!(!message.contains("proxy-word"), "{message}");
        let told = through(name, "socks5://user:proxy-word@127.0.0.1:1");
        let message = told.failed(Status::Misconfigured);
        assert!(
            message.contains(&format!("{name} names a proxy of the scheme socks5")),
            "{message}"
        );
        assert!(!message.contains("proxy-word"), "{message}");
    }
}

/// If a certificate is refused, the error names the CA file that has no effect.
#[test]
fn the_error_about_a_certificate_names_ca_files_without_effect() {
    let scene = Scene::new();
    let with = |variables: &[(&str, &str)]| {
        let mut command = bare(scene.home.path(), ["print-access-token"]);
        command.envs([
            ("PL_AUTH_CLIENT_ID", "id"),
            ("PL_AUTH_CLIENT_SECRET", SECRET),
            ("HTTPS_PROXY", scene.simulator.proxy()),
        ]);
        finish(command.envs(variables.iter().copied()), b"")
    };
    let empty = scene.file("empty.pem", "");
    for name in ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"] {
        let told = with(&[(name, "/nowhere/ca.pem")]);
        let message = told.failed(Status::Misconfigured);
        assert!(message.contains(name) && message.contains("/nowhere/ca.pem"), "{message}");
    }
    let told = with(&[("SSL_CERT_FILE", empty.to_str().unwrap())]);
    assert!(
        told.failed(Status::Misconfigured).contains("SSL_CERT_FILE names holds no certificate"),
        "{told:?}"
    );
    assert!(!with(&[]).failed(Status::Misconfigured).contains("names"), "nothing to say");
}
