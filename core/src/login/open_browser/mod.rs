//! Opens the user's own browser, never a view inside the program (RFC 8252 8.12).

#[cfg(all(unix, not(any(target_vendor = "apple", target_os = "android"))))]
mod programs;

/// Opens addresses. Called from any thread.
pub trait BrowserOpener: Send + Sync {
    /// Whether a browser can probably be opened here: not over ssh, and not without a screen.
    fn can_open(&self) -> bool;

    /// Opens the address without waiting for the browser. Returns whether the browser was started.
    /// The browser's command line gets nothing but the address.
    ///
    /// Other users of the machine can read a command line. The address holds the `state` of the
    /// login, so the program that receives the redirect must check which user it comes from.
    fn open(&self, url: &str) -> bool;
}

/// The system's own browser; on Unix `BROWSER` takes precedence. Programs are looked up only in
/// absolute directories of `PATH`, get no secrets from this environment, and never run in the
/// terminal: text browsers are skipped.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemBrowser;

impl BrowserOpener for SystemBrowser {
    fn can_open(&self) -> bool {
        if cfg!(any(target_vendor = "apple", windows)) {
            return std::env::var_os("SSH_CONNECTION").is_none();
        }
        is_set("BROWSER") || has_screen()
    }

    fn open(&self, url: &str) -> bool {
        if !(url.starts_with("https://") || url.starts_with("http://")) {
            return false;
        }
        open(url).inspect_err(|why| log::info!("no browser could be opened: {why}")).is_ok()
    }
}

fn is_set(name: &str) -> bool {
    std::env::var_os(name).is_some_and(|value| !value.is_empty())
}

fn has_screen() -> bool {
    is_set("DISPLAY") || is_set("WAYLAND_DISPLAY") || is_set("WSL_DISTRO_NAME")
}

#[cfg(all(unix, not(any(target_vendor = "apple", target_os = "android"))))]
use programs::open;

#[cfg(not(all(unix, not(any(target_vendor = "apple", target_os = "android")))))]
fn open(url: &str) -> Result<(), std::io::Error> {
    webbrowser::open(url)
}
