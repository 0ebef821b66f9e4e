//! What the bindings call.

use std::sync::Arc;

use planetkey::{Error, Result, Session};

use crate::installation::Installation;
use crate::library::Callbacks;
use crate::options::Options;
use crate::{fetch, header_file};

/// How GDAL calls planetkey.
const CALLBACKS: Callbacks = Callbacks { fill_in: header_file::fill_in, fetch: fetch::fetch };

/// Makes GDAL ask a session for the headers of its requests, as long as this value exists.
///
/// Drop it before GDAL is cleaned up, which happens after the end of `main`.
pub struct Gdal {
    installation: Arc<Installation>,
}

impl Drop for Gdal {
    fn drop(&mut self) {
        self.uninstall();
    }
}

impl Gdal {
    /// Makes every GDAL in this process ask `session`.
    ///
    /// Blocks only with [`Header::AtOpen`](crate::Header::AtOpen), which needs a token at once.
    ///
    /// Errors: UNSUPPORTED if there is no GDAL, or one that cannot do what the options ask for;
    /// INVALID_ARGUMENT, also for hosts for which another session is installed; HOST_REFUSED;
    /// LOGIN_REQUIRED; and with `AtOpen` those of [`Session::headers`].
    pub fn install(session: &Session, options: Options) -> Result<Gdal> {
        Installation::install(session, options, &CALLBACKS)
            .map(|installation| Gdal { installation })
    }

    /// Makes GDAL forget what it knows of files at the session's hosts: which files it could not
    /// read, where they were redirected to, and what it has read of them.
    ///
    /// Call it after a login, or when something changed on the server. It also installs the session
    /// in a GDAL that was loaded since, and for hosts that a login added. With
    /// [`Header::AtOpen`](crate::Header::AtOpen) it refreshes the header that datasets send that
    /// are opened from now on; no other thread may open a dataset meanwhile.
    ///
    /// Do not call it while datasets of these hosts are open: if the server refuses one afterwards,
    /// it reads as zeros.
    ///
    /// Errors: as [`Gdal::install`].
    pub fn refresh(&self) -> Result<()> {
        self.installation.refresh(&CALLBACKS)
    }

    /// The name under which GDAL opens this URL with the session's credential.
    ///
    /// It makes sure that there is a credential, because an error inside GDAL says less. The name
    /// is valid in this process; with a GDAL before 3.7 it must not be passed on.
    ///
    /// With [`Header::AtOpen`](crate::Header::AtOpen), no other thread may open a dataset while a
    /// refreshed token is set. With a GDAL before 3.7 the file must be trusted: if it names other
    /// files, as a VRT does, it can make GDAL send the credential to any server.
    ///
    /// Errors: HOST_REFUSED for a host that is not among those installed; INVALID_ARGUMENT after
    /// [`Gdal::uninstall`]; and those of [`Session::headers`].
    pub fn path(&self, url: &str) -> Result<String> {
        self.installation.path(url)
    }

    /// Restores GDAL's options. GDAL no longer asks the session.
    ///
    /// Any thread may call it, also while another thread is in a call of this value. Further calls
    /// do nothing.
    pub fn uninstall(&self) {
        self.installation.uninstall();
    }

    /// The origins whose requests carry a credential, each with a slash at the end.
    pub fn origins(&self) -> Vec<String> {
        self.installation.origins()
    }

    /// Why the last request that should have carried a credential carried none. `None` if there was
    /// no such request since the installation or the last [`Gdal::refresh`].
    pub fn last_error(&self) -> Option<Error> {
        self.installation.last_error()
    }
}
