//! User logins: in the browser of this machine (RFC 6749 4.1 with PKCE, RFC 8252), on any other
//! device (RFC 8628), or by pasting the address that the browser ended at.
//!
//! Nothing here prints: what the user must see goes to a [`Prompter`].

mod browser;
mod device;
mod interactive;
mod open_browser;
mod peer;
mod pending;
mod qr_code;
mod redirect_page;
mod redirect_receiver;

pub use browser::BrowserLogin;
pub use device::DeviceLogin;
pub use open_browser::{BrowserOpener, SystemBrowser};
pub use qr_code::QrCodeStyle;
#[doc(hidden)]
pub use redirect_receiver::judged;

use crate::error::{Error, Result, Status};
use crate::session::{LoginResult, OtherUser, UserSource, check_timeout};
use std::sync::Arc;
use std::time::Duration;

/// The login method.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Method {
    /// The browser if one can be opened and the client allows it, else a device code, else pasting
    /// the browser's address.
    #[default]
    Auto,
    /// In the browser of this machine.
    Browser,
    /// On any device, with a code.
    Device,
    /// In a browser anywhere. The user pastes the address that it ends at.
    Paste,
}

impl Method {
    /// By name: `auto`, `browser`, `device` or `paste`.
    ///
    /// Errors: INVALID_ARGUMENT.
    pub fn from_name(name: &str) -> Result<Self> {
        match name {
            "auto" => Ok(Method::Auto),
            "browser" => Ok(Method::Browser),
            "device" => Ok(Method::Device),
            "paste" => Ok(Method::Paste),
            _ => Err(Error::invalid_argument(
                "the method of a login must be auto, browser, device or paste",
            )),
        }
    }
}

/// What a prompt asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum PromptKind {
    /// A browser was opened, or the user must open one; no answer is needed.
    Browser,
    /// The user enters a code on some device; no answer is needed.
    Device,
    /// The answer is the address that the browser ended at.
    Paste,
    /// A different user than that of the saved session has logged in: the answer `yes` replaces the
    /// saved session.
    OtherUser,
}

impl PromptKind {
    /// Every kind of prompt.
    pub const ALL: &[PromptKind] =
        &[PromptKind::Browser, PromptKind::Device, PromptKind::Paste, PromptKind::OtherUser];

    /// `browser`, `device`, `paste` or `other_user`.
    pub const fn name(self) -> &'static str {
        match self {
            PromptKind::Browser => "browser",
            PromptKind::Device => "device",
            PromptKind::Paste => "paste",
            PromptKind::OtherUser => "other_user",
        }
    }
}

/// What the user who logs in must see, and no other user, because a code or an address belongs to
/// one login. It holds no control or invisible characters except the line breaks in `message` and
/// in the QR codes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Prompt {
    /// The kind of prompt.
    pub kind: PromptKind,
    /// The complete text to show, in a few lines.
    pub message: String,
    /// The address to open.
    pub url: Option<String>,
    /// The code to enter or to compare; always shown (RFC 8628 3.3.1).
    pub user_code: Option<String>,
    /// The address at which the user enters the code.
    pub verification_uri: Option<String>,
    /// The address that includes the code.
    pub verification_uri_complete: Option<String>,
    /// The time that is left.
    pub expires_in: Option<Duration>,
    /// Whether a browser was opened at `url`.
    pub browser_opened: bool,
}

impl Prompt {
    /// A prompt with this text and nothing else. Set the other fields as needed.
    pub fn new(kind: PromptKind, message: impl Into<String>) -> Self {
        Prompt {
            kind,
            message: message.into(),
            url: None,
            user_code: None,
            verification_uri: None,
            verification_uri_complete: None,
            expires_in: None,
            browser_opened: false,
        }
    }

    /// The address as a QR code, in lines of text with a quiet zone. The code is dark on light, for
    /// a terminal with light text on a dark background.
    pub fn qr_code(&self, style: QrCodeStyle) -> Option<String> {
        qr_code::text(self.url.as_deref()?, style)
    }
}

/// Shows prompts and returns the user's answers. Called from the thread that waits for the login,
/// without a lock held.
pub trait Prompter: Send + Sync {
    /// Shows the prompt and returns the answer if one is needed. `None` means that the user
    /// cancels.
    ///
    /// Errors: any; an error ends the login.
    fn prompt(&self, prompt: &Prompt) -> Result<Option<String>>;
}

impl<F: Fn(&Prompt) -> Result<Option<String>> + Send + Sync> Prompter for F {
    fn prompt(&self, prompt: &Prompt) -> Result<Option<String>> {
        self(prompt)
    }
}

/// Options of a login. Fields that are not set take their default.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct LoginOptions {
    /// The login method.
    pub method: Method,
    /// Whether a browser may be opened. By default one is opened if that is possible.
    pub open_browser: Option<bool>,
    /// The scopes to request instead of the client's.
    pub scopes: Option<Vec<String>>,
    /// Shows the prompts and returns the answers.
    pub prompter: Option<Arc<dyn Prompter>>,
    /// How long the user has, at most a day. The default is five minutes in the browser, and the
    /// lifetime of the code with a device.
    pub timeout: Option<Duration>,
    /// Prompts the user even if the session is valid.
    pub force: bool,
    /// Lets a different user replace the saved session without a confirmation.
    pub allow_other_user: bool,
    /// The HTML of the page that the browser shows after the login, instead of planetkey's own.
    pub page: Option<String>,
    /// Opens browsers. The default is the system's.
    pub browser_opener: Option<Arc<dyn BrowserOpener>>,
}

impl LoginOptions {
    /// The same options with a change.
    pub fn with(mut self, change: impl FnOnce(&mut Self)) -> Self {
        change(&mut self);
        self
    }

    fn opener(&self) -> Arc<dyn BrowserOpener> {
        self.browser_opener.clone().unwrap_or_else(|| Arc::new(SystemBrowser))
    }

    /// Opens the browser, if the options allow it and one can be opened.
    fn open(&self, url: &str) -> bool {
        let opener = self.opener();
        self.open_browser != Some(false)
            && (self.open_browser == Some(true) || opener.can_open())
            && opener.open(url)
    }

    fn prompt(&self, prompt: &Prompt) -> Result<Option<String>> {
        self.prompter.as_ref().map_or(Ok(None), |prompter| prompter.prompt(prompt))
    }

    /// The scopes to request.
    fn scopes_of(&self, user: &UserSource) -> Vec<String> {
        self.scopes.clone().unwrap_or_else(|| user.client().scopes().to_vec())
    }

    /// Whether the new user may replace the session of the saved one.
    fn accept(&self, other: &OtherUser) -> Result<bool> {
        if self.allow_other_user {
            return Ok(true);
        }
        let question = Prompt::new(
            PromptKind::OtherUser,
            format!(
                "{} has logged in, but the saved session is that of {}. Replace it? (yes or no)",
                other.new_name, other.saved_name
            ),
        );
        let answer = self.prompt(&question)?;
        Ok(answer.is_some_and(|answer| {
            matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
        }))
    }

    /// Errors: INVALID_ARGUMENT.
    fn check(&self) -> Result<()> {
        self.timeout.map_or(Ok(()), |timeout| check_timeout("the timeout of a login", timeout))?;
        if let Some(scopes) = &self.scopes {
            crate::oauth::token_endpoint::check_scopes(scopes)?;
        }
        Ok(())
    }
}

/// The outcome of a login that has ended.
type Outcome = Result<LoginResult>;

fn cancelled() -> Error {
    Error::new(Status::Cancelled, "the login was cancelled; nothing was changed")
}
