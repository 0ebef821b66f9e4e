//! The command line.

use std::path::PathBuf;

use clap::builder::PossibleValuesParser;
use clap::{Args, Parser, Subcommand};
use planetkey::{Result, setting};

use crate::examples;

/// Authorize requests to the Planet Insights Platform: api.planet.com and services.sentinel-hub.com
#[derive(Parser)]
#[command(
    name = "planetkey",
    version = planetkey::VERSION,
    after_help = examples::ALL,
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
    #[command(after_help = examples::TOKEN)]
    PrintAccessToken {
        /// Print the token, its type, its expiry and its headers, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Print the API key
    #[command(after_help = examples::KEY)]
    PrintApiKey,
    /// Print the line `Authorization: ...` that a request to URL carries
    #[command(after_help = examples::HEADER)]
    Header {
        /// The URL that the request goes to
        url: String,
    },
    /// Print URL with the API key as its query parameter `api_key`
    #[command(after_help = examples::URL)]
    Url {
        /// The URL to complete; templates such as {z}/{x}/{y} stay as they are
        url: String,
    },
    /// Show which credentials were found where, and what each host gets
    #[command(after_help = examples::STATUS)]
    Status {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Log in as a user, or save an API key or an M2M client
    #[command(after_help = examples::LOGIN)]
    Login(Login),
    /// Show what the authorization server says about the user who is logged in
    #[command(after_help = examples::USERINFO)]
    Userinfo {
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show what the authorization server says about the access token, or another token
    #[command(after_help = examples::INTROSPECT)]
    Introspect {
        /// A file that contains the token; - is standard input
        #[arg(long, value_name = "PATH")]
        token_file: Option<PathBuf>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Refresh the access token now
    #[command(after_help = examples::REFRESH)]
    Refresh {
        /// Print the profile and when the new token expires, as JSON
        #[arg(long)]
        json: bool,
    },
    /// Revoke the refresh token and delete the tokens, for every process
    #[command(after_help = examples::LOGOUT)]
    Logout {
        /// Delete the tokens only, without network
        #[arg(long)]
        no_revoke: bool,
        /// Print what was deleted and whether it was revoked, as JSON
        #[arg(long)]
        json: bool,
    },
    /// List, show, choose, copy and delete profiles
    #[command(after_help = examples::PROFILE, disable_help_subcommand = true)]
    Profile {
        #[command(subcommand)]
        command: Profile,
    },
    /// Rename everything that is configured
    #[command(after_help = examples::RESET)]
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
            | Command::PrintAccessToken { json }
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
    #[command(after_help = examples::LIST)]
    List {
        /// Describe each profile
        #[arg(short, long)]
        long: bool,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Show a profile, without its secrets
    #[command(after_help = examples::SHOW)]
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
    #[command(after_help = examples::SET)]
    Set {
        /// The profile
        name: String,
    },
    /// Copy a profile under another name
    #[command(after_help = examples::COPY)]
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
    #[command(after_help = examples::DELETE)]
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
    /// Share tokens with all machines that name this store, a server that
    /// speaks the Redis protocol: redis://, rediss:// or redis+unix://;
    /// better PLANETKEY_STORE, because other users see this password
    #[arg(long, value_name = "URL", global = true, help_heading = STORAGE)]
    pub(crate) store: Option<String>,

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
