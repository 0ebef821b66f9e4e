//! Sessions that GDAL asks.

use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

use arc_swap::{ArcSwap, ArcSwapOption};
use planetkey::{Authorization, Error, Result, Session, Status};
use zeroize::Zeroizing;

use crate::fetch::Request;
use crate::gate;
use crate::header_file::{self, Lines};
use crate::leftover::check_headers;
use crate::library::{self, ASKS_BY_HEAD, CACHES_REDIRECTS, HANDS_HEADERS_ON, Library, Safe};
use crate::options::{Header, Options, Scope};

const LOG_TARGET: &str = "planetkey::gdal";
const HEADER_FILE: &CStr = c"GDAL_HTTP_HEADER_FILE";
const HEADERS: &CStr = c"GDAL_HTTP_HEADERS";
const STAYS_AT_HOME: Safe = Safe { option: HANDS_HEADERS_ON, value: c"IF_SAME_HOST" };
const FOLLOWS_ANEW: Safe = Safe { option: CACHES_REDIRECTS, value: c"NO" };
const ASKS_BY_GET: Safe = Safe { option: ASKS_BY_HEAD, value: c"NO" };

struct Installation {
    id: u64,
    session: Session,
    options: Options,
    /// Their places are in the names of header files, so they are only ever added to.
    origins: ArcSwap<Vec<String>>,
    /// Which credential each origin's option holds: source and generation. With [`Header::AtOpen`] only.
    held: ArcSwap<Vec<Option<(usize, u64)>>>,
    /// The last request that got no credential.
    failure: ArcSwapOption<Error>,
}

static INSTALLED: LazyLock<ArcSwap<Vec<Arc<Installation>>>> = LazyLock::new(ArcSwap::default);

/// GDAL asks a session as long as this exists. It must be dropped before GDAL's own end, which is after that of `main`.
pub struct Gdal {
    installation: Arc<Installation>,
}

impl Drop for Gdal {
    fn drop(&mut self) {
        self.uninstall();
    }
}

impl Gdal {
    /// Has every GDAL in this process ask `session`.
    ///
    /// Blocks only with [`Header::AtOpen`], where a token is needed at once. Errors: UNSUPPORTED where there is no GDAL, or one that cannot
    /// do what is asked for; INVALID_ARGUMENT, also for hosts for which another session is asked already; HOST_REFUSED;
    /// LOGIN_REQUIRED; and with [`Header::AtOpen`] those of [`Session::headers`].
    pub fn install(session: &Session, options: Options) -> Result<Gdal> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let origins = session.header_origins(options.hosts.as_deref())?;
        if origins.is_empty() {
            return Err(invalid("hosts is an empty list; leave it out for all hosts of the session"));
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
        gate::alone(|| {
            let libraries = library::find()?;
            installation.check(&libraries)?;
            let others = INSTALLED.load_full();
            installation.check_others(&installation.origins.load(), &others)?;
            for library in libraries.iter() {
                library.install_file_system()?;
            }
            INSTALLED.store(Arc::new(others.iter().chain([&installation]).cloned().collect()));
            installation.apply(&libraries, &headers);
            installation.forget(&libraries);
            Ok(Gdal { installation: Arc::clone(&installation) })
        })
    }

    /// Has GDAL forget which files it could not read, and what else it knows of the session's hosts: after a login, or when what lies
    /// there has changed. Not while datasets are open: one that is refused afterwards reads as zeros. Takes in a GDAL that has been loaded since, and hosts that a login has added. With [`Header::AtOpen`] it also
    /// renews what datasets that are opened from now on will send; no other thread may open one meanwhile.
    ///
    /// Errors: as [`Gdal::install`].
    pub fn refresh(&self) -> Result<()> {
        let installation = &self.installation;
        let added = match installation.options.hosts.is_none() && installation.options.scope != Scope::EveryHost {
            true => installation.session.header_origins(None)?,
            false => Vec::new(),
        };
        let headers = installation.headers(&with(&installation.origins.load(), &added))?;
        gate::alone(|| {
            installation.check_installed()?;
            let libraries = library::find()?;
            installation.check(&libraries)?;
            let others: Vec<_> = INSTALLED.load().iter().filter(|other| other.id != installation.id).cloned().collect();
            let origins = with(&installation.origins.load(), &added);
            installation.check_others(&origins, &others)?;
            for library in libraries.iter() {
                library.install_file_system()?;
            }
            installation.origins.store(Arc::new(origins));
            installation.apply(&libraries, &headers);
            installation.forget(&libraries);
            installation.failure.store(None);
            Ok(())
        })
    }

