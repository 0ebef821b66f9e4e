//! Encrypted files, with a stub instead of the program `sops`.

use super::home::*;
use planetkey::Status;
use planetkey::deployment::Deployment;
use planetkey::profile::client_config::ClientConfig;
use planetkey::profile::store::M2mLogin;
use planetkey::profile::{Profiles, Root, load, precedence};
use planetkey::secret::Secret;
use planetkey::storage::sops::{Encryption, Sops};
use serde_json::{Value, json};
use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

/// Encodes the clear text as base64 and decodes it again, and records how it was called.
const STUB: &str = r#"
printf '%s\n' "$@" >> "$0.arguments"
if [ "$1" = -d ]; then
    sed -n 's/.*"data": "\([^"]*\)".*/\1/p' "$2" | base64 -d
else
    printf '{"data": "%s", "sops": {"version": "test"}}' "$(base64 | tr -d '\n')"
fi
"#;

fn program(directory: &Path, script: &str) {
    let path = directory.join("sops");
    std::fs::write(&path, format!("#!/bin/sh\n{script}")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

struct Bench {
    home: Home,
    programs: tempfile::TempDir,
}

impl Bench {
    fn new(script: &str) -> Self {
        let programs = tempfile::tempdir().unwrap();
        program(programs.path(), script);
        Bench { home: Home::new(), programs }
    }

    fn root(&self) -> Root {
        Root::new(
            &self
                .home
                .environment(&[("PATH", &format!("/nowhere:{}", self.programs.path().display()))]),
            None,
        )
        .unwrap()
    }

    fn profiles(&self) -> Profiles {
        Profiles::new(self.root(), Deployment::planet().unwrap())
    }

    /// Writes a file that the stub accepts as encrypted.
    fn seal(&self, path: &str, clear: &Value) {
        let sealed = self
            .root()
            .sops()
            .encrypt(&self.home.join(path), clear.to_string().as_bytes())
            .unwrap();
        self.home.write(path, sealed);
    }

    fn arguments(&self) -> String {
        std::fs::read_to_string(self.programs.path().join("sops.arguments")).unwrap_or_default()
    }

    fn sops(&self) -> Sops {
        Sops::new(Some(self.programs.path().as_os_str().to_owned()))
    }
}

#[test]
fn an_encrypted_profile_takes_precedence_over_a_plain_one() {
    let bench = Bench::new(STUB);
    bench.home.profile("x", &m2m("plain"));
    bench.seal(".planet/x/auth_client.sops.json", &m2m("encrypted"));
    let opened = load::open(&bench.root(), "x").unwrap();
    let file = bench.home.join(".planet/x/auth_client.sops.json");
    assert_eq!(opened.config_file.as_deref(), Some(file.as_path()));
    assert!(
        matches!(opened.config, ClientConfig::OAuth(client) if client.client_id == "encrypted")
    );
    assert!(
        bench.arguments().ends_with(&format!("-d\n{}\n", file.display())),
        "{}",
        bench.arguments()
    );
    assert_eq!(
        load::raw_document(&bench.root(), "x").unwrap().text("client_id"),
        Some("encrypted")
    );
    // The token file likewise, here with a key in it.
    bench
        .home
        .profile("keyed", &json!({"client_type": "static_apikey"}))
        .write(".planet/keyed/token.json", "{}");
    bench.seal(
        ".planet/keyed/token.sops.json",
        &json!({"api_key": "SEALED", "bearer_token_prefix": "api-key"}),
    );
    assert_eq!(
        bench.root().token_file("keyed").unwrap(),
        Some(bench.home.join(".planet/keyed/token.sops.json"))
    );
    let config = load::open(&bench.root(), "keyed").unwrap().config;
    assert!(
        matches!(config, ClientConfig::ApiKey { api_key, as_header: true } if api_key.expose() == "SEALED")
    );
    let summary = bench.profiles().summary("x").unwrap();
    assert_eq!((summary.client_id.as_deref(), summary.file), (Some("encrypted"), Some(file)));
}

#[test]
fn plain_text_is_never_in_a_file_or_an_argument() {
    let bench = Bench::new(STUB);
    let profiles = bench.profiles();
    let clear = |needle: &str| {
        let on_disk = bench
            .home
            .tree()
            .values()
            .any(|content| String::from_utf8_lossy(content).contains(needle));
        on_disk || bench.arguments().contains(needle)
    };
    profiles.save_api_key(&Secret::from("SECRET-key"), Encryption::Sops).unwrap();
    let login = M2mLogin {
        client_id: "id".into(),
        client_secret: Secret::from("SECRET-client"),
        ..M2mLogin::default()
    };
    profiles.save_m2m(&login, Encryption::Sops).unwrap();
    assert!(!clear("SECRET-"), "{:?}", bench.home.tree());
    let sealed = bench.home.join(".planet/_pl_api_key/auth_client.sops.json");
    assert_eq!(
        (mode(&sealed), bench.home.has(".planet/_pl_api_key/auth_client.json")),
        (0o600, false)
    );
    let encrypt = format!(
        "encrypt\n--input-type\njson\n--output-type\njson\n--filename-override\n{}\n/dev/stdin\n",
        sealed.display()
    );
    assert!(bench.arguments().starts_with(&encrypt), "{}", bench.arguments());
    let config = load::open(&bench.root(), "_pl_api_key").unwrap().config;
    assert!(
        matches!(config, ClientConfig::ApiKey { api_key, .. } if api_key.expose() == "SECRET-key")
    );
    // An encrypted profile stays encrypted, and a plain file that it replaces is deleted.
    profiles.save_api_key(&Secret::from("SECRET-other"), Encryption::AsBefore).unwrap();
    assert!(!clear("SECRET-"));
    bench.home.profile("_pl_api_key", &json!({"api_key": "SECRET-old"}));
    profiles.save_api_key(&Secret::from("SECRET-third"), Encryption::Sops).unwrap();
    assert!(!clear("SECRET-"));
    // A copy of an encrypted file is that file, so a copy needs no key to decrypt it.
    program(bench.programs.path(), "exit 1");
    let copied = profiles.copy("planet-m2m-id", "copied", Encryption::AsBefore).unwrap();
    program(bench.programs.path(), STUB);
    assert_eq!(copied, bench.home.join(".planet/copied/auth_client.sops.json"));
    assert_eq!(
        std::fs::read(copied).unwrap(),
        std::fs::read(bench.home.join(".planet/planet-m2m-id/auth_client.sops.json")).unwrap()
    );
    let sealed_copy = profiles.copy("planet-user", "sealed", Encryption::Sops).unwrap();
    assert!(sealed_copy.ends_with("auth_client.sops.json") && !clear("offline_access"));
    assert!(
        matches!(load::open(&bench.root(), "sealed").unwrap().config, ClientConfig::OAuth(client) if client.scopes.len() == 2)
    );
}

#[test]
fn without_sops_the_error_says_so() {
    let home = Home::new();
    home.write(".planet/x/auth_client.sops.json", "{}").write("sops", "#!/bin/sh\necho '{}'\n");
    home.write("unfit/sops", "#!/bin/sh\necho '{}'\n");
    let (here, unfit) = (home.path().to_str().unwrap(), home.join("unfit"));
    // Neither a file that is not executable nor one in the working directory is started.
    for path in
        [None, Some(""), Some("relative:."), Some(unfit.to_str().unwrap()), Some("/nowhere")]
    {
        let variables: Vec<_> = path.map(|path| ("PATH", path)).into_iter().collect();
        let root = Root::new(&home.environment(&variables), None).unwrap();
        let error = load::open(&root, "x").unwrap_err();
        assert_eq!((error.status(), error.profile()), (Status::Unsupported, Some("x")), "{path:?}");
        assert!(error.message().contains("sops") && error.message().contains("PATH"), "{error}");
    }
    assert!(home.has("sops") && !here.is_empty());
    // If a file selects the profile, the error is a note, and listing continues.
    home.write(".planet.json", r#"{"PL_AUTH_PROFILE": "x", "key": "K"}"#);
    let (found, notes) = precedence::find(&home.environment(&[]), &home.root()).unwrap();
    assert!(found.len() == 1 && notes[0].contains("sops"), "{notes:?}");
    assert!(home.profiles().summary("x").unwrap().problem.unwrap().contains("sops"));
    assert_eq!(home.profiles().list().count(), 2);
}

#[test]
fn a_failure_of_sops_is_one_clean_line() {
    let bench = Bench::new(
        "printf '\\n  \\033[31mFailed to get the data key\\r\\nsecond line\\n' >&2; exit 128",
    );
    bench.home.write(".planet/x/auth_client.sops.json", "{}");
    let error = load::open(&bench.root(), "x").unwrap_err();
    assert_eq!((error.status(), error.profile()), (Status::Storage, Some("x")));
    assert!(
        error.message().contains("[31mFailed to get the data key")
            && error.message().contains("auth_client.sops.json"),
        "{error}"
    );
    assert!(
        !error.message().contains("second") && !error.message().chars().any(char::is_control),
        "{error}"
    );
    let encrypt = |bench: &Bench| {
        bench.sops().encrypt(&bench.home.join("y.sops.json"), b"{\"s\": \"SECRET\"}").unwrap_err()
    };
    assert_eq!(encrypt(&bench).status(), Status::Storage);
    let silent = Bench::new("exit 3");
    assert!(encrypt(&silent).message().contains("without saying why"));
    assert_eq!(
        Bench::new("exit 0").sops().decrypt(Path::new("/x")).unwrap_err().status(),
        Status::Storage
    );
    // The program does not encrypt, so nothing is written.
    for script in ["cat", "exit 0", "echo '[]'", "echo '{\"sops'"] {
        let useless = Bench::new(script);
        let error = useless
            .profiles()
            .save_api_key(&Secret::from("SECRET-key"), Encryption::Sops)
            .unwrap_err();
        assert!(
            error.status() == Status::Storage && !error.message().contains("SECRET"),
            "{error}"
        );
        assert!(useless.home.tree().is_empty());
    }
    // The decrypted text is not a profile.
    for script in ["echo SECRET-garbage", "echo '[\"SECRET-list\"]'"] {
        let odd = Bench::new(script);
        odd.home.write(".planet/x/auth_client.sops.json", "{}");
        let error = load::open(&odd.root(), "x").unwrap_err();
        assert!(
            error.status() == Status::Misconfigured && !error.message().contains("SECRET"),
            "{error}"
        );
    }
    // A file that the system cannot run.
    let broken = Bench::new("");
    std::fs::write(broken.programs.path().join("sops"), b"\x7fELF nothing").unwrap();
    assert_eq!(encrypt(&broken).status(), Status::Storage);
}

#[test]
fn a_sops_that_hangs_is_killed() {
    let patience = Duration::from_millis(100);
    let file = Path::new("/x.sops.json");
    // The program never ends, or it has ended and a child of it holds the pipes open.
    for script in ["exec sleep 3600", "sleep 10 & exit 0", "sleep 10 & exit 1"] {
        let bench = Bench::new(script);
        let error = bench.sops().with_timeout(patience).decrypt(file).unwrap_err();
        assert_eq!((error.status(), error.retryable()), (Status::Storage, true), "{script}");
        let error =
            bench.sops().with_timeout(patience).encrypt(file, &vec![b' '; 1_000_000]).unwrap_err();
        assert_eq!((error.status(), error.retryable()), (Status::Storage, true), "{script}");
    }
}

#[test]
fn full_and_broken_pipes_do_not_block() {
    // More data than a pipe holds, in both directions at once.
    let bench = Bench::new("printf '{\"sops\": \"'; tr x y; printf '\"}'");
    let sealed = bench.sops().encrypt(Path::new("/x.sops.json"), &vec![b'x'; 900_000]).unwrap();
    assert_eq!(sealed.len(), 900_000 + 12);
    // The program does not read its input.
    let deaf = Bench::new("echo 'no key' >&2; exit 1");
    let error = deaf.sops().encrypt(Path::new("/x.sops.json"), &vec![b'x'; 900_000]).unwrap_err();
    assert!(error.message().contains("no key"), "{error}");
    // The program writes very much to standard error.
    let noisy = Bench::new("head -c 5000000 /dev/zero | tr '\\0' 'e' >&2; exit 1");
    assert!(noisy.sops().decrypt(Path::new("/x")).unwrap_err().message().contains("eee"));
    let endless = Bench::new("head -c 5000000 /dev/zero");
    assert!(endless.sops().decrypt(Path::new("/x")).unwrap_err().message().contains("1 MiB"));
    // A path of a relative storage root is made absolute, so that it cannot be mistaken for an
    // option.
    let plain = Bench::new(STUB);
    let _ = plain.sops().decrypt(Path::new("-i/x.sops.json"));
    assert!(
        plain.arguments().starts_with("-d\n/") && plain.arguments().ends_with("/-i/x.sops.json\n"),
        "{}",
        plain.arguments()
    );
    assert!(format!("{:?}", Sops::new(Some(OsString::from("/bin")))).contains("/bin"));
}
