//! The command line: dispatch, exit codes, one readable error chain. The only part that prints or exits.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the command line is what prints"
)]

pub mod analysis;
pub mod analyze;
pub mod arguments;
pub mod generate;
pub mod geoip;
pub mod lab;
pub mod load;
mod log;
pub mod progress;
pub mod sensor;
pub mod signatures;
pub mod summary;

use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

use clap::Parser as _;

use crate::report::text::Styles;
use arguments::{Arguments, Color, Command};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It finished.
    Done,
    /// `--fail-on` was met.
    LevelMet,
    /// Ctrl-C ended it; what was known was written.
    Stopped,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::Done => 0,
            Outcome::LevelMet => 3,
            Outcome::Stopped => 130,
        })
    }
}

/// The command line or a configuration file is wrong: exit code 2.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Usage(pub String);

/// Runs the program.
#[must_use]
pub fn run() -> ExitCode {
    let arguments = Arguments::parse();
    log::start(&arguments);
    match dispatch(&arguments) {
        Ok(outcome) => outcome.into(),
        Err(error) if is_broken_pipe(&error) => ExitCode::SUCCESS,
        Err(error) => {
            for line in format!("{error:#}").lines() {
                eprintln!("farmhawk: {}", crate::report::escape::escape(line));
            }
            ExitCode::from(if error.is::<Usage>() { 2 } else { 1 })
        }
    }
}

fn dispatch(arguments: &Arguments) -> anyhow::Result<Outcome> {
    match &arguments.command {
        Command::Analyze(analyze) => analyze::run(analyze, arguments),
        Command::Sensor(sensor) => sensor::run(sensor, arguments),
        Command::Signatures { action } => signatures::run(action),
        Command::Geoip { action } => geoip::run(action),
        Command::Lab(lab) => lab::run(lab),
        Command::Completions { shell } => generate::completions(*shell),
        Command::Man { command } => generate::manual(command),
    }
}

/// Whether whoever read our output went away: no failure for a program in a pipe.
fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
}

/// Colours, where standard output is a terminal and nothing speaks against them.
fn styles(color: Color) -> Styles {
    let is_wanted = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => {
            io::stdout().is_terminal()
                && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
                && !is_dumb_terminal()
        }
    };
    if is_wanted {
        Styles::colored()
    } else {
        Styles::plain()
    }
}

/// Whether the terminal says of itself that it understands no escape sequences.
fn is_dumb_terminal() -> bool {
    std::env::var_os("TERM").is_some_and(|term| term == "dumb")
}
