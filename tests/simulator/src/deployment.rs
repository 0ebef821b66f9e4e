//! What a program needs to use the simulator: the deployment document, the CA and the environment.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::USER_CLIENT_ID;
use crate::authorization_server::{Endpoint, GENERIC, M2M, USER};
use crate::resource_server::PLANET_AUDIENCE;
use crate::state::{Origins, Shared};
use crate::tokens::random_text;
use crate::user::OTP;

/// The variable that names the home directory.
const HOME_VARIABLE: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

/// Variables that would give a program other credentials than the simulator's, or another storage
/// root than its home.
pub(crate) const REMOVED: [&str; 7] = [
    "PL_AUTH_PROFILE",
    "PLANET_API_KEY",
    "SH_CLIENT_ID",
    "SH_CLIENT_SECRET",
    "SH_PROFILE",
    "PLANETKEY_STORAGE_ROOT",
    "XDG_CONFIG_HOME",
];

/// Where the simulator writes its files.
pub(crate) struct Directory {
    path: PathBuf,
    /// The home directory of programs under test. Always created here, so always removed here.
    home: PathBuf,
    /// The directory was created here, so it is removed here.
    temporary: bool,
}

impl Directory {
    pub(crate) fn open(wanted: Option<&Path>) -> io::Result<Self> {
        let (path, temporary) = match wanted {
            Some(path) => {
                fs::create_dir_all(path)?;
                (fs::canonicalize(path)?, false)
            }
            None => {
                let path =
                    std::env::temp_dir().join(format!("planetkey-simulator-{}", random_text(12)?));
                make_private(&path)?;
                (path, true)
            }
        };
        // A named directory may contain the home of an earlier run.
        let home = path.join(format!("home-{}", random_text(6)?));
        let directory = Self { path, home, temporary };
        make_private(&directory.home)?;
        Ok(directory)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn deployment(&self) -> PathBuf {
        self.path.join("deployment.json")
    }

    pub(crate) fn ca(&self) -> PathBuf {
        self.path.join("ca.pem")
    }

    pub(crate) fn home(&self) -> &Path {
        &self.home
    }

    pub(crate) fn environment(&self) -> PathBuf {
        self.path.join("environment.sh")
    }

    pub(crate) fn write(&self, shared: &Shared) -> io::Result<()> {
        fs::write(self.deployment(), document(&shared.origins))?;
        fs::write(self.ca(), shared.authority.pem())?;
        let mut script = String::new();
        for name in REMOVED {
            script.push_str(&format!("unset {name}\n"));
        }
        for (name, value) in environment(shared, self) {
            let quoted = value.replace('\'', "'\\''");
            script.push_str(&format!("export {name}='{quoted}'\n"));
        }
        fs::write(self.environment(), script)
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        // What cannot be removed is left to the cleaning of temporary files.
        let _ = fs::remove_dir_all(if self.temporary { &self.path } else { &self.home });
    }
}

fn make_private(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    return std::os::unix::fs::DirBuilderExt::mode(&mut fs::DirBuilder::new(), 0o700).create(path);
    #[cfg(not(unix))]
    fs::create_dir(path)
}

/// Empties a directory as far as possible. Links are not followed.
pub(crate) fn empty(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let _ = match entry.file_type() {
            Ok(kind) if kind.is_dir() => fs::remove_dir_all(path),
            _ => fs::remove_file(path),
        };
    }
}

fn authority(origin: &str) -> &str {
    origin.split_once("//").map_or(origin, |(_, rest)| rest)
}

/// The deployment document in planetkey's format.
pub(crate) fn document(origins: &Origins) -> String {
    let document = json!({
        "name": "planet-simulator",
        "authorization_servers": [
            // Clients find its endpoints in the metadata, as at Planet.
            {
                "subject": "user",
                "issuer": USER.issuer(&origins.user),
                "audience": PLANET_AUDIENCE,
            },
            {
                "subject": "m2m",
                "issuer": M2M.issuer(&origins.m2m),
                "token_endpoint": M2M.token_endpoint(&origins.m2m),
                // As Planet documents its server.
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "audience": PLANET_AUDIENCE,
            },
        ],
        "resource_servers": [
            {
                "hosts": [authority(&origins.planet_api)],
                "user_token": "yes",
                "m2m_token": "under_development",
                "api_key": "yes",
            },
            {
                "hosts": [authority(&origins.sentinel_hub_api)],
                "user_token": "yes",
                "m2m_token": "yes",
                "api_key": "no",
            },
        ],
    });
    format!("{document:#}\n")
}

/// The environment of a program under test.
pub(crate) fn environment(shared: &Shared, directory: &Directory) -> Vec<(String, String)> {
    let origins = &shared.origins;
    let settings = &shared.settings;
    let path = |path: PathBuf| path.to_string_lossy().into_owned();
    [
        (HOME_VARIABLE, path(directory.home().to_owned())),
        ("PLANETKEY_DEPLOYMENT", path(directory.deployment())),
        ("PLANETKEY_ALLOW_INSECURE_LOOPBACK", "1".to_owned()),
        ("PL_API_KEY", settings.api_key.clone()),
        ("PL_AUTH_CLIENT_ID", settings.client_id.clone()),
        ("PL_AUTH_CLIENT_SECRET", settings.client_secret.clone()),
        ("PLANETKEY_SIMULATOR", origins.control.clone()),
        ("PLANETKEY_SIMULATOR_PLANET_API", origins.planet_api.clone()),
        ("PLANETKEY_SIMULATOR_SENTINEL_HUB_API", origins.sentinel_hub_api.clone()),
        ("PLANETKEY_SIMULATOR_M2M", M2M.issuer(&origins.m2m)),
        ("PLANETKEY_SIMULATOR_USER", USER.issuer(&origins.user)),
        ("PLANETKEY_SIMULATOR_PROXY", origins.proxy.clone()),
        ("PLANETKEY_SIMULATOR_TLS", M2M.issuer(&origins.tls)),
        ("PLANETKEY_SIMULATOR_CA", path(directory.ca())),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

impl Shared {
    /// Every URL and credential, without paths.
    pub(crate) fn description(&self) -> Value {
        let origins = &self.origins;
        json!({
            "control": origins.control,
            "m2m": M2M.issuer(&origins.m2m),
            "token_endpoint": M2M.token_endpoint(&origins.m2m),
            "user": USER.issuer(&origins.user),
            "user_token_endpoint": USER.token_endpoint(&origins.user),
            "user_authorization_endpoint": USER.url(&origins.user, Endpoint::Authorization),
            "user_device_authorization_endpoint": USER.url(&origins.user, Endpoint::DeviceAuthorization),
            "user_client_id": USER_CLIENT_ID,
            "otp": OTP,
            "planet_api": origins.planet_api,
            "sentinel_hub_api": origins.sentinel_hub_api,
            "proxy": origins.proxy,
            "tls": M2M.issuer(&origins.tls),
            "generic": GENERIC.issuer("https://as.example"),
            "client_id": self.settings.client_id,
            "client_secret": self.settings.client_secret,
            "api_key": self.settings.api_key,
        })
    }
}