    /// The name under which GDAL opens this URL, with the session's credential. It sees to it that there is one: what fails here would
    /// fail inside GDAL, which says less. The name is for GDAL in this process, now; with a GDAL before 3.7 it must not be handed on.
    ///
    /// With [`Header::AtOpen`] and a token that has been renewed no other thread may open a dataset meanwhile. With a GDAL before 3.7 what is
    /// opened so must be trusted: a file of it that names others, as a VRT does, can name any server, which gets the credential then.
    ///
    /// Errors: HOST_REFUSED for a host that is not among those installed, INVALID_ARGUMENT after the end, and as [`Session::headers`].
    pub fn path(&self, url: &str) -> Result<String> {
        let installation = &self.installation;
        installation.check_installed()?;
        let authorization = installation.session.headers(url)?;
        let origins = installation.origins.load();
        let Some(place) = origins.iter().position(|origin| url.starts_with(origin.as_str())) else {
            return Err(Error::new(
                Status::HostRefused,
                "the session is not installed for this host; name it in hosts, and spell it in the URL as it stands there",
            ));
        };
        let is_held = || installation.held.load().get(place) == Some(&Some(identity(&authorization)));
        if installation.options.header == Header::AtOpen && !is_held() {
            let headers = installation.headers(&origins)?;
            gate::alone(|| {
                installation.check_installed()?;
                installation.apply(&library::known(), &headers);
                Ok(())
            })?;
        }
        if installation.failure.load().is_some() {
            // What was refused is mended now. Nothing else is forgotten: others may have datasets open.
            let file = path_of(url);
            library::known().iter().for_each(|library| library.forget_below(&file));
        }
        let by_host = library::known().iter().all(|library| library.knows_hosts());
        if by_host || installation.options.scope == Scope::EveryHost {
            return Ok(format!("/vsicurl/{url}"));
        }
        let name = header_file::name(installation.id, place);
        Ok(format!("/vsicurl?header_file={}&url={}", escaped(&name.to_string_lossy()), escaped(url)))
    }

    /// GDAL gets its options back and asks no more, also while another thread is in a call here. Once is enough.
    pub fn uninstall(&self) {
        gate::alone(|| self.installation.remove());
    }

    /// The origins whose requests carry a credential, each with its slash.
    pub fn origins(&self) -> Vec<String> {
        self.installation.origins.load().to_vec()
    }

    /// Why the last request that should have carried a credential carried none; nothing when there was no such request since the
    /// installation or the last [`Gdal::refresh`].
    pub fn last_error(&self) -> Option<Error> {
        self.installation.failure.load().as_deref().cloned()
    }
}

fn invalid(message: &str) -> Error {
    Error::new(Status::InvalidArgument, message)
}

/// One header for every host is that of one host, which the caller names: nobody gets it by mistake.
fn check_every_host(options: &Options, origins: &[String]) -> Result<()> {
    if options.header != Header::Live {
        return Err(invalid("scope every_host goes with header live only"));
    }
    let host = |origin: &String| origin.split_once("://").map(|(_, host)| host.to_owned());
    if options.hosts.is_none() || origins.iter().any(|origin| host(origin) != origins.first().and_then(host)) {
        return Err(invalid("scope every_host needs one host in hosts: the one whose credential is sent everywhere"));
    }
    Ok(())
}

/// Origins with what has been added, each in the place that it has.
fn with(origins: &[String], added: &[String]) -> Vec<String> {
    let new = added.iter().filter(|origin| !origins.contains(origin));
    origins.iter().chain(new).cloned().collect()
}

/// As a value in a `/vsicurl?` name.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'/' | b':' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

fn header_lines(authorization: &Authorization) -> Lines {
    let mut lines = Lines::default();
    for (name, value) in authorization.headers() {
        // Exactly as large as needed: growing would leave an unwiped copy behind.
        lines.reserve_exact(name.len() + value.len() + 4);
        for part in [name, ": ", value, "\r\n"] {
            lines.extend_from_slice(part.as_bytes());
        }
    }
    lines
}

/// The header as an option's value.
fn header_option(authorization: &Authorization) -> Option<Zeroizing<Vec<u8>>> {
    let mut lines = header_lines(authorization);
    let end = lines.len().checked_sub(2)?;
    lines.truncate(end);
    lines.push(0);
    Some(lines)
}

fn identity(authorization: &Authorization) -> (usize, u64) {
    (authorization.source_index(), authorization.generation())
}

/// How names begin that hold a URL of this origin as a parameter, as `urlencode` and [`escaped`] write it.
fn query_names(origin: &str) -> [CString; 3] {
    let encoded = escaped(origin);
    [origin.to_owned(), encoded.replace('/', "%2F").replace(':', "%3A"), encoded.replace(':', "%3A")]
        .map(|url| CString::new(format!("/vsicurl?url={url}")).unwrap_or_default())
}

