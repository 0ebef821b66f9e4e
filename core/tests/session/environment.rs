//! Credentials of the environment and their precedence: section 5 of the design.

use crate::common::*;
use planetkey::clock::ManualClock;
use planetkey::profile::{FixedEnvironment, HOME_VARIABLE};
use planetkey::storage::sops::Encryption;
use planetkey::{ApiKeyTransport, CredentialKind, Options, Reason, Result, Session, Status};
use std::ffi::OsString;
use std::sync::Arc;

pub fn with_variables<V: Into<OsString>>(
    fake: &Arc<Fake>,
    variables: impl IntoIterator<Item = (&'static str, V)>,
) -> Options {
    let mut options = options(fake, &Arc::new(ManualClock::new(NOW)));
    options.runtime.environment = Arc::new(FixedEnvironment::new(variables));
    options
}

fn open<V: Into<OsString>>(
    variables: impl IntoIterator<Item = (&'static str, V)>,
) -> Result<Session> {
    Session::from_defaults(&with_variables(&Fake::new(), variables))
}

fn sources(session: &Session) -> Vec<String> {
    session.status().sources().iter().map(|source| source.source.clone()).collect()
}

/// Returns a home with a profile of each kind and sentinelhub's file.
fn home() -> tempfile::TempDir {
    let home = tempfile::tempdir().unwrap();
    let profile = home.path().join(".planet/machine");
    std::fs::create_dir_all(&profile).unwrap();
    let client = r#"{"client_type": "oidc_client_credentials_secret", "client_id": "profile-client", "client_secret": "s"}"#;
    std::fs::write(profile.join("auth_client.json"), client).unwrap();
    let sentinelhub = home.path().join(".config/sentinelhub");
    std::fs::create_dir_all(&sentinelhub).unwrap();
    let config = "[mine]\nsh_client_id = \"toml-client\"\nsh_client_secret = \"s\"\n";
    std::fs::write(sentinelhub.join("config.toml"), config).unwrap();
    home
}

#[test]
fn all_credentials_are_found_in_the_documented_order() {
    let (home, fake) = (home(), Fake::new());
    let all = [
        (HOME_VARIABLE, home.path().to_str().unwrap()),
        ("SH_PROFILE", "mine"),
        ("SH_CLIENT_SECRET", "sh-secret"),
        ("SH_CLIENT_ID", "sh-client"),
        ("PLANET_API_KEY", "KEY-2"),
        ("PL_API_KEY", "KEY-1"),
        ("PL_AUTH_CLIENT_SECRET", "pl-secret"),
        ("PL_AUTH_CLIENT_ID", "pl-client"),
        ("PL_AUTH_PROFILE", "machine"),
    ];
    let session = Session::from_defaults(&with_variables(&fake, all)).unwrap();
    let status = session.status();
    let found: Vec<_> = status
        .sources()
        .iter()
        .map(|source| {
            (source.source.as_str(), source.client_id.as_deref(), source.profile.as_deref())
        })
        .collect();
    // The profile tests cover the order of the files.
    assert_eq!(
        found,
        [
            ("environment: PL_AUTH_PROFILE", Some("profile-client"), Some("machine")),
            ("environment: PL_AUTH_CLIENT_ID, PL_AUTH_CLIENT_SECRET", Some("pl-client"), None),
            ("environment: PL_API_KEY", None, None),
            ("environment: PLANET_API_KEY", None, None),
            ("environment: SH_CLIENT_ID, SH_CLIENT_SECRET", Some("sh-client"), None),
            ("environment: SH_PROFILE", Some("toml-client"), Some("mine")),
        ]
    );
    assert_eq!(
        (status.source(), status.profile(), status.kind()),
        (Some("environment: PL_AUTH_PROFILE"), Some("machine"), Some(CredentialKind::AccessToken))
    );
    assert_eq!(status.notes(), <[String; 0]>::default());
    assert_eq!(fake.count(), 0, "opening uses no network");
    // The first source whose credential the host accepts, and that is not under development there.
    let planet = session.authorize(PLANET).unwrap();
    assert_eq!(
        (planet.source(), planet.source_index(), planet.under_development()),
        ("environment: PL_API_KEY", 2, false)
    );
    let sentinel_hub = session.authorize(SENTINEL_HUB).unwrap();
    assert_eq!(
        (sentinel_hub.source(), sentinel_hub.source_index()),
        ("environment: PL_AUTH_PROFILE", 0)
    );
    assert_eq!(fake.seen()[0].field("client_id").as_deref(), Some("profile-client"));
    assert_eq!(
        (session.api_key().unwrap().as_str(), &*session.access_token().unwrap()),
        ("KEY-1", "token-1")
    );
}

#[test]
fn one_session_serves_both_domains() {
    let session =
        open([("PL_API_KEY", "KEY"), ("SH_CLIENT_ID", "id"), ("SH_CLIENT_SECRET", "secret")])
            .unwrap();
    let (planet, sentinel_hub) =
        (session.authorize(PLANET).unwrap(), session.authorize(SENTINEL_HUB).unwrap());
    assert_eq!((planet.credential(), planet.access_token()), (CredentialKind::ApiKey, None));
    assert_eq!(
        (sentinel_hub.credential(), sentinel_hub.access_token()),
        (CredentialKind::AccessToken, Some(&*session.access_token().unwrap()))
    );
    assert_eq!(session.signed_url(SENTINEL_HUB).unwrap_err().status(), Status::HostRefused);
    // A credential under development is used if there is no better one.
    let session = open([("PL_AUTH_CLIENT_ID", "id"), ("PL_AUTH_CLIENT_SECRET", "secret")]).unwrap();
    let authorization = session.authorize(PLANET).unwrap();
    assert_eq!(
        (authorization.credential(), authorization.under_development()),
        (CredentialKind::AccessToken, true)
    );
}

#[test]
fn an_id_without_its_secret_is_skipped_with_a_note() {
    let logs = logs();
    for (present, absent) in [
        ("PL_AUTH_CLIENT_ID", "PL_AUTH_CLIENT_SECRET"),
        ("PL_AUTH_CLIENT_SECRET", "PL_AUTH_CLIENT_ID"),
        ("SH_CLIENT_ID", "SH_CLIENT_SECRET"),
        ("SH_CLIENT_SECRET", "SH_CLIENT_ID"),
    ] {
        let note = format!("{present} is set without {absent} and was ignored; set both");
        for empty in [None, Some((absent, ""))] {
            let session =
                open([(present, "SECRET-half"), ("PL_API_KEY", "KEY")].into_iter().chain(empty))
                    .unwrap();
            assert_eq!(sources(&session), ["environment: PL_API_KEY"]);
            assert_eq!(session.status().notes(), [note.as_str()]);
            assert_eq!(session.status().to_json()["notes"][0], note.as_str());
        }
        assert!(!logs.with(log::Level::Warn, &note).is_empty());
        // Without another credential, the note is the reason of the error.
        let session = open([(present, "SECRET-half")]).unwrap();
        let error = session.authorize(PLANET).unwrap_err();
        assert_eq!(
            (error.status(), error.reason()),
            (Status::LoginRequired, Some(Reason::NeverLoggedIn))
        );
        assert!(
            error.message().contains(&note) && !error.message().contains("SECRET-half"),
            "{error}"
        );
    }
    // Halves of different pairs are never combined.
    let session = open([("PL_AUTH_CLIENT_ID", "id"), ("SH_CLIENT_SECRET", "secret")]).unwrap();
    assert!(!session.is_initialized());
    assert_eq!(session.status().notes().len(), 3, "the two halves, and that no user has logged in");
}

#[test]
fn an_empty_variable_is_unset() {
    let names = [
        "PL_AUTH_PROFILE",
        "PL_AUTH_CLIENT_ID",
        "PL_AUTH_CLIENT_SECRET",
        "PL_API_KEY",
        "PLANET_API_KEY",
        "SH_CLIENT_ID",
    ];
    let more = [
        "SH_CLIENT_SECRET",
        "SH_PROFILE",
        "PLANETKEY_DEPLOYMENT",
        "PLANETKEY_ALLOW_INSECURE_LOOPBACK",
        HOME_VARIABLE,
    ];
    let session = open(names.into_iter().chain(more).map(|name| (name, ""))).unwrap();
    assert!(!session.is_initialized());
    assert_eq!(session.status().notes(), ["planet-user: no user has logged in"]);
    assert_eq!(session.status().deployment(), "planet");
    let session = open([("PL_API_KEY", ""), ("PLANET_API_KEY", "KEY")]).unwrap();
    assert_eq!(sources(&session), ["environment: PLANET_API_KEY"]);
}

#[test]
fn without_a_credential_the_session_opens_and_its_calls_say_what_to_do() {
    let session = open::<&str>([]).unwrap();
    assert!(!session.is_initialized() && session.status().sources().is_empty());
    assert_eq!(
        (session.status().kind(), session.status().source(), session.status().expires_at()),
        (None, None, None)
    );
    let errors = [
        session.authorize(PLANET).map(drop),
        session.authorize_cached(PLANET).map(drop),
        session.headers(SENTINEL_HUB).map(drop),
        session.access_token().map(drop),
        session.api_key().map(drop),
        session.signed_url(PLANET).map(drop),
        session.refresh(),
        session.invalidate("t").map(drop),
    ];
    for error in errors {
        let error = error.unwrap_err();
        assert_eq!(
            (error.status(), error.reason()),
            (Status::LoginRequired, Some(Reason::NeverLoggedIn))
        );
        assert!(error.message().contains("PL_API_KEY"), "{error}");
    }
    // An invalid URL is reported first.
    assert_eq!(session.authorize("nonsense").unwrap_err().status(), Status::InvalidArgument);
}

#[cfg(unix)]
#[test]
fn a_variable_that_is_not_unicode_is_an_error() {
    use std::os::unix::ffi::OsStringExt;
    for name in [
        "PL_AUTH_PROFILE",
        "PL_AUTH_CLIENT_ID",
        "PL_API_KEY",
        "PLANET_API_KEY",
        "SH_CLIENT_SECRET",
        "SH_PROFILE",
        "PLANETKEY_DEPLOYMENT",
        "PLANETKEY_ALLOW_INSECURE_LOOPBACK",
    ] {
        let error = open([(name, OsString::from_vec(b"SECRET-\xff".to_vec()))]).unwrap_err();
        assert_eq!(error.status(), Status::Misconfigured, "{name}");
        assert!(error.message().contains(name) && !error.message().contains("SECRET-"), "{error}");
    }
}

#[test]
fn an_invalid_variable_is_an_error() {
    for (name, value) in
        [("PL_API_KEY", "KEY:"), ("PL_API_KEY", "KEY\n"), ("PLANET_API_KEY", "a b")]
    {
        let error = open([(name, value), ("SH_CLIENT_ID", "id"), ("SH_CLIENT_SECRET", "secret")])
            .unwrap_err();
        assert_eq!(error.status(), Status::Misconfigured, "{name}");
        assert!(error.message().contains(name), "{error}");
    }
}

/// The server's response would not show a line break from a file or a here-document. The error
/// names it before a request is sent.
#[test]
fn a_line_break_in_a_client_id_is_an_error_before_any_request() {
    let says = |message: &str, name: &str| {
        message.contains(name) && message.contains("line break") && !message.contains("hidden")
    };
    for (id, secret) in
        [("PL_AUTH_CLIENT_ID", "PL_AUTH_CLIENT_SECRET"), ("SH_CLIENT_ID", "SH_CLIENT_SECRET")]
    {
        for (values, what) in [(["id\r", "hidden"], id), (["id", "hidden\r\n"], secret)] {
            let error =
                open([(id, values[0]), (secret, values[1]), ("PL_API_KEY", "KEY")]).unwrap_err();
            assert_eq!(error.status(), Status::Misconfigured);
            assert!(says(error.message(), what), "{error}");
        }
    }
    let (home, fake) = (home(), Fake::new());
    let file =
        r#"{"PL_AUTH_CLIENT_ID": "id", "PL_AUTH_CLIENT_SECRET": "hidden\n", "key": "V2-KEY"}"#;
    std::fs::write(home.path().join(".planet.json"), file).unwrap();
    let session = Session::from_defaults(&with_variables(
        &fake,
        [(HOME_VARIABLE, home.path().to_str().unwrap())],
    ))
    .unwrap();
    assert_eq!(sources(&session), [".planet.json: key"]);
    assert!(
        says(&session.status().notes()[0], "PL_AUTH_CLIENT_SECRET in .planet.json"),
        "{:?}",
        session.status().notes()
    );
    assert_eq!(fake.count(), 0);
    // Nor is such a secret saved untested.
    let login = planetkey::profile::store::M2mLogin {
        client_id: "id".into(),
        client_secret: planetkey::secret::Secret::from("hidden\n"),
        scopes: Vec::new(),
        profile: None,
    };
    let options = with_variables(&fake, [(HOME_VARIABLE, home.path().to_str().unwrap())]);
    let error = options.profiles().unwrap().save_m2m(&login, Encryption::AsBefore).unwrap_err();
    assert!(
        error.status() == Status::InvalidArgument && says(error.message(), "client_secret"),
        "{error}"
    );
}

/// Kubernetes mounts secrets behind symbolic links, and replaces them while a program runs.
#[cfg(unix)]
#[test]
fn a_secret_file_is_read_when_the_session_opens() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    std::fs::create_dir(at("..data")).unwrap();
    std::fs::write(at("..data/key"), "KEY-1\n").unwrap();
    std::os::unix::fs::symlink("..data/key", at("key")).unwrap();
    let variable = ("PL_API_KEY_FILE", at("key").into_os_string());
    let session = open([variable.clone()]).unwrap();
    std::fs::write(at("..data/key"), "KEY-2\n").unwrap();
    assert_eq!(session.api_key().unwrap(), "KEY-1");
    assert_eq!(open([variable.clone()]).unwrap().api_key().unwrap(), "KEY-2");
    // Whatever is not a file with a secret is an error, also beside another credential.
    std::fs::remove_file(at("key")).unwrap();
    std::fs::create_dir(at("key")).unwrap();
    let key = ("PLANET_API_KEY", OsString::from("KEY-3"));
    let error = open([variable.clone(), key.clone()]).unwrap_err();
    assert_eq!(error.status(), Status::Misconfigured, "{error}");
    assert!(error.message().contains("PL_API_KEY_FILE"), "{error}");
    std::fs::remove_dir(at("key")).unwrap();
    std::fs::write(at("key"), b"KEY-\xff\n").unwrap();
    let error = open([variable, key]).unwrap_err();
    assert!(error.message().contains("not UTF-8") && !error.message().contains("KEY-\u{fffd}"));
}

#[test]
fn a_credential_of_the_call_ignores_the_environment() {
    let variables = [
        ("PL_API_KEY", "ENV-KEY"),
        ("PL_AUTH_CLIENT_ID", "env-client"),
        ("PL_AUTH_CLIENT_SECRET", "s"),
    ];
    let fake = Fake::new();
    let options = with_variables(&fake, variables);
    let session = Session::from_api_key("KEY", ApiKeyTransport::Basic, &options).unwrap();
    assert_eq!(
        (sources(&session), session.api_key().unwrap().as_str()),
        (vec!["argument: api_key".to_owned()], "KEY")
    );
    let session = m2m(&options);
    assert_eq!(sources(&session), ["argument: client_id, client_secret"]);
    session.access_token().unwrap();
    assert_eq!(fake.seen()[0].field("client_id").as_deref(), Some(CLIENT_ID));
}

#[test]
fn a_deployment_is_a_preset_a_path_or_json_and_the_option_takes_precedence() {
    let document = r#"{"name": "mine", "authorization_servers": [], "resource_servers": []}"#;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mine.json");
    std::fs::write(&path, document).unwrap();
    let by_environment = |value: &str| {
        open([("PLANETKEY_DEPLOYMENT", value)])
            .map(|session| session.status().deployment().to_owned())
    };
    assert_eq!(by_environment("planet").unwrap(), "planet");
    assert_eq!(by_environment("copernicus-data-space").unwrap(), "copernicus-data-space");
    assert_eq!(by_environment(document).unwrap(), "mine");
    assert_eq!(by_environment(path.to_str().unwrap()).unwrap(), "mine");
    let missing = directory.path().join("missing.json");
    for bad in [
        "mars",
        "{",
        "{}",
        r#"{"name": 5}"#,
        missing.to_str().unwrap(),
        directory.path().to_str().unwrap(),
        "[]",
    ] {
        assert_eq!(by_environment(bad).unwrap_err().status(), Status::Misconfigured, "{bad}");
    }
    let options = with_variables(&Fake::new(), [("PLANETKEY_DEPLOYMENT", "mars")])
        .with(|it| it.deployment = Some("planet".into()));
    assert_eq!(Session::from_defaults(&options).unwrap().status().deployment(), "planet");
    // The other constructors read the environment, too.
    let options = with_variables(&Fake::new(), [("PLANETKEY_DEPLOYMENT", document)]);
    assert_eq!(
        Session::from_api_key("KEY", ApiKeyTransport::Basic, &options)
            .unwrap()
            .status()
            .deployment(),
        "mine"
    );
    let error = Session::from_m2m("id", "secret", &options).unwrap_err();
    assert_eq!(error.status(), Status::Misconfigured, "this deployment has no M2M server");
}

#[test]
fn the_variable_for_loopback_applies_to_from_defaults_only() {
    let url = "http://127.0.0.1:9/";
    let allowed = |value: &str| {
        open([("PL_API_KEY", "KEY"), ("PLANETKEY_ALLOW_INSECURE_LOOPBACK", value)])
            .map(|session| session.headers(url).is_ok())
    };
    for (value, wanted) in [
        ("1", true),
        ("true", true),
        ("YES", true),
        ("0", false),
        ("false", false),
        ("no", false),
        ("", false),
    ] {
        assert_eq!(allowed(value).unwrap(), wanted, "{value}");
    }
    for bad in ["2", "on", "please"] {
        assert_eq!(allowed(bad).unwrap_err().status(), Status::Misconfigured);
    }
    let options = with_variables(
        &Fake::new(),
        [("PL_API_KEY", "KEY"), ("PLANETKEY_ALLOW_INSECURE_LOOPBACK", "1")],
    );
    let refused = options.clone().with(|it| it.allow_insecure_loopback = Some(false));
    assert_eq!(
        Session::from_defaults(&refused).unwrap().headers(url).unwrap_err().status(),
        Status::HostRefused
    );
    let session = Session::from_api_key("KEY", ApiKeyTransport::Basic, &options).unwrap();
    assert_eq!(session.headers(url).unwrap_err().status(), Status::HostRefused);
}

/// `allowed_hosts` is for the credential that the call names. An API key that was found in the
/// environment is not sent there.
#[test]
fn allowed_hosts_do_not_apply_to_an_api_key_that_was_found() {
    let variables =
        [("PL_API_KEY", "KEY"), ("PL_AUTH_CLIENT_ID", "id"), ("PL_AUTH_CLIENT_SECRET", "secret")];
    let options = with_variables(&Fake::new(), variables)
        .with(|it| it.allowed_hosts = Some(vec!["tiles.example.org".into()]));
    let session = Session::from_defaults(&options).unwrap();
    assert_eq!(
        session.authorize("https://tiles.example.org/").unwrap().credential(),
        CredentialKind::AccessToken
    );
    let options = with_variables(&Fake::new(), [("PL_API_KEY", "KEY")])
        .with(|it| it.allowed_hosts = Some(vec!["tiles.example.org".into()]));
    let session = Session::from_defaults(&options).unwrap();
    assert_eq!(
        session.authorize("https://tiles.example.org/").unwrap_err().status(),
        Status::HostRefused
    );
}

/// A session also has the credentials of the files, and a URL gets the first one that its host
/// accepts.
#[test]
fn files_and_the_user_session_come_after_the_environment() {
    let (home, fake) = (home(), Fake::new());
    let write = |path: &str, content: &str| {
        let path = home.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    };
    write(".planet.json", r#"{"PL_AUTH_PROFILE": "machine", "key": "V2-KEY"}"#);
    let options = with_variables(
        &fake,
        [
            (HOME_VARIABLE, home.path().to_str().unwrap()),
            ("SH_CLIENT_ID", "sh"),
            ("SH_CLIENT_SECRET", "s"),
        ],
    );
    let session = Session::from_defaults(&options).unwrap();
    let wanted = [
        "environment: SH_CLIENT_ID, SH_CLIENT_SECRET",
        ".planet.json: PL_AUTH_PROFILE",
        ".planet.json: key",
    ];
    assert_eq!(sources(&session), wanted);
    assert_eq!(session.authorize(PLANET).unwrap().source(), ".planet.json: key");
    assert_eq!(session.authorize(SENTINEL_HUB).unwrap().source(), wanted[0]);
    let token = crate::common::jwt(&serde_json::json!({"exp": NOW + 3600, "iat": NOW}));
    write(
        ".planet/planet-user/token.json",
        &serde_json::json!({"access_token": token, "refresh_token": "r"}).to_string(),
    );
    let session = Session::from_defaults(&options).unwrap();
    assert_eq!(sources(&session).last().unwrap(), "built-in profile: planet-user");
    assert_eq!(
        session.authorize(PLANET).unwrap().source(),
        ".planet.json: key",
        "the key takes precedence"
    );
    // Without other credentials the user's session serves both.
    write(".planet.json", "{}");
    let options = with_variables(&fake, [(HOME_VARIABLE, home.path().to_str().unwrap())]);
    let session = Session::from_defaults(&options).unwrap();
    for url in [PLANET, SENTINEL_HUB] {
        assert_eq!(
            session.headers(url).unwrap().header_value(),
            Some(format!("Bearer {token}").as_str())
        );
    }
    // A storage root has its own session.
    let elsewhere = tempfile::tempdir().unwrap();
    let options =
        options.with(|it| it.storage_root = Some(elsewhere.path().to_str().unwrap().into()));
    assert!(!Session::from_defaults(&options).unwrap().is_initialized());
}

/// An unusable key or client in a file is skipped with a note. In the environment it is an error.
#[test]
fn an_unusable_value_in_a_file_is_a_note() {
    let (home, fake) = (home(), Fake::new());
    let home_variable = (HOME_VARIABLE, home.path().to_str().unwrap());
    let profile = home.path().join(".planet/machine/auth_client.json");
    let client = r#"{"client_type": "oidc_client_credentials_secret", "client_id": "x", "client_secret": "s", "auth_server": "no url"}"#;
    std::fs::write(profile, client).unwrap();
    let file =
        r#"{"PL_AUTH_PROFILE": "machine", "PL_API_KEY": "SECRET with spaces", "key": "V2-KEY"}"#;
    std::fs::write(home.path().join(".planet.json"), file).unwrap();
    let session = Session::from_defaults(&with_variables(&fake, [home_variable])).unwrap();
    assert_eq!(sources(&session), [".planet.json: key"]);
    let status = session.status();
    let notes = status.notes();
    assert_eq!(notes.len(), 2, "{notes:?}");
    assert!(
        notes[0].starts_with(".planet.json: PL_AUTH_PROFILE")
            && notes[1].starts_with(".planet.json: PL_API_KEY"),
        "{notes:?}"
    );
    assert!(!notes.iter().any(|note| note.contains("SECRET")));
    let error = Session::from_defaults(&with_variables(
        &fake,
        [home_variable, ("PL_AUTH_PROFILE", "machine")],
    ))
    .unwrap_err();
    assert_eq!(error.status(), Status::Misconfigured);
    // There is no other credential: the errors of the calls name what was skipped.
    std::fs::write(home.path().join(".planet.json"), r#"{"PL_AUTH_PROFILE": "planet-user"}"#)
        .unwrap();
    let session = Session::from_defaults(&with_variables(&fake, [home_variable])).unwrap();
    let error = session.headers(PLANET).unwrap_err();
    assert_eq!(
        (error.status(), error.reason()),
        (Status::LoginRequired, Some(Reason::NeverLoggedIn))
    );
    assert!(
        error.message().contains("no user has logged in to the profile planet-user"),
        "{error}"
    );
}

#[test]
fn a_file_at_the_path_of_the_profiles_is_reported() {
    let (home, fake) = (tempfile::tempdir().unwrap(), Fake::new());
    std::fs::write(home.path().join(".planet"), "").unwrap();
    let options = with_variables(&fake, [(HOME_VARIABLE, home.path().to_str().unwrap())]);
    let told = [
        Session::from_defaults(&options).unwrap().headers(PLANET).unwrap_err(),
        Session::from_profile("mine", &options).unwrap_err(),
        options.profiles().unwrap().check_place("planet-user").unwrap_err(),
    ];
    for error in told {
        assert!(error.message().contains(".planet is not a directory; move it away"), "{error}");
    }
    // A session with a credential does not need profiles.
    let with_key = with_variables(
        &fake,
        [(HOME_VARIABLE, home.path().to_str().unwrap()), ("PL_API_KEY", "KEY")],
    );
    assert_eq!(
        Session::from_defaults(&with_key).unwrap().status().notes(),
        <[String; 0]>::default()
    );
    // The storage directory is a file, or does not exist.
    let file = home.path().join(".planet").to_str().unwrap().to_owned();
    let of_file = options.with(|it| it.storage_root = Some(file.into()));
    let error = of_file.profiles().unwrap().check_place("planet-user").unwrap_err();
    assert!(error.message().contains("is not a directory"), "{error}");
    let error = with_variables::<&str>(&fake, [])
        .profiles()
        .unwrap()
        .check_place("planet-user")
        .unwrap_err();
    assert!(error.message().contains("PLANETKEY_STORAGE_ROOT"), "{error}");
    let good = tempfile::tempdir().unwrap();
    let good = with_key
        .with(|it| it.storage_root = Some(good.path().join("new").to_str().unwrap().into()));
    good.profiles().unwrap().check_place("planet-user").unwrap();
    assert!(
        !std::path::Path::new(good.storage_root.as_deref().unwrap()).exists(),
        "nothing is left behind"
    );
}
