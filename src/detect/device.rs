//! Devices that announce what they are: IP-KVMs and hosts of remote access by name, service, vendor class or link address.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::session_finding::{self, kind_of};
use super::thresholds::THRESHOLDS;
use super::{Conclusion, HostView, Knowledge};
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::finding::{Activity, Finding, Role};
use crate::model::frame::FrameRef;
use crate::model::identity::ContentId;
use crate::model::thresholds;
use crate::model::time::Timestamp;
use crate::signatures::Match;

/// The catalogue's fields that are looked up here.
pub static FIELDS: &[&str] = &[
    "dhcp.host_name",
    "mdns.host",
    "llmnr.host",
    "nbns.own",
    "lldp.system_name",
    "mdns.service",
    "mdns.instance",
    "ssdp.server",
    "lldp.system_description",
    "dhcp.vendor_class",
    "dhcpv6.vendor_class",
    "mac.oui",
];

/// Names a device by what it says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Device;

/// One thing that fits.
struct Fit {
    weight: i32,
    alone: bool,
    evidence: Evidence,
}

/// Field of the catalogue under which a name of this source is looked up.
fn field_of(source: &str) -> Option<&'static str> {
    Some(match source {
        "dhcp" => "dhcp.host_name",
        "mdns" => "mdns.host",
        "llmnr" => "llmnr.host",
        "nbns" => "nbns.own",
        "lldp" => "lldp.system_name",
        _ => return None,
    })
}

/// What says the same thing counts once: a name is one name by DHCP, mDNS and NetBIOS.
fn claim(field: &'static str) -> &'static str {
    match field {
        "dhcp.host_name" | "mdns.host" | "llmnr.host" | "nbns.own" | "lldp.system_name" => "name",
        "mdns.service" | "mdns.instance" => "service",
        "dhcp.vendor_class" | "dhcpv6.vendor_class" => "vendor class",
        field => field,
    }
}

impl Conclusion for Device {
    fn conclude(&self, hosts: &[HostView], findings: &[Finding], knowledge: &Knowledge<'_>) -> Vec<Finding> {
        // Few hosts say anything of the kind: what was found of them is put in order once the first one does.
        let known = OnceCell::new();
        let is_known = |host: ContentId, tool: &str| {
            let known: &BTreeSet<(ContentId, &str)> = known.get_or_init(|| {
                findings
                    .iter()
                    .map(|finding| (finding.host, finding.tool.as_str()))
                    .collect()
            });
            known.contains(&(host, tool))
        };
        hosts
            .iter()
            .flat_map(|host| of_host(host, &is_known, knowledge))
            .collect()
    }
}

fn of_host(
    host: &HostView,
    is_known: &dyn Fn(ContentId, &str) -> bool,
    knowledge: &Knowledge<'_>,
) -> Vec<Finding> {
    let mut fits: BTreeMap<String, BTreeMap<&'static str, Fit>> = BTreeMap::new();
    let mut look = |field: &'static str, value: &str, frame: Option<FrameRef>, at: Timestamp| {
        for found in knowledge.catalogue.matches(field, value.as_bytes()) {
            if found.tool.class.finding.is_some() {
                add(&mut fits, &found, field, value, frame, at);
            }
        }
    };
    for (source, name, frame, at) in &host.names {
        if let Some(field) = field_of(source) {
            look(field, name.trim_end_matches(".local"), Some(*frame), *at);
            look(field, name, Some(*frame), *at);
        }
    }
    for (field, text, frame, at) in &host.announced {
        look(field, text, Some(*frame), *at);
    }
    if let Some(mac) = host.mac.filter(|mac| !mac.is_local()) {
        look("mac.oui", &mac.to_string(), None, host.seen.0);
    }
    fits.into_iter()
        .filter(|(tool, _)| !is_known(host.id, tool))
        .filter_map(|(tool, fits)| finding(host, &tool, fits, knowledge))
        .collect()
}

fn add(
    fits: &mut BTreeMap<String, BTreeMap<&'static str, Fit>>,
    found: &Match<'_>,
    field: &'static str,
    value: &str,
    frame: Option<FrameRef>,
    at: Timestamp,
) {
    let weight = i32::from(found.weight());
    let place = fits.entry(found.tool.id.clone()).or_default();
    let claim = claim(field);
    let rank = (weight, found.indicator.alone);
    if place
        .get(claim)
        .is_some_and(|known| (known.weight, known.alone) >= rank)
    {
        return;
    }
    let what = format!("{field} {value}");
    let frames: Vec<FrameRef> = frame.into_iter().collect();
    let mut evidence = Evidence::observed(Family::Tool, what, Decibans(f64::from(weight)), &frames, Some(at));
    evidence.signature = Some(format!("{}:{field}", found.tool.id));
    evidence.note.clone_from(&found.indicator.caveat);
    place.insert(
        claim,
        Fit {
            weight,
            alone: found.indicator.alone,
            evidence,
        },
    );
}

