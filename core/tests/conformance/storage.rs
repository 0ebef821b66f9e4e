//! Files on disk and secrets in memory: assertions 116 to 119.

use crate::common::*;
use planetkey::clock::ManualClock;
use planetkey::http::{Body, HttpTransport, Request, Response, TransportFailure};
use planetkey::profile::{FixedEnvironment, HOME_VARIABLE};
use planetkey::secret::Secret;
use planetkey::storage::{Memory, Step, Stored};
use planetkey::{Options, Reason, Runtime, Session, Status};
use serde_json::json;
use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PLAYER: &str = "conformance::storage::child_process";

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
}

/// Returns every file and directory below, with its mode.
fn modes(directory: &Path) -> BTreeMap<PathBuf, u32> {
    let mut modes = BTreeMap::new();
    let mut open = vec![directory.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path.clone());
            }
            modes.insert(path.clone(), mode(&path));
        }
    }
    modes
}

/// Checked before each step: at no moment can other users read a file.
#[test]
fn a116_files_are_private_from_their_creation() {
    let home = Home::new();
    let seen: Arc<Mutex<Vec<BTreeMap<PathBuf, u32>>>> = Arc::default();
    let (place, looks) = (home.path().to_owned(), seen.clone());
    let disk = ScriptedDisk::new(move |_| {
        looks.lock().unwrap().push(modes(&place));
        Ok(())
    });
    let mut options = home.options();
    options.runtime.disk = Some(disk.clone());
    m2m(&options).access_token().unwrap();
    seen.lock().unwrap().push(modes(home.path()));
    let looks = seen.lock().unwrap();
    assert!(disk.steps().starts_with(&[Step::Lock]) && disk.steps().contains(&Step::SyncDirectory));
    for (path, mode) in looks.iter().flatten() {
        assert_eq!(
            *mode,
            if path.is_dir() || *mode == 0o700 { 0o700 } else { 0o600 },
            "{}",
            path.display()
        );
    }
    let names: Vec<String> = looks
        .iter()
        .flatten()
        .map(|(path, _)| path.file_name().unwrap().to_string_lossy().into_owned())
        .collect();
    for wanted in [".planet", "token.json", "token.json.lock", "token.planetkey.json"] {
        assert!(names.iter().any(|name| name == wanted), "{wanted} in {names:?}");
    }
    assert!(
        names.iter().any(|name| name.starts_with(".token.json.") && name.ends_with(".tmp")),
        "seen while it was written"
    );
}

/// The mode does not depend on the umask.
#[test]
fn a116_files_are_private_with_any_umask() {
    let home = Home::new();
    let mut shell = Command::new("sh");
    let player = child(PLAYER, "modes");
    shell
        .args(["-c", "umask 000; exec \"$@\"", "sh"])
        .arg(player.get_program())
        .args(player.get_args());
    shell.env(ROLE, "modes").env(HOME_VARIABLE, home.path());
    Child::spawn(&mut shell).end();
    let modes = modes(home.path());
    assert!(modes.len() >= 5, "{modes:?}");
    for (path, mode) in modes {
        assert_eq!(mode, if path.is_dir() { 0o700 } else { 0o600 }, "{}", path.display());
    }
}

/// Compiles only for types that wipe themselves.
fn wipes<T: zeroize::ZeroizeOnDrop>() {}

#[test]
fn a117_debug_and_display_show_no_secret() {
    wipes::<Secret>();
    let home = Home::new();
    home.seed(&json!({"access_token": "SECRET-access", "refresh_token": "SECRET-refresh", "id_token": "SECRET-id"}));
    let session = home.user();
    let header = session.headers(PLANET).unwrap();
    let token = session.access_token().unwrap();
    let members = planetkey::secret_json::Members(home.tokens().as_object().unwrap().clone());
    let set = planetkey::credential::TokenSet {
        access_token: Secret::from("SECRET-access"),
        lifetime: std::time::Duration::from_millis(1),
        scopes: Vec::new(),
        members: members.clone(),
    };
    let stored = Stored::received(set, planetkey::clock::Clock::now(home.clock.as_ref()));
    let memory = Memory::default();
    planetkey::storage::TokenStorage::save(&memory, &stored).unwrap();
    let status = session.status();
    let shown = [
        format!(
            "{session:?} {header:?} {token:?} {members:?} {stored:?} {memory:?} {:?}",
            Secret::from("SECRET-access")
        ),
        format!("{status:?} {}", status.to_json()),
    ];
    for shown in shown {
        assert!(!shown.contains("SECRET"), "{shown}");
    }
    // Nor does an error about a file that contains a secret.
    std::fs::write(home.token_file(), "{\"refresh_token\": \"SECRET-refresh\"").unwrap();
    let error = home.user().access_token().unwrap_err();
    assert!(
        error.reason() == Some(Reason::Corrupt) && !format!("{error:?}").contains("SECRET"),
        "{error:?}"
    );
}

