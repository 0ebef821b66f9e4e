//! Where the tokens of a profile are saved on this machine: in its files, or by its
//! `storage_command`.

use super::options::Options;
use crate::error::Result;
use crate::profile::client_config::OAuthClient;
use crate::profile::{Root, load};
use crate::storage::storage_command::{Helper, SessionByCommand};
use crate::storage::{Binding, FileStorage, TokenStorage};
use std::path::Path;
use std::sync::Arc;

/// The storage beside this token file: `helper` saves the session if there is one.
///
/// Errors: INVALID_ARGUMENT (the timeout).
pub(super) fn saved_locally(
    root: &Root,
    options: &Options,
    token: &Path,
    binding: Binding,
    helper: Option<Helper>,
) -> Result<Arc<dyn TokenStorage>> {
    let token = root.checked(token);
    let disk = options.runtime.disk.clone();
    Ok(match helper {
        Some(helper) => {
            let helper = helper.with_timeout(options.timeout()?);
            Arc::new(SessionByCommand::new(helper, &token, binding, disk))
        }
        None => Arc::new(FileStorage::new(token, binding, root.sops(), disk)),
    })
}

/// The program that saves the session of this profile, if there is one. `config`: that of the
/// client whose session it is.
///
/// Errors: as [`load::storage_helper`].
pub(super) fn helper_of(
    root: &Root,
    config: &OAuthClient,
    profile: &str,
) -> Result<Option<Helper>> {
    match (&config.storage_command, &config.config_file) {
        (Some(command), Some(file)) => root.helper(command, profile, file).map(Some),
        (None, Some(_)) => Ok(None),
        (_, None) => load::storage_helper(root, profile, config),
    }
}
