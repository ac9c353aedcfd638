//! Where a capture was taken: it sets the priors and says what cannot be seen from there.
//!
//! The priors themselves are numbers of the model and stand with it, in `src/explain/weights.toml`, under
//! `priors.home` and `priors.employer` (DETECTION 5.3); this file only says which table is meant.

use std::fmt;
use std::str::FromStr;

/// Where the capture point stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Vantage {
    /// Inside a house: a home router's mirror port, an Internet line, a seized capture.
    Home,
    /// At the employer: VPN concentrator, egress, campus.
    Employer,
    /// To be judged from what the capture holds.
    #[default]
    Auto,
}

/// Something that a vantage never shows: it must be reported as not observable, never as absent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blind {
    /// What it is.
    pub what: &'static str,
    /// Why it cannot be seen.
    pub why: &'static str,
}

/// What a house does not show.
const HOME: &[Blind] = &[
    Blind {
        what: "the other machines of an employer",
        why: "one house is one end: how many employees share an address is the employer's to see",
    },
    Blind {
        what: "what goes through a company's VPN",
        why: "it is encrypted between the laptop and the concentrator",
    },
    Blind {
        what: "the round trip of the laptop's side",
        why: "it is the local network's; only the far half of a connection says something",
    },
];

/// What an employer does not show.
const EMPLOYER: &[Blind] = &[
    Blind {
        what: "KVMs and their traffic",
        why: "they stand beside the laptop on a network that the employer does not see",
    },
    Blind {
        what: "other employers' laptops at the same place",
        why: "their traffic does not pass here",
    },
    Blind {
        what: "link addresses, DHCP names and announcements of the house",
        why: "they stay on the house's own network",
    },
    Blind {
        what: "remote control outside the company's tunnel",
        why: "with split tunnelling it goes to the Internet directly",
    },
];

impl Vantage {
    /// Every choice, as the command line writes it.
    pub const ALL: [Self; 3] = [Self::Home, Self::Employer, Self::Auto];

    /// Its word on the command line and in records.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Home => "home",
            Self::Employer => "employer",
            Self::Auto => "auto",
        }
    }

    /// Key of its table of priors in the model's data; `None` while it is not decided.
    #[must_use]
    pub const fn priors(self) -> Option<&'static str> {
        match self {
            Self::Home => Some("priors.home"),
            Self::Employer => Some("priors.employer"),
            Self::Auto => None,
        }
    }

    /// What cannot be seen from there. While it is not decided, nothing may be called absent that either place hides.
    #[must_use]
    pub fn blind_spots(self) -> Vec<Blind> {
        match self {
            Self::Home => HOME.to_vec(),
            Self::Employer => EMPLOYER.to_vec(),
            Self::Auto => [HOME, EMPLOYER].concat(),
        }
    }
}

impl fmt::Display for Vantage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Vantage {
    type Err = String;

    fn from_str(word: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|vantage| vantage.name() == word);
        found.ok_or_else(|| format!("unknown vantage {word:?}: home, employer or auto is wanted"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back_and_others_are_refused() {
        for vantage in Vantage::ALL {
            assert_eq!(vantage.to_string().parse(), Ok(vantage));
        }
        assert!(
            "office"
                .parse::<Vantage>()
                .unwrap_err()
                .contains("home, employer or auto")
        );
    }

    #[test]
    fn an_undecided_vantage_has_no_priors_and_all_blind_spots() {
        assert_eq!(Vantage::Auto.priors(), None);
        assert_eq!(Vantage::Auto.blind_spots().len(), HOME.len() + EMPLOYER.len());
        assert!(
            Vantage::Employer
                .blind_spots()
                .iter()
                .any(|blind| blind.what.contains("KVM"))
        );
    }
}
