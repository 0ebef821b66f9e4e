//! Other processes: the test binary itself, started again to play one role.

use super::PATIENCE;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child as Process, ChildStdin, Command, Stdio};
use std::sync::mpsc::{self, Receiver};

/// Names the role. Without this variable the test that plays roles does nothing.
pub const ROLE: &str = "PLANETKEY_TEST_ROLE";
/// Every message from a child to its parent starts with this character, because the test harness
/// prints to the same stream.
const MARK: char = '@';

/// Returns a command that starts this program again, to run only the test that plays roles.
pub fn child(player: &str, role: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", player, "--nocapture", "--test-threads=1"]).env(ROLE, role);
    command
}

/// Returns true in the process of this one test. Otherwise runs the test in such a process and
/// returns false, and the caller returns.
pub fn in_own_process(module: &str, test: &str) -> bool {
    const OWN: &str = "PLANETKEY_TEST_OWN_PROCESS";
    let name = format!("{}::{test}", module.split_once("::").unwrap().1);
    if std::env::var_os(OWN).is_some_and(|own| *own == *name) {
        return true;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    let output = command.args(["--exact", &name]).env(OWN, &name).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("1 passed"),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    false
}

/// In the child: returns its role.
pub fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

/// In the child: sends a message to the parent.
pub fn tell(text: &str) {
    let mut stdout = std::io::stdout().lock();
    // The parent may have ended, so an error is ignored.
    let _ = writeln!(stdout, "\n{MARK}{text}").and_then(|()| stdout.flush());
}

/// In the child: returns the parent's next message, or `None` after the parent has ended.
pub fn hear() -> Option<String> {
    let mut line = String::new();
    (std::io::stdin().read_line(&mut line).unwrap() > 0).then(|| line.trim().to_owned())
}

/// A child that plays a role. It is killed on drop.
pub struct Child {
    process: Process,
    stdin: Option<ChildStdin>,
    said: Receiver<String>,
}

impl Child {
    pub fn spawn(command: &mut Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(process.stdout.take().unwrap());
        let (sender, said) = mpsc::channel();
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if let Some(text) = line.strip_prefix(MARK) {
                    let _ = sender.send(text.to_owned());
                }
            }
        });
        Child { stdin: process.stdin.take(), process, said }
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// Returns the child's next message.
    pub fn hear(&self) -> String {
        self.said
            .recv_timeout(PATIENCE)
            .unwrap_or_else(|error| panic!("the child sent no message: {error}"))
    }

    pub fn tell(&mut self, text: &str) {
        writeln!(self.stdin.as_mut().unwrap(), "{text}").unwrap();
    }

    /// Sends a message and returns the child's next one.
    pub fn ask(&mut self, text: &str) -> String {
        self.tell(text);
        self.hear()
    }

    #[cfg(unix)]
    pub fn signal(&self, signal: rustix::process::Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    #[cfg(unix)]
    pub fn pid(&self) -> rustix::process::Pid {
        rustix::process::Pid::from_raw(i32::try_from(self.id()).unwrap()).unwrap()
    }

    /// Kills the child as `kill -9` does and waits until it has ended.
    pub fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Closes the child's input, waits for its end and checks that it succeeded.
    pub fn end(mut self) {
        drop(self.stdin.take());
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}");
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
