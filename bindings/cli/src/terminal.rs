//! The terminal, where there is one: questions are asked there, and secrets typed without being shown.

use std::io::{self, IsTerminal, Read, Write};
use std::sync::Arc;
#[cfg(unix)]
use std::sync::{
    OnceLock,
    atomic::{AtomicBool, Ordering},
};

use planetkey::Interrupt;
use planetkey::secret::Secret;

/// What is written for a terminal of an unknown size fits this.
const USUAL_COLUMNS: usize = 80;

/// The longest API key or secret that is read, in bytes.
pub(crate) const SECRET_LIMIT: usize = 64 * 1024;

/// The terminal that standard input is. Implement it to ask people elsewhere.
pub trait Terminal {
    /// Whether the error stream is a terminal, too, so that people see questions.
    fn shows_questions(&self) -> bool;

    /// Asks on `stderr` and reads a line that is not shown; `None` when the person breaks off.
    ///
    /// `stdin` is the terminal, as far as it has not been read yet.
    fn ask_hidden(&self, question: &str, stdin: &mut dyn Read, stderr: &mut dyn Write) -> io::Result<Option<Secret>>;

    /// How many characters a line of the error stream takes.
    fn columns(&self) -> usize {
        USUAL_COLUMNS
    }

    /// How many lines the error stream shows at once; nothing where that is not known.
    fn rows(&self) -> Option<usize> {
        None
    }

    /// A question that any thread may ask while something takes its time: whether the person wants to break off. From now on Ctrl-C
    /// does not end the process by itself.
    fn interrupt(&self) -> Interrupt {
        Arc::new(|| false)
    }

    /// Waits until a line was typed; `false` when the person breaks off.
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

    fn ask_hidden(&self, question: &str, stdin: &mut dyn Read, stderr: &mut dyn Write) -> io::Result<Option<Secret>> {
        let ask = |stderr: &mut dyn Write| write!(stderr, "{question} ").and_then(|()| stderr.flush());
        let line = hidden_line(stdin, || ask(stderr));
        // The line end was not shown either.
        writeln!(stderr)?;
        line
    }

    #[cfg(unix)]
    fn columns(&self) -> usize {
        let size = rustix::termios::tcgetwinsize(io::stderr());
        size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(USUAL_COLUMNS)
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

/// Ctrl-C, from the moment on at which somebody asks for it.
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
            // Where it cannot be caught it ends the process, as before.
            let _ = signal_hook::flag::register(signal_hook::consts::SIGINT, self.pressed.clone());
        });
    }

    /// A signal that is caught does not end a read.
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

/// What is typed from the moment of the question on is not shown, however quick.
#[cfg(unix)]
fn hidden_line(stdin: &mut dyn Read, ask: impl FnOnce() -> io::Result<()>) -> io::Result<Option<Secret>> {
    let _keys = Keys::of_standard_input()?;
    ask()?;
    read_keys(stdin)
}

#[cfg(not(unix))]
fn hidden_line(_: &mut dyn Read, ask: impl FnOnce() -> io::Result<()>) -> io::Result<Option<Secret>> {
    ask()?;
    match rpassword::read_password() {
        Ok(line) => Ok(Some(Secret::from(line))),
        Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::UnexpectedEof) => Ok(None),
        Err(error) => Err(error),
    }
}

/// While it lives, keys reach this process one by one, unseen, and none of them ends it: a terminal that was left like this would be
/// of no use to the shell.
#[cfg(unix)]
struct Keys {
    before: rustix::termios::Termios,
}

#[cfg(unix)]
impl Keys {
    fn of_standard_input() -> io::Result<Self> {
        use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, tcgetattr, tcsetattr};
        let before = tcgetattr(io::stdin())?;
        let mut hidden = before.clone();
        hidden
            .local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        hidden.special_codes[SpecialCodeIndex::VMIN] = 1;
        hidden.special_codes[SpecialCodeIndex::VTIME] = 0;
        tcsetattr(io::stdin(), OptionalActions::Now, &hidden)?;
        Ok(Keys { before })
    }
}

#[cfg(unix)]
impl Drop for Keys {
    fn drop(&mut self) {
        // A terminal that has gone needs nothing any more.
        let _ = rustix::termios::tcsetattr(io::stdin(), rustix::termios::OptionalActions::Now, &self.before);
    }
}

/// Puts keys together to a line, as a terminal does; `None` when it was broken off.
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
    // As large as it gets: a vector that grows leaves copies behind.
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
            // An arrow, or another key that types nothing: its letters are not part of the line.
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
        Err(_) => Err(io::Error::new(io::ErrorKind::InvalidData, "what was typed is not Unicode text")),
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
    fn keys_become_the_line_that_was_meant() {
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
    fn breaking_off_is_no_empty_line() {
        for keys in [&b"sec\x03"[..], b"sec\x1c", b"\x04", b"", b"sec", b"sec\x1b", b"sec\x1b["] {
            assert_eq!(typed(keys), None, "{keys:?}");
        }
    }

    #[test]
    fn what_is_no_text_is_an_error() {
        assert!(read_keys(&mut &b"\xff\r"[..]).is_err());
    }

    #[test]
    fn a_line_without_end_takes_no_memory_without_end() {
        let mut keys = vec![b'k'; 1_000_000];
        keys.push(b'\r');
        assert_eq!(typed(&keys).unwrap().len(), SECRET_LIMIT + 1);
    }
}
