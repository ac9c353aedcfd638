//! The laboratory: labelled synthetic captures of named scenarios, with the inventory that an owner would have and the truth
//! that an analysis can be measured against.
//!
//! It writes bytes of real protocols as a mirror port on a router would see them. It knows nothing of the analyser and the
//! analyser nothing of it: truth never crosses. Everything follows from the scenario and the seed; no clock is read.
//!
//! ```text
//! scenarios/<name>  who is there, what happens       tools/<tool>  what a tool says      household  everything else
//!        └──> network: machines, services, frames ──> connection: TCP ──> frame: headers and checksums ──> capture::writer
//! ```
//!
//! To add a scenario: one file in `scenarios/` and one line in its list. To add a tool: one file in `tools/` and one line.
//! Addresses are private inside and documentation ranges outside (RFC 5737), link addresses locally administered; people do
//! not exist. Names end in `.example` unless the fact that they name a vendor's service is the point.

mod atlas;
mod certificate;
mod connection;
mod files;
mod frame;
mod household;
mod lease;
mod mirror;
mod names;
mod network;
mod random;
mod scenarios;
mod site;
#[cfg(test)]
mod tests;
mod tls;
mod tools;
mod truth;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

pub use files::write_to;
pub use scenarios::Scenario;

use random::Random;

/// The seed with which fixtures/demo was written, and the one to take when nobody names another.
pub const DEFAULT_SEED: u64 = 1;

/// Name of the inventory beside a capture.
const INVENTORY: &str = "inventory.csv";
/// Name of the policy beside a capture, where the scenario has one.
const POLICY: &str = "policy.toml";
/// Name of the truth beside a capture.
const TRUTH: &str = "truth.toml";

/// Why a capture was not written.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// No scenario of that name.
    #[error("no scenario {0:?}; there are: {known}", known = names())]
    UnknownScenario(String),
    /// A file stands there already, with something else in it.
    #[error("{path}: stands there already and holds something else (use --force to replace it)", path = .0.display())]
    Occupied(PathBuf),
    /// A file could not be written.
    #[error("{path}: {cause}", path = .0.display(), cause = .1)]
    Write(PathBuf, io::Error),
}

fn names() -> String {
    let names: Vec<&str> = scenarios().iter().map(|scenario| scenario.name).collect();
    names.join(", ")
}

/// The scenarios, in the order in which they are listed.
#[must_use]
pub fn scenarios() -> &'static [Scenario] {
    scenarios::ALL
}

/// The scenario of this name.
pub fn scenario(name: &str) -> Result<&'static Scenario, LabError> {
    scenarios()
        .iter()
        .find(|scenario| scenario.name == name)
        .ok_or_else(|| LabError::UnknownScenario(name.to_owned()))
}

/// The inventory's first line.
#[must_use]
pub fn inventory_header() -> String {
    format!("{}\n", truth::COLUMNS.join(","))
}

/// The geo database (.mmdb) that an investigator would have of the scenario's addresses; none where nothing turns on them.
pub fn database(scenario: &Scenario) -> io::Result<Option<Vec<u8>>> {
    let placed = scenarios::placed(scenario.name);
    (!placed.is_empty()).then(|| atlas::database(&placed)).transpose()
}

/// Writes a capture (pcapng), its rows of the inventory (CSV, without the header) and its part of the truth (TOML).
pub fn write(
    scenario: &Scenario,
    seed: u64,
    capture: &mut dyn Write,
    inventory: &mut dyn Write,
    truth: &mut dyn Write,
) -> io::Result<()> {
    write_with(scenario, seed, &[], capture, inventory, truth)
}

/// The same with some of the scenario's traits set, by their names in the truth (`size`, `employers`, `loss`): how a verdict depends on
/// one of them.
pub fn write_with(
    scenario: &Scenario,
    seed: u64,
    traits: &[(&str, u64)],
    capture: &mut dyn Write,
    inventory: &mut dyn Write,
    truth: &mut dyn Write,
) -> io::Result<()> {
    let random = Random::with(seed, traits).fork(scenario.name);
    let (network, mut facts) = (scenario.build)(&random);
    facts.traits = random.traits();
    let frames = network.write(capture)?;
    inventory.write_all(facts.to_csv().as_bytes())?;
    let text = facts.to_toml(scenario.name, scenario.about, seed, frames);
    truth.write_all(text.as_bytes())
}

/// Writes several scenarios into a folder as `<name>.pcapng`, with one inventory and one truth for all; what is
/// there is replaced.
pub fn write_folder(scenarios: &[&Scenario], seed: u64, folder: &Path) -> Result<(), LabError> {
    let captures: Vec<(&Scenario, PathBuf)> = scenarios
        .iter()
        .map(|scenario| (*scenario, folder.join(format!("{}.pcapng", scenario.name))))
        .collect();
    write_beside(&captures, seed)
}

fn write_beside(captures: &[(&Scenario, PathBuf)], seed: u64) -> Result<(), LabError> {
    let mut rows = inventory_header().into_bytes();
    let mut facts = Vec::new();
    for (scenario, path) in captures {
        let mut capture = Vec::new();
        write(scenario, seed, &mut capture, &mut rows, &mut facts)
            .and_then(|()| fs::write(path, &capture))
            .map_err(|cause| LabError::Write(path.clone(), cause))?;
    }
    let Some((_, first)) = captures.first() else {
        return Ok(());
    };
    let policy: String = captures.iter().map(|(scenario, _)| scenario.policy).collect();
    if !policy.is_empty() {
        let path = first.with_file_name(POLICY);
        fs::write(&path, policy).map_err(|cause| LabError::Write(path, cause))?;
    }
    for (name, bytes) in [(INVENTORY, &rows), (TRUTH, &facts)] {
        let path = first.with_file_name(name);
        fs::write(&path, bytes).map_err(|cause| LabError::Write(path, cause))?;
    }
    Ok(())
}
