//! Mistakes on the command line, told without repeating what could be a secret.

use clap::error::{ContextKind, ContextValue, ErrorKind};
use planetkey::{Error, Status};

/// What clap has to say instead of arguments.
pub(crate) enum Answer {
    /// Help or version: what was asked for.
    Text(String),
    /// A mistake.
    Mistake(Error),
}

/// Sorts clap's errors.
pub(crate) fn answer(error: &clap::Error) -> Answer {
    let message = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            return Answer::Text(error.render().to_string());
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => "a command is missing".to_owned(),
        // What is in the wrong place can be a key or a secret.
        ErrorKind::InvalidSubcommand => with_suggestion("no such command", error, ContextKind::SuggestedSubcommand),
        ErrorKind::UnknownArgument => match text(error, ContextKind::InvalidArg) {
            Some(argument) if argument.starts_with('-') => {
                let name = argument.split('=').next().unwrap_or_default();
                let message = format!("no such option: {name}");
                with_suggestion(&message, error, ContextKind::SuggestedArg)
            }
            _ => "one argument too many".to_owned(),
        },
        ErrorKind::TooManyValues => match text(error, ContextKind::InvalidArg) {
            Some(option) => format!("{option} takes no value"),
            None => "one value too many".to_owned(),
        },
        _ => {
            let message = first_paragraph(&error.render().to_string());
            match text(error, ContextKind::InvalidValue) {
                Some(value) if !value.is_empty() => message.replace(&format!(" '{value}'"), ""),
                _ => message,
            }
        }
    };
    let message = format!("{message}; see planetkey --help");
    Answer::Mistake(Error::new(Status::InvalidArgument, message))
}

fn text(error: &clap::Error, kind: ContextKind) -> Option<&str> {
    match error.get(kind)? {
        ContextValue::String(text) => Some(text),
        ContextValue::Strings(texts) => texts.first().map(String::as_str),
        _ => None,
    }
}

fn with_suggestion(message: &str, error: &clap::Error, kind: ContextKind) -> String {
    match text(error, kind) {
        Some(suggestion) => format!("{message}, did you mean {suggestion}?"),
        None => message.to_owned(),
    }
}

/// clap's own message on one line, without the usage that follows it.
fn first_paragraph(rendered: &str) -> String {
    let lines = rendered.lines().take_while(|line| !line.trim().is_empty());
    let joined = lines.map(str::trim).collect::<Vec<_>>().join(" ");
    joined.strip_prefix("error: ").unwrap_or(&joined).to_owned()
}
