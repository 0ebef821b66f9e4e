//! The command line.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use planetkey::{Result, setting};

const EXAMPLES: &str = "\
Examples:
  planetkey login                       log in as a user, or
  export PL_API_KEY=...                 use an API key, or
  export PL_AUTH_CLIENT_ID=... PL_AUTH_CLIENT_SECRET=...
  planetkey login --with-api-key        save one of them
  planetkey status                      show what was found, and what each host gets

  url=https://api.planet.com/basemaps/v1/mosaics
  header=$(planetkey header \"$url\") &&
      printf '%s\\n' \"$header\" | curl -H @- \"$url\"

The result is alone on standard output, everything else on standard error. The
exit code is the number of the error's status: 1 INVALID_ARGUMENT, 2 MISCONFIGURED,
3 LOGIN_REQUIRED, 4 DENIED, 5 HOST_REFUSED, 6 UNAVAILABLE, 7 TIMEOUT, ...";

const HEADER_EXAMPLES: &str = "\
Examples:
  url=https://services.sentinel-hub.com/api/v1/catalog/1.0.0/
  header=$(planetkey header \"$url\") &&
      printf '%s\\n' \"$header\" | curl -H @- \"$url\"

In this form the list of processes does not show the credential to other users,
and nothing is sent if there is none for this URL.";

const URL_EXAMPLES: &str = "\
Examples:
  planetkey url 'https://tiles.planet.com/basemaps/v1/planet-tiles/NAME/gmap/{z}/{x}/{y}.png'

A URL with a key in it ends up in logs and histories. Use `planetkey header` if
the program can send a header.";

const TOKEN_EXAMPLES: &str = "\
Examples:
  token=$(planetkey print-access-token) &&
      printf 'Authorization: Bearer %s\\n' \"$token\" |
      curl -H @- https://services.sentinel-hub.com/api/v1/catalog/1.0.0/

`planetkey header URL` does the same and also checks that the token may go there.";

const KEY_EXAMPLES: &str = "\
Examples:
  key=$(planetkey print-api-key)
  planetkey --auth-api-key-file key.txt print-api-key";

const STATUS_EXAMPLES: &str = "\
Examples:
  planetkey status
  planetkey status --json
  planetkey --deployment copernicus-data-space status

The command uses no network and shows no secret.";

const LOGIN_EXAMPLES: &str = "\
Examples:
  planetkey login                           in the browser, or with a code
  planetkey login --device --show-qr-code   with a code, on any device
  planetkey login --profile second-account --force
  planetkey login --with-api-key            asks for the key
  planetkey login --auth-api-key-file key.txt
  planetkey login --auth-client-id ID       asks for the client's secret
  pass show planet/secret |
      planetkey login --auth-client-id ID --auth-client-secret-file - --yes

Without a credential in options or environment a user logs in, to the default
profile, else to planet-user. A valid session stays as it is, and an expired one
is refreshed. Otherwise planetkey prompts on standard error. Ctrl-C cancels.

An API key is saved in the profile _PL_API_KEY, a client in planet-m2m-ID, unless
--profile names another. A client is verified before anything is written.
Planet's own tools use all of them, too.";

const REFRESH_EXAMPLES: &str = "\
Examples:
  planetkey refresh
  planetkey refresh --profile planet-user --json";

const LOGOUT_EXAMPLES: &str = "\
Examples:
  planetkey logout
  planetkey logout --profile planet-user --json

The authorization server revokes the refresh token. If it cannot be reached the
session is deleted nevertheless, and the message says that the token may still
be valid. Every process that shares the session notices within a second. The
client of a profile and an API key stay: `planetkey profile delete` deletes them.";

const USERINFO_EXAMPLES: &str = "\
Examples:
  planetkey userinfo
  planetkey userinfo --json

More than the subject needs the scopes openid, profile and email:
  planetkey login --force --scope planet --scope offline_access \\
      --scope openid --scope profile --scope email";

const INTROSPECT_EXAMPLES: &str = "\
Examples:
  planetkey introspect --json
  planetkey introspect --token-file token.txt

The output is the response of the authorization server (RFC 7662).";

const PROFILE_EXAMPLES: &str = "\
Examples:
  planetkey profile list --long
  planetkey profile set planet-user
  planetkey profile copy planet-user second-account

Profiles are the directories of ~/.planet, shared with Planet's own tools.";

const LIST_EXAMPLES: &str = "\
Examples:
  planetkey profile list
  planetkey profile list --long --json

The default profile is marked with *. No secret is shown.";

const SHOW_EXAMPLES: &str = "\
Examples:
  planetkey profile show
  planetkey profile show planet-user --json";

const SET_EXAMPLES: &str = "\
Examples:
  planetkey profile set planet-user

The name is written to ~/.planet.json, which Planet's own tools read, too. The
options of a command and the environment take precedence.";

const COPY_EXAMPLES: &str = "\
Examples:
  planetkey profile copy planet-user second-account

The client is copied, with its secret if it has one. Tokens are not copied.";

const DELETE_EXAMPLES: &str = "\
Examples:
  planetkey profile delete second-account
  planetkey profile delete second-account --yes";

const RESET_EXAMPLES: &str = "\
Examples:
  planetkey reset
  planetkey reset --yes --json

~/.planet.json and ~/.planet are renamed, with the time added to their names, and
can be renamed back. Secrets in them stay on the disk until you delete them.
Nothing is revoked.";

/// Authorize requests to the Planet Insights Platform: api.planet.com and services.sentinel-hub.com
#[derive(Parser)]
#[command(
    name = "planetkey",
    version = planetkey::VERSION,
    after_help = EXAMPLES,
    max_term_width = 80,
    infer_subcommands = false,
    disable_help_subcommand = true
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) shared: Shared,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Print an access token that is valid now
    #[command(after_help = TOKEN_EXAMPLES)]
    PrintAccessToken,
    /// Print the API key
    #[command(after_help = KEY_EXAMPLES)]
    PrintApiKey,
    /// Print the line `Authorization: ...` that a request to URL carries
    #[command(after_help = HEADER_EXAMPLES)]
    Header {
        /// The URL that the request goes to
        url: String,
    },
    /// Print URL with the API key as its query parameter `api_key`
    #[command(after_help = URL_EXAMPLES)]
    Url {
        /// The URL to complete; templates such as {z}/{x}/{y} stay as they are
        url: String,
    },
    /// Show which credentials were found where, and what each host gets
    #[command(after_help = STATUS_EXAMPLES)]
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Log in as a user, or save an API key or an M2M client
    #[command(after_help = LOGIN_EXAMPLES)]
    Login(Login),
    /// Show what the authorization server says about the user who is logged in
    #[command(after_help = USERINFO_EXAMPLES)]
    Userinfo {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what the authorization server says about the access token, or another token
    #[command(after_help = INTROSPECT_EXAMPLES)]
    Introspect {
        /// A file that contains the token; - is standard input
        #[arg(long, value_name = "PATH")]
        token_file: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Refresh the access token now
    #[command(after_help = REFRESH_EXAMPLES)]
    Refresh {
        /// Print the profile and when the new token expires, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke the refresh token and delete the tokens, for every process
    #[command(after_help = LOGOUT_EXAMPLES)]
    Logout {
        /// Delete the tokens only, without network
        #[arg(long)]
        no_revoke: bool,
        /// Print what was deleted and whether it was revoked, as JSON
        #[arg(long)]
        json: bool,
    },
    /// List, show, choose, copy and delete profiles
    #[command(after_help = PROFILE_EXAMPLES, disable_help_subcommand = true)]
    Profile {
        #[command(subcommand)]
        command: Profile,
    },
    /// Rename everything that is configured
    #[command(after_help = RESET_EXAMPLES)]
    Reset {
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// Print what was renamed, as JSON, without a prompt
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    /// Whether a program reads the output: there are no messages and no prompts.
    pub(crate) fn is_for_program(&self) -> bool {
        match self {
            Command::Login(Login { json, .. })
            | Command::Status { json }
            | Command::Refresh { json }
            | Command::Userinfo { json }
            | Command::Introspect { json, .. }
            | Command::Logout { json, .. }
            | Command::Reset { json, .. }
            | Command::Profile {
                command: Profile::List { json, .. } | Profile::Show { json, .. },
            } => *json,
            _ => false,
        }
    }
}

/// The options of `login` beside the credential.
#[derive(Args)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) user: UserLogin,
    /// A scope to request; can be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// Make the profile the default, without a prompt
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Keep the default profile, without a prompt
    #[arg(short, long, conflicts_with = "yes")]
    pub(crate) no: bool,
    /// Print the result as JSON, without a prompt
    #[arg(long)]
    pub(crate) json: bool,
    /// Log in with an API key: that of the environment, else one that is prompted for
    #[arg(long, help_heading = SAVED)]
    pub(crate) with_api_key: bool,
    /// Save the client without verifying it, and without network
    #[arg(long, help_heading = SAVED)]
    pub(crate) no_verify: bool,
    /// Encrypt what is saved with the program sops
    #[arg(long, help_heading = SAVED)]
    pub(crate) sops: bool,
}

/// How a user logs in.
#[derive(Args)]
pub(crate) struct UserLogin {
    /// With a code, on any device
    #[arg(long, conflicts_with = "browser", help_heading = USER)]
    pub(crate) device: bool,
    /// In the browser of this machine, or the program that BROWSER names
    #[arg(long, help_heading = USER)]
    pub(crate) browser: bool,
    /// Open a browser even if there seems to be none
    #[arg(long, help_heading = USER)]
    pub(crate) open_browser: bool,
    /// Open no browser; show what to open
    #[arg(long, conflicts_with = "open_browser", help_heading = USER)]
    pub(crate) no_open_browser: bool,
    /// Show the address of the code as a QR code, too
    #[arg(long, help_heading = USER)]
    pub(crate) show_qr_code: bool,
    /// Log in even if the session is valid
    #[arg(long, help_heading = USER)]
    pub(crate) force: bool,
    /// Let a different user replace the saved session
    #[arg(long, help_heading = USER)]
    pub(crate) allow_other_user: bool,
    /// How long to wait for the user [default: 300 in the browser, else as long as the code is
    /// valid]
    #[arg(long, value_name = "SECONDS", help_heading = USER)]
    pub(crate) wait_s: Option<u64>,
}

impl UserLogin {
    /// Whether any of the options was given.
    pub(crate) fn is_named(&self) -> bool {
        let UserLogin {
            device,
            browser,
            open_browser,
            no_open_browser,
            show_qr_code,
            force,
            allow_other_user,
            wait_s,
        } = self;
        let switches =
            [device, browser, open_browser, no_open_browser, show_qr_code, force, allow_other_user];
        switches.into_iter().any(|switch| *switch) || wait_s.is_some()
    }
}

/// The commands of `profile`.
#[derive(Subcommand)]
pub(crate) enum Profile {
    /// List the profiles
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// Describe each profile
        #[arg(short, long)]
        long: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a profile, without its secrets
    #[command(after_help = SHOW_EXAMPLES)]
    Show {
        /// The profile; the default one if left out
        name: Option<String>,
        /// Show secrets, too
        #[arg(long)]
        reveal_secrets: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Choose the profile to use if none is named
    #[command(after_help = SET_EXAMPLES)]
    Set {
        /// The profile
        name: String,
    },
    /// Copy a profile under another name
    #[command(after_help = COPY_EXAMPLES)]
    Copy {
        /// The profile to copy
        #[arg(value_name = "SRC")]
        from: String,
        /// The name of the copy
        #[arg(value_name = "DST")]
        to: String,
        /// Encrypt the copy with the program sops
        #[arg(long)]
        sops: bool,
    },
    /// Delete a profile with its tokens
    #[command(after_help = DELETE_EXAMPLES)]
    Delete {
        /// The profile
        name: String,
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
    },
}

/// The options of every command. No `Debug`: some hold secrets.
#[derive(Args)]
pub(crate) struct Shared {
    /// Use this profile; takes precedence over the environment
    #[arg(long, visible_alias = "auth-profile", value_name = "NAME", global = true, help_heading = CREDENTIAL)]
    pub(crate) profile: Option<String>,
    /// Use this M2M client; needs its secret, too
    #[arg(long, value_name = "ID", global = true, help_heading = CREDENTIAL)]
    pub(crate) auth_client_id: Option<String>,
    /// The client's secret; other users of this machine see it, so prefer a file
    #[arg(long, value_name = "SECRET", global = true, help_heading = CREDENTIAL)]
    pub(crate) auth_client_secret: Option<String>,
    /// A file that contains the client's secret; - is standard input
    #[arg(long, value_name = "PATH", global = true, help_heading = CREDENTIAL)]
    pub(crate) auth_client_secret_file: Option<PathBuf>,
    /// Use this API key; other users of this machine see it, so prefer a file
    #[arg(long, value_name = "KEY", global = true, help_heading = CREDENTIAL)]
    pub(crate) auth_api_key: Option<String>,
    /// A file that contains the API key; - is standard input
    #[arg(long, value_name = "PATH", global = true, help_heading = CREDENTIAL)]
    pub(crate) auth_api_key_file: Option<PathBuf>,
    /// How the API key of these options is sent [default: basic]
    #[arg(
        long,
        value_name = "FORM",
        global = true,
        help_heading = CREDENTIAL,
        value_parser = PossibleValuesParser::new(["basic", "header", "query"])
    )]
    pub(crate) api_key_transport: Option<String>,

    /// Save sessions and profiles in this directory instead of the home
    /// directory, whose configuration is still read if this one has
    /// none; the same as PLANETKEY_STORAGE_ROOT
    #[arg(long, value_name = "DIR", global = true, help_heading = STORAGE)]
    pub(crate) storage_root: Option<String>,
    /// Save no tokens, and use no saved ones
    #[arg(long, global = true, help_heading = STORAGE)]
    pub(crate) no_save: bool,

    /// The API hosts and their authorization servers: planet,
    /// copernicus-data-space, or the path or text of a JSON document
    #[arg(long, value_name = "DEPLOYMENT", global = true, help_heading = CONNECTION)]
    pub(crate) deployment: Option<String>,
    /// One more host that may get the credential; can be repeated
    #[arg(long = "allowed-host", value_name = "HOST", global = true, help_heading = CONNECTION)]
    pub(crate) allowed_hosts: Vec<String>,
    #[arg(long, value_name = "MS", global = true, help_heading = CONNECTION, help = timeout_help())]
    pub(crate) timeout_ms: Option<u64>,
    /// A file of PEM certificates to trust beside the system's
    #[arg(long, value_name = "PATH", global = true, help_heading = CONNECTION)]
    pub(crate) ca_file: Option<String>,
    /// The proxy for token requests
    #[arg(long, value_name = "URL", global = true, help_heading = CONNECTION)]
    pub(crate) proxy: Option<String>,
    /// Allow plain http to the loopback interface, for tests; the same as
    /// PLANETKEY_ALLOW_INSECURE_LOOPBACK=1
    #[arg(long, global = true, help_heading = CONNECTION)]
    pub(crate) allow_insecure_loopback: bool,

    /// Show log records on standard error; twice shows more
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
}

impl Shared {
    /// Checks the values, so that an error names the option. Errors: INVALID_ARGUMENT.
    pub(crate) fn check(&self) -> Result<()> {
        let named = [
            ("--profile", &self.profile),
            ("--auth-client-id", &self.auth_client_id),
            ("--auth-client-secret", &self.auth_client_secret),
            ("--auth-api-key", &self.auth_api_key),
        ];
        named.into_iter().try_for_each(|(option, value)| {
            setting::check(option, value.as_deref().unwrap_or_default())
        })
    }
}

const USER: &str = "Logins of users";
const SAVED: &str = "API keys and M2M clients";
const CREDENTIAL: &str = "Credential (before environment and files)";
const STORAGE: &str = "Storage";
const CONNECTION: &str = "Connection";

fn timeout_help() -> String {
    format!(
        "How long a token request may take in total, in milliseconds [default: {}]",
        planetkey::DEFAULT_TIMEOUT.as_millis()
    )
}
