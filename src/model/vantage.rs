//! Where a capture was taken: it sets the priors and says what cannot be seen from there (DETECTION 2, 5.3).

use serde::{Deserialize, Serialize};

/// The capture point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Vantage {
    /// Inside a house or on the line of one: the local network is in view.
    #[default]
    Home,
    /// At an employer: a VPN concentrator or an egress, every machine is the employer's own.
    Employer,
}

impl Vantage {
    /// The word that options and records use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Employer => "employer",
        }
    }
}
