//! Places that contradict each other or a claim: one file a conclusion, and what they share.
//!
//! An address shows where a network is, never who somebody is. What rests on the embedded default database alone
//! never rises above low confidence, nor does what a carrier, a satellite or a gateway may have moved.

pub mod country;
pub mod distance;
pub mod driven_from;
pub mod hidden_egress;
pub mod impossible_travel;
pub mod nested_tunnel;
pub mod router_vpn;
pub mod several_countries;
pub mod shared_address;
pub mod watched_vpn;

#[cfg(test)]
pub(super) mod samples;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::IpNet;

use super::{HostView, Knowledge};
use crate::geo::Place;
use crate::geo::kinds::NetworkKind;
use crate::model::address::Address;
use crate::model::egress::OwnAddress;
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::finding::{Activity, Confidence, Finding, FindingKind, GeoMismatch, Role};
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::sphere::Coordinates;
use crate::model::time::Timestamp;
use crate::settings::policy::SiteKind;
use crate::settings::rules::Place as PlaceRules;

/// What the kind of a network says about whether its addresses show where people are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// Lines of households, companies or schools, by the user's own database.
    Line,
    /// Nothing is known.
    Unknown,
    /// Its addresses show where the carrier's gateway stands.
    Carried,
    /// Its addresses show where a service stands that others go through.
    Hidden,
}

impl Standing {
    /// What an address of such a network shows, where that is not a line.
    const fn caution(self) -> Option<&'static str> {
        match self {
            Self::Line | Self::Unknown => None,
            Self::Carried => {
                Some("a mobile or satellite network shows where its gateway stands, not its customer")
            }
            Self::Hidden => {
                Some("its network rents out servers or exits: the address shows where those stand")
            }
        }
    }
}

fn standing(place: &Place) -> Standing {
    match place.kind {
        None => Standing::Unknown,
        Some(NetworkKind::Mobile | NetworkKind::Satellite) => Standing::Carried,
        Some(kind) if kind.hides_origin() => Standing::Hidden,
        Some(_) => Standing::Line,
    }
}

/// One of a machine's own public addresses, and where it is.
struct Placed<'a> {
    own: &'a OwnAddress,
    place: Arc<Place>,
}

impl Placed<'_> {
    fn country(&self) -> Option<String> {
        self.place.country.map(|country| country.to_string())
    }

    /// The address with the way in which it was learnt.
    fn words(&self) -> String {
        format!("its public address {} ({})", self.own.address, self.own.way())
    }

    fn frames(&self) -> Vec<FrameRef> {
        let frame = self.own.seen.frame;
        (frame.number > 0).then_some(frame).into_iter().collect()
    }
}

/// A machine's own public addresses that some database knows, without the exits and sites that policy and inventory declare:
/// behind those many people may sit, wherever they are.
fn placed<'a>(host: &'a HostView, knowledge: &Knowledge<'_>) -> Vec<Placed<'a>> {
    let undeclared = host
        .public
        .iter()
        .filter(|own| !is_declared(host, own.address, knowledge));
    undeclared
        .filter_map(|own| {
            Some(Placed {
                own,
                place: knowledge.place_of(own.address)?,
            })
        })
        .collect()
}

/// Whether an address is a sanctioned exit, or belongs to a declared site that is nobody's home.
fn is_declared(host: &HostView, address: Address, knowledge: &Knowledge<'_>) -> bool {
    let ip = address.to_ip();
    is_exit(host, ip, knowledge)
        || knowledge
            .policy
            .site_of(ip)
            .is_some_and(|site| site.kind != SiteKind::Home)
}

/// Whether policy or the machine's row sanction an address as an exit.
fn is_exit(host: &HostView, ip: IpAddr, knowledge: &Knowledge<'_>) -> bool {
    let on_asset = host.asset.iter().flat_map(|asset| &asset.allowed_egress);
    let is_on_asset = on_asset
        .filter_map(|text| text.parse::<IpNet>().ok())
        .any(|network| network.contains(&ip));
    is_on_asset || knowledge.policy.sanctions_egress(ip)
}

/// Whether wherever somebody is he may go out from an address: a sanctioned exit, a declared site that is nobody's home, or an
/// address that is where the machine's declared site is.
#[must_use]
pub fn is_shared_by_declaration(host: &HostView, address: Address, knowledge: &Knowledge<'_>) -> bool {
    is_declared(host, address, knowledge)
        || shared_address::has_site_there(host, knowledge.place_of(address).as_deref(), knowledge)
}

