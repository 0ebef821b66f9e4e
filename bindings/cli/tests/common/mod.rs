//! Runs the command with a simulator, and with no other variables in its environment.

#![allow(dead_code)]

#[cfg(unix)]
pub mod terminal;
pub mod user;

use std::ffi::OsStr;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use planetkey::profile::HOME_VARIABLE;
use planetkey_simulator::{Settings, Simulator};
use tempfile::TempDir;

/// The secrets of the environment. They appear in no unrequested output.
pub const SECRET: &str = "environment-secret-7f3a";
pub const KEY: &str = "PLAKenvironment7f3a";
/// A second client and key that the simulator accepts, for options.
pub const OTHER_CLIENT: &str = "option-client";
pub const OTHER_SECRET: &str = "option-secret-91bc";
pub const OTHER_KEY: &str = "PLAKoption91bc";

pub struct Scene {
    pub simulator: Simulator,
    pub home: TempDir,
}

/// How a run of the command ended.
#[derive(Debug)]
pub struct Run {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Scene {
    pub fn new() -> Self {
        let settings = Settings {
            client_secret: SECRET.to_owned(),
            api_key: KEY.to_owned(),
            ..Settings::default()
        };
        let simulator = Simulator::start(settings).unwrap();
        simulator.change_settings(&serde_json::json!({"api_keys": [KEY, OTHER_KEY]})).unwrap();
        let client = serde_json::json!({"client_id": OTHER_CLIENT, "client_secret": OTHER_SECRET});
        simulator.register_client(&client).unwrap();
        Scene { simulator, home: TempDir::new().unwrap() }
    }

    /// The command with the simulator's environment and the home directory of this scene.
    pub fn command<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = bare(self.home.path(), arguments);
        command.envs(self.simulator.environment()).env(HOME_VARIABLE, self.home.path());
        command
    }

    pub fn run<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        finish(&mut self.command(arguments), b"")
    }

    /// As [`Scene::command`], with nothing on the disk before.
    pub fn afresh<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Run {
        let home = TempDir::new().unwrap();
        finish(self.command(arguments).env(HOME_VARIABLE, home.path()), b"")
    }

    /// The command in the home of this scene, with the deployment of the simulator and no
    /// credential in its environment.
    pub fn bare<A: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = A>) -> Command {
        let mut command = bare(self.home.path(), arguments);
        let environment = self.simulator.environment();
        command.envs(environment.into_iter().filter(|(name, _)| name.starts_with("PLANETKEY_")));
        command
    }

    /// The content of a file in the home directory.
    pub fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.home.path().join(name)).unwrap()
    }

    pub fn has(&self, name: &str) -> bool {
        self.home.path().join(name).exists()
    }

    pub fn planet(&self, path: &str) -> String {
        format!("{}{path}", self.simulator.planet_api())
    }

    pub fn sentinel_hub(&self, path: &str) -> String {
        format!("{}{path}", self.simulator.sentinel_hub_api())
    }

    pub fn token_requests(&self) -> u64 {
        self.simulator.count("m2m.token").unwrap()
    }

    /// The client of the last token request.
    pub fn last_client(&self) -> String {
        let requests = self.simulator.requests("m2m.token").unwrap();
        let form = requests.last().unwrap()["form"].as_array().unwrap().clone();
        let pair = form.iter().find(|pair| pair[0] == "client_id").unwrap();
        pair[1].as_str().unwrap().to_owned()
    }

    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.home.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, content).unwrap();
        path
    }

    /// Saves a profile as Planet's SDK does.
    pub fn profile(&self, name: &str, config: &serde_json::Value) {
        self.file(&format!(".planet/{name}/auth_client.json"), config.to_string());
    }
}

/// The command with only the home directory in its environment.
pub fn bare<A: AsRef<OsStr>>(home: &Path, arguments: impl IntoIterator<Item = A>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_planetkey"));
    command.args(arguments).env_clear().env(HOME_VARIABLE, home);
    command
}

/// Runs the command with this standard input until it exits.
pub fn finish(command: &mut Command, input: &[u8]) -> Run {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that does not read its input may have exited already.
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    Run {
        code: output.status.code().expect("a signal ended the command"),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

impl Run {
    /// Checks that the run succeeded without output. Returns its standard error.
    pub fn silent(&self) -> &str {
        assert_eq!((self.code, self.stdout.as_str()), (0, ""), "{self:?}");
        &self.stderr
    }

    /// Checks that the run succeeded with an empty standard error. Returns its output.
    pub fn json(&self) -> serde_json::Value {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{self:?}");
        serde_json::from_str(&self.stdout).unwrap()
    }

    /// Checks that the run succeeded with one line of output and an empty standard error.
    pub fn line(&self) -> &str {
        assert_eq!((self.code, self.stderr.as_str()), (0, ""), "{self:?}");
        let line = self.stdout.strip_suffix('\n').expect("a line end");
        assert!(!line.contains('\n'), "{self:?}");
        line
    }

    /// Checks that the run failed with one line and no output. Returns its message.
    pub fn failed(&self, status: planetkey::Status) -> &str {
        assert_eq!(self.code, status.number(), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        let line = self.stderr.strip_suffix('\n').expect("a line end");
        assert!(!line.contains('\n'), "{self:?}");
        for secret in [SECRET, KEY, OTHER_SECRET, OTHER_KEY] {
            assert!(!line.contains(secret), "{self:?}");
        }
        let message = line.strip_prefix(&format!("planetkey: {}: ", status.name()));
        message.unwrap_or_else(|| panic!("{self:?}"))
    }
}
