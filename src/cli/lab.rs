//! `farmhawk lab`: labelled synthetic captures.

use std::io::{self, Write as _};

use super::arguments::Lab;
use super::{Outcome, Usage};
use crate::lab;

/// Runs the command.
pub fn run(arguments: &Lab) -> anyhow::Result<Outcome> {
    if arguments.list {
        let mut out = io::stdout().lock();
        for scenario in lab::scenarios() {
            writeln!(out, "{:<10} {}", scenario.name, scenario.about)?;
        }
        return Ok(Outcome::Done);
    }
    let (Some(name), Some(path)) = (&arguments.scenario, &arguments.out) else {
        return Err(Usage("lab: a scenario and --out are needed".to_owned()).into());
    };
    let scenario = lab::scenario(name).map_err(|error| Usage(error.to_string()))?;
    lab::write_to(scenario, arguments.seed, path)?;
    Ok(Outcome::Done)
}
