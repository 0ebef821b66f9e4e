//! CA certificates: those of the system, and those that an option or a variable names.

use crate::environment::Environment;
use crate::error::{Error, Reason, Result, Status};
use crate::file;
use crate::file::is_shortage;
use crate::text::one_line;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use std::ffi::OsString;
use std::io;
use std::path::PathBuf;

/// A bundle of all CA certificates in use is smaller than half a megabyte.
pub(crate) const MAX_CA_BYTES: u64 = 16 * 1024 * 1024;

/// A file or directory of CA certificates in PEM form.
pub(super) struct Bundle {
    /// "ca_file is", "REQUESTS_CA_BUNDLE names".
    pub(super) what: String,
    pub(super) path: PathBuf,
}

impl Bundle {
    /// Errors: MISCONFIGURED with the reason `tls`; UNAVAILABLE if this process has too many open
    /// files.
    pub(super) fn read(&self) -> Result<Vec<CertificateDer<'static>>> {
        if self.path.is_dir() {
            return self.read_directory();
        }
        let pem =
            file::read_whole(&self.path, MAX_CA_BYTES).map_err(|error| self.unreadable(&error))?;
        let certificates = parse(&pem).map_err(|why| self.unusable(&why))?;
        if certificates.is_empty() {
            return Err(self.unusable("it holds no certificate in PEM form"));
        }
        Ok(certificates)
    }

    /// Like OpenSSL, skips files that hold no certificate.
    fn read_directory(&self) -> Result<Vec<CertificateDer<'static>>> {
        let entries = std::fs::read_dir(&self.path).map_err(|error| self.unreadable(&error))?;
        let files = entries.flatten().map(|entry| entry.path()).filter(|path| path.is_file());
        let mut certificates: Vec<_> = files
            .filter_map(|path| parse(&file::read_whole(&path, MAX_CA_BYTES).ok()?).ok())
            .flatten()
            .collect();
        certificates.sort_unstable_by(|one, other| one.as_ref().cmp(other.as_ref()));
        certificates.dedup();
        if certificates.is_empty() {
            return Err(self.unusable("no file in it holds a certificate in PEM form"));
        }
        Ok(certificates)
    }

    fn unreadable(&self, error: &io::Error) -> Error {
        if is_shortage(error) {
            let message =
                format!("the CA certificates in {} cannot be read now: {error}", self.shown());
            return Error::new(Status::Unavailable, message).with_retryable(true);
        }
        self.unusable(&error.to_string())
    }

    fn unusable(&self, why: &str) -> Error {
        let is_directory = if self.path.is_dir() { "directory" } else { "file" };
        let message = format!(
            "the CA {is_directory} that {} cannot be used: {}: {why}",
            self.what,
            self.shown()
        );
        Error::misconfigured(message).with_reason(Reason::Tls)
    }

    fn shown(&self) -> String {
        one_line(&self.path.to_string_lossy(), 300)
    }
}

/// The locations of the system's CA certificates.
#[derive(Clone, Debug, Default)]
#[cfg_attr(any(windows, target_vendor = "apple"), allow(dead_code))]
pub(super) struct Roots {
    pub(super) file: Option<PathBuf>,
    pub(super) directories: Vec<PathBuf>,
    /// Whether `SSL_CERT_FILE` names the file.
    pub(super) is_named: bool,
}

impl Roots {
    pub(super) fn of(environment: &dyn Environment) -> Self {
        let set = |name: &str| environment.raw(name).filter(|value| !value.is_empty());
        let (file, directories) = (set("SSL_CERT_FILE"), set("SSL_CERT_DIR"));
        if file.is_none() && directories.is_none() {
            return Roots::of_system();
        }
        let split = |value: OsString| {
            std::env::split_paths(&value).filter(|path| !path.as_os_str().is_empty()).collect()
        };
        Roots {
            is_named: file.is_some(),
            file: file.map(PathBuf::from),
            directories: directories.map(split).unwrap_or_default(),
        }
    }

    #[cfg(all(unix, not(target_vendor = "apple")))]
    fn of_system() -> Self {
        let found = openssl_probe::probe();
        Roots { file: found.cert_file, directories: found.cert_dir, is_named: false }
    }

    /// The system's own verifier knows them.
    #[cfg(not(all(unix, not(target_vendor = "apple"))))]
    fn of_system() -> Self {
        Roots::default()
    }
}