/// Searches the memory of a process from outside for the secrets of its session, after the session
/// was dropped.
#[cfg(target_os = "linux")]
#[test]
fn a117_secrets_are_wiped_from_memory() {
    let home = Home::new();
    // As long as real tokens, and searched for by the end, because the allocator overwrites the
    // beginning of freed memory. The end is longer than the vector registers of the processor,
    // whose content the C library leaves behind in pieces of up to 64 bytes.
    let end = || (0..25).map(|_| format!("{:016x}", rand())).collect::<String>();
    let name = |what: &str| format!("{what}{}-{}", "x".repeat(1000), end());
    let old = [name("old-access-"), name("old-refresh-"), name("old-id-")];
    let new = [name("new-access-"), name("new-refresh-")];
    home.seed(&json!({"access_token": old[0], "refresh_token": old[1], "id_token": old[2]}));
    let answer = json!({"access_token": new[0], "refresh_token": new[1], "token_type": "Bearer", "expires_in": 3600});
    std::fs::write(home.path().join("answer"), answer.to_string()).unwrap();
    let mut process = Child::spawn(child(PLAYER, "memory").env(HOME_VARIABLE, home.path()));
    let left = |process: &Child, wanted: &[String]| -> Vec<String> {
        let found = |secret: &&String| {
            occurrences(process.id(), secret.rsplit('-').next().unwrap().as_bytes()) > 0
        };
        wanted.iter().filter(found).cloned().collect()
    };
    assert_eq!(process.hear(), "opened");
    assert_eq!(left(&process, &old[..1]), old[..1], "this test can see what is there");
    assert_eq!(process.ask("drop"), "dropped");
    assert_eq!(left(&process, &old), Vec::<String>::new(), "after a session that was read");
    assert_eq!(process.ask("refresh"), "refreshed");
    assert_eq!(left(&process, &new[..1]), new[..1]);
    assert_eq!(process.ask("drop"), "dropped");
    assert_eq!(
        left(&process, &[&old[..], &new].concat()),
        Vec::<String>::new(),
        "after a session that was refreshed"
    );
    process.end();
    assert_eq!(home.refresh_token(), new[1]);
}

fn rand() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::hash::RandomState::new().build_hasher().finish()
}

/// Returns how often these bytes occur in the writable memory of a process.
#[cfg(target_os = "linux")]
fn occurrences(pid: u32, wanted: &[u8]) -> usize {
    let maps = std::fs::read_to_string(format!("/proc/{pid}/maps")).unwrap();
    let mut memory = std::fs::File::open(format!("/proc/{pid}/mem")).unwrap();
    let mut count = 0;
    for line in maps.lines() {
        let mut fields = line.split_ascii_whitespace();
        let (range, access) = (fields.next().unwrap(), fields.next().unwrap());
        if !access.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|end| u64::from_str_radix(end, 16).unwrap());
        let mut bytes = vec![0; usize::try_from(to - from).unwrap()];
        memory.seek(SeekFrom::Start(from)).unwrap();
        // A region that was mapped a moment ago may be gone.
        if memory.read_exact(&mut bytes).is_ok() {
            count += bytes
                .windows(wanted.len())
                .filter(|window| window[0] == wanted[0] && *window == wanted)
                .count();
        }
    }
    count
}

/// A server that reads its response from a file and stores no copy.
struct FromFile(PathBuf);

impl HttpTransport for FromFile {
    fn exchange(&self, _: &Request, _: Duration) -> Result<Response, TransportFailure> {
        Ok(Response {
            body: Body(std::fs::read(&self.0).unwrap()),
            ..answer(200, "application/json", Vec::new())
        })
    }
}

#[test]
fn child_process() {
    let Some(role) = role() else { return };
    let home = PathBuf::from(std::env::var_os(HOME_VARIABLE).unwrap());
    let options = Options::default().with(|it| {
        it.runtime = Runtime {
            clock: Arc::new(ManualClock::new(NOW)),
            random: Arc::new(Fixed(0x80)),
            environment: Arc::new(FixedEnvironment::new([(HOME_VARIABLE, &home)])),
            transport: Some(Arc::new(FromFile(home.join("answer")))),
            ..Runtime::default()
        }
    });
    match role.as_str() {
        "modes" => {
            let fake = Fake::new();
            let mut options = options;
            options.runtime.transport = Some(fake);
            m2m(&options).access_token().unwrap();
        }
        "memory" => {
            let mut session: Option<Session> = Some(user(&options));
            session
                .as_ref()
                .unwrap()
                .with_header(PLANET, |header| assert!(header.starts_with("Bearer old-")))
                .unwrap();
            tell("opened");
            while let Some(order) = hear() {
                match order.as_str() {
                    "drop" => {
                        session = None;
                        // The thread of a refresh holds the session until the thread ends.
                        eventually(|| planetkey::session::settle(std::time::Duration::ZERO));
                        tell("dropped");
                    }
                    _ => {
                        let refreshed = session.insert(user(&options));
                        refreshed.refresh().unwrap();
                        refreshed
                            .with_header(PLANET, |header| {
                                assert!(header.starts_with("Bearer new-"))
                            })
                            .unwrap();
                        tell("refreshed");
                    }
                }
            }
        }
        _ => panic!("{role}"),
    }
}

