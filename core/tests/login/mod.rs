//! Browser and device logins: the receiver of the browser's redirect, what a login saves, and how
//! it can fail.

mod cancelled_login;
mod failed_login;
mod logout;
mod method;
#[cfg(target_os = "linux")]
mod other_users;
mod redirect;
mod redirect_receiver;
mod scene;
