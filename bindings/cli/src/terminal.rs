//! The terminal: questions are asked there, and secrets are typed without being shown.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::Arc;
#[cfg(unix)]
use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use planetkey::Interrupt;
use planetkey::secret::Secret;

/// The width of a terminal of an unknown size.
const USUAL_COLUMNS: usize = 80;

/// The longest API key or secret that is read, in bytes.
pub(crate) const SECRET_LIMIT: usize = 64 * 1024;

/// The terminal of standard input. Implement it to ask users elsewhere.
pub trait Terminal {
    /// Whether the error stream is a terminal, too, so that the user sees questions.
    fn shows_questions(&self) -> bool;

    /// Asks on `stderr` and reads a line that is not shown; `None` if the user cancels.
    ///
    /// `stdin` is what has not been read yet of the terminal.
    fn ask_hidden(
        &self,
        question: &str,
        stdin: &mut dyn Read,
        stderr: &mut dyn Write,
    ) -> io::Result<Option<Secret>>;

    /// How many characters a line of the error stream takes.
    fn columns(&self) -> usize {
        USUAL_COLUMNS
    }

    /// How many lines the error stream shows at once, if known.
    fn rows(&self) -> Option<usize> {
        None
    }

    /// Tells any thread whether the user wants to cancel. From now on Ctrl-C does not end the
    /// process by itself.
    fn interrupt(&self) -> Interrupt {
        Arc::new(|| false)
    }

    /// Waits until a line was typed; `false` if the user cancels.
    fn wait_for_line(&self) -> io::Result<bool> {
        Ok(true)
    }
}

/// The terminal that this process was started in.
#[derive(Debug)]
pub struct StandardTerminal {
    shows_questions: bool,
    #[cfg(unix)]
    control: Control,
}

impl StandardTerminal {
    /// The terminal, if the standard input of this process is one.
    pub fn of_this_process() -> Option<Self> {
        let shows_questions = io::stderr().is_terminal();
        io::stdin().is_terminal().then(|| StandardTerminal {
            shows_questions,
            #[cfg(unix)]
            control: Control::default(),
        })
    }
}

impl Terminal for StandardTerminal {
    fn shows_questions(&self) -> bool {
        self.shows_questions
    }

    fn ask_hidden(
        &self,
        question: &str,
        stdin: &mut dyn Read,
        stderr: &mut dyn Write,
    ) -> io::Result<Option<Secret>> {
        let ask =
            |stderr: &mut dyn Write| write!(stderr, "{question} ").and_then(|()| stderr.flush());
        let line = hidden_line(stdin, || ask(stderr));
        // The line end was not shown either.
        writeln!(stderr)?;
        line
    }

    #[cfg(unix)]
    fn columns(&self) -> usize {
        let size = rustix::termios::tcgetwinsize(io::stderr());
        size.ok()
            .map(|size| usize::from(size.ws_col))
            .filter(|columns| *columns > 0)
            .unwrap_or(USUAL_COLUMNS)
    }

    #[cfg(unix)]
    fn rows(&self) -> Option<usize> {
        let size = rustix::termios::tcgetwinsize(io::stderr());
        size.ok().map(|size| usize::from(size.ws_row)).filter(|rows| *rows > 0)
    }

    #[cfg(unix)]
    fn interrupt(&self) -> Interrupt {
        self.control.catch();
        let pressed = self.control.pressed.clone();
        Arc::new(move || pressed.load(Ordering::SeqCst))
    }

    #[cfg(unix)]
    fn wait_for_line(&self) -> io::Result<bool> {
        self.control.wait_for_line()
    }
}

/// Catches Ctrl-C once it is needed.
#[cfg(unix)]
#[derive(Debug, Default)]
struct Control {
    pressed: Arc<AtomicBool>,
    is_caught: OnceLock<()>,
}

