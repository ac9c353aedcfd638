//! Tokens: what two hosts can have in common, and how rare it is (DETECTION 6.1).

use crate::model::address::{Address, AddressSpace};
use crate::model::egress::line;
use crate::model::identity::ContentId;
use crate::model::profile::HostProfile;
use crate::model::router::Router;
use crate::settings::pair_weights::Candidates;

/// Token of a controller.
#[must_use]
pub fn controller(id: &str) -> u64 {
    ContentId::of(&[b"controller", id.as_bytes()]).0
}

/// Token of a tool's instance; of the tool itself where the instance has no name.
#[must_use]
pub fn instance(tool: &str, name: &str) -> u64 {
    ContentId::of(&[b"tool", tool.as_bytes(), name.as_bytes()]).0
}

/// Token of a public address: IPv4 whole, IPv6 by its /64, since a line has one network and many addresses.
#[must_use]
pub fn egress(address: Address) -> u64 {
    ContentId::of(&[b"egress", &line(address).0]).0
}

/// What a router is known by, for a purpose: its link address alone where that tells it from others.
#[must_use]
pub fn router(purpose: &[u8], router: &Router) -> ContentId {
    if router.space == AddressSpace::default() && !router.is_virtual() {
        return ContentId::of(&[purpose, &router.mac.0]);
    }
    let capture = router.capture.map_or(u32::MAX, u32::from);
    ContentId::of(&[
        purpose,
        &router.mac.0,
        &router.space.0.to_be_bytes(),
        &capture.to_be_bytes(),
    ])
}

/// Token of a device that routes between several links of its own: its link address, whatever the link. `None` for addresses that
/// other devices have, too.
#[must_use]
pub fn device(router: &Router) -> Option<u64> {
    (!router.is_virtual()).then(|| ContentId::of(&[b"routing device", &router.mac.0]).0)
}

/// Token of the network in which a capture without link addresses saw a host.
fn network(address: Address) -> u64 {
    ContentId::of(&[b"network", &address.0]).0
}

/// Tokens of the places where a host was seen.
fn places(profile: &HostProfile) -> Vec<u64> {
    let mut tokens: Vec<u64> = profile.network.map(network).into_iter().collect();
    for gateway in profile.gateways.list() {
        tokens.push(router(b"gateway", &gateway.router).0);
        tokens.extend(device(&gateway.router));
    }
    // Through a declared exit people go out wherever they are: it makes nobody a neighbour.
    for one in profile.egress.list().iter().filter(|one| !one.is_declared) {
        tokens.push(egress(one.address));
    }
    tokens
}

/// Sorted tokens of a host.
#[must_use]
pub fn of(profile: &HostProfile) -> Vec<u64> {
    let mut tokens = places(profile);
    for kvm in profile.kvm.on_gateway.list() {
        tokens.push(ContentId::of(&[b"kvm", &kvm.host.0.to_le_bytes()]).0);
    }
    if profile.is_kvm() {
        tokens.push(ContentId::of(&[b"kvm", &profile.host.0.to_le_bytes()]).0);
    }
    for session in profile.live_sessions() {
        for one in &session.controllers {
            tokens.push(controller(&one.id));
        }
        for relay in &session.relays {
            tokens.push(ContentId::of(&[b"relay", relay.as_bytes()]).0);
        }
        let name = session.instance.as_ref();
        let name = name.map_or("", |instance| instance.name.as_str());
        tokens.push(instance(&session.tool, name));
    }
    tokens.sort_unstable();
    tokens.dedup();
    tokens
}

/// How many hosts carry each token.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rarity {
    counts: Vec<(u64, u32)>,
    /// Of the tokens of places, those of controlled machines: however many stand at a place, they are no crowd in which anybody meets
    /// anybody.
    controlled: Vec<(u64, u32)>,
    population: f64,
    common_above: f64,
}

impl Rarity {
    /// Counts the tokens of all hosts.
    #[must_use]
    pub fn of(sets: &[Vec<u64>], hosts: usize, bounds: &Candidates) -> Self {
        let counts = count(sets.iter().flatten().copied().collect());
        let population = f64::from(
            u32::try_from(hosts)
                .unwrap_or(u32::MAX)
                .saturating_add(bounds.background_hosts),
        );
        Self {
            counts,
            controlled: Vec::new(),
            population,
            common_above: f64::from(bounds.common_from).max(bounds.largest_share * population),
        }
    }

    /// The same, where these are the machines whose tokens were counted.
    #[must_use]
    pub fn among(mut self, nodes: &[&HostProfile]) -> Self {
        let controlled = nodes.iter().filter(|node| node.live_sessions().next().is_some());
        let tokens = controlled.flat_map(|node| {
            let mut places = places(node);
            places.sort_unstable();
            places.dedup();
            places
        });
        self.controlled = count(tokens.collect());
        self
    }

    /// On how many hosts a token was seen.
    #[must_use]
    pub fn frequency(&self, token: u64) -> u32 {
        of_token(&self.counts, token)
    }

    /// On how many hosts that make a crowd of it: of a place those that nobody controls.
    #[must_use]
    pub fn crowd(&self, token: u64) -> u32 {
        self.frequency(token)
            .saturating_sub(of_token(&self.controlled, token))
    }

    /// Weight of a token, `ln(N / df)`; zero for what is too common to tell anything (prevalence rule).
    #[must_use]
    pub fn weight(&self, token: u64) -> f64 {
        if f64::from(self.crowd(token)) > self.common_above {
            return 0.0;
        }
        (self.population / f64::from(self.frequency(token).max(1)))
            .ln()
            .max(0.0)
    }
}

/// How often each of these is there, in order.
fn count(mut tokens: Vec<u64>) -> Vec<(u64, u32)> {
    tokens.sort_unstable();
    let same = tokens.chunk_by(|one, other| one == other);
    same.filter_map(|same| Some((*same.first()?, u32::try_from(same.len()).unwrap_or(u32::MAX))))
        .collect()
}

/// A token's count among these.
fn of_token(counts: &[(u64, u32)], token: u64) -> u32 {
    counts
        .binary_search_by_key(&token, |(known, _)| *known)
        .ok()
        .and_then(|place| counts.get(place))
        .map_or(0, |(_, count)| *count)
}