fn path_of(origin: &str) -> CString {
    CString::new(format!("/vsicurl/{origin}")).unwrap_or_default()
}

impl Installation {
    /// Runs a call that may wait for a token.
    fn waiting<T: Send>(&self, call: impl FnOnce() -> Result<T> + Send) -> Result<T> {
        let Some(wait) = &self.options.wait else { return call() };
        let (mut call, mut result) = (Some(call), None);
        wait(&mut || result = call.take().map(|call| call()));
        result.unwrap_or_else(|| Err(Error::new(Status::Internal, "a call that waits for a token was not made")))
    }

    /// What datasets that are opened from now on send, by origin: with [`Header::AtOpen`] only. What one source lacks is no reason to
    /// withhold another's.
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
                    "GDAL {version} has no HTTP options for single hosts; use GDAL 3.7 or later, or scope paths and the names that path \
                     gives"
                ));
            }
            if self.options.header == Header::AtOpen && !library.keeps_headers_from_redirects() {
                return unsupported(format!(
                    "GDAL {version} would send the header on to the targets of redirects; use GDAL 3.10 or later, or header live"
                ));
            }
        }
        Ok(())
    }

    fn check_others(&self, origins: &[String], others: &[Arc<Installation>]) -> Result<()> {
        let every_host = |installation: &Installation| installation.options.scope == Scope::EveryHost;
        for other in others {
            if every_host(self) && every_host(other) {
                return Err(invalid("a session is installed for every host already; uninstall it first"));
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

    /// What GDAL must keep to for the whole process, because otherwise it would send the credential where a redirect leads.
    fn safe_options(&self) -> &'static [Safe] {
        match self.options.header {
            Header::Live => &[STAYS_AT_HOME, FOLLOWS_ANEW, ASKS_BY_GET],
            // GDAL 3.10 keeps its headers from the redirects that it remembers, and from the one that follows a HEAD it does not.
            Header::AtOpen => &[STAYS_AT_HOME, ASKS_BY_GET],
        }
    }

    fn is_installed(&self) -> bool {
        INSTALLED.load().iter().any(|installed| installed.id == self.id)
    }

    fn check_installed(&self) -> Result<()> {
        if self.is_installed() { Ok(()) } else { Err(invalid("this has been uninstalled; install the session again")) }
    }

    fn apply(&self, libraries: &[&'static Library], headers: &[Option<Authorization>]) {
        let origins = self.origins.load_full();
        self.held.store(Arc::new(headers.iter().map(|made| made.as_ref().map(identity)).collect()));
        for library in libraries {
            // Before the header is there.
            settle_options(library);
            if self.options.scope == Scope::EveryHost || !library.knows_hosts() {
                continue;
            }
            for (place, origin) in origins.iter().enumerate() {
                let path = path_of(origin);
                let refusing = header_file::refusing_name(self.id);
                query_names(origin).iter().for_each(|name| library.set_path_option(name, HEADER_FILE, Some(&refusing)));
                match self.options.header {
                    Header::Live => library.set_path_option(&path, HEADER_FILE, Some(&header_file::name(self.id, place))),
                    Header::AtOpen => {
                        let value = headers.get(place).and_then(Option::as_ref).and_then(header_option);
                        let value = value.as_ref().and_then(|value| CStr::from_bytes_with_nul(value).ok());
                        library.set_path_option(&path, HEADERS, value);
                    }
                }
            }
        }
    }

    /// Files that could not be read, and redirects that were remembered, from before. Not more often than needed: a dataset that is
    /// open and is refused afterwards reads as zeros, because GDAL has forgotten that the file exists.
    fn forget(&self, libraries: &[&'static Library]) {
        for library in libraries {
            match self.options.scope {
                Scope::EveryHost => library.forget_everything(),
                Scope::Hosts | Scope::Paths => {
                    self.origins.load().iter().for_each(|origin| library.forget_below(&path_of(origin)));
                }
            }
        }
    }

    fn remove(&self) {
        if !self.is_installed() {
            // The options may be those of somebody else by now.
            return;
        }
        INSTALLED.rcu(|installed| installed.iter().filter(|other| other.id != self.id).cloned().collect::<Vec<_>>());
        for library in library::known().iter() {
            if library.knows_hosts() && self.options.scope != Scope::EveryHost {
                let key = if self.options.header == Header::Live { HEADER_FILE } else { HEADERS };
                for origin in self.origins.load().iter() {
                    library.set_path_option(&path_of(origin), key, None);
                    query_names(origin).iter().for_each(|name| library.set_path_option(name, HEADER_FILE, None));
                }
            }
            // After the header is gone.
            settle_options(library);
        }
    }

    fn note(&self, error: Error) {
        log::error!(target: LOG_TARGET, "a request of GDAL carries no credential: {}: {}", error.status(), error.message());
        self.failure.store(Some(Arc::new(error)));
    }

    /// A request goes without a credential, and everybody hears why: the log, GDAL's error handler, and who asks for it later.
    fn fail(&self, library: &Library, error: Error) {
        let message = format!("planetkey: {}: {}", error.status(), error.message());
        self.note(error);
        library.complain(&CString::new(message).unwrap_or_default());
    }

    /// The lines of the header file for one request, and nothing that is torn: all of them or none.
    fn lines(&self, library: &Library, place: usize) -> Lines {
        let origins = self.origins.load();
        let Some(origin) = origins.get(place) else { return Lines::default() };
        let checked = check_thread(library, self.safe_options()).and_then(|()| check_headers(library, Some(&path_of(origin))));
        let made = checked.and_then(|()| match self.session.headers_cached(origin)? {
            Some(authorization) => Ok(authorization),
            None => self.waiting(|| self.session.headers(origin)),
        });
        match made {
            Ok(authorization) => header_lines(&authorization),
            Err(error) => {
                self.fail(library, error);
                Lines::default()
            }
        }
    }
}

/// Whether requests of this thread keep the credential at home.
fn check_thread(library: &Library, options: &[Safe]) -> Result<()> {
    match options.iter().find(|safe| library.safe_value(**safe).is_none()) {
        None => Ok(()),
        Some(safe) => Err(Error::new(
            Status::HostRefused,
            format!(
                "GDAL would send the credential on to where a redirect leads, because this thread sets {}; leave that alone",
                safe.option.to_string_lossy()
            ),
        )),
    }
}

/// The options of the whole process, and the callback before fetches, by all that is installed.
fn settle_options(library: &'static Library) {
    let installed = INSTALLED.load();
    let mut options: Vec<(&'static CStr, CString)> = Vec::new();
    for installation in installed.iter() {
        let value = |safe: &Safe| library.safe_value(*safe).unwrap_or_else(|| safe.value.to_owned());
        options.extend(installation.safe_options().iter().map(|safe| (safe.option, value(safe))));
    }
    // After them: the header must not be there before they are safe.
    let every_host = installed.iter().find(|installation| installation.options.scope == Scope::EveryHost);
    options.extend(every_host.map(|installation| (HEADER_FILE, header_file::name(installation.id, 0))));
    library.override_options(&options);
    library.ask_before_fetch(installed.iter().any(|installation| installation.asks_before_fetch()));
}

impl Installation {
    /// Where every host gets the header file, a fetch does too.
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
            // A dataset that stayed open knows the name of what is gone.
            library.complain(c"planetkey: the session that this was opened with is not installed any more");
            Lines::default()
        }
    }
}

/// A name that holds its URL as a parameter gets no credential: a second `url` behind the first would lead it to any server.
pub(crate) fn refuse(library: &'static Library, installation: u64) -> Lines {
    if let Some(installed) = INSTALLED.load().iter().find(|installed| installed.id == installation) {
        let message = "a name /vsicurl?url=... carries no credential; open /vsicurl/https://... or the URL itself";
        installed.fail(library, Error::new(Status::Unsupported, message));
    }
    Lines::default()
}

/// What a fetch carries; nothing where it is not the matter of any session, or where there is no credential.
pub(crate) fn request(library: &'static Library, url: &str) -> Option<Request> {
    let installed = INSTALLED.load();
    let installation = installed.iter().find(|installation| {
        installation.asks_before_fetch() && installation.origins.load().iter().any(|origin| url.starts_with(origin.as_str()))
    })?;
    let checked = check_thread(library, &[STAYS_AT_HOME]).and_then(|()| check_headers(library, None));
    let made = checked.and_then(|()| match installation.session.authorize_cached(url)? {
        Some(authorization) => Ok(authorization),
        None => installation.waiting(|| installation.session.authorize(url)),
    });
    match made {
        Ok(authorization) => {
            let mut url = Zeroizing::new(Vec::with_capacity(authorization.url().len() + 1));
            url.extend_from_slice(authorization.url().as_bytes());
            url.push(0);
            let lines = authorization.header_value().map(|_| header_lines(&authorization));
            Some(Request { url, lines })
        }
        Err(error) => {
            installation.fail(library, error);
            None
        }
    }
}
