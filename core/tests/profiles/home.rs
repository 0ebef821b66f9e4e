//! A home directory for one test.

use planetkey::deployment::Deployment;
use planetkey::profile::{FixedEnvironment, HOME_VARIABLE, Profiles, Root};
use planetkey::secret_json::Members;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

pub struct Home(tempfile::TempDir);

impl Home {
    pub fn new() -> Self {
        Home(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn join(&self, path: &str) -> PathBuf {
        path.split('/').fold(self.path().to_owned(), |whole, part| whole.join(part))
    }

    /// Writes a file below the home, and creates its directories.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
        self
    }

    pub fn profile(&self, name: &str, config: &Value) -> &Self {
        self.write(&format!(".planet/{name}/auth_client.json"), config.to_string())
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.join(path)).unwrap()
    }

    pub fn has(&self, path: &str) -> bool {
        self.join(path).exists()
    }

    pub fn environment(&self, variables: &[(&str, &str)]) -> FixedEnvironment {
        let home = (HOME_VARIABLE, self.path().as_os_str().to_owned());
        FixedEnvironment::new(
            variables.iter().map(|(name, value)| (*name, (*value).into())).chain([home]),
        )
    }

    pub fn root(&self) -> Root {
        Root::new(&self.environment(&[]), None).unwrap()
    }

    pub fn profiles(&self) -> Profiles {
        Profiles::new(self.root(), Deployment::planet().unwrap())
    }

    /// Returns every file below the home with its content.
    pub fn tree(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        fn walk(directory: &Path, tree: &mut BTreeMap<PathBuf, Vec<u8>>) {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => walk(&path, tree),
                    false => drop(tree.insert(path.clone(), std::fs::read(&path).unwrap())),
                }
            }
        }
        let mut tree = BTreeMap::new();
        walk(self.path(), &mut tree);
        tree
    }
}

#[cfg(unix)]
pub fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

pub fn m2m(id: &str) -> Value {
    json!({"client_type": "oidc_client_credentials_secret", "client_id": id, "client_secret": "SECRET-of-the-client"})
}

pub fn members(value: &Value) -> Members {
    Members(value.as_object().unwrap().clone())
}
