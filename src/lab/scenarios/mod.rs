//! Scenarios (DETECTION 9.1): who is on the network and what happens, one file a family of scenarios, one line here.

mod captures;
mod farm;
mod farms;
mod homes;
mod office;
mod offices;
mod rack;
mod rhythm;
mod room;
mod stone;
mod tour;
mod views;
mod weeks;

use super::atlas::Placed;
use super::network::Network;
use super::random::Random;
use super::truth::Truth;

/// A scenario that can be written.
#[derive(Clone, Copy, Debug)]
pub struct Scenario {
    /// Its name on the command line.
    pub name: &'static str,
    /// What happens in it, in one sentence.
    pub about: &'static str,
    /// The policy that whoever investigates would have (TOML); empty where there is none.
    pub policy: &'static str,
    /// Where the capture is taken, in the words of `--vantage`.
    pub vantage: &'static str,
    pub(super) build: fn(&Random) -> (Network, Truth),
}

/// What an investigator lists where nothing that matters is allowed: every tool that controls a machine is unlisted.
pub(super) const NOTHING_ALLOWED: &str = "allowed_tools = [\"freshservice\"]\n";

/// All of them.
pub(super) const ALL: &[Scenario] = &[
    farm::SCENARIO,
    office::SCENARIO,
    tour::SCENARIO,
    farms::S01,
    farms::S02,
    offices::S03,
    offices::S04,
    offices::S05,
    homes::S06,
    offices::S07,
    offices::S08,
    homes::S09,
    farms::S10,
    views::S11,
    farms::S12,
    farms::S13,
    views::S14,
    farms::S15,
    farms::S16,
    homes::S17,
    homes::S18,
    homes::S19,
    views::S20,
    homes::S21,
    homes::S22,
    views::S23,
    offices::S24,
    farms::S25,
    views::S26,
    captures::S27,
    views::S28,
    farms::S29,
    captures::S30,
    farms::S31,
    captures::S32,
    captures::S33,
    offices::S34,
    rhythm::S35,
    rhythm::S36,
    rhythm::S37,
    weeks::S38,
    rack::S39,
    stone::S40,
    room::S41,
];

/// What a geo database says of the addresses of the scenario with this name; nothing of most, whose addresses nobody needs to place.
pub(super) fn placed(name: &str) -> Vec<Placed> {
    match name {
        "s41" => room::placed(),
        _ => Vec::new(),
    }
}
