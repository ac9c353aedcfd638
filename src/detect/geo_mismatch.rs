//! Places that contradict the claimed one: the controller of a remote session, or a host's own public address, in another
//! country than the assignee's.
//!
//! An address shows where a network is, never who somebody is. What rests on the embedded default database alone never
//! rises above low confidence.

use std::collections::BTreeMap;

use super::{Conclusion, HostView, Knowledge, place_record};
use crate::model::address::Address;
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::finding::{Activity, Confidence, Finding, FindingKind, GeoMismatch, Role};
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::time::Timestamp;

/// Weight of a contradiction of countries by a user's own database.
const WEIGHT: f64 = 15.0;

/// Weight where only the embedded default says so.
const DEFAULT_WEIGHT: f64 = 3.0;

/// The conclusion.
#[derive(Clone, Copy, Debug)]
pub struct GeoMismatches;

/// An address that stands for a place of the host or of who controls it.
struct Sight<'a> {
    address: Address,
    what: String,
    frame: Option<FrameRef>,
    at: Timestamp,
    finding: Option<&'a Finding>,
}

impl Conclusion for GeoMismatches {
    fn conclude(&self, hosts: &[HostView], findings: &[Finding], knowledge: &Knowledge<'_>) -> Vec<Finding> {
        let mut of_host: BTreeMap<ContentId, Vec<&Finding>> = BTreeMap::new();
        for finding in findings {
            of_host.entry(finding.host).or_default().push(finding);
        }
        hosts
            .iter()
            .flat_map(|host| {
                let own = of_host.get(&host.id).map(Vec::as_slice).unwrap_or_default();
                sights(host, own)
                    .into_iter()
                    .filter_map(|sight| mismatch(host, &sight, knowledge))
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}

fn sights<'a>(host: &HostView, findings: &[&'a Finding]) -> Vec<Sight<'a>> {
    let mut list: BTreeMap<Address, Sight<'a>> = BTreeMap::new();
    for (address, how, frame, at) in &host.public {
        list.entry(*address).or_insert_with(|| Sight {
            address: *address,
            what: format!("its own public address {address} (learnt by {})", way(how)),
            frame: Some(*frame),
            at: *at,
            finding: None,
        });
    }
    for finding in findings {
        if finding.role == Role::Controlled
            && let Some(controller) = &finding.controller
        {
            list.entry(controller.address).or_insert_with(|| Sight {
                address: controller.address,
                what: format!(
                    "the controller of its {} session, {}",
                    finding.tool, controller.address
                ),
                frame: None,
                at: finding.timestamp,
                finding: Some(finding),
            });
        }
    }
    list.into_values().collect()
}

/// How a public address was learnt, as people write it.
fn way(how: &str) -> &str {
    match how {
        "stun" => "STUN",
        "natpmp" => "NAT-PMP",
        "upnp" => "UPnP",
        other => other,
    }
}

fn mismatch(host: &HostView, sight: &Sight<'_>, knowledge: &Knowledge<'_>) -> Option<Finding> {
    let asset = host.asset.as_ref()?;
    let claimed = asset.record.country.as_deref()?;
    let place = knowledge.geo.place(sight.address.to_ip())?;
    let seen = place.country?.to_string();
    if seen.eq_ignore_ascii_case(claimed) {
        return None;
    }
    let is_default = place.country_is_default();
    let weight = Decibans(if is_default { DEFAULT_WEIGHT } else { WEIGHT });
    let record = place_record(&place);
    let gap_km = match (asset.coordinates, place.disc()) {
        (Some((latitude, longitude)), Some((centre, radius))) => {
            crate::geo::sphere::Coordinates::new(latitude, longitude)
                .map(|claimed_at| (claimed_at.distance_km(centre) - radius).max(0.0).round())
        }
        _ => None,
    };
    let source = record.source.clone().unwrap_or_default();
    let frames: Vec<FrameRef> = match sight.finding {
        Some(finding) => finding
            .evidence
            .first()
            .and_then(|evidence| {
                Some(FrameRef {
                    capture: evidence.capture?,
                    number: *evidence.frames.first()?,
                })
            })
            .into_iter()
            .collect(),
        None => sight.frame.into_iter().collect(),
    };
    let what = format!(
        "{} is placed in {seen} by {source}; the inventory says {claimed}",
        sight.what
    );
    let mut evidence = Evidence::observed(Family::Loc, what, weight, &frames, Some(sight.at));
    evidence.measure = Some("country".to_owned());
    Some(Finding {
        id: ContentId::of(&[b"geo", &host.id.0.to_be_bytes(), &sight.address.0]),
        timestamp: sight.at,
        last_seen: host.seen.1,
        kind: FindingKind::GeoMismatch,
        tool: sight.finding.map_or_else(|| "egress".to_owned(), |finding| finding.tool.clone()),
        role: Role::Unknown,
        activity: Activity::Unknown,
        controller: sight.finding.and_then(|finding| finding.controller.clone()),
        host: host.id,
        host_ip: host.address(),
        peer: Some(sight.address.to_string()),
        community_id: sight.finding.and_then(|finding| finding.community_id.clone()),
        flow_ids: sight.finding.map(|finding| finding.flow_ids.clone()).unwrap_or_default(),
        flow_count: sight.finding.map_or(0, |finding| finding.flow_count),
        confidence: if is_default { Confidence::Low } else { Confidence::Medium },
        score: weight,
        summary: format!("{}: {} is placed in {seen}, while the inventory says {claimed}", host.label(), sight.what),
        benign: vec![
            "travel, a home office abroad, a company or consumer VPN whose exit is there, an address that the database places wrongly"
                .to_owned(),
        ],
        evidence: vec![evidence],
        peer_geo: Some(record.clone()),
        geo: Some(GeoMismatch {
            claimed_country: claimed.to_owned(),
            seen: record,
            address: sight.address.to_string(),
            gap_km,
            days: [1, 1],
        }),
        ..Finding::default()
    })
}
