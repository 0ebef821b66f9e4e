//! `planetkey::Prompt` as an object of JavaScript.

use napi_derive::napi;
use planetkey::{Prompt, QrCodeStyle};

/// What a user who logs in must see.
#[napi(js_name = "Prompt")]
pub struct NativePrompt {
    core: Prompt,
}

impl From<Prompt> for NativePrompt {
    fn from(core: Prompt) -> Self {
        NativePrompt { core }
    }
}

#[napi]
impl NativePrompt {
    /// `browser`, `device`, `paste` or `other_user`.
    #[napi(getter)]
    pub fn kind(&self) -> &'static str {
        self.core.kind.name()
    }

    /// The whole text to show.
    #[napi(getter)]
    pub fn message(&self) -> &str {
        &self.core.message
    }

    /// The address to open.
    #[napi(getter)]
    pub fn url(&self) -> Option<&str> {
        self.core.url.as_deref()
    }

    /// The code to enter or to compare.
    #[napi(getter)]
    pub fn user_code(&self) -> Option<&str> {
        self.core.user_code.as_deref()
    }

    /// The address at which the code is entered.
    #[napi(getter)]
    pub fn verification_uri(&self) -> Option<&str> {
        self.core.verification_uri.as_deref()
    }

    /// The address that contains the code.
    #[napi(getter)]
    pub fn verification_uri_complete(&self) -> Option<&str> {
        self.core.verification_uri_complete.as_deref()
    }

    /// How long the login can still be completed, in milliseconds.
    #[napi(getter)]
    pub fn expires_in_ms(&self) -> Option<f64> {
        self.core.expires_in.map(|left| left.as_millis() as f64)
    }

    /// Whether a browser was opened.
    #[napi(getter)]
    pub fn browser_opened(&self) -> bool {
        self.core.browser_opened
    }

    /// The address as a QR code.
    #[napi]
    pub fn qr_code(&self, ascii: bool) -> Option<String> {
        self.core.qr_code(if ascii { QrCodeStyle::Ascii } else { QrCodeStyle::Blocks })
    }
}
