//! What the command line may say.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  export PL_API_KEY=...                 an API key, or
  export PL_AUTH_CLIENT_ID=... PL_AUTH_CLIENT_SECRET=...
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

const CREDENTIAL: &str = "Credential (before environment and files)";
const CONNECTION: &str = "Connection";

fn timeout_help() -> String {
    format!("How long a token request may take in all [default: {}]", planetkey::DEFAULT_TIMEOUT_MS)
}
