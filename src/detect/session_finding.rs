//! From a grown group of flows to its finding: role, confidence, evidence, controller, and one sentence.

use std::fmt::Write as _;

use super::activity_state::{self, Judgement};
use super::delay::{self, Shown};
use super::group::{Group, PeerSeen};
use super::sentence::{Told, sentence};
use super::sessions::{Joined, Session};
use super::{HostView, Knowledge, unknown_interactive};
use crate::model::address::Address;
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::finding::{Activity, Confidence, Controller, Finding, FindingKind, Role};
use crate::model::identity::ContentId;
use crate::signatures::entry::{RoleHint, Tool};

/// Score from which a finding is sure of what it is.
const HIGH: i32 = 40;

/// Score from which it is probably so.
const MEDIUM: i32 = 25;

/// What the form of remote control adds to a weak name: as much as it weighs alone.
const FORM: i32 = 10;

/// Kind of the finding that a tool leads to, if it leads to one.
pub(super) fn kind_of(tool: &Tool) -> Option<FindingKind> {
    Some(match tool.class.finding.as_deref()? {
        "remote_access" => FindingKind::RemoteAccess,
        "ip_kvm" => FindingKind::IpKvm,
        "vpn" => FindingKind::Vpn,
        "proxy" => FindingKind::Proxy,
        "reverse_tunnel" => FindingKind::ReverseTunnel,
        "tor" => FindingKind::Tor,
        _ => return None,
    })
}

/// What the host does, where the protocol or the direction of the connections tells it.
fn declared_role(kind: FindingKind, is_direct: bool, group: &Group) -> Option<Role> {
    let leads = group.led_by_local.saturating_mul(2) >= group.flows;
    let is_remote = matches!(kind, FindingKind::RemoteAccess | FindingKind::IpKvm);
    match (is_remote, is_direct) {
        (true, true) => Some(if leads { Role::Controller } else { Role::Controlled }),
        (true, false) => None,
        (false, _) => Some(if leads || group.flows == 0 {
            Role::Client
        } else {
            Role::Server
        }),
    }
}

fn confidence(group: &Group) -> Confidence {
    let score = group.score();
    // A call that nobody answered proves that somebody tried, not that the tool runs.
    if group.flows > 0 && !group.is_answered {
        Confidence::Low
    } else if score >= HIGH {
        Confidence::High
    } else if score >= MEDIUM {
        Confidence::Medium
    } else {
        Confidence::Low
    }
}

/// What a weak name gains where the connection has the form of remote control: the two have nothing to do with each other. Nothing is
/// lowered without it, since a tool that nobody uses has no form.
fn lifted(
    confidence: Confidence,
    score: i32,
    is_remote: bool,
    group: &Group,
) -> Option<(Confidence, Evidence)> {
    let may_gain = confidence == Confidence::Low
        && is_remote
        && group.is_answered
        && score.saturating_add(FORM) >= MEDIUM;
    let shape = unknown_interactive::shape(&group.windows).filter(|_| may_gain)?;
    Some((
        Confidence::Medium,
        unknown_interactive::evidence(shape, f64::from(FORM), &[], group.first),
    ))
}

/// Identifier of the finding of a tool on a host.
pub(super) fn identifier(host: &HostView, tool: &Tool, peer: Option<Address>) -> ContentId {
    let peer = peer.map_or([0; 16], |peer| peer.0);
    ContentId::of(&[b"finding", &host.id.0.to_be_bytes(), tool.id.as_bytes(), &peer])
}

/// Whether the host may be the one whose screen is looked at.
fn shows_screen(judged: &Judgement) -> bool {
    matches!(judged.activity, Activity::Viewed | Activity::Driven) && judged.role != Role::Controller
}

/// What the session shows of who sits at its ends.
fn shown(tool: &Tool, is_remote: bool, judged: &Judgement) -> Shown {
    Shown {
        has_screen: is_remote && tool.class.id != "remote-login" && shows_screen(judged),
        is_controlled: is_remote && judged.role == Role::Controlled,
    }
}

/// Names or addresses of the servers between the two ends.
fn relays(group: &Group, peer: Option<Address>) -> Vec<String> {
    if peer.is_some() {
        return Vec::new();
    }
    let peers = group.peers.iter();
    peers
        .map(|(address, seen)| name_or_address(*address, seen))
        .collect()
}

