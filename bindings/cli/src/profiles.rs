//! `planetkey profile` and `planetkey reset`.

use planetkey::clock::SystemClock;
use planetkey::profile::Profiles;
use planetkey::profile::list::{Listed, Summary};
use planetkey::{Error, Result, Status};
use serde_json::{Value, json};

use crate::arguments::{Profile, Shared};
use crate::session::{encryption, options};
use crate::streams::{Streams, mistake};
use crate::text::{self, line, line_at, optional, printable, validity};

/// Runs a `profile` command.
pub(crate) fn run(command: &Profile, shared: &Shared, streams: &mut Streams<'_>) -> Result<String> {
    let profiles = open(shared)?;
    if shared.profile.is_some() && !matches!(command, Profile::Show { name: None, .. }) {
        return Err(mistake(
            "--profile is for other commands; write the profile's name after this one",
        ));
    }
    match command {
        Profile::List { long, json } => list(&profiles, *long, *json),
        Profile::Show { name, reveal_secrets, json } => {
            let chosen =
                name.clone().or_else(|| shared.profile.clone()).or_else(|| profiles.selected());
            let name =
                chosen.ok_or_else(|| mistake("there is no default profile; name a profile"))?;
            show(&profiles, &name, *reveal_secrets, *json)
        }
        Profile::Set { name } => {
            profiles.set_default(name)?;
            streams.say(&format!("{name} is now the default profile"));
            Ok(String::new())
        }
        Profile::Copy { from, to, sops } => {
            let file = profiles.copy(from, to, encryption(*sops))?;
            streams.say(&format!("copied {from} to {}", file.display()));
            Ok(String::new())
        }
        Profile::Delete { name, yes } => {
            let question = format!("Delete the profile {name} with its tokens?");
            confirmed(*yes, &question, "confirm the deletion with --yes", streams)?;
            profiles.delete(name)?;
            streams.say(&format!("deleted {name}"));
            Ok(String::new())
        }
    }
}

/// Renames everything that is configured.
pub(crate) fn reset(
    yes: bool,
    json: bool,
    shared: &Shared,
    streams: &mut Streams<'_>,
) -> Result<String> {
    let profiles = open(shared)?;
    if shared.profile.is_some() {
        return Err(mistake(
            "a reset is for all profiles; to delete one run `planetkey profile delete NAME`",
        ));
    }
    let place = profiles.root().place()?.display().to_string();
    let question = format!("Rename .planet.json and .planet of {place}, with all profiles?");
    confirmed(yes, &question, "confirm the reset with --yes", streams)?;
    let moved = profiles.reset(&SystemClock)?;
    if moved.is_empty() {
        streams.say("nothing is configured, so nothing was renamed");
    }
    for moved in &moved {
        streams.say(&format!("renamed {} to {}", moved.from.display(), moved.to.display()));
    }
    if !json {
        return Ok(String::new());
    }
    let moved = moved.iter().map(|moved| json!({"from": moved.from.display().to_string(), "to": moved.to.display().to_string()}));
    Ok(text::json(&Value::from_iter(moved)))
}

fn open(shared: &Shared) -> Result<Profiles> {
    let credential = [
        &shared.auth_client_id,
        &shared.auth_client_secret,
        &shared.auth_api_key,
        &shared.api_key_transport,
    ];
    let files = [&shared.auth_client_secret_file, &shared.auth_api_key_file];
    if credential.iter().any(|option| option.is_some())
        || files.iter().any(|option| option.is_some())
    {
        return Err(mistake("this command uses no credential; leave the --auth options out"));
    }
    options(shared).profiles()
}

fn confirmed(yes: bool, question: &str, instead: &str, streams: &mut Streams<'_>) -> Result<()> {
    // Nothing slow follows, so from now on Ctrl-C may cancel instead of ending the process.
    if let Some(terminal) = streams.terminal_of_user().filter(|_| !yes) {
        let _ = terminal.interrupt();
    }
    if yes || streams.confirm(question, instead)? {
        return Ok(());
    }
    Err(Error::new(Status::Cancelled, "nothing was changed"))
}

fn list(profiles: &Profiles, long: bool, json: bool) -> Result<String> {
    let mut listed = profiles.list().collect::<Result<Vec<_>>>()?;
    listed.sort_by(|one, other| one.name.cmp(&other.name));
    if !long {
        return Ok(if json {
            text::json(&listed.iter().map(entry).collect())
        } else {
            short(&listed)
        });
    }
    let summaries =
        listed.iter().map(|listed| profiles.summary(&listed.name)).collect::<Result<Vec<_>>>()?;
    if json {
        return Ok(text::json(&summaries.iter().map(Summary::to_json).collect()));
    }
    let described: Vec<_> = summaries.iter().map(describe).collect();
    Ok(described.join("\n"))
}

fn entry(listed: &Listed) -> Value {
    json!({"name": listed.name, "built_in": listed.built_in, "selected": listed.selected})
}

fn short(listed: &[Listed]) -> String {
    let mark = |selected| if selected { '*' } else { ' ' };
    listed
        .iter()
        .map(|listed| format!("{} {}\n", mark(listed.selected), printable(&listed.name)))
        .collect()
}

fn describe(summary: &Summary) -> String {
    let mut text = String::new();
    let marks = [(summary.built_in, "built in"), (summary.selected, "the default")];
    let marks: Vec<_> = marks.into_iter().filter_map(|(is, mark)| is.then_some(mark)).collect();
    text.push_str(&printable(&summary.name));
    if !marks.is_empty() {
        text.push_str(&format!(" ({})", marks.join(", ")));
    }
    text.push('\n');
    optional(&mut text, "   type", summary.client_type.as_deref());
    optional(&mut text, "   client", summary.client_id.as_deref());
    optional(&mut text, "   issuer", summary.issuer.as_deref());
    line(&mut text, "   session", &session(summary));
    optional(
        &mut text,
        "   file",
        summary.file.as_ref().map(|file| file.display().to_string()).as_deref(),
    );
    optional(&mut text, "   problem", summary.problem.as_deref());
    text
}

fn session(summary: &Summary) -> String {
    match summary.expires_at {
        _ if !summary.has_session => "none".to_owned(),
        None if summary.problem.is_some() => {
            "saved, but may not be usable: see the problem".to_owned()
        }
        None => "saved".to_owned(),
        Some(end) => validity(end).map_or_else(
            || "saved; its access token has expired".to_owned(),
            |valid| format!("saved; {valid}"),
        ),
    }
}

fn show(profiles: &Profiles, name: &str, reveal: bool, json: bool) -> Result<String> {
    let shown = profiles.show(name, reveal)?;
    if json {
        return Ok(text::json(&shown));
    }
    let mut text = describe(&profiles.summary(name)?);
    text.push_str("\nClient configuration\n");
    let config = shown.get("config").and_then(Value::as_object);
    let names = config.into_iter().flatten().map(|(name, _)| name.chars().count());
    let indent = "   ".len() + names.max().unwrap_or_default() + 1;
    for (member, value) in config.into_iter().flatten() {
        let value = match value {
            Value::String(value) => value.clone(),
            other => other.to_string(),
        };
        line_at(&mut text, indent, &format!("   {}", printable(member)), &value);
    }
    Ok(text)
}
