//! User ids inside a container.

/// The id that represents every user whom this process's user namespace does not map; `None` if it
/// maps all of them.
///
/// Reads two files of `/proc`.
#[cfg(target_os = "linux")]
pub(crate) fn unmapped_uid() -> Option<u32> {
    /// The default of Linux.
    const DEFAULT_OVERFLOW_UID: u32 = 65_534;
    let map = std::fs::read_to_string("/proc/self/uid_map").ok()?;
    if map.split_ascii_whitespace().eq(["0", "0", "4294967295"]) {
        return None;
    }
    let overflow = std::fs::read_to_string("/proc/sys/kernel/overflowuid")
        .ok()
        .and_then(|uid| uid.trim().parse().ok());
    Some(overflow.unwrap_or(DEFAULT_OVERFLOW_UID))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn unmapped_uid() -> Option<u32> {
    None
}