/// Makes the finding of a group, and what the profile wants beside it.
pub(super) fn finding(joined: Joined<'_>, knowledge: &Knowledge<'_>) -> Option<(Finding, Session)> {
    let Joined {
        id,
        host,
        tool,
        peer,
        mut group,
    } = joined;
    let kind = kind_of(tool)?;
    if group.flows == 0 && host.is_resolver {
        return None;
    }
    let is_remote = matches!(kind, FindingKind::RemoteAccess | FindingKind::IpKvm);
    let declared = declared_role(kind, peer.is_some(), &group);
    let mut judged = if is_remote {
        activity_state::judge(&group.windows, &tool.id, declared)
    } else {
        Judgement {
            role: declared.unwrap_or_default(),
            activity: Activity::Unknown,
            intervals: Vec::new(),
        }
    };
    if judged.role == Role::Unknown
        && matches!(judged.activity, Activity::Idle | Activity::Unknown)
        && (group.has_hint(RoleHint::Agent) || group.flows == 0)
    {
        judged.role = Role::Agent;
    }
    let is_in_use = group.has_hint(RoleHint::Session) && group.is_answered && group.flows > 0;
    let mut confidence = confidence(&group);
    let mut score = group.score();
    let mut evidence = evidence(tool, &mut group, is_remote);
    if let Some((lifted, item)) = lifted(confidence, score, is_remote, &group) {
        confidence = lifted;
        score = score.saturating_add(FORM);
        evidence.push(item);
    }
    let score = Decibans(f64::from(score));
    let shown = shown(tool, is_remote, &judged);
    let delays = delay::told(group.latency.as_deref(), shown, knowledge.at);
    evidence.extend(delays.evidence);
    let main_peer = match peer {
        Some(peer) => group.peers.iter().find(|(address, _)| **address == peer),
        None => group
            .peers
            .iter()
            .max_by_key(|(address, seen)| (seen.bytes, std::cmp::Reverse(**address))),
    };
    let controller = controller(&group, peer, judged.role, knowledge);
    let names: Vec<&str> = group
        .peers
        .values()
        .filter_map(|seen| seen.name.as_deref())
        .collect();
    let main_address = main_peer.map(|(address, _)| address.to_ip());
    let sanctioned = knowledge.sanctioned(host, &tool.id, &names, main_address);
    let relays = relays(&group, peer);
    let (instance, is_private_server) = instance(tool, &group);
    let mut finding = Finding {
        id,
        timestamp: group.first?,
        last_seen: group.last,
        kind,
        tool: tool.id.clone(),
        protocol: tool.protocol.clone(),
        role: judged.role,
        activity: judged.activity,
        intervals: judged.intervals,
        controller,
        host: host.id,
        host_ip: host.address(),
        peer: main_peer.map(|(address, _)| address.to_string()),
        peer_name: main_peer.and_then(|(_, seen)| seen.name.as_deref().map(str::to_owned)),
        peer_port: main_peer.map(|(_, seen)| seen.port).filter(|port| *port != 0),
        proto: group.proto.map(str::to_owned),
        community_id: group.community_id.take().map(String::from),
        flow_ids: std::mem::take(&mut group.flow_ids),
        flow_count: group.flows,
        confidence,
        score,
        sanctioned,
        benign: vec![tool.benign().to_owned()],
        evidence,
        peer_geo: main_peer.and_then(|(address, _)| knowledge.place(*address)),
        latency: delays.record.map(Box::new),
        ..Finding::default()
    };
    finding.summary = summary(host, tool, &finding, &group);
    let session = Session {
        host: host.id,
        finding: 0,
        relays,
        instance,
        is_private_server,
        is_in_use,
        windows: group.windows,
        control_excess_ms: delays.excess_ms.ok_or(delays.hidden),
        transport_ms: delays.transport_ms,
    };
    Some((finding, session))
}

fn name_or_address(address: Address, seen: &PeerSeen) -> String {
    seen.name
        .as_deref()
        .map_or_else(|| address.to_string(), str::to_owned)
}

/// The items of a group in words; their texts are taken out of it.
fn evidence(tool: &Tool, group: &mut Group, is_remote: bool) -> Vec<Evidence> {
    let family = if is_remote { Family::Rc } else { Family::Loc };
    let mut list: Vec<Evidence> = std::mem::take(&mut group.items)
        .into_iter()
        .map(|(_, item)| {
            let mut what = item.what;
            if item.times > 1 {
                let _ = write!(what, " ({} times)", item.times);
            }
            let weight = Decibans(f64::from(item.weight));
            let mut evidence = Evidence::observed(family, what, weight, &item.frames, Some(item.at));
            evidence.signature = Some(format!("{}:{}", tool.id, item.field));
            evidence.note = item.note;
            evidence
        })
        .collect();
    list.sort_by(|a, b| {
        b.weight
            .0
            .total_cmp(&a.weight.0)
            .then_with(|| a.signature.cmp(&b.signature))
    });
    if group.flows > 0 && !group.is_answered {
        let mut unanswered = Evidence::observed(
            family,
            "no payload was seen from one of the two sides: tried, or captured in one direction only"
                .to_owned(),
            Decibans(0.0),
            &[],
            None,
        );
        unanswered.measure = Some("answered".to_owned());
        list.push(unanswered);
    }
    list
}

