//! A pseudo-terminal for the command.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// A text that no command writes.
const LAST: &str = "\u{1}the last\u{1}";

/// A command whose standard input and error are its own pseudo-terminal, by default of 80 columns.
pub struct Session {
    pub child: Child,
    keys: File,
    terminal: File,
    /// What the terminal shows, in pieces as they arrive.
    pieces: Receiver<Vec<u8>>,
    pub screen: String,
}

impl Session {
    pub fn start(command: Command, asks: bool) -> Self {
        Session::start_sized(command, asks, 0)
    }

    /// As [`Session::start`], in a terminal of this many lines; 0 means that it does not say.
    pub fn start_sized(mut command: Command, asks: bool, rows: u16) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let terminal = OpenOptions::new().read(true).write(true).open(name).unwrap();
        let size = Winsize { ws_row: rows, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&terminal, size).unwrap();
        let stderr = if asks { Stdio::from(terminal.try_clone().unwrap()) } else { Stdio::piped() };
        let stdin = terminal.try_clone().unwrap();
        let child = command.stdin(stdin).stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        // The copies that the command holds close when it exits.
        drop(command);
        let keys = File::from(master);
        let mut shown = keys.try_clone().unwrap();
        let (sender, pieces) = mpsc::channel();
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            // Reading a terminal whose last writer has closed it is an error.
            while let Ok(length @ 1..) = shown.read(&mut piece) {
                if sender.send(piece[..length].to_vec()).is_err() {
                    return;
                }
            }
        });
        Session { child, keys, terminal, pieces, screen: String::new() }
    }

    /// As [`Session::start`], with the controlling terminal of the command, so that Ctrl-C is a
    /// signal.
    pub fn start_controlled(command: &Command) -> Self {
        let mut controlled = Command::new("setsid");
        controlled.arg("--ctty").arg(command.get_program()).args(command.get_args()).env_clear();
        controlled.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        Session::start(controlled, true)
    }

    pub fn wait_for(&mut self, text: &str) {
        while !self.screen.contains(text) {
            let piece = self.pieces.recv_timeout(Duration::from_secs(60));
            let piece =
                piece.unwrap_or_else(|_| panic!("{text:?} did not come: {:?}", self.screen));
            self.screen.push_str(&String::from_utf8_lossy(&piece));
        }
    }

    /// Waits until the screen has shown this text this many times.
    pub fn wait_for_times(&mut self, text: &str, times: usize) {
        while self.screen.matches(text).count() < times {
            let piece = self.pieces.recv_timeout(Duration::from_secs(60));
            let piece =
                piece.unwrap_or_else(|_| panic!("{text:?} did not come again: {:?}", self.screen));
            self.screen.push_str(&String::from_utf8_lossy(&piece));
        }
    }

    pub fn types(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    pub fn echoes(&self) -> bool {
        let modes = tcgetattr(&self.terminal).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    /// Exit code, output, and all that the terminal showed. Checks that its settings are restored.
    pub fn end(mut self) -> (i32, String, String) {
        let mut stdout = self.child.stdout.take().unwrap();
        let (sender, printed) = mpsc::channel();
        std::thread::spawn(move || {
            let mut output = String::new();
            stdout.read_to_string(&mut output).unwrap();
            let _ = sender.send(output);
        });
        let Ok(output) = printed.recv_timeout(Duration::from_secs(60)) else {
            self.child.kill().unwrap();
            for piece in self.pieces.try_iter() {
                self.screen.push_str(&String::from_utf8_lossy(&piece));
            }
            panic!("it did not end: {:?}", self.screen);
        };
        let code = self.child.wait().unwrap().code().expect("a signal ended the command");
        assert!(self.echoes(), "the terminal was left as it was for the secret");
        // The output of the command comes before this. A terminal that is closed may lose output
        // that has not been read.
        (&self.terminal).write_all(LAST.as_bytes()).unwrap();
        self.wait_for(LAST);
        let end = self.screen.len() - LAST.len();
        self.screen.truncate(end);
        (code, output, self.screen)
    }
}
