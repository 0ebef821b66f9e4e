//! A session that GDAL asks for headers.

use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use planetkey::{Authorization, Error, Result, Session, Status};
use zeroize::Zeroizing;

use crate::change_lock::locked;
use crate::conflict::check_headers;
use crate::header_lines::{Lines, lines_of, option_of};
use crate::library::{self, Callbacks, Library, Safe};
use crate::names::{self, escaped, query_names, vsicurl};
use crate::options::{Header, Options, Scope};

const LOG_TARGET: &str = "planetkey::gdal";
const HEADER_FILE: &CStr = c"GDAL_HTTP_HEADER_FILE";
const HEADERS: &CStr = c"GDAL_HTTP_HEADERS";
/// GDAL sends headers to the target of a redirect if this option is YES.
const NOT_TO_REDIRECTS: Safe = Safe {
    option: c"CPL_VSIL_CURL_AUTHORIZATION_HEADER_ALLOWED_IF_REDIRECT",
    value: c"IF_SAME_HOST",
};
/// GDAL caches where a signed redirect led to, and goes there with the header file's lines.
const NO_CACHED_REDIRECTS: Safe = Safe { option: c"CPL_VSIL_CURL_USE_S3_REDIRECT", value: c"NO" };
/// GDAL asks for a file's size by HEAD. If the server refuses that, GDAL sends a GET with any
/// header to the redirect's target.
const NO_HEAD: Safe = Safe { option: c"CPL_VSIL_CURL_USE_HEAD", value: c"NO" };

/// What a fetch carries.
pub(crate) struct Request {
    /// The URL with a NUL at its end. A secret if an API key is part of it.
    pub(crate) url: Zeroizing<Vec<u8>>,
    /// The header lines. `None` if the URL carries the credential.
    pub(crate) lines: Option<Lines>,
}

pub(crate) struct Installation {
    id: u64,
    session: Session,
    options: Options,
    /// Their indexes are part of the names of header files, so that origins are only ever appended.
    origins: ArcSwap<Vec<String>>,
    /// Which credential each origin's option holds: source and generation. With [`Header::AtOpen`]
    /// only.
    held: ArcSwap<Vec<Option<(usize, u64)>>>,
    /// Why the last request that should have carried a credential carried none.
    failure: ArcSwapOption<Error>,
}

static INSTALLED: LazyLock<ArcSwap<Vec<Arc<Installation>>>> = LazyLock::new(ArcSwap::default);

fn invalid(message: &str) -> Error {
    Error::new(Status::InvalidArgument, message)
}

/// With one header for every host, the caller names the host whose header it is, so that no other
/// host's header is sent everywhere by mistake.
fn check_every_host(options: &Options, origins: &[String]) -> Result<()> {
    if options.header != Header::Live {
        return Err(invalid("scope every_host works with header live only"));
    }
    let host = |origin: &String| origin.split_once("://").map(|(_, host)| host.to_owned());
    if options.hosts.is_none()
        || origins.iter().any(|origin| host(origin) != origins.first().and_then(host))
    {
        return Err(invalid(
            "scope every_host needs one host in hosts: the one whose credential is sent everywhere",
        ));
    }
    Ok(())
}

/// The origins, and after them those of `added` that are new.
fn with(origins: &[String], added: &[String]) -> Vec<String> {
    let new = added.iter().filter(|origin| !origins.contains(origin));
    origins.iter().chain(new).cloned().collect()
}

fn identity(authorization: &Authorization) -> (usize, u64) {
    (authorization.source_index(), authorization.generation())
}