#[cfg(unix)]
impl Control {
    fn catch(&self) {
        self.is_caught.get_or_init(|| {
            // If it cannot be caught it still ends the process.
            let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, self.pressed.clone());
        });
    }

    /// Polls, because a signal that is caught does not interrupt a read.
    fn wait_for_line(&self) -> io::Result<bool> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        if self.is_caught.get().is_none() {
            return Ok(true);
        }
        let slice = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        let stdin = io::stdin();
        loop {
            if self.pressed.load(Ordering::SeqCst) {
                return Ok(false);
            }
            match poll(&mut [PollFd::new(&stdin, PollFlags::IN)], Some(&slice)) {
                Ok(0) | Err(rustix::io::Errno::INTR) => {}
                Ok(_) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

/// Hides the keys before the question appears.
#[cfg(unix)]
fn hidden_line(
    stdin: &mut dyn Read,
    ask: impl FnOnce() -> io::Result<()>,
) -> io::Result<Option<Secret>> {
    let _keys = Keys::of_standard_input()?;
    ask()?;
    read_keys(stdin)
}

#[cfg(not(unix))]
fn hidden_line(
    _: &mut dyn Read,
    ask: impl FnOnce() -> io::Result<()>,
) -> io::Result<Option<Secret>> {
    ask()?;
    match rpassword::read_password() {
        Ok(line) => Ok(Some(Secret::from(line))),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// While it exists, keys reach this process one by one, are not shown, and do not end it. The
/// terminal is restored on drop, because the shell could not use it otherwise.
#[cfg(unix)]
struct Keys {
    before: rustix::termios::Termios,
}

#[cfg(unix)]
impl Keys {
    fn of_standard_input() -> io::Result<Self> {
        use rustix::termios::{
            LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr,
        };
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden.local_modes.remove(
            LocalModes::ECHO
                | LocalModes::ECHONL
                | LocalModes::ICANON
                | LocalModes::ISIG
                | LocalModes::IEXTEN,
        );
        hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
        hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
        Ok(Keys { before })
    }
}

#[cfg(unix)]
impl Drop for Keys {
    fn drop(&mut self) {
        // The terminal may be closed.
        let _ = rustix::termios::tcsetattr(
            io::stdin(),
            rustix::termios::OptionalActions::Now,
            &self.before,
        );
    }
}

/// Makes a line of keys, as a terminal does; `None` if the user cancels.
#[cfg(unix)]
fn read_keys(keys: &mut dyn Read) -> io::Result<Option<Secret>> {
    use zeroize::Zeroizing;
    const INTERRUPT: u8 = 0x03;
    const END: u8 = 0x04;
    const BACKSPACE: u8 = 0x08;
    const ERASE_LINE: u8 = 0x15;
    const QUIT: u8 = 0x1c;
    const ESCAPE: u8 = 0x1b;
    const DELETE: u8 = 0x7f;

    let limit = SECRET_LIMIT + 1;
    // With its final capacity, because a vector that grows leaves copies in memory.
    let mut line = Zeroizing::new(Vec::with_capacity(limit));
    let mut next = || -> io::Result<Option<u8>> {
        let mut key = [0];
        loop {
            match keys.read(&mut key) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => return Ok((read? == 1).then_some(key[0])),
            }
        }
    };
    loop {
        match next()? {
            Some(b'\r' | b'\n') => break,
            None | Some(INTERRUPT | QUIT) => return Ok(None),
            Some(END) if line.is_empty() => return Ok(None),
            Some(BACKSPACE | DELETE) => {
                // A character may be several bytes.
                while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {}
            }
            Some(ERASE_LINE) => line.clear(),
            // An arrow or another key that types nothing. Its letters are not part of the line.
            Some(ESCAPE) => {
                if matches!(next()?, Some(b'[' | b'O')) {
                    while next()?.is_some_and(|key| !(0x40..=0x7e).contains(&key)) {}
                }
            }
            Some(key) if key < b' ' => {}
            Some(key) if line.len() < limit => line.push(key),
            Some(_) => {}
        }
    }
    match std::str::from_utf8(&line) {
        Ok(text) => Ok(Some(Secret::from(text))),
        Err(_) => {
            Err(io::Error::new(io::ErrorKind::InvalidData, "the typed text is not valid Unicode"))
        }
    }
}

#[cfg(all(test, unix))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn typed(keys: &[u8]) -> Option<String> {
        read_keys(&mut &keys[..]).unwrap().map(|line| line.expose().to_owned())
    }

    #[test]
    fn typed_characters_become_a_line() {
        for (keys, line) in [
            (&b"secret\r"[..], "secret"),
            (b"secret\nrest", "secret"),
            (b"secrr\x7fet\x08t\n", "secret"),
            ("se\u{20ac}\x7fcret\r".as_bytes(), "secret"),
            (b"\x7f\x7fsecret\r", "secret"),
            (b"wrong\x15secret\r", "secret"),
            (b"sec\x1b[Aret\x1b[3~\x1bOP\x1b[1;5C\r", "secret"),
            (b"s\x01e\tc\x1aret\x04\r", "secret"),
            ("\u{e9} \u{20ac}\r".as_bytes(), "\u{e9} \u{20ac}"),
            (b"\r", ""),
        ] {
            assert_eq!(typed(keys).as_deref(), Some(line), "{keys:?}");
        }
    }

    #[test]
    fn a_cancelled_input_is_not_an_empty_line() {
        for keys in [&b"sec\x03"[..], b"sec\x1c", b"\x04", b"", b"sec", b"sec\x1b", b"sec\x1b["] {
            assert_eq!(typed(keys), None, "{keys:?}");
        }
    }

    #[test]
    fn invalid_text_is_an_error() {
        assert!(read_keys(&mut &b"\xff\r"[..]).is_err());
    }

    #[test]
    fn an_endless_line_uses_limited_memory() {
        let mut keys = vec![b'k'; 1_000_000];
        keys.push(b'\r');
        assert_eq!(typed(&keys).unwrap().len(), SECRET_LIMIT + 1);
    }
}