/// Only root can change the owner of a file, which these tests need.
fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn a118_a_link_of_another_user_is_not_followed() {
    let home = Home::new();
    home.seed(&json!({}));
    let elsewhere = home.path().join("elsewhere.json");
    std::fs::rename(home.token_file(), &elsewhere).unwrap();
    symlink(&elsewhere, home.token_file()).unwrap();
    // The user's own link is followed and stays a link. The file that it leads to is replaced.
    let session = home.user();
    assert_eq!(ask(&session), SEEDED);
    session.refresh().unwrap();
    assert!(home.token_file().is_symlink() && !elsewhere.is_symlink());
    assert_eq!(
        (read_json(&elsewhere)["refresh_token"].as_str(), mode(&elsewhere)),
        (Some("refresh-1"), 0o600)
    );
    if !is_root() {
        return;
    }
    std::os::unix::fs::lchown(home.token_file(), Some(65_534), Some(65_534)).unwrap();
    let before = std::fs::read(&elsewhere).unwrap();
    let error = home.user().access_token().unwrap_err();
    assert_eq!(error.status(), Status::Storage, "{error}");
    assert!(error.message().contains("belongs to another user"), "{error}");
    // An M2M client needs no file to get a token. The target of the link is not changed.
    let file = home.m2m_token_file();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    symlink(&elsewhere, &file).unwrap();
    std::os::unix::fs::lchown(&file, Some(65_534), Some(65_534)).unwrap();
    let m2m = home.m2m();
    assert!(ask(&m2m).starts_with("access-"));
    assert!(
        m2m.status().notes()[0].contains("lives in this process only"),
        "{:?}",
        m2m.status().notes()
    );
    assert_eq!(std::fs::read(&elsewhere).unwrap(), before);
}

#[test]
fn a118_a_file_that_other_users_may_read_is_logged() {
    let logs = logs();
    let home = Home::new();
    home.seed(&json!({}));
    for (number, bits) in [0o640, 0o604, 0o660].into_iter().enumerate() {
        std::fs::set_permissions(home.token_file(), std::fs::Permissions::from_mode(bits)).unwrap();
        assert_eq!(ask(&home.user()), SEEDED);
        let path = home.token_file().display().to_string();
        let warned = logs
            .with(log::Level::Warn, &path)
            .into_iter()
            .filter(|line| line.contains("chmod 600"))
            .count();
        assert_eq!(warned, number + 1, "{bits:o}");
    }
    home.user().refresh().unwrap();
    assert_eq!(mode(&home.token_file()), 0o600, "the next write corrects the mode");
}

/// Checks the only program that the core starts, with a stub that records how it was called.
#[test]
fn a119_no_secret_in_the_command_line_of_a_child() {
    let home = Home::new();
    let programs = home.path().join("bin");
    std::fs::create_dir(&programs).unwrap();
    let stub = format!(
        "#!/bin/sh\nprintf '%s\\n' \"$@\" >>'{0}/argv'\nenv >>'{0}/argv'\ncase $1 in\n\
         -d) sed 's/.*\"data\": \"\\([^\"]*\\)\".*/\\1/' \"$2\" | base64 -d ;;\n\
         *) printf '{{\"data\": \"%s\", \"sops\": {{}}}}' \"$(base64 -w0)\" ;;\nesac\n",
        home.path().display()
    );
    std::fs::write(programs.join("sops"), stub).unwrap();
    std::fs::set_permissions(programs.join("sops"), std::fs::Permissions::from_mode(0o700))
        .unwrap();
    let clear = sdk_bytes(&seeded(
        &json!({"access_token": "SECRET-access", "refresh_token": "SECRET-refresh"}),
    ));
    let sealed = {
        use base64::Engine;
        json!({"data": base64::engine::general_purpose::STANDARD.encode(clear), "sops": {}})
    };
    std::fs::create_dir_all(home.token_file().parent().unwrap()).unwrap();
    let text = sealed.to_string().replace("\":", "\": ");
    std::fs::write(home.file("token.sops.json"), text).unwrap();
    home.fake.answers(token(
        &json!({"access_token": "SECRET-new", "refresh_token": "SECRET-newer", "expires_in": 60}),
    ));
    let mut options = home.options();
    options.runtime.environment =
        Arc::new(FixedEnvironment::new([(HOME_VARIABLE, home.path()), ("PATH", &programs)]));
    let session = user(&options);
    assert_eq!(ask(&session), "SECRET-access");
    session.refresh().unwrap();
    assert_eq!(ask(&user(&options)), "SECRET-new", "it was saved");
    let called = std::fs::read_to_string(home.path().join("argv")).unwrap();
    assert!(
        called.contains("-d\n")
            && called.contains("encrypt\n")
            && called.contains("token.sops.json"),
        "{called}"
    );
    assert!(!called.contains("SECRET"), "{called}");
    for name in home.listing() {
        assert!(
            !std::fs::read_to_string(home.file(&name)).unwrap().contains("SECRET"),
            "{name} holds clear text"
        );
    }
}
