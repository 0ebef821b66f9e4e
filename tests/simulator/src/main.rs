//! The simulator as a program.

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus};
use std::thread;

use clap::Parser;
use planetkey_simulator::{Ports, Settings, Simulator};

/// Plays the Planet Insights Platform on the loopback interface, for tests.
///
/// Without COMMAND it prints one line of JSON with every URL, path and credential, and serves until
/// a signal ends it. With COMMAND it runs the program in an environment that points to the
/// simulator, and exits with its exit code.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// Where to write deployment.json, ca.pem and environment.sh [default: a temporary directory]
    #[arg(long, value_name = "DIR")]
    directory: Option<PathBuf>,
    /// The registered M2M client
    #[arg(long, value_name = "ID", default_value_t = Settings::default().client_id)]
    client_id: String,
    /// Its secret
    #[arg(long, value_name = "SECRET", default_value_t = Settings::default().client_secret)]
    client_secret: String,
    /// The API key that the Planet API accepts
    #[arg(long, value_name = "KEY", default_value_t = Settings::default().api_key)]
    api_key: String,
    /// Lifetime of access tokens
    #[arg(long, value_name = "SECONDS", default_value_t = Settings::default().token_lifetime)]
    token_lifetime: u64,
    /// Port of the authorization server for M2M clients
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    m2m_port: u16,
    /// Port of the authorization server for users
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    user_port: u16,
    /// Port of the server that plays api.planet.com
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    planet_api_port: u16,
    /// Port of the server that plays services.sentinel-hub.com
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    sentinel_hub_api_port: u16,
    /// Port of the control API
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    control_port: u16,
    /// Port of the HTTPS proxy
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    proxy_port: u16,
    /// Port of the authorization server over TLS
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    tls_port: u16,
    /// Exit when standard input ends
    #[arg(long, conflicts_with = "command")]
    until_stdin_closes: bool,
    /// The program to run, with its arguments
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("planetkey-simulator: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> io::Result<ExitCode> {
    let simulator = Simulator::start(Settings {
        client_id: arguments.client_id,
        client_secret: arguments.client_secret,
        api_key: arguments.api_key,
        token_lifetime: arguments.token_lifetime,
        ports: Ports {
            m2m: arguments.m2m_port,
            user: arguments.user_port,
            planet_api: arguments.planet_api_port,
            sentinel_hub_api: arguments.sentinel_hub_api_port,
            control: arguments.control_port,
            proxy: arguments.proxy_port,
            tls: arguments.tls_port,
        },
        directory: arguments.directory,
    })?;
    if let Some((program, rest)) = arguments.command.split_first() {
        let mut command = Command::new(program);
        command.args(rest).envs(simulator.environment());
        for name in Simulator::removed_environment() {
            command.env_remove(name);
        }
        if io::stdin().is_terminal() && io::stderr().is_terminal() {
            eprintln!("planetkey-simulator: {program} uses the simulator until it exits");
        }
        let status = command
            .status()
            .map_err(|error| io::Error::new(error.kind(), format!("{program}: {error}")))?;
        return Ok(exit_code(status));
    }
    let mut output = io::stdout().lock();
    writeln!(output, "{}", simulator.description())?;
    output.flush()?;
    if arguments.until_stdin_closes {
        io::copy(&mut io::stdin().lock(), &mut io::sink())?;
        return Ok(ExitCode::SUCCESS);
    }
    // A signal ends the process.
    loop {
        thread::park();
    }
}

/// The program's exit code, or 128 plus the number of the signal that ended it, as in a shell.
fn exit_code(status: ExitStatus) -> ExitCode {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return ExitCode::from(u8::try_from(128 + signal).unwrap_or(u8::MAX));
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    ExitCode::from(code.unwrap_or(u8::MAX))
}
