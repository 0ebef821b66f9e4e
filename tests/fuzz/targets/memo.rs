//! `token.planetkey.json`, what is remembered beside a session: the input is the file, as any process may have left it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use planetkey::Status;
use planetkey::storage::sops::Sops;
use planetkey::storage::{FileStorage, FailureRecord, Storage};
use planetkey_fuzz::{NOW, check_error, directory, shown};
use std::path::PathBuf;
use std::sync::LazyLock;

static FILE: LazyLock<PathBuf> = LazyLock::new(|| directory().join("token.planetkey.json"));
static STORAGE: LazyLock<FileStorage> =
    LazyLock::new(|| FileStorage::new(FILE.with_file_name("token.json"), "binding".to_owned(), &Sops::new(None), None));

fuzz_target!(|data: &[u8]| {
    std::fs::write(&*FILE, data).expect("a file");
    let memo = STORAGE.memo();
    for now in [0, NOW * 1000, u64::MAX] {
        if let Some((wait, error)) = memo.wait_ms(now) {
            assert!(wait > 0 && wait <= 3_600_000, "nobody waits longer than an hour: {wait}");
            // Whoever waits is told why, and that it is no success.
            assert!(error.status() != Status::Ok);
            if error.status() != Status::Internal && !error.message().is_empty() {
                check_error(error);
            }
        }
    }
    STORAGE.remember(&memo);
    let rewritten = std::fs::read(&*FILE).expect("a file");
    let again = STORAGE.memo();
    assert_eq!(summary(&memo), summary(&again));
    STORAGE.remember(&again);
    assert_eq!(std::fs::read(&*FILE).expect("a file"), rewritten, "remembering it again changes nothing");

    // A refused token stays refused, and the list does not grow for ever.
    let mut fuller = memo.clone();
    for number in 0..20 {
        fuller.mark_revoked(format!("{number}"));
        assert!(fuller.is_marked_revoked(&number.to_string()));
    }
    assert!(fuller.dead.len() <= 16);
});

fn summary(memo: &FailureRecord) -> (String, Option<(u64, String)>) {
    let not_before =
        memo.not_before.as_ref().map(|(until, error)| (*until, format!("{} {:?}", shown(error), error.http_status())));
    (format!("{:?} {:?}", memo.receipt, memo.dead), not_before)
}
