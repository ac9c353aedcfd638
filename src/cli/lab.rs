//! `farmhawk lab`: labelled synthetic captures.

use std::io::{self, Write as _};

use anyhow::Context as _;

use super::arguments::Lab;
use super::{Outcome, Usage};
use crate::lab;
use crate::report::escape::escape;

/// Runs the command.
pub fn run(arguments: &Lab) -> anyhow::Result<Outcome> {
    let mut out = io::stdout().lock();
    if arguments.list {
        for scenario in lab::scenarios() {
            writeln!(out, "{:<10} {}", scenario.name, scenario.about)?;
        }
        return Ok(Outcome::Done);
    }
    let (Some(name), Some(path)) = (&arguments.scenario, &arguments.out) else {
        return Err(Usage("lab: a scenario and --out are needed".to_owned()).into());
    };
    let scenario = lab::scenario(name).map_err(|error| Usage(error.to_string()))?;
    if path.as_os_str() == "-" {
        let mut capture = Vec::new();
        let (mut inventory, mut truth) = (io::sink(), io::sink());
        lab::write(scenario, arguments.seed, &mut capture, &mut inventory, &mut truth)?;
        out.write_all(&capture)
            .and_then(|()| out.flush())
            .context("standard output")?;
        return Ok(Outcome::Done);
    }
    for beside in lab::write_to(scenario, arguments.seed, path, arguments.force)? {
        tracing::info!("wrote {}", escape(&beside.display().to_string()));
    }
    Ok(Outcome::Done)
}
