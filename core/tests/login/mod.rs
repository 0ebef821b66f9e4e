//! Browser and device logins: the receiver of the browser's redirect, what a login saves, and how
//! it can fail.

mod choosing;
mod ending;
mod failing;
#[cfg(target_os = "linux")]
mod other_users;
mod people;
mod receiver;
mod returning;
