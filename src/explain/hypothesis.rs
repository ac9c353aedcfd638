//! The eight competing explanations (DETECTION 5.1): what every table of the model has as its columns.

use crate::model::host::Explanations;

/// One number for each explanation, in the order of [`Hypothesis::ALL`].
pub type ByHypothesis = [f64; 8];

/// An explanation of what a group or a host is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Hypothesis {
    /// Relay farm: at least two machines worked from elsewhere.
    Farm,
    /// One machine worked from elsewhere.
    Solo,
    /// Managed site, IT support.
    Msp,
    /// Office, terminal server, call centre.
    Vdi,
    /// Shared house, co-working, carrier-grade NAT.
    Shared,
    /// Travelling or expatriate employee.
    Travel,
    /// Owner reaching the own machine.
    Own,
    /// Nothing of the kind.
    Normal,
}

impl Hypothesis {
    /// All of them, in the order of the tables.
    pub const ALL: [Self; 8] = [
        Self::Farm,
        Self::Solo,
        Self::Msp,
        Self::Vdi,
        Self::Shared,
        Self::Travel,
        Self::Own,
        Self::Normal,
    ];

    /// The word that tables and records use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Farm => "farm",
            Self::Solo => "solo",
            Self::Msp => "msp",
            Self::Vdi => "vdi",
            Self::Shared => "shared",
            Self::Travel => "travel",
            Self::Own => "self",
            Self::Normal => "normal",
        }
    }

    /// Whether it means that somebody else works at the machines.
    #[must_use]
    pub const fn is_remote_operation(self) -> bool {
        matches!(self, Self::Farm | Self::Solo)
    }

    /// Its entry in a row.
    #[must_use]
    pub fn of(self, row: &ByHypothesis) -> f64 {
        let [farm, solo, msp, vdi, shared, travel, own, normal] = *row;
        match self {
            Self::Farm => farm,
            Self::Solo => solo,
            Self::Msp => msp,
            Self::Vdi => vdi,
            Self::Shared => shared,
            Self::Travel => travel,
            Self::Own => own,
            Self::Normal => normal,
        }
    }

    /// Explanations from the likeliest to the least likely; equals stay in the order of the tables.
    #[must_use]
    pub fn ranked(posterior: &ByHypothesis) -> [Self; 8] {
        let mut all = Self::ALL;
        all.sort_by(|one, other| other.of(posterior).total_cmp(&one.of(posterior)));
        all
    }
}

/// Digits behind the point that records and sentences show of a probability.
pub const DIGITS: usize = 4;

/// What is shown of a posterior, everywhere: four digits that sum to one, the rounding's remainder given to the likeliest.
#[must_use]
pub fn rounded(posterior: &ByHypothesis) -> ByHypothesis {
    let mut units: [i32; 8] = posterior.map(to_units);
    let remainder = 10_000_i32.saturating_sub(units.iter().fold(0, |sum, unit| sum.saturating_add(*unit)));
    let winner = Hypothesis::ranked(posterior).first().copied();
    for (hypothesis, unit) in Hypothesis::ALL.into_iter().zip(units.iter_mut()) {
        if Some(hypothesis) == winner {
            *unit = unit.saturating_add(remainder);
        }
    }
    units.map(|unit| f64::from(unit) / 1e4)
}

/// The same as a record.
#[must_use]
pub fn explanations(posterior: &ByHypothesis) -> Explanations {
    by_name(&rounded(posterior))
}

/// A row with its columns by name.
#[must_use]
pub fn by_name(row: &ByHypothesis) -> Explanations {
    let [farm, solo, msp, vdi, shared, travel, own, normal] = *row;
    Explanations {
        farm,
        solo,
        msp,
        vdi,
        shared,
        travel,
        own,
        normal,
    }
}

/// The row of a record.
#[must_use]
pub const fn row(named: &Explanations) -> ByHypothesis {
    [
        named.farm,
        named.solo,
        named.msp,
        named.vdi,
        named.shared,
        named.travel,
        named.own,
        named.normal,
    ]
}

/// A row as a record, with four significant digits: enough to check a weight by hand, however small a cell is.
#[must_use]
pub fn significant(row: &ByHypothesis) -> Explanations {
    by_name(&row.map(|cell| format!("{cell:.3e}").parse().unwrap_or(cell)))
}

/// Ten-thousandths.
fn to_units(probability: f64) -> i32 {
    let scaled = (probability.clamp(0.0, 1.0) * 1e4).round();
    #[expect(clippy::cast_possible_truncation, reason = "clamped to 0..=10,000 just above")]
    let units = scaled as i32;
    units
}
