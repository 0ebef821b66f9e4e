//! Users: every user name exists.

use serde_json::{Map, Value, json};

use crate::user_tokens::has_scope;

/// The default user. The subject is the name.
pub(crate) const DEFAULT_USER: &str = "simulator-user";

/// The second factor of every user.
pub const OTP: &str = "123456";

/// A user with an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) email: String,
}

impl User {
    /// The user with this user name.
    pub(crate) fn named(name: &str) -> Self {
        let subject = if name == DEFAULT_USER { name.to_owned() } else { format!("user|{name}") };
        let email =
            if name.contains('@') { name.to_owned() } else { format!("{name}@example.com") };
        Self { name: name.to_owned(), subject, email }
    }

    /// The user with this subject.
    pub(crate) fn with_subject(subject: &str) -> Self {
        let name = subject.strip_prefix("user|").filter(|name| !name.is_empty()).unwrap_or(subject);
        Self { subject: subject.to_owned(), ..Self::named(name) }
    }

    /// What a client may know about the user (OpenID Connect Core 5.4).
    pub(crate) fn claims(&self, scope: &str) -> Map<String, Value> {
        let mut claims = Map::new();
        claims.insert("sub".to_owned(), json!(self.subject));
        if has_scope(scope, "profile") {
            claims.insert("name".to_owned(), json!(self.name));
        }
        if has_scope(scope, "email") {
            claims.insert("email".to_owned(), json!(self.email));
            claims.insert("email_verified".to_owned(), json!(true));
        }
        claims
    }
}
