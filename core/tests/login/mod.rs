//! Logins of people: the receiver of the browser's return, what a login keeps, and how it can go wrong.

mod choosing;
mod ending;
mod failing;
#[cfg(target_os = "linux")]
mod other_users;
mod people;
mod receiver;
mod returning;