/// The certificates of a PEM text, with or without a byte order mark, under each label that OpenSSL
/// accepts.
fn parse(pem: &[u8]) -> std::result::Result<Vec<CertificateDer<'static>>, String> {
    let pem = pem.strip_prefix(b"\xef\xbb\xbf").unwrap_or(pem);
    // Comments between certificates may be in any encoding.
    let text = String::from_utf8_lossy(pem).replace("X509 CERTIFICATE-----", "CERTIFICATE-----");
    let text = text.replace("TRUSTED CERTIFICATE-----", "CERTIFICATE-----");
    let mut certificates = Vec::new();
    for (index, section) in CertificateDer::pem_slice_iter(text.as_bytes()).enumerate() {
        let broken = || format!("its certificate {} is broken", index + 1);
        let der = section.map_err(|_| broken())?;
        // OpenSSL appends its own data to a trusted certificate.
        let der = first_element(&der)
            .map(|element| CertificateDer::from(element.to_vec()))
            .ok_or_else(broken)?;
        rustls::RootCertStore::empty()
            .add(der.clone())
            .map_err(|error| format!("{}: {error}", broken()))?;
        certificates.push(der);
    }
    Ok(certificates)
}

/// The first element of DER data, which is a sequence.
fn first_element(der: &[u8]) -> Option<&[u8]> {
    let (tag, length) = (*der.first()?, usize::from(*der.get(1)?));
    let (header, content) = match length {
        0..=0x7f => (2, length),
        0x81..=0x84 => {
            let bytes = der.get(2..2 + (length & 0x7f))?;
            (2 + bytes.len(), bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)))
        }
        _ => return None,
    };
    if tag != 0x30 { None } else { der.get(..header.checked_add(content)?) }
}

/// The TLS settings with exactly these roots. Certificates of the system that cannot be used are
/// skipped.
///
/// Errors: MISCONFIGURED with `useless` if there is no certificate at all; UNAVAILABLE if they
/// cannot be read now.
#[cfg(all(unix, not(target_vendor = "apple")))]
pub(super) fn tls(
    roots: &Roots,
    more: Vec<CertificateDer<'static>>,
    useless: Option<String>,
) -> Result<rustls::ClientConfig> {
    let mut store = rustls::RootCertStore::empty();
    let mut shortage = None;
    // One call reads a directory's links to the file, or to another of its files, only once.
    let first = (roots.file.as_deref(), roots.directories.first().map(PathBuf::as_path));
    let others =
        roots.directories.iter().skip(1).map(|directory| (None, Some(directory.as_path())));
    for (file, directory) in std::iter::once(first).chain(others) {
        let loaded = rustls_native_certs::load_certs_from_paths(file, directory);
        let (_, ignored) = store.add_parsable_certificates(loaded.certs);
        if ignored > 0 || !loaded.errors.is_empty() {
            log::debug!(
                "{} CA certificates of this machine cannot be used",
                ignored + loaded.errors.len()
            );
        }
        shortage = shortage.or_else(|| {
            let errors = loaded.errors.into_iter();
            errors.map(|error| error.kind).find_map(|kind| match kind {
                rustls_native_certs::ErrorKind::Io { inner, .. } if is_shortage(&inner) => {
                    Some(inner)
                }
                _ => None,
            })
        });
    }
    store.add_parsable_certificates(more);
    if store.is_empty() {
        if let Some(error) = shortage {
            let message =
                format!("the CA certificates of this machine cannot be read now: {error}");
            return Err(Error::new(Status::Unavailable, message).with_retryable(true));
        }
        let why: Vec<_> = std::iter::once("this machine has no CA certificates".to_owned())
            .chain(useless)
            .collect();
        let message =
            format!("TLS cannot be set up ({}); install them, or give a ca_file", why.join("; "));
        return Err(Error::misconfigured(message).with_reason(Reason::Tls).with_retryable(true));
    }
    config(store)
}

/// The TLS settings that trust these certificates only.
///
/// Errors: MISCONFIGURED if there is none.
#[cfg(all(feature = "store", not(all(unix, not(target_vendor = "apple")))))]
pub(super) fn tls_with_only(
    certificates: Vec<CertificateDer<'static>>,
) -> Result<rustls::ClientConfig> {
    let mut store = rustls::RootCertStore::empty();
    store.add_parsable_certificates(certificates);
    if store.is_empty() {
        let message = "TLS to a store needs a ca_file on this system";
        return Err(Error::misconfigured(message).with_reason(Reason::Tls));
    }
    config(store)
}

/// The TLS settings for plain http: no certificate is trusted, and none is read.
pub(super) fn no_tls() -> Result<rustls::ClientConfig> {
    config(rustls::RootCertStore::empty())
}

fn config(store: rustls::RootCertStore) -> Result<rustls::ClientConfig> {
    let provider = rustls::crypto::CryptoProvider::get_default().cloned();
    let provider = provider
        .unwrap_or_else(|| std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider()));
    let builder = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::new(Status::Internal, format!("TLS cannot be set up: {error}")))?;
    let mut config = builder.with_root_certificates(store).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}
