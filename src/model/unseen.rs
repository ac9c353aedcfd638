//! What captures do not show of a machine: minutes inside of tunnels, and connections that nothing names.
//!
//! Neither is empty: whoever works there works inside (DETECTION 4: "absent" and "not observable" are never merged).

use super::profile::Minutes;

/// What could not be seen of a machine, and what was seen of a hand at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// Minutes in which a tunnel of the machine, or an unnamed connection that hides what it carries, had more than keep-alives.
    pub minutes: Minutes,
    /// What carried it: tools of the catalogue, sorted.
    pub carriers: Vec<String>,
    /// Minutes in which somebody at the machine drove something elsewhere, whatever its name.
    pub hand: Minutes,
}
