//! What each command prints, and that nothing else is on its output.

use crate::common::{KEY, OTHER_KEY, OTHER_SECRET, SECRET, Scene, bare, finish};
use serde_json::{Value, json};

/// `PLAKenvironment7f3a:` in base64, written out so that the test does not compute it as the code
/// does.
const BASIC: &str = "Basic UExBS2Vudmlyb25tZW50N2YzYTo=";

/// A JSON Web Token: three parts, the first of which starts with `{"`.
fn assert_is_jwt(token: &str) {
    assert!(token.starts_with("eyJ") && token.split('.').count() == 3, "{token}");
    assert!(
        token.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)),
        "{token}"
    );
}

#[test]
fn print_access_token_prints_a_token_alone() {
    let scene = Scene::new();
    assert_is_jwt(scene.run(["print-access-token"]).line());
    assert_eq!(scene.token_requests(), 1);
}

#[test]
fn print_access_token_prints_a_document_for_programs() {
    let scene = Scene::new();
    let set = json!({"access_token": "opaque-1", "expires_in": 3600});
    let steps = json!([{"token_response": {"set": set}}]);
    scene.simulator.script("m2m.token", &steps).unwrap();
    let now = || {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
        i64::try_from(since.as_secs()).unwrap()
    };
    let before = now();
    let document = scene.run(["print-access-token", "--json"]).json();
    let (expires_at, expiry) = (document["expires_at"].as_i64(), document["expiry"].as_str());
    assert!((before + 3599..=now() + 3600).contains(&expires_at.unwrap()), "{document}");
    let seconds = u64::try_from(expires_at.unwrap()).unwrap();
    assert_eq!(expiry, Some(planetkey::clock::rfc3339(seconds).as_str()));
    let expected = json!({
        "version": 1, "access_token": "opaque-1", "token_type": "Bearer",
        "expires_at": expires_at, "expiry": expiry,
        "headers": {"Authorization": "Bearer opaque-1"},
    });
    assert_eq!(document, expected);
    // The next run prints the saved token.
    assert_eq!(scene.run(["print-access-token", "--json"]).json(), expected);
    assert_eq!(scene.token_requests(), 1);
    // An API key is not an access token.
    scene
        .run(["--auth-api-key", OTHER_KEY, "print-access-token", "--json"])
        .failed(planetkey::Status::Unsupported);
}

#[test]
fn print_api_key_prints_the_key_alone_and_prompts_for_nothing() {
    let scene = Scene::new();
    assert_eq!(scene.run(["print-api-key"]).line(), KEY);
    assert_eq!(scene.simulator.count("connections").unwrap(), 0);
}

#[test]
fn header_prints_the_line_of_each_domain() {
    let scene = Scene::new();
    let run = scene.run(["header", &scene.planet("/basemaps/v1/mosaics")]);
    assert_eq!(run.line(), format!("Authorization: {BASIC}"));
    assert_eq!(scene.token_requests(), 0);

    let run = scene.run(["header", &scene.sentinel_hub("/api/v1/catalog")]);
    assert_is_jwt(run.line().strip_prefix("Authorization: Bearer ").unwrap());
    assert_eq!(scene.token_requests(), 1);
}

#[test]
fn header_notes_credentials_under_development_if_verbose() {
    let scene = Scene::new();
    let url = scene.planet("/x");
    let mut command = scene.command(["header", &url]);
    assert!(
        finish(command.env_remove("PL_API_KEY"), b"").line().starts_with("Authorization: Bearer ")
    );
    let run = finish(command.arg("-v"), b"");
    assert_eq!((run.code, run.stdout.lines().count()), (0, 1));
    assert!(
        run.stderr.contains("planetkey: note: ") && run.stderr.contains("under development"),
        "{run:?}"
    );
    assert!(
        !scene.run(["-v", "header", &url]).stderr.contains("under development"),
        "the key is not"
    );
}

#[test]
fn header_uses_the_requested_form_of_the_key() {
    let scene = Scene::new();
    let url = scene.planet("/data/v1/item-types");
    let run = |transport| {
        scene.run(["--auth-api-key", OTHER_KEY, "--api-key-transport", transport, "header", &url])
    };
    assert_eq!(run("header").line(), format!("Authorization: api-key {OTHER_KEY}"));
    assert!(run("basic").line().starts_with("Authorization: Basic "));
    run("query").failed(planetkey::Status::InvalidArgument);
}

