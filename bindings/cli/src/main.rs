//! The `planetkey` command.

use std::io::{self, Write};
use std::process::ExitCode;

use planetkey_cli::{Signals, StandardTerminal, Terminal, run_at};

fn main() -> ExitCode {
    planetkey_cli::core_dumps::switch_off();
    let terminal = StandardTerminal::of_this_process();
    let terminal = terminal.as_ref().map(|terminal| terminal as &dyn Terminal);
    let signals = Signals::of_this_process();
    let (mut stdin, mut stdout, mut stderr) =
        (io::stdin().lock(), io::stdout().lock(), io::stderr());
    let code =
        run_at(terminal, Some(&signals), std::env::args_os(), &mut stdin, &mut stdout, &mut stderr);
    if signals.came() && !planetkey::session::settle(std::time::Duration::ZERO) {
        // A terminal that is closed takes no text.
        let _ = writeln!(
            stderr,
            "planetkey: a request for tokens is in progress, and what it brings is saved or revoked first; Ctrl-C again ends it at once"
        );
    }
    // What a request in progress receives is saved, or revoked.
    planetkey_support::exit::wait();
    signals.obey();
    ExitCode::from(code)
}
