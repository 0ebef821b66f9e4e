//! Errors of the command line. They repeat no value that could be a secret.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use planetkey::{Error, Status};

/// The longest value that is repeated.
const MAX_SHOWN: usize = 20;

/// What clap returns instead of arguments.
pub(crate) enum Answer {
    /// Help or version.
    Text(String),
    /// An error.
    Mistake(Error),
}

/// Sorts clap's errors.
pub(crate) fn answer(error: &clap::Error) -> Answer {
    let message = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            return Answer::Text(error.render().to_string());
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            "a command is missing".to_owned()
        }
        ErrorKind::InvalidSubcommand => {
            let message =
                format!("unknown command{}", shown(text(error, ContextKind::InvalidSubcommand)));
            with_suggestion(&message, error, ContextKind::SuggestedSubcommand)
        }
        ErrorKind::UnknownArgument => match text(error, ContextKind::InvalidArg) {
            Some(argument) if argument.starts_with('-') => {
                let name = argument.split('=').next().unwrap_or_default();
                with_suggestion(&format!("unknown option {name}"), error, ContextKind::SuggestedArg)
            }
            other => format!("unexpected argument{}", shown(other)),
        },
        ErrorKind::TooManyValues => match text(error, ContextKind::InvalidArg) {
            Some(option) => format!("{option} takes no value"),
            None => "too many values".to_owned(),
        },
        _ => {
            let message = first_paragraph(&error.render().to_string());
            match text(error, ContextKind::InvalidValue) {
                Some(value) if !value.is_empty() && shown(Some(value)).is_empty() => {
                    message.replace(&format!(" '{value}'"), "")
                }
                _ => message,
            }
        }
    };
    let message = format!("{message}; see `planetkey --help`");
    Answer::Mistake(Error::new(Status::InvalidArgument, message))
}

/// The value in quotes, if it is a word or a number and so no key or secret.
fn shown(value: Option<&str>) -> String {
    let is_word = |value: &str| value.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
    let is_number =
        |value: &str| value.bytes().all(|byte| byte.is_ascii_digit() || b"-.".contains(&byte));
    match value {
        Some(value)
            if (1..=MAX_SHOWN).contains(&value.len()) && (is_word(value) || is_number(value)) =>
        {
            format!(" '{value}'")
        }
        _ => String::new(),
    }
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text),
        ContextValue::Strings(texts) => texts.first().map(String::as_str),
        _ => None,
    }
}

fn with_suggestion(message: &str, error: &clap::Error, kind: ContextKind) -> String {
    let suggestion = match error.get(kind) {
        // clap sorts them by their likeness, the best one last.
        Some(ContextValue::Strings(texts)) => texts.last().map(String::as_str),
        _ => text(error, kind),
    };
    match suggestion {
        Some(suggestion) => format!("{message}, did you mean {suggestion}?"),
        None => message.to_owned(),
    }
}

/// clap's own message on one line, without the usage after it.
fn first_paragraph(rendered: &str) -> String {
    let lines = rendered.lines().take_while(|line| !line.trim().is_empty());
    let joined = lines.map(str::trim).collect::<Vec<_>>().join(" ");
    joined.strip_prefix("error: ").unwrap_or(&joined).to_owned()
}
