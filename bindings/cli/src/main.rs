//! The `planetkey` command.

use std::io;
use std::process::ExitCode;

use planetkey_cli::{StandardTerminal, Terminal, run_at};

/// A renewal that is under way when the command ends gets so long to keep what it is about to receive.
const SETTLE_MS: u64 = 5_000;

fn main() -> ExitCode {
    let terminal = StandardTerminal::of_this_process();
    let terminal = terminal.as_ref().map(|terminal| terminal as &dyn Terminal);
    let (mut stdin, mut stdout, mut stderr) = (io::stdin().lock(), io::stdout().lock(), io::stderr());
    let code = run_at(terminal, std::env::args_os(), &mut stdin, &mut stdout, &mut stderr);
    planetkey::session::settle(SETTLE_MS);
    ExitCode::from(code)
}
