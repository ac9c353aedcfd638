//! Constants of clustering (DETECTION 6): the table `[pairs]` of the model's weights file.

use serde::Deserialize;

/// Weights of the terms between two hosts in natural log-odds, and bounds of the search for pairs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PairWeights {
    /// Log-odds that a random pair belongs together.
    pub prior: f64,
    /// An edge needs more than this.
    pub edge: f64,
    /// A controller or private server of at least this weight `ln(N / df)` joins groups at different places into an operation.
    pub operation: f64,
    /// Each term is clamped to plus or minus this.
    pub clamp: f64,
    /// Candidate pairs.
    pub candidates: Candidates,
    /// Same controllers.
    pub controller: Line,
    /// Same place.
    pub place: Place,
    /// One person at several machines in turn.
    pub focus: Focus,
    /// Same tool.
    pub tool: Tool,
    /// Same or different organisations.
    pub tenancy: Tenancy,
    /// Same hours.
    pub schedule: Schedule,
    /// Sessions that begin where others end.
    pub handover: Handover,
    /// Control legs of equal length.
    pub path: Path,
    /// Same room.
    pub physical: Physical,
    /// Controlling instead of being controlled.
    pub role: Role,
    /// The second opinion on them.
    pub second_opinion: SecondOpinion,
    /// Communities.
    pub community: Community,
}

/// How candidate pairs are found.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Candidates {
    /// Hosts that are imagined beside those seen: a capture of one house is no sample of the world.
    pub background_hosts: u32,
    /// A token counts only with at least this weight `ln(N / df)`.
    pub least_weight: f64,
    /// A token on more hosts than this and than `largest_share` of all is too common.
    pub common_from: u32,
    /// See `common_from`.
    pub largest_share: f64,
    /// Up to this many hosts of one token or bucket, all pairs are taken.
    pub all_pairs_up_to: usize,
    /// Above it each host is paired with so many of its neighbours in the order of identifiers.
    pub neighbours: usize,
    /// Bands of `MinHash`.
    pub bands: usize,
    /// Rows of a band.
    pub rows: usize,
    /// Sets smaller than this are not hashed.
    pub least_set: usize,
}

/// `slope * x + offset`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// Factor.
    pub slope: f64,
    /// Value at zero.
    pub offset: f64,
}

/// Co-location.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Factor of the share of common days.
    pub slope: f64,
    /// Value at zero.
    pub offset: f64,
    /// Factor where many unrelated hosts share the place.
    pub shared_factor: f64,
    /// More active hosts than this make a place shared.
    pub crowd: u32,
}

/// Focus test (Mantel-Haenszel).
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Focus {
    /// Minutes of a block.
    pub block_minutes: u32,
    /// Fewest driven minutes of a block that counts.
    pub least_driven: u32,
    /// Most driven minutes of a block that counts.
    pub most_driven: u32,
    /// Fewest blocks.
    pub least_blocks: u32,
    /// Minutes in which both are driven, as a share of chance's, where one person drives them.
    pub one_person: f64,
    /// From this Z downwards two machines are driven in turn.
    pub turns: f64,
    /// Z that one person must have been expected to give before a Z of chance says anything.
    pub least_power: f64,
    /// Factor of Z.
    pub slope: f64,
    /// Lowest value.
    pub floor: f64,
    /// Highest value.
    pub ceiling: f64,
}

/// Tool and instance.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tool {
    /// Both unlisted and the same tool.
    pub same_unlisted: f64,
    /// The same private server.
    pub same_private_server: f64,
    /// The same sanctioned instance.
    pub same_sanctioned: f64,
}

/// Organisations.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tenancy {
    /// Different organisations.
    pub different: f64,
    /// One organisation, homes apart.
    pub homes_apart: f64,
    /// One organisation, one declared site.
    pub same_site: f64,
    /// Homes are apart from this distance on.
    pub apart_km: f64,
    /// Words in the inventory's `site` that mean "not at a site".
    pub remote_sites: Vec<String>,
}

/// Hours.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Schedule {
    /// Earth mover's distance in hours that counts as nothing in common.
    pub distance_hours: f64,
    /// Lowest value.
    pub floor: f64,
    /// Highest value.
    pub ceiling: f64,
    /// Fewest active days of either host.
    pub least_days: u32,
}

/// Path twins.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Path {
    /// Value where both legs are equal.
    pub twin: f64,
    /// Milliseconds by which the loops' excess may differ.
    pub excess_ms: f64,
    /// Milliseconds by which the round trips to the relay may differ.
    pub transport_ms: f64,
    /// Fewest active days of either host.
    pub least_days: u32,
}

/// Hand-overs between two machines.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Handover {
    /// Value when there are more than chance has it.
    pub together: f64,
    /// Standard deviations from which there are.
    pub least_z: f64,
    /// Fewest hand-overs.
    pub least_count: u32,
    /// Minutes without input that do not end a stretch.
    pub pause_minutes: u32,
    /// Fewest days of the two together.
    pub least_days: u32,
}

/// Boots and KVMs.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Physical {
    /// Boots together more often than chance.
    pub boots_together: f64,
    /// Chance below which they are.
    pub boot_chance: f64,
    /// Minutes that count as together.
    pub boot_minutes: u32,
    /// A KVM on the same gateway.
    pub kvm_on_gateway: f64,
}

/// Role.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Role {
    /// Either mostly controls others.
    pub controller: f64,
}

/// Groups by density.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SecondOpinion {
    /// Natural log-odds by which a distance falls to 1/e.
    pub scale: f64,
}

/// Communities and their stability.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Community {
    /// Resolution: mean log-odds across two sets from which on they are one community.
    pub resolution: f64,
    /// Seed.
    pub seed: u64,
    /// Components larger than this are not divided.
    pub largest_component: usize,
    /// Re-runs with edges dropped.
    pub runs: u64,
    /// Chance that an edge is dropped.
    pub drop: f64,
    /// Members below this leave.
    pub keep: f64,
    /// Members below this are loose.
    pub firm: f64,
}

/// The file as far as this module reads it.
#[derive(Deserialize)]
struct File {
    pairs: PairWeights,
}

impl PairWeights {
    /// Reads the table `[pairs]` of a weights file.
    pub fn from_toml(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str::<File>(text).map(|file| file.pairs)
    }
}
