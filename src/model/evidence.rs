//! Evidence: one weighed item, its state, and where it can be seen.

use std::sync::Arc;

use serde::Serialize;

use super::frame::FrameRef;
use super::time::Timestamp;

/// Weight of evidence in decibans: ten times the decimal logarithm of a likelihood ratio (Good 1950).
///
/// +10 makes the claim ten times likelier than its best rival, -10 ten times less.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Decibans(pub f64);

impl Decibans {
    /// From natural log-odds.
    #[must_use]
    pub fn from_nats(nats: f64) -> Self {
        Self(nats * 10.0 / std::f64::consts::LN_10)
    }

    /// One digit behind the point: what records show, so that equal analyses print equal bytes.
    #[must_use]
    pub fn rounded(self) -> Self {
        Self((self.0 * 10.0).round() / 10.0)
    }
}

/// Whether something was seen, was looked for and not there, or could not be seen from this vantage.
///
/// The last two are never the same thing: a sensor that cannot see KVMs says nothing about KVMs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It was seen.
    Observed,
    /// It would have been seen, and was not there.
    Absent,
    /// It cannot be seen from here.
    NotObservable,
}

impl State {
    /// The word that records carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Observed => "observed",
            Self::Absent => "absent",
            Self::NotObservable => "not_observable",
        }
    }
}

/// Families of correlated cues; inside a family weights are tempered (DETECTION 5.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// Remote control: hosts, coverage, sessions.
    Rc,
    /// Organisations: tenants, assignees.
    Org,
    /// Tools: authorisation, KVM, second tool.
    Tool,
    /// Place: controllers, egress, VPN.
    Loc,
    /// Hours and rhythm.
    Time,
    /// Latency.
    Lat,
    /// Context: kind of site.
    Ctx,
}

impl Family {
    /// Its words in sentences.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Rc => "remote control",
            Self::Org => "organisations",
            Self::Tool => "tools",
            Self::Loc => "places",
            Self::Time => "hours",
            Self::Lat => "delays",
            Self::Ctx => "the kind of site",
        }
    }
}

/// One item of evidence behind a finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Evidence {
    /// Identifier of the catalogue's indicator, when a signature matched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub signature: Option<String>,
    /// Name of the measured quantity, when something was computed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measure: Option<String>,
    /// What was seen, in words that an analyst can check.
    pub what: String,
    /// What else shows the same, or how far it carries: the catalogue's words on the indicator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Arc<str>>,
    /// How much it weighs.
    pub weight: Decibans,
    /// Seen, not there, or not to be seen.
    pub state: State,
    /// Family, for tempering.
    pub family: Family,
    /// Index of the capture in the summary's list, where frames are cited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub capture: Option<u16>,
    /// 1-based frame numbers as Wireshark shows them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<u64>,
    /// When it was first seen.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

impl Evidence {
    /// Observed evidence with the frames that show it (of one capture: that of the first).
    #[must_use]
    pub fn observed(
        family: Family,
        what: String,
        weight: Decibans,
        refs: &[FrameRef],
        at: Option<Timestamp>,
    ) -> Self {
        let capture = refs.first().map(|first| first.capture);
        let mut frames: Vec<u64> = Vec::with_capacity(refs.len());
        let of_capture = refs.iter().filter(|one| Some(one.capture) == capture);
        frames.extend(of_capture.map(|one| one.number));
        if !frames.is_sorted_by(|one, other| one < other) {
            frames.sort_unstable();
            frames.dedup();
        }
        Self {
            signature: None,
            measure: None,
            what,
            note: None,
            weight,
            state: State::Observed,
            family,
            capture,
            frames,
            at,
        }
    }
}