impl Installation {
    /// As [`Gdal::install`](crate::Gdal::install).
    pub(crate) fn install(
        session: &Session,
        options: Options,
        callbacks: &Callbacks,
    ) -> Result<Arc<Installation>> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let origins = session.header_origins(options.hosts.as_deref())?;
        if origins.is_empty() {
            return Err(invalid(
                "hosts is an empty list; leave it out for all hosts of the session",
            ));
        }
        if options.scope == Scope::EveryHost {
            check_every_host(&options, &origins)?;
        }
        let installation = Arc::new(Installation {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            session: session.clone(),
            options,
            origins: ArcSwap::from_pointee(origins),
            held: ArcSwap::default(),
            failure: ArcSwapOption::empty(),
        });
        let headers = installation.headers(&installation.origins.load())?;
        locked(|| {
            let libraries = library::find(callbacks)?;
            installation.check(&libraries)?;
            let others = INSTALLED.load_full();
            installation.check_others(&installation.origins.load(), &others)?;
            for library in libraries.iter() {
                library.install_file_system()?;
            }
            INSTALLED.store(Arc::new(others.iter().chain([&installation]).cloned().collect()));
            installation.apply(&libraries, &headers);
            installation.forget(&libraries);
            Ok(installation)
        })
    }

    /// As [`Gdal::refresh`](crate::Gdal::refresh).
    pub(crate) fn refresh(&self, callbacks: &Callbacks) -> Result<()> {
        let added = match self.options.hosts.is_none() && self.options.scope != Scope::EveryHost {
            true => self.session.header_origins(None)?,
            false => Vec::new(),
        };
        let headers = self.headers(&with(&self.origins.load(), &added))?;
        locked(|| {
            self.check_installed()?;
            let libraries = library::find(callbacks)?;
            self.check(&libraries)?;
            let others: Vec<_> =
                INSTALLED.load().iter().filter(|other| other.id != self.id).cloned().collect();
            let origins = with(&self.origins.load(), &added);
            self.check_others(&origins, &others)?;
            for library in libraries.iter() {
                library.install_file_system()?;
            }
            self.origins.store(Arc::new(origins));
            self.apply(&libraries, &headers);
            self.forget(&libraries);
            self.failure.store(None);
            Ok(())
        })
    }

    /// As [`Gdal::path`](crate::Gdal::path).
    pub(crate) fn path(&self, url: &str) -> Result<String> {
        self.check_installed()?;
        let authorization = self.session.headers(url)?;
        let origins = self.origins.load();
        let Some(index) = origins.iter().position(|origin| url.starts_with(origin.as_str())) else {
            return Err(Error::new(
                Status::HostRefused,
                "the session is not installed for this host; add the host to hosts, and spell it in the URL in the same way",
            ));
        };
        let is_held = || self.held.load().get(index) == Some(&Some(identity(&authorization)));
        if self.options.header == Header::AtOpen && !is_held() {
            let headers = self.headers(&origins)?;
            locked(|| {
                self.check_installed()?;
                self.apply(&library::known(), &headers);
                Ok(())
            })?;
        }
        if self.failure.load().is_some() {
            // GDAL remembers the refusal of this file. Other datasets may be open, so that GDAL
            // forgets nothing else.
            let file = vsicurl(url);
            library::known().iter().for_each(|library| library.forget_below(&file));
        }
        let by_host = library::known().iter().all(|library| library.knows_hosts());
        if by_host || self.options.scope == Scope::EveryHost {
            return Ok(format!("/vsicurl/{url}"));
        }
        let name = names::header_file(self.id, index);
        Ok(format!(
            "/vsicurl?header_file={}&url={}",
            escaped(&name.to_string_lossy()),
            escaped(url)
        ))
    }

    /// As [`Gdal::uninstall`](crate::Gdal::uninstall).
    pub(crate) fn uninstall(&self) {
        locked(|| self.remove());
    }

    /// As [`Gdal::origins`](crate::Gdal::origins).
    pub(crate) fn origins(&self) -> Vec<String> {
        self.origins.load().to_vec()
    }

    /// As [`Gdal::last_error`](crate::Gdal::last_error).
    pub(crate) fn last_error(&self) -> Option<Error> {
        self.failure.load().as_deref().cloned()
    }

    /// Runs a call that may wait for a token.
    fn waiting<T: Send>(&self, call: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let Some(wait) = &self.options.wait else { return call() };
        let (mut call, mut result) = (Some(call), None);
        wait(&mut || result = call.take().map(|call| call()));
        result.unwrap_or_else(|| {
            Err(Error::new(Status::Internal, "the call that waits for a token was not made"))
        })
    }

    /// What datasets that are opened from now on send, by origin: with [`Header::AtOpen`] only. An
    /// error of one source does not withhold the credential of another.
    fn headers(&self, origins: &[String]) -> Result<Vec<Option<Authorization>>> {
        if self.options.header != Header::AtOpen {
            return Ok(Vec::new());
        }
        let mut failure = None;
        let mut headers = Vec::new();
        for origin in origins {
            let made = self.session.headers(origin);
            headers.push(made.map_err(|error| failure = Some(error)).ok());
        }
        match failure {
            Some(error) if headers.iter().all(Option::is_none) => Err(error),
            Some(error) => {
                self.note(error);
                Ok(headers)
            }
            None => Ok(headers),
        }
    }

    fn check(&self, libraries: &[&'static Library]) -> Result<()> {
        let unsupported = |message: String| Err(Error::new(Status::Unsupported, message));
        for library in libraries {
            let version = library.version();
            if self.options.scope == Scope::Hosts && !library.knows_hosts() {
                return unsupported(format!(
                    "GDAL {version} has no HTTP options for single hosts; use GDAL 3.7 or later, or scope paths with the names \
                     that path returns"
                ));
            }
            if self.options.header == Header::AtOpen && !library.keeps_headers_from_redirects() {
                return unsupported(format!(
                    "GDAL {version} would send the header to the targets of redirects; use GDAL 3.10 or later, or header live"
                ));
            }
        }
        Ok(())
    }

    fn check_others(&self, origins: &[String], others: &[Arc<Installation>]) -> Result<()> {
        let every_host =
            |installation: &Installation| installation.options.scope == Scope::EveryHost;
        for other in others {
            if every_host(self) && every_host(other) {
                return Err(invalid(
                    "a session is installed for every host already; uninstall it first",
                ));
            }
            let theirs = other.origins.load();
            if let Some(origin) = origins.iter().find(|origin| theirs.contains(origin)) {
                return Err(invalid(&format!(
                    "a session is installed for {origin} already; uninstall it first, or narrow hosts"
                )));
            }
        }
        Ok(())
    }

    /// The options without which GDAL would send the credential to the target of a redirect. They
    /// hold for the whole process, because GDAL has no such options for single hosts.
    fn safe_options(&self) -> &'static [Safe] {
        match self.options.header {
            Header::Live => &[NOT_TO_REDIRECTS, NO_CACHED_REDIRECTS, NO_HEAD],
            // GDAL 3.10 sends no headers to redirects that it remembers, but does so after a HEAD.
            Header::AtOpen => &[NOT_TO_REDIRECTS, NO_HEAD],
        }
    }

    fn is_installed(&self) -> bool {
        INSTALLED.load().iter().any(|installed| installed.id == self.id)
    }

    fn check_installed(&self) -> Result<()> {
        if self.is_installed() {
            Ok(())
        } else {
            Err(invalid("this has been uninstalled; install the session again"))
        }
    }

    fn apply(&self, libraries: &[&'static Library], headers: &[Option<Authorization>]) {
        let origins = self.origins.load_full();
        self.held.store(Arc::new(headers.iter().map(|made| made.as_ref().map(identity)).collect()));
        for library in libraries {
            // Before GDAL gets the header.
            update_options(library);
            if self.options.scope == Scope::EveryHost || !library.knows_hosts() {
                continue;
            }
            for (index, origin) in origins.iter().enumerate() {
                let path = vsicurl(origin);
                let refusing = names::refusing_header_file(self.id);
                query_names(origin)
                    .iter()
                    .for_each(|name| library.set_path_option(name, HEADER_FILE, Some(&refusing)));
                match self.options.header {
                    Header::Live => library.set_path_option(
                        &path,
                        HEADER_FILE,
                        Some(&names::header_file(self.id, index)),
                    ),
                    Header::AtOpen => {
                        let value = headers.get(index).and_then(Option::as_ref).and_then(option_of);
                        let value =
                            value.as_ref().and_then(|value| CStr::from_bytes_with_nul(value).ok());
                        library.set_path_option(&path, HEADERS, value);
                    }
                }
            }
        }
    }

    /// Makes GDAL forget files that it could not read, and redirects. No more often than needed: if
    /// the server refuses a dataset that is open, it reads as zeros, because GDAL forgot that the
    /// file exists.
    fn forget(&self, libraries: &[&'static Library]) {
        for library in libraries {
            match self.options.scope {
                Scope::EveryHost => library.forget_everything(),
                Scope::Hosts | Scope::Paths => {
                    self.origins
                        .load()
                        .iter()
                        .for_each(|origin| library.forget_below(&vsicurl(origin)));
                }
            }
        }
    }

    fn remove(&self) {
        if !self.is_installed() {
            // Another installation may have set the options by now.
            return;
        }
        INSTALLED.rcu(|installed| {
            installed.iter().filter(|other| other.id != self.id).cloned().collect::<Vec<_>>()
        });
        for library in library::known().iter() {
            if library.knows_hosts() && self.options.scope != Scope::EveryHost {
                let key = if self.options.header == Header::Live { HEADER_FILE } else { HEADERS };
                for origin in self.origins.load().iter() {
                    library.set_path_option(&vsicurl(origin), key, None);
                    query_names(origin)
                        .iter()
                        .for_each(|name| library.set_path_option(name, HEADER_FILE, None));
                }
            }
            // After GDAL lost the header.
            update_options(library);
        }
    }

    fn note(&self, error: Error) {
        log::error!(target: LOG_TARGET, "a request of GDAL carries no credential: {}: {}", error.status(), error.message());
        self.failure.store(Some(Arc::new(error)));
    }

    /// Reports a request without a credential to the log, to GDAL's error handler, and to
    /// [`Installation::last_error`].
    fn fail(&self, library: &Library, error: Error) {
        let message = format!("planetkey: {}: {}", error.status(), error.message());
        self.note(error);
        library.report(&CString::new(message).unwrap_or_default());
    }

    /// The lines of the header file for one request: all of them or none.
    fn lines(&self, library: &Library, index: usize) -> Lines {
        let origins = self.origins.load();
        let Some(origin) = origins.get(index) else { return Lines::default() };
        let checked = check_thread(library, self.safe_options())
            .and_then(|()| check_headers(library, Some(&vsicurl(origin))));
        let made = checked.and_then(|()| match self.session.headers_cached(origin)? {
            Some(authorization) => Ok(authorization),
            None => self.waiting(|| self.session.headers(origin)),
        });
        match made {
            Ok(authorization) => lines_of(&authorization),
            Err(error) => {
                self.fail(library, error);
                Lines::default()
            }
        }
    }
}

/// Checks that GDAL does not send the credential of this thread's requests to the target of a
/// redirect.
///
/// Errors: HOST_REFUSED.
fn check_thread(library: &Library, options: &[Safe]) -> Result<()> {
    match options.iter().find(|safe| library.safe_value(**safe).is_none()) {
        None => Ok(()),
        Some(safe) => Err(Error::new(
            Status::HostRefused,
            format!(
                "GDAL would send the credential to the target of a redirect, because this thread sets {}; do not set it",
                safe.option.to_string_lossy()
            ),
        )),
    }
}

/// Sets the options of the whole process, and the callback before fetches, for all installations.
fn update_options(library: &'static Library) {
    let installed = INSTALLED.load();
    let mut options: Vec<(&'static CStr, CString)> = Vec::new();
    for installation in installed.iter() {
        let value =
            |safe: &Safe| library.safe_value(*safe).unwrap_or_else(|| safe.value.to_owned());
        options.extend(installation.safe_options().iter().map(|safe| (safe.option, value(safe))));
    }
    // Last, because GDAL must not get the header before the other options are safe.
    let every_host =
        installed.iter().find(|installation| installation.options.scope == Scope::EveryHost);
    options.extend(
        every_host.map(|installation| (HEADER_FILE, names::header_file(installation.id, 0))),
    );
    library.override_options(&options);
    library.ask_before_fetch(installed.iter().any(|installation| installation.asks_before_fetch()));
}

impl Installation {
    /// If every host gets the header file, fetches get it without a callback.
    fn asks_before_fetch(&self) -> bool {
        self.options.fetch && self.options.scope != Scope::EveryHost
    }
}

/// The lines of a header file.
pub(crate) fn lines(library: &'static Library, installation: u64, origin: usize) -> Lines {
    let installed = INSTALLED.load();
    match installed.iter().find(|installed| installed.id == installation) {
        Some(installed) => installed.lines(library, origin),
        None => {
            // A dataset that stayed open has the name of a former installation.
            library.report(c"planetkey: the session with which this dataset was opened is not installed any more");
            Lines::default()
        }
    }
}

/// Refuses a name that contains its URL as a parameter: a second `url` after the first could name
/// any server.
pub(crate) fn refuse(library: &'static Library, installation: u64) -> Lines {
    if let Some(installed) = INSTALLED.load().iter().find(|installed| installed.id == installation)
    {
        let message = "a name /vsicurl?url=... carries no credential; open /vsicurl/https://... or the URL itself";
        installed.fail(library, Error::new(Status::Unsupported, message));
    }
    Lines::default()
}

/// What a fetch carries. `None` if no session is installed for its host, or if there is no
/// credential.
pub(crate) fn request(library: &'static Library, url: &str) -> Option<Request> {
    let installed = INSTALLED.load();
    let installation = installed.iter().find(|installation| {
        installation.asks_before_fetch()
            && installation.origins.load().iter().any(|origin| url.starts_with(origin.as_str()))
    })?;
    let checked =
        check_thread(library, &[NOT_TO_REDIRECTS]).and_then(|()| check_headers(library, None));
    let made = checked.and_then(|()| match installation.session.authorize_cached(url)? {
        Some(authorization) => Ok(authorization),
        None => installation.waiting(|| installation.session.authorize(url)),
    });
    match made {
        Ok(authorization) => {
            let mut url = Zeroizing::new(Vec::with_capacity(authorization.url().len() + 1));
            url.extend_from_slice(authorization.url().as_bytes());
            url.push(0);
            let lines = authorization.header_value().map(|_| lines_of(&authorization));
            Some(Request { url, lines })
        }
        Err(error) => {
            installation.fail(library, error);
            None
        }
    }
}
