//! `WWW-Authenticate` (RFC 9110 11.6.1) and what a 401 asks for (RFC 6750 3.1).

/// One challenge: a scheme with its parameters, names in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// `bearer`, `basic`, ... in lower case.
    pub scheme: String,
    /// In the given order. A token68 has the empty name.
    pub parameters: Vec<(String, String)>,
}

impl Challenge {
    /// The first parameter of this name.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(present, _)| present == name).map(|(_, value)| value.as_str())
    }
}

/// Parses the challenges of one or several header values, joined by commas as HTTP joins them.
/// Invalid parts are skipped.
pub fn parse(header: &str) -> Vec<Challenge> {
    let mut challenges: Vec<Challenge> = Vec::new();
    for item in split_outside_quotes(header) {
        let item = item.trim();
        let (first, rest) = match item.find([' ', '\t']) {
            Some(at) => (item.get(..at).unwrap_or(""), item.get(at..).unwrap_or("").trim()),
            None => (item, ""),
        };
        // `name = value` with white space around the sign is a parameter, not a scheme.
        if is_token(first) && !rest.starts_with('=') {
            challenges.push(Challenge {
                scheme: first.to_ascii_lowercase(),
                parameters: parameter(rest).into_iter().collect(),
            });
        } else if let (Some(challenge), Some(parameter)) = (challenges.last_mut(), parameter(item))
        {
            challenge.parameters.push(parameter);
        }
    }
    challenges
}

/// Whether a response says that the access token itself is invalid, so that a new one may help: a
/// 401 whose Bearer challenge has the error `invalid_token` or none. A 403 never says so.
pub(crate) fn asks_for_another_token(http_status: u16, www_authenticate: Option<&str>) -> bool {
    if http_status != 401 {
        return false;
    }
    let challenges = www_authenticate.map(parse).unwrap_or_default();
    match challenges.iter().find(|challenge| challenge.scheme == "bearer") {
        Some(bearer) => matches!(bearer.parameter("error"), None | Some("invalid_token")),
        None => true,
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn parameter(text: &str) -> Option<(String, String)> {
    if text.is_empty() {
        return None;
    }
    match text.split_once('=') {
        Some((name, value))
            if is_token(name.trim())
                && !value.trim().is_empty()
                && !value.trim().starts_with('=') =>
        {
            Some((name.trim().to_ascii_lowercase(), unquote(value.trim())))
        }
        _ => Some((String::new(), text.to_owned())),
    }
}

fn unquote(value: &str) -> String {
    let Some(inner) = value.strip_prefix('"') else {
        return value.to_owned();
    };
    let mut text = String::new();
    let mut escaped = false;
    for c in inner.chars() {
        match c {
            _ if escaped => {
                text.push(c);
                escaped = false;
            }
            '\\' => escaped = true,
            '"' => break,
            _ => text.push(c),
        }
    }
    text
}

fn split_outside_quotes(header: &str) -> Vec<&str> {
    let (mut items, mut start, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, byte) in header.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                items.push(header.get(start..at).unwrap_or(""));
                start = at + 1;
            }
            _ => {}
        }
    }
    items.push(header.get(start..).unwrap_or(""));
    items
}
