//! Opening the person's own browser; never a view inside the program (RFC 8252 8.12).

/// Opens addresses. Called from any thread.
pub trait BrowserOpener: Send + Sync {
    /// Whether it is likely that a browser can be opened here: not over ssh, and not without a screen.
    fn can_open(&self) -> bool;

    /// Opens it, without waiting for the browser; whether that began. The address is all that the browser's command line gets.
    fn open(&self, url: &str) -> bool;
}

/// The system's own browser; on Unix `BROWSER` goes before it.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemBrowser;

impl BrowserOpener for SystemBrowser {
    fn can_open(&self) -> bool {
        if cfg!(any(target_os = "macos", windows)) {
            return std::env::var_os("SSH_CONNECTION").is_none();
        }
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        is_set("BROWSER") || is_set("DISPLAY") || is_set("WAYLAND_DISPLAY") || is_set("WSL_DISTRO_NAME")
    }

    fn open(&self, url: &str) -> bool {
        // The browser inherits the signal mask.
        let opened = crate::threads::with_mask_of_host(|| webbrowser::open(url)).and_then(|opened| opened);
        opened.inspect_err(|error| log::info!("no browser could be opened: {error}")).is_ok()
    }
}
