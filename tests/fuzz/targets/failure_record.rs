//! `token.planetkey.json`, planetkey's file beside a session: the input is the file, in any state.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey::Status;
use planetkey::storage::sops::Sops;
use planetkey::storage::{FailureRecord, FileStorage, TokenStorage};
use planetkey_fuzz::{NOW, check_error, directory, shown};
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

static FILE: LazyLock<PathBuf> = LazyLock::new(|| directory().join("token.planetkey.json"));
static STORAGE: LazyLock<FileStorage> = LazyLock::new(|| {
    FileStorage::new(
        FILE.with_file_name("token.json"),
        "binding".to_owned(),
        &Sops::new(None),
        None,
    )
});

fuzz_target!(|data: &[u8]| {
    std::fs::write(&*FILE, data).expect("a file");
    let record = STORAGE.failure_record();
    for now in [0, NOW * 1000, u64::MAX] {
        if let Some((wait, failure)) = record.wait(now) {
            let error = &failure.error;
            assert!(
                !wait.is_zero() && wait <= Duration::from_secs(3600),
                "no wait is longer than an hour: {wait:?}"
            );
            if error.status() != Status::Internal && !error.message().is_empty() {
                check_error(error);
            }
        }
    }
    STORAGE.save_failure_record(&record);
    let rewritten = std::fs::read(&*FILE).expect("a file");
    let again = STORAGE.failure_record();
    assert_eq!(summary(&record), summary(&again));
    STORAGE.save_failure_record(&again);
    assert_eq!(
        std::fs::read(&*FILE).expect("a file"),
        rewritten,
        "remembering it again changes nothing"
    );

    // A refused token stays refused, and the list has a limit.
    let mut fuller = record.clone();
    for number in 0..20 {
        fuller.mark_revoked(format!("{number}"));
        assert!(fuller.is_marked_revoked(&number.to_string()));
    }
    assert!(fuller.revoked.len() <= 16);
});

fn summary(record: &FailureRecord) -> (String, Option<(u64, String)>) {
    let not_before = record.not_before.as_ref().map(|(until, failure)| {
        let error = &failure.error;
        let details = (error.http_status(), failure.lets_callers_pass, failure.timeout);
        (*until, format!("{} {details:?}", shown(error)))
    });
    (format!("{:?} {:?}", record.receipt, record.revoked), not_before)
}
