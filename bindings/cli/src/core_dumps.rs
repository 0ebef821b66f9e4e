//! Keeps the memory of the command, which contains tokens and keys, out of core dumps.

/// Switches off core dumps of this process, and lets no other process of the same user read its
/// memory. Call it before any secret is read. If the system refuses, the command still works.
///
/// Only the soft limit changes, so that a browser or `sops` can raise its own again. The kernel
/// makes every program that is executed dumpable, and lets a process that is not dumpable read its
/// own `/proc/self`.
pub fn switch_off() {
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let maximum = getrlimit(Resource::Core).maximum;
        let _ = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum });
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        let _ =
            rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
    }
}
