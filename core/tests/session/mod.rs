//! The session: which credential goes where, from where it comes, and how it is refreshed (design,
//! sections 4 to 7).

mod after_response;
mod api_key_forms;
mod deployments;
mod environment;
mod host_policy;
mod hosts;
mod profile_messages;
mod profiles;
mod provider;
mod refresh;
mod runtime;
mod secrets;
mod sentinelhub;
mod settings;
mod shared_backoff;
mod single_flight;
