//! The marks of revoked refresh tokens in the failure record.

use crate::common::*;
use planetkey::storage::FailureRecord;
use serde_json::json;

#[test]
fn a_refusal_for_another_client_does_not_mark_the_token_revoked() {
    let home = Home::new();
    home.seed(&json!({"_iat": NOW - 3600, "_exp": NOW}));
    home.fake.answers(oauth_error(400, "invalid_grant"));
    assert!(user_as("mistyped-client", &home.options()).access_token().is_err());
    assert_eq!(ask(&home.user()), "access-1");
}

#[test]
fn a_refresh_token_that_is_revoked_again_stays_marked() {
    // More entries than are saved, as another version or a manual edit may leave them.
    let mut record = FailureRecord::default();
    record.revoked.extend((0..20).map(|number| number.to_string()));
    record.mark_revoked("0".to_owned());
    assert!(
        record.is_marked_revoked("0")
            && record.is_marked_revoked("19")
            && !record.is_marked_revoked("1")
    );
}
