//! What the command line may say.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use planetkey::{Result, setting};

const EXAMPLES: &str = "\
Examples:
  planetkey login                       log in as a person, or
  export PL_API_KEY=...                 use an API key, or
  export PL_AUTH_CLIENT_ID=... PL_AUTH_CLIENT_SECRET=...
  planetkey login --with-api-key        or keep one of them for good
  planetkey status                      what was found, and what each host gets

  url=https://api.planet.com/basemaps/v1/mosaics
  header=$(planetkey header \"$url\") &&
      printf '%s\\n' \"$header\" | curl -H @- \"$url\"

Output is alone on standard output, everything else on standard error. The exit
code is the number of the error's status: 1 INVALID_ARGUMENT, 2 MISCONFIGURED,
3 LOGIN_REQUIRED, 4 DENIED, 5 HOST_REFUSED, 6 UNAVAILABLE, 7 TIMEOUT, ...";

const HEADER_EXAMPLES: &str = "\
Examples:
  url=https://services.sentinel-hub.com/api/v1/catalog/1.0.0/
  header=$(planetkey header \"$url\") &&
      printf '%s\\n' \"$header\" | curl -H @- \"$url\"

In this form no other user sees the credential in the list of processes, and
nothing is sent when there is none for this URL.";

const URL_EXAMPLES: &str = "\
Examples:
  planetkey url 'https://tiles.planet.com/basemaps/v1/planet-tiles/NAME/gmap/{z}/{x}/{y}.png'

A URL with a key in it ends up in logs and histories: prefer `planetkey header`
wherever a program can send a header.";

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

It uses no network and shows no secret.";

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

Without a credential in options or environment a person logs in, to the default
profile, else to planet-user. A session that is good stays as it is, and one
that can be renewed is renewed; only then somebody is asked, on standard error.

An API key is kept in the profile _PL_API_KEY, a client in planet-m2m-ID, unless
--profile names another. A client is tried out before anything is written.
Planet's own tools find all of them, too.";

const REFRESH_EXAMPLES: &str = "\
Examples:
  planetkey refresh
  planetkey refresh --profile planet-user --json";

const LOGOUT_EXAMPLES: &str = "\
Examples:
  planetkey logout
  planetkey logout --profile planet-user --json

The refresh token is given back to the authorization server. Where that cannot
be reached the session is forgotten all the same, and the message says that the
token may still be good. Every process that shares the session notices within a
second. The client of a profile stays, and so does an API key:
`planetkey profile delete` forgets those.";

const USERINFO_EXAMPLES: &str = "\
Examples:
  planetkey userinfo
  planetkey userinfo --json

More than the subject is told of sessions with the scopes openid, profile, email:
  planetkey login --force --scope planet --scope offline_access \\
      --scope openid --scope profile --scope email";

const INTROSPECT_EXAMPLES: &str = "\
Examples:
  planetkey introspect --json
  planetkey introspect --token-file token.txt

The answer is the authorization server's (RFC 7662), at this moment.";

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

It is written to ~/.planet.json, which Planet's own tools read, too. The options
of a command and the environment go before it.";

const COPY_EXAMPLES: &str = "\
Examples:
  planetkey profile copy planet-user second-account

The client is copied, with its secret if it has one. Tokens are not.";

const DELETE_EXAMPLES: &str = "\
Examples:
  planetkey profile delete second-account
  planetkey profile delete second-account --yes";

const RESET_EXAMPLES: &str = "\
Examples:
  planetkey reset
  planetkey reset --yes --json

~/.planet.json and ~/.planet are renamed, with the time behind their names, and
can be put back. Secrets in them stay on the disk until you delete them. The
authorization servers are not told.";

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
    /// Log in as a person, or keep an API key or a machine-to-machine client
    #[command(after_help = LOGIN_EXAMPLES)]
    Login(Login),
    /// Show what the authorization server says of the person who is logged in
    #[command(after_help = USERINFO_EXAMPLES)]
    Userinfo {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what the authorization server says of the access token, or of another token
    #[command(after_help = INTROSPECT_EXAMPLES)]
    Introspect {
        /// A file that holds the token to ask about; - is standard input
        #[arg(long, value_name = "PATH")]
        token_file: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Renew the access token now
    #[command(after_help = REFRESH_EXAMPLES)]
    Refresh {
        /// Print the profile and when the new token expires, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Give the refresh token back and forget the tokens, for every process
    #[command(after_help = LOGOUT_EXAMPLES)]
    Logout {
        /// Forget the tokens here only, without network
        #[arg(long)]
        no_revoke: bool,
        /// Print what was forgotten and whether it was revoked, as JSON
        #[arg(long)]
        json: bool,
    },
    /// List, show, choose, copy and delete profiles
    #[command(after_help = PROFILE_EXAMPLES, disable_help_subcommand = true)]
    Profile {
        #[command(subcommand)]
        command: Profile,
    },
    /// Put everything that is configured aside
    #[command(after_help = RESET_EXAMPLES)]
    Reset {
        /// Do not ask
        #[arg(short, long)]
        yes: bool,
        /// Print what was renamed, as JSON; asks nothing
        #[arg(long)]
        json: bool,
    },
}

impl Command {
    /// Whether a program reads the output: it is told nothing else, and asked nothing.
    pub(crate) fn is_for_program(&self) -> bool {
        match self {
            Command::Login(Login { json, .. })
            | Command::Status { json }
            | Command::Refresh { json }
            | Command::Userinfo { json }
            | Command::Introspect { json, .. }
            | Command::Logout { json, .. }
            | Command::Reset { json, .. }
            | Command::Profile { command: Profile::List { json, .. } | Profile::Show { json, .. } } => *json,
            _ => false,
        }
    }
}

/// What `login` takes beside the credential.
#[derive(Args)]
pub(crate) struct Login {
    #[command(flatten)]
    pub(crate) person: Person,
    /// A scope that the tokens are to have; can be repeated
    #[arg(long = "scope", value_name = "SCOPE")]
    pub(crate) scopes: Vec<String>,
    /// Make the profile the default one, without asking
    #[arg(short, long)]
    pub(crate) yes: bool,
    /// Keep another default profile, without asking
    #[arg(short, long, conflicts_with = "yes")]
    pub(crate) no: bool,
    /// Print what came of it, as JSON; asks nothing
    #[arg(long)]
    pub(crate) json: bool,
    /// Log in with an API key: that of the environment, else ask for it
    #[arg(long, help_heading = KEEP)]
    pub(crate) with_api_key: bool,
    /// Keep the client without trying it out, and without network
    #[arg(long, help_heading = KEEP)]
    pub(crate) no_verify: bool,
    /// Encrypt what is kept with the program sops
    #[arg(long, help_heading = KEEP)]
    pub(crate) sops: bool,
}

/// How a person logs in.
#[derive(Args)]
pub(crate) struct Person {
    /// With a code, on any device
    #[arg(long, conflicts_with = "browser", help_heading = PERSON)]
    pub(crate) device: bool,
    /// In the browser of this machine, or the program that BROWSER names
    #[arg(long, help_heading = PERSON)]
    pub(crate) browser: bool,
    /// Open a browser even where there seems to be none
    #[arg(long, help_heading = PERSON)]
    pub(crate) open_browser: bool,
    /// Open no browser; say what to open
    #[arg(long, conflicts_with = "open_browser", help_heading = PERSON)]
    pub(crate) no_open_browser: bool,
    /// Show the address for the code as a QR code, too
    #[arg(long, help_heading = PERSON)]
    pub(crate) show_qr_code: bool,
    /// Ask even where the session is good
    #[arg(long, help_heading = PERSON)]
    pub(crate) force: bool,
    /// Let somebody else take the place of whose session is saved
    #[arg(long, help_heading = PERSON)]
    pub(crate) allow_other_user: bool,
    /// How long to wait for the person [default: 300 in the browser, else as long as the code is good]
    #[arg(long, value_name = "SECONDS", help_heading = PERSON)]
    pub(crate) wait_s: Option<u64>,
}

impl Person {
    /// Whether any of it was said.
    pub(crate) fn is_named(&self) -> bool {
        let Person { device, browser, open_browser, no_open_browser, show_qr_code, force, allow_other_user, wait_s } = self;
        let switches = [device, browser, open_browser, no_open_browser, show_qr_code, force, allow_other_user];
        switches.into_iter().any(|switch| *switch) || wait_s.is_some()
    }
}

/// The commands of `profile`.
#[derive(Subcommand)]
pub(crate) enum Profile {
    /// List the profiles
    #[command(after_help = LIST_EXAMPLES)]
    List {
        /// Say of each what it is
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
    /// Choose the profile to use where none is named
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
    /// Use this profile, whatever the environment says
    #[arg(long, visible_alias = "auth-profile", value_name = "NAME", global = true, help_heading = CREDENTIAL)]
    pub(crate) profile: Option<String>,
    /// Use this machine-to-machine client; needs its secret, too
    #[arg(long, value_name = "ID", global = true, help_heading = CREDENTIAL)]
    pub(crate) auth_client_id: Option<String>,
    /// The client's secret; others on this machine see it, the file is better
    #[arg(long, value_name = "SECRET", global = true, help_heading = CREDENTIAL)]
    pub(crate) auth_client_secret: Option<String>,
    /// A file that holds the client's secret; - is standard input
    #[arg(long, value_name = "PATH", global = true, help_heading = CREDENTIAL)]
    pub(crate) auth_client_secret_file: Option<PathBuf>,
    /// Use this API key; others on this machine see it, the file is better
    #[arg(long, value_name = "KEY", global = true, help_heading = CREDENTIAL)]
    pub(crate) auth_api_key: Option<String>,
    /// A file that holds the API key; - is standard input
    #[arg(long, value_name = "PATH", global = true, help_heading = CREDENTIAL)]
    pub(crate) auth_api_key_file: Option<PathBuf>,
    /// How the API key that these options name travels; basic unless said
    #[arg(
        long,
        value_name = "FORM",
        global = true,
        help_heading = CREDENTIAL,
        value_parser = PossibleValuesParser::new(["basic", "header", "query"])
    )]
    pub(crate) api_key_transport: Option<String>,

    /// Keep sessions and profiles in this directory instead of the home
    /// directory, whose configuration is still read where this one has
    /// none; the same as PLANETKEY_STORAGE_ROOT
    #[arg(long, value_name = "DIR", global = true, help_heading = STORAGE)]
    pub(crate) storage_root: Option<String>,
    /// Keep no tokens on disk, and use none that are there
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
    /// Allow plain http to this machine, for tests; the same as
    /// PLANETKEY_ALLOW_INSECURE_LOOPBACK=1
    #[arg(long, global = true, help_heading = CONNECTION)]
    pub(crate) allow_insecure_loopback: bool,

    /// Say on standard error what happens; twice says more
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub(crate) verbose: u8,
}

impl Shared {
    /// What was quoted or pasted wrongly is said with the name of its option. Errors: INVALID_ARGUMENT.
    pub(crate) fn check(&self) -> Result<()> {
        let named = [
            ("--profile", &self.profile),
            ("--auth-client-id", &self.auth_client_id),
            ("--auth-client-secret", &self.auth_client_secret),
            ("--auth-api-key", &self.auth_api_key),
        ];
        named.into_iter().try_for_each(|(option, value)| setting::check(option, value.as_deref().unwrap_or_default()))
    }
}

const PERSON: &str = "Logins of people";
const KEEP: &str = "API keys and machine-to-machine clients";
const CREDENTIAL: &str = "Credential (before environment and files)";
const STORAGE: &str = "Storage";
const CONNECTION: &str = "Connection";

fn timeout_help() -> String {
    format!("How long a token request may take in all [default: {}]", planetkey::DEFAULT_TIMEOUT_MS)
}
