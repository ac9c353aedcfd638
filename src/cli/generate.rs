//! Completions and the manual page, from the same definitions as the command line.

use std::io;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Outcome;
use super::arguments::Arguments;

/// Prints a completion script.
pub fn completions(shell: Shell) -> anyhow::Result<Outcome> {
    clap_complete::generate(shell, &mut Arguments::command(), "farmhawk", &mut io::stdout());
    Ok(Outcome::Done)
}

/// Prints the manual page.
pub fn manual() -> anyhow::Result<Outcome> {
    clap_mangen::Man::new(Arguments::command()).render(&mut io::stdout())?;
    Ok(Outcome::Done)
}