fn finding(
    host: &HostView,
    tool: &str,
    fits: BTreeMap<&'static str, Fit>,
    knowledge: &Knowledge<'_>,
) -> Option<Finding> {
    let tool = knowledge.catalogue.tool(tool)?;
    let score: i32 = fits
        .values()
        .map(|fit| fit.weight)
        .sum::<i32>()
        .min(thresholds::THRESHOLDS.finding.highest_score);
    if !fits.values().any(|fit| fit.alone) && (fits.len() < 2 || score < THRESHOLDS.recognition.together) {
        return None;
    }
    let confidence = session_finding::believed(score, &knowledge.rules.findings);
    let mut evidence: Vec<Evidence> = fits.into_values().map(|fit| fit.evidence).collect();
    evidence.sort_by(|a, b| {
        b.weight
            .0
            .total_cmp(&a.weight.0)
            .then_with(|| a.signature.cmp(&b.signature))
    });
    Some(Finding {
        id: ContentId::of(&[b"device", &host.id.0.to_be_bytes(), tool.id.as_bytes()]),
        timestamp: host.seen.0,
        last_seen: host.seen.1,
        kind: kind_of(tool)?,
        tool: tool.id.clone(),
        protocol: tool.protocol.clone(),
        // A switch serves the screens of others; everything else that announces itself is installed on what it opens.
        role: if tool.class.id == "ip-kvm" {
            Role::Server
        } else {
            Role::Agent
        },
        activity: Activity::Unknown,
        host: host.id,
        host_ip: host.address(),
        flow_count: 0,
        confidence,
        score: Decibans(f64::from(score)),
        sanctioned: knowledge.sanctioned(host, &tool.id, &[], None),
        summary: format!(
            "{}: a device consistent with {}, by what it says of itself",
            host.label(),
            tool.name
        ),
        benign: vec![tool.benign().to_owned()],
        evidence,
        ..Finding::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Geo;
    use crate::model::finding::Confidence;
    use crate::settings::policy::Policy;
    use crate::signatures::Catalogue;

    fn found(host: HostView) -> Vec<Finding> {
        let catalogue = Catalogue::embedded().unwrap();
        let (geo, policy) = (Geo::embedded(), Policy::default());
        let knowledge = Knowledge {
            catalogue: &catalogue,
            geo: &geo,
            policy: &policy,
            rules: crate::settings::rules::Rules::shipped(),
            reverse_names: None,
            at: None,
        };
        Device.conclude(&[host], &[], &knowledge)
    }

    fn frame() -> FrameRef {
        FrameRef {
            capture: 0,
            number: 7,
        }
    }

    #[test]
    fn a_name_or_an_announcement_names_the_device_in_its_own_field() {
        let named = |source: &str, name: &str| HostView {
            names: vec![(source.to_owned(), name.to_owned(), frame(), Timestamp(5))],
            ..HostView::default()
        };
        let announced = |field: &'static str, text: &str| HostView {
            announced: vec![(field, text.to_owned(), frame(), Timestamp(5))],
            ..HostView::default()
        };
        for (host, field) in [
            (named("dhcp", "pikvm"), "dhcp.host_name"),
            (named("mdns", "pikvm.local"), "mdns.host"),
            (named("nbns", "PIKVM"), "nbns.own"),
            (announced("mdns.service", "_pikvm._tcp"), "mdns.service"),
        ] {
            let findings = found(host);
            let [finding] = findings.as_slice() else {
                panic!("{field}: {} findings", findings.len());
            };
            assert_eq!(finding.tool, "pikvm", "{field}");
            let signature = format!("pikvm:{field}");
            assert_eq!(finding.evidence[0].signature, Some(signature));
            assert_eq!(finding.evidence[0].frames, [7], "{field}");
        }
    }

    #[test]
    fn a_name_counts_once_however_often_it_is_said() {
        let name = |source: &str| (source.to_owned(), "pikvm".to_owned(), frame(), Timestamp(5));
        let once = found(HostView {
            names: vec![name("dhcp")],
            ..HostView::default()
        });
        let thrice = found(HostView {
            names: vec![name("dhcp"), name("mdns"), name("nbns")],
            ..HostView::default()
        });
        assert_eq!(once[0].score, thrice[0].score);
        assert_eq!(thrice[0].confidence, Confidence::Medium);
    }

    #[test]
    fn an_ordinary_device_gives_nothing() {
        let printer = HostView {
            names: vec![("dhcp".to_owned(), "printer-2".to_owned(), frame(), Timestamp(5))],
            announced: vec![("mdns.service", "_ipp._tcp".to_owned(), frame(), Timestamp(5))],
            ..HostView::default()
        };
        assert!(found(printer).is_empty());
    }
}