/// Who controls a controlled host, where it can be told.
fn controller(
    group: &Group,
    peer: Option<Address>,
    role: Role,
    knowledge: &Knowledge<'_>,
) -> Option<Controller> {
    if role == Role::Controller || role == Role::Client {
        return None;
    }
    if let Some(((address, how), _)) = group.controllers.iter().next() {
        return Some(Controller {
            address: *address,
            how: (*how).to_owned(),
            geo: knowledge.place(*address),
        });
    }
    let peer = peer.filter(|_| role == Role::Controlled)?;
    Some(Controller {
        address: peer,
        how: "direct".to_owned(),
        geo: knowledge.place(peer),
    })
}

/// The tool's instance: the customer's own name at the vendor, or a server outside the vendor's zone.
fn instance(tool: &Tool, group: &Group) -> (Option<String>, bool) {
    for (address, seen) in group.peers.iter() {
        if let Some(name) = &seen.name
            && name.starts_with("instance-")
        {
            return (Some(name.to_string()), false);
        }
        // Without a name it may be the vendor's own, which was asked for before the capture began or in secret.
        let is_own_server = tool.id == "rustdesk"
            && seen
                .name
                .as_deref()
                .is_some_and(|name| name != "rustdesk.com" && !name.ends_with(".rustdesk.com"));
        if is_own_server {
            return (Some(name_or_address(*address, seen)), true);
        }
    }
    (None, false)
}

fn summary(host: &HostView, tool: &Tool, finding: &Finding, group: &Group) -> String {
    let peer = match (&finding.peer_name, &finding.peer) {
        (Some(name), Some(address)) => Some(format!("{name} ({address})")),
        (None, Some(address)) => Some(address.clone()),
        (_, None) => None,
    };
    let lasting = |wanted: Activity| {
        finding
            .intervals
            .iter()
            .filter(|(_, _, state)| *state == wanted)
            .map(|(start, end, _)| end.since(*start))
            .fold(0, i64::saturating_add)
    };
    sentence(&Told {
        who: &host.label(),
        tool: &tool.name,
        role: finding.role,
        activity: finding.activity,
        driven: lasting(Activity::Driven),
        viewed: lasting(Activity::Viewed),
        flows: group.flows,
        is_answered: group.is_answered,
        peer: peer.as_deref(),
        peers: group.peers.len(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::activity_state::{Way, Window};

    /// A minute of a hand in every two, for so many minutes.
    fn driven(minutes: u32) -> Group {
        let window = |out, inward| Window {
            out,
            inward,
            is_opening: false,
        };
        let way = |bytes, small, packets, turns| Way {
            bytes,
            small,
            packets,
            turns,
        };
        let hand = window(way(20_000, 3, 60, 40), way(4_000, 90, 90, 50));
        let still = window(way(600, 0, 2, 1), way(60, 1, 1, 1));
        Group {
            windows: (0..minutes * 6)
                .map(|number| (number, if number / 6 % 2 == 0 { hand } else { still }))
                .collect(),
            is_answered: true,
            ..Group::default()
        }
    }

    #[test]
    fn a_weak_name_gains_by_the_form_of_remote_control_and_nothing_else_does() {
        let group = driven(6);
        let (confidence, evidence) = lifted(Confidence::Low, 20, true, &group).unwrap();
        assert_eq!(
            (confidence, evidence.measure.as_deref()),
            (Confidence::Medium, Some("interactive_shape"))
        );
        assert!(lifted(Confidence::Low, 10, true, &group).is_none(), "too weak");
        assert!(
            lifted(Confidence::Medium, 30, true, &group).is_none(),
            "no higher"
        );
        assert!(lifted(Confidence::Low, 20, false, &group).is_none(), "a tunnel");
        assert!(
            lifted(Confidence::Low, 20, true, &driven(1)).is_none(),
            "too short"
        );
        let unanswered = Group {
            is_answered: false,
            ..group
        };
        assert!(lifted(Confidence::Low, 20, true, &unanswered).is_none());
    }
}
