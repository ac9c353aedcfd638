//! Completions and manual pages, from the same definitions as the command line.

use std::io::{self, Write as _};

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;

use super::arguments::Arguments;
use super::{Outcome, Usage};

/// Prints a completion script.
pub fn completions(shell: Shell) -> anyhow::Result<Outcome> {
    // The generator panics where it cannot write; memory always takes it.
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "farmhawk", &mut script);
    print(&script)
}

/// Prints the manual page of the program, or of the command that these words name.
pub fn manual(words: &[String]) -> anyhow::Result<Outcome> {
    let mut command = Arguments::command();
    // Gives every command its options that are the program's, and its name: farmhawk-analyze.
    command.build();
    for word in words {
        command = command.find_subcommand(word).cloned().ok_or_else(|| {
            Usage(format!(
                "man: no command {:?}{}",
                words.join(" "),
                names(&command)
            ))
        })?;
    }
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    print(&page)
}

/// Which commands there are below one.
fn names(command: &clap::Command) -> String {
    let names: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
    if names.is_empty() {
        format!("; {} has none", command.get_name())
    } else {
        format!("; there are: {}", names.join(", "))
    }
}

fn print(bytes: &[u8]) -> anyhow::Result<Outcome> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)
        .and_then(|()| out.flush())
        .context("standard output")?;
    Ok(Outcome::Done)
}
