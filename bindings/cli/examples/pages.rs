//! Writes the manual pages of the command and its completions for bash, zsh and fish below a
//! directory, where an installation has them below `share`: `pages DIRECTORY`.

use std::io;
use std::path::Path;

use clap_complete::{Shell, generate};

const NAME: &str = "planetkey";

fn main() -> io::Result<()> {
    let Some(directory) = std::env::args_os().nth(1) else {
        return Err(io::Error::other("usage: pages DIRECTORY"));
    };
    let directory = Path::new(&directory);
    let pages = directory.join("man/man1");
    std::fs::create_dir_all(&pages)?;
    clap_mangen::generate_to(planetkey_cli::command_line(), &pages)?;
    for (shell, file) in [
        (Shell::Bash, "bash-completion/completions/planetkey"),
        (Shell::Zsh, "zsh/site-functions/_planetkey"),
        (Shell::Fish, "fish/vendor_completions.d/planetkey.fish"),
    ] {
        let file = directory.join(file);
        if let Some(parent) = file.parent() {
            std::fs::create_dir_all(parent)?;
        }
        let mut text = Vec::new();
        generate(shell, &mut planetkey_cli::command_line(), NAME, &mut text);
        std::fs::write(file, text)?;
    }
    Ok(())
}
