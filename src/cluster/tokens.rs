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

/// Sorted tokens of a host.
#[must_use]
pub fn of(profile: &HostProfile) -> Vec<u64> {
    let mut tokens = Vec::new();
    for gateway in profile.gateways.list() {
        tokens.push(router(b"gateway", &gateway.router).0);
    }
    // Through a declared exit people go out wherever they are: it makes nobody a neighbour.
    for one in profile.egress.list().iter().filter(|one| !one.is_declared) {
        tokens.push(egress(one.address));
    }
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
    population: f64,
    common_above: f64,
}

impl Rarity {
    /// Counts the tokens of all hosts.
    #[must_use]
    pub fn of(sets: &[Vec<u64>], hosts: usize, bounds: &Candidates) -> Self {
        let mut all: Vec<u64> = sets.iter().flatten().copied().collect();
        all.sort_unstable();
        let mut counts: Vec<(u64, u32)> = Vec::new();
        for token in all {
            match counts.last_mut() {
                Some((last, count)) if *last == token => *count = count.saturating_add(1),
                _ => counts.push((token, 1)),
            }
        }
        let population = f64::from(
            u32::try_from(hosts)
                .unwrap_or(u32::MAX)
                .saturating_add(bounds.background_hosts),
        );
        Self {
            counts,
            population,
            common_above: f64::from(bounds.common_from).max(bounds.largest_share * population),
        }
    }

    /// On how many hosts a token was seen.
    #[must_use]
    pub fn frequency(&self, token: u64) -> u32 {
        self.counts
            .binary_search_by_key(&token, |(known, _)| *known)
            .ok()
            .and_then(|place| self.counts.get(place))
            .map_or(0, |(_, count)| *count)
    }

    /// Weight of a token, `ln(N / df)`; zero for what is too common to tell anything (prevalence rule).
    #[must_use]
    pub fn weight(&self, token: u64) -> f64 {
        let frequency = f64::from(self.frequency(token).max(1));
        if frequency > self.common_above {
            return 0.0;
        }
        (self.population / frequency).ln().max(0.0)
    }
}