/// On which days which of the addresses were seen, of the days on which the inventory says where the machine is.
fn by_day<'a, 'b>(host: &HostView, placed: &'b [Placed<'a>]) -> BTreeMap<u32, Vec<&'b Placed<'a>>> {
    let mut days: BTreeMap<u32, Vec<&Placed<'_>>> = BTreeMap::new();
    for sight in placed {
        for day in sight.own.seen.days.keys() {
            if host.asset.as_ref().is_none_or(|asset| asset.holds_on(*day)) {
                days.entry(*day).or_default().push(sight);
            }
        }
    }
    days
}

/// Where the inventory says that the machine is.
fn claimed_coordinates(host: &HostView) -> Option<Coordinates> {
    let (latitude, longitude) = host.asset.as_ref()?.coordinates?;
    Coordinates::new(latitude, longitude)
}

#[expect(clippy::cast_precision_loss, reason = "days, far below 2^52")]
fn is_lasting(days: usize, of: usize, rules: &PlaceRules) -> bool {
    of >= rules.days && days as f64 / of as f64 > rules.lasting
}

fn count(days: usize) -> u32 {
    u32::try_from(days).unwrap_or(u32::MAX)
}

/// What a conclusion of this folder says of a machine.
struct Contradiction<'a> {
    host: &'a HostView,
    /// Name of the quantity.
    measure: &'static str,
    /// What tells it from others of the same machine and quantity.
    key: String,
    at: Timestamp,
    last: Timestamp,
    /// What was claimed and what was seen, by which database: one sentence without the machine's name.
    what: String,
    note: Option<String>,
    benign: &'static str,
    weight: f64,
    confidence: Confidence,
    frames: Vec<FrameRef>,
    address: Option<Address>,
    place: Option<&'a Place>,
    claimed_country: String,
    gap_km: Option<f64>,
    days: [usize; 2],
    sanctioned: Option<bool>,
    /// The session that it is about.
    session: Option<&'a Finding>,
}

impl Contradiction<'_> {
    fn into_finding(self) -> Finding {
        let weight = Decibans(self.weight);
        let mut evidence = Evidence::observed(
            Family::Loc,
            self.what.clone(),
            weight,
            &self.frames,
            Some(self.at),
        );
        evidence.measure = Some(self.measure.to_owned());
        evidence.note = self.note.map(Into::into);
        let record = self.place.map(|place| Arc::clone(place.record()));
        let address = self.address.map(|address| address.to_string());
        let session = self.session;
        let [days, of] = self.days.map(count);
        Finding {
            id: ContentId::of(&[
                b"place",
                self.measure.as_bytes(),
                &self.host.id.0.to_be_bytes(),
                self.key.as_bytes(),
            ]),
            timestamp: self.at,
            last_seen: self.last,
            kind: FindingKind::GeoMismatch,
            tool: session.map_or_else(|| "egress".to_owned(), |session| session.tool.clone()),
            protocol: None,
            role: Role::Unknown,
            activity: Activity::Unknown,
            intervals: Vec::new(),
            controller: session.and_then(|session| session.controller.clone()),
            host: self.host.id,
            host_ip: self.host.address(),
            peer: address.clone(),
            peer_name: None,
            peer_port: None,
            host_port: None,
            proto: None,
            community_id: session.and_then(|session| session.community_id.clone()),
            flow_ids: session
                .map(|session| session.flow_ids.clone())
                .unwrap_or_default(),
            flow_count: session.map_or(0, |session| session.flow_count),
            confidence: self.confidence,
            score: weight,
            sanctioned: self.sanctioned,
            summary: format!("{}: {}", self.host.label(), self.what),
            benign: vec![self.benign.to_owned()],
            evidence: vec![evidence],
            peer_geo: record.clone(),
            tunnel: None,
            geo: Some(Box::new(GeoMismatch {
                claimed_country: self.claimed_country,
                seen: record.unwrap_or_default(),
                address: address.unwrap_or_default(),
                gap_km: self.gap_km.map(f64::round),
                days: [days, of],
            })),
            latency: None,
            schedule: None,
        }
    }
}

/// Which databases said where an address is, with their dates.
fn source(place: &Place) -> String {
    place.record().source.clone().unwrap_or_default()
}

/// Addresses of one family: databases often place a line's IPv4 and IPv6 addresses differently.
fn of_family<'a, 'b>(placed: &'b [Placed<'a>], is_v4: bool) -> Vec<&'b Placed<'a>> {
    placed
        .iter()
        .filter(|sight| sight.own.address.is_v4() == is_v4)
        .collect()
}

/// Days of these addresses together.
fn days_of<'a>(placed: impl Iterator<Item = &'a OwnAddress>) -> BTreeSet<u32> {
    placed.flat_map(|own| own.seen.days.keys().copied()).collect()
}
