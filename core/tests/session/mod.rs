//! The session: which credential goes where, from where it comes, and how it is refreshed (design,
//! sections 4 to 7).

mod after_response;
mod environment;
mod flight;
mod host_policy;
mod interrupted_login;
mod origins;
mod planet;
mod profile_messages;
mod profiles;
mod renewal;
mod runtime;
mod secrecy;
mod sentinelhub;
mod storms;
mod url_forms;
mod values;
