//! Scenarios (DETECTION 9.1): who is on the network and what happens, one file a scenario, one line here.

mod farm;
mod office;
mod tour;

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
    pub(super) build: fn(&Random) -> (Network, Truth),
}

/// All of them.
pub(super) const ALL: &[Scenario] = &[farm::SCENARIO, office::SCENARIO, tour::SCENARIO];
