//! Keeps the memory of the command, which holds tokens and keys, out of core dumps.

/// Switches core dumps of this process off, and reading its memory by other processes of the same user. Call it before any secret is
/// read. Where the system refuses, the command works as before.
///
/// Only the soft limit changes, so that a browser or `sops` that wants core dumps can raise its own again. The kernel makes every
/// program that is executed dumpable anew, and lets a process that is not read its own `/proc/self`.
pub fn switch_off() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let maximum = getrlimit(Resource::Core).maximum;
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    }
}