#[test]
fn url_adds_the_key_and_preserves_templates() {
    let scene = Scene::new();
    let url = scene.planet("/basemaps/v1/planet-tiles/m/gmap/{z}/{x}/{y}.png?proc=rgb#top");
    let expected = scene.planet(&format!(
        "/basemaps/v1/planet-tiles/m/gmap/{{z}}/{{x}}/{{y}}.png?proc=rgb&api_key={KEY}#top"
    ));
    let run = scene.run(["url", &url]);
    assert_eq!(run.line(), expected);
    assert_eq!(scene.run(["url", &expected]).line(), expected, "twice is once");
}

#[test]
fn the_apis_accept_what_header_and_url_print() {
    let scene = Scene::new();
    for (url, credential) in [
        (scene.planet("/data/v1/searches"), "api_key_basic"),
        (scene.sentinel_hub("/api/v1/catalog"), "bearer"),
    ] {
        let header = scene.run(["header", &url]);
        assert_eq!(ask(&url, Some(header.line()))["credential"], credential);
    }
    let signed = scene.run(["url", &scene.planet("/data/v1/searches")]);
    assert_eq!(ask(signed.line(), None)["credential"], "api_key_query");
}

/// Sends one request with exactly what the command printed, as a shell script would.
fn ask(url: &str, header: Option<&str>) -> Value {
    use std::io::{Read, Write};
    let (authority, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let header = header.map(|line| format!("{line}\r\n")).unwrap_or_default();
    let mut socket = std::net::TcpStream::connect(authority).unwrap();
    write!(
        socket,
        "GET /{path} HTTP/1.1\r\nHost: {authority}\r\n{header}Connection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    socket.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn status_explains_within_80_columns_without_a_secret_or_a_request() {
    let scene = Scene::new();
    let run = scene.run(["status"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let authority = |url: &str| url.strip_prefix("http://").unwrap().to_owned();
    let planet = authority(scene.simulator.planet_api());
    let sentinel_hub = authority(scene.simulator.sentinel_hub_api());
    let expected = format!(
        "deployment   planet-simulator\n\
         \n\
         1. access token\n   \
            from      environment: PL_AUTH_CLIENT_ID, PL_AUTH_CLIENT_SECRET\n   \
            client    simulator-client\n   \
            issuer    {}\n   \
            sent as   bearer\n   \
            token     none yet; it is requested when it is needed\n   \
            saved in  {}/.planet/planet-m2m-simulator-client/token.json\n\
         \n\
         2. API key\n   \
            from      environment: PL_API_KEY\n   \
            sent as   basic\n\
         \n\
         What a request carries\n",
        scene.simulator.m2m_issuer(),
        scene.home.path().display()
    );
    let rest = run.stdout.strip_prefix(&expected).unwrap_or_else(|| panic!("{}", run.stdout));
    let mut hosts: Vec<&str> = rest.lines().collect();
    hosts.sort_by_key(|line| line.contains("no. 1"));
    let columns =
        |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
    assert_eq!(
        hosts.iter().map(|line| columns(line)).collect::<Vec<_>>(),
        [
            format!("{planet} API key (no. 2, basic)"),
            format!("{sentinel_hub} access token (no. 1, bearer)"),
        ]
    );
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{}", run.stdout);
    assert!(!run.stdout.contains(SECRET) && !run.stdout.contains(KEY));
    assert_eq!(scene.simulator.count("connections").unwrap(), 0);
}

#[test]
fn status_of_planet_names_every_host_once_and_says_what_is_under_development() {
    let scene = Scene::new();
    let run = scene.run(["--deployment", "planet", "status"]);
    let row = |host: &str| {
        let rows: Vec<_> = run
            .stdout
            .lines()
            .filter(|line| line.trim_start().starts_with(&format!("{host} ")))
            .collect();
        assert_eq!(rows.len(), 1, "{host} in {}", run.stdout);
        rows[0].to_owned()
    };
    assert!(row("api.planet.com").ends_with("API key (no. 2, basic)"));
    assert!(row("tiles3.planet.com").ends_with("API key (no. 2, basic)"));
    assert!(row("services.sentinel-hub.com").ends_with("access token (no. 1, bearer)"));
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 80), "{}", run.stdout);

    let only_client =
        finish(scene.command(["--deployment", "planet", "status"]).env_remove("PL_API_KEY"), b"");
    assert!(only_client.stdout.contains("  api.planet.com "), "{}", only_client.stdout);
    assert!(!only_client.stdout.contains("API key"), "{}", only_client.stdout);
}

#[test]
fn status_json_is_the_status_of_every_language() {
    let scene = Scene::new();
    let run = scene.run(["status", "--json"]);
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    let status: Value = serde_json::from_str(&run.stdout).unwrap();
    assert_eq!(status["deployment"], "planet-simulator");
    assert_eq!(status["initialized"], true);
    let kinds: Vec<_> =
        status["sources"].as_array().unwrap().iter().map(|source| &source["kind"]).collect();
    assert_eq!(kinds, [&json!("access_token"), &json!("api_key")]);
    assert!(!run.stdout.contains(SECRET) && !run.stdout.contains(KEY));
}

#[test]
fn status_without_any_credential_says_what_to_do() {
    let home = tempfile::TempDir::new().unwrap();
    let run = finish(&mut bare(home.path(), ["status"]), b"");
    assert_eq!((run.code, run.stderr.as_str()), (0, ""));
    assert!(
        run.stdout.contains("PL_API_KEY") && run.stdout.contains("PL_AUTH_CLIENT_ID"),
        "{}",
        run.stdout
    );

    let json: Value =
        serde_json::from_str(&finish(&mut bare(home.path(), ["status", "--json"]), b"").stdout)
            .unwrap();
    assert_eq!((&json["initialized"], &json["sources"]), (&json!(false), &json!([])));
}

#[test]
fn an_id_without_its_secret_is_named_beside_the_output() {
    let scene = Scene::new();
    let mut command = scene.command(["print-api-key"]);
    let run = finish(command.env_remove("PL_AUTH_CLIENT_SECRET"), b"");
    assert_eq!((run.code, run.stdout), (0, format!("{KEY}\n")));
    assert!(run.stderr.starts_with("planetkey: note: PL_AUTH_CLIENT_ID "), "{}", run.stderr);
    let status = finish(scene.command(["status"]).env_remove("PL_AUTH_CLIENT_SECRET"), b"");
    assert_eq!(status.stderr, "");
    assert!(status.stdout.contains("\nnote         PL_AUTH_CLIENT_ID "), "{}", status.stdout);
}

#[test]
fn untrusted_text_cannot_control_the_terminal() {
    let scene = Scene::new();
    let config = json!({
        "client_type": "static_apikey", "api_key": KEY, "display_name": "x",
    });
    scene.profile("mine", &config);
    let run = scene.run(["--profile", "mine", "status"]);
    assert!(run.stdout.contains("profile   mine"), "{run:?}");
    let mut command = scene.command(["status"]);
    let run = finish(command.env("PL_AUTH_CLIENT_ID", "a\u{1b}[31mb"), b"");
    assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'), "{run:?}");
}

#[test]
fn version_and_help_go_to_the_output() {
    let scene = Scene::new();
    assert_eq!(scene.run(["--version"]).line(), format!("planetkey {}", env!("CARGO_PKG_VERSION")));
    for command in [
        None,
        Some("print-access-token"),
        Some("print-api-key"),
        Some("header"),
        Some("url"),
        Some("status"),
    ] {
        let run = scene.run(command.into_iter().chain(["--help"]));
        assert_eq!((run.code, run.stderr.as_str()), (0, ""), "{command:?}");
        assert!(
            run.stdout.contains("Examples:") && run.stdout.contains("--auth-client-id"),
            "{}",
            run.stdout
        );
        assert!(run.stdout.ends_with('\n') && !run.stdout.ends_with("\n\n"), "{command:?}");
        let long =
            run.stdout.lines().find(|line| line.chars().count() > 80 && !line.contains("https://"));
        assert_eq!(long, None, "{command:?}");
        assert!(!run.stdout.contains(OTHER_SECRET) && !run.stdout.contains(SECRET));
    }
}
