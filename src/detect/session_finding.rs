//! From a grown group of flows to its finding: role, confidence, evidence, controller, and one sentence.

use std::fmt::Write as _;

use super::activity_state::{self, Judgement};
use super::delay::{self, Shown};
use super::glance;
use super::group::{ASKED, Group, PeerSeen};
use super::instance::{instance, sanctioned};
use super::sentence::{By, Told, sentence};
use super::sessions::{Joined, Session};
use super::{HostView, Knowledge, shape_against, unknown_interactive};
use crate::model::address::Address;
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::finding::{Activity, Confidence, Controller, Finding, FindingKind, Role};
use crate::model::identity::ContentId;
use crate::settings::rules::FindingRules;
use crate::signatures::entry::{RoleHint, Tool};

/// Octets on the wire that no setting up takes, also one that ends with a refused log-in: exchanges of keys and certificates have up to 10 KiB.
const OPENING: u64 = 32 << 10;

/// How sure a finding of this score is.
pub(super) fn believed(score: i32, rules: &FindingRules) -> Confidence {
    if score >= rules.high {
        Confidence::High
    } else if score >= rules.medium {
        Confidence::Medium
    } else {
        Confidence::Low
    }
}

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
    // Connections whose beginning was seen speak for those whose was not; where none was, a proxy or tunnel is told no end.
    let (led, of) = if group.told > 0 {
        (group.told_led_by_local, group.told)
    } else {
        (group.led_by_local, group.flows)
    };
    let leads = led.saturating_mul(2) >= of;
    let is_remote = matches!(kind, FindingKind::RemoteAccess | FindingKind::IpKvm);
    match (is_remote, is_direct) {
        // Whatever else goes on between the two: somebody may come in.
        (true, true) if group.ssh.lets_in() => Some(Role::Controlled),
        (true, true) => Some(if leads { Role::Controller } else { Role::Controlled }),
        (true, false) => None,
        (false, _) if group.told == 0 && group.flows > 0 => None,
        (false, _) => Some(if leads || group.flows == 0 {
            Role::Client
        } else {
            Role::Server
        }),
    }
}

fn confidence(group: &Group, rules: &FindingRules) -> Confidence {
    // A call that nobody answered proves that somebody tried, not that the tool runs.
    if group.flows > 0 && !group.is_answered {
        Confidence::Low
    } else {
        believed(group.score(), rules)
    }
}

/// What a weak name gains where the connection has the form of remote control: the two have nothing to do with each other. Nothing is
/// lowered for want of it, since a tool that nobody uses has no form; what another form takes away says [`shape_against`].
fn lifted(
    confidence: Confidence,
    score: i32,
    is_remote: bool,
    group: &Group,
    rules: &FindingRules,
) -> Option<(Confidence, Evidence)> {
    let may_gain = confidence == Confidence::Low
        && is_remote
        && group.is_answered
        && score.saturating_add(rules.form) >= rules.medium;
    let shape = unknown_interactive::shape(&group.windows).filter(|_| may_gain)?;
    Some((
        Confidence::Medium,
        unknown_interactive::evidence(shape, f64::from(rules.form), &[], group.first),
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
    if peer.is_some() || group.is_server() {
        return Vec::new();
    }
    let peers = group.peers.iter();
    peers
        .map(|(address, seen)| name_or_address(*address, seen))
        .collect()
}

/// Role and states of a group.
fn judged(
    tool: &Tool,
    is_remote: bool,
    declared: Option<Role>,
    group: &Group,
    rules: &FindingRules,
) -> Judgement {
    // Half of a session shows neither who drives nor whether anybody does.
    let is_half = is_remote && group.is_one_sided();
    let mut judged = if is_half {
        Judgement {
            role: declared.unwrap_or_default(),
            activity: Activity::Unknown,
            intervals: Vec::new(),
        }
    } else if is_remote && group.ssh.is_tunnel() {
        activity_state::judge_tunnel(&group.windows, &tool.id, declared.unwrap_or_default())
    } else if is_remote {
        activity_state::judge(&group.windows, &tool.id, declared)
    } else {
        Judgement {
            role: declared.unwrap_or_default(),
            activity: Activity::Unknown,
            intervals: Vec::new(),
        }
    };
    if is_remote && declared.is_none() {
        if group.is_server() {
            judged.role = Role::Server;
            return judged;
        }
        judged = glance::without(judged, &group.windows);
    }
    if is_half {
        return judged;
    }
    let is_at_rest = match judged.activity {
        Activity::Idle | Activity::Unknown => true,
        // What came is the program's next version as well as anything else; what went out is not.
        Activity::Bulk => group.received_mostly(),
        Activity::Viewed | Activity::Driven => false,
    };
    if judged.role == Role::Unknown && is_at_rest {
        let is_shared = group.has_hint(RoleHint::Shared);
        let is_asked_alone = group.flows == 0 && !is_shared;
        if group.has_hint(RoleHint::Agent)
            || is_asked_alone
            || is_shared && group.has_program
            || group.says.is_registered
        {
            judged.role = Role::Agent;
        } else if group.is_of_controllers() && group.score() >= rules.medium {
            judged.role = Role::Controller;
        }
    }
    // A screen is looked at, and nothing in its form tells whose: the two said so when they were brought together.
    if judged.role == Role::Unknown
        && let Some(role) = group.says.role()
    {
        judged = glance::without(
            activity_state::judge(&group.windows, &tool.id, Some(role)),
            &group.windows,
        );
    }
    judged
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
    let rules = &knowledge.rules.findings;
    let judged = judged(tool, is_remote, declared, &group, rules).within(group.first?, group.last);
    let is_session = group.has_hint(RoleHint::Session) && group.is_answered && group.flows > 0;
    let is_in_use = is_session || group.is_tunnel;
    let is_one_sided = group.is_one_sided();
    let by = by(&group);
    let mut confidence = confidence(&group, rules);
    let mut score = group.score();
    let mut evidence = evidence(tool, &mut group, is_remote);
    if let Some((lifted, item)) = lifted(confidence, score, is_remote, &group, rules) {
        confidence = lifted;
        score = score.saturating_add(rules.form);
        evidence.push(item);
    }
    if let Some((lowered, item)) = shape_against::lowered(confidence, score, is_remote, tool, &group, rules) {
        confidence = lowered;
        score = score.saturating_sub(rules.less);
        evidence.push(item);
    }
    let score = Decibans(f64::from(score));
    let shown = shown(tool, is_remote, &judged);
    let delays = delay::told_of(std::mem::take(&mut group.latency), shown, knowledge.at);
    evidence.extend(delays.evidence);
    let main_peer = match peer {
        Some(peer) => group.peers.iter().find(|(address, _)| **address == peer),
        None => group
            .peers
            .iter()
            .max_by_key(|(address, seen)| (seen.bytes, std::cmp::Reverse(**address))),
    };
    let caller = peer.filter(|_| main_peer.is_some_and(|(_, seen)| took_place(&judged, seen, &group)));
    let controller = controller(&group, caller, judged.role, knowledge);
    let names: Vec<&str> = group
        .peers
        .values()
        .filter_map(|seen| seen.name.as_deref())
        .collect();
    let main_address = main_peer.map(|(address, _)| address.to_ip());
    let sanctioned = sanctioned(host, tool, &group, &names, main_address, knowledge);
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
        controller: controller.map(Box::new),
        host: host.id,
        host_ip: host.address(),
        peer: main_peer.map(|(address, _)| address.to_string()),
        peer_name: main_peer.and_then(|(_, seen)| seen.name.as_deref().map(str::to_owned)),
        peer_port: main_peer.and_then(|(_, seen)| seen.port.one()),
        host_port: main_peer.and_then(|(_, seen)| seen.own_port.one()),
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
    finding.summary = summary(host, tool, &finding, &group, by);
    let session = Session {
        host: host.id,
        finding: 0,
        relays,
        instance,
        is_private_server,
        is_in_use,
        is_one_sided,
        windows: group.windows,
        payload: group.payload,
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

fn times(count: u64) -> String {
    if count == 1 {
        "once".to_owned()
    } else {
        format!("{count} times")
    }
}

/// The items of a group in words; their texts are taken out of it.
fn evidence(tool: &Tool, group: &mut Group, is_remote: bool) -> Vec<Evidence> {
    let family = if is_remote { Family::Rc } else { Family::Loc };
    let items = std::mem::take(&mut group.items);
    // With room for a round trip and for that nobody answered.
    let mut list: Vec<Evidence> = Vec::with_capacity(items.len().saturating_add(2));
    list.extend(items.into_iter().map(|(_, item)| {
        let mut what = item.what;
        if item.times > 1 {
            let _ = write!(what, " ({} times)", item.times);
        }
        if item.others > 0 {
            let _ = write!(what, ", and others of its kind {}", times(item.others));
        }
        let weight = Decibans(f64::from(item.weight));
        let mut evidence = Evidence::observed(family, what, weight, &item.frames, item.at);
        evidence.signature = Some([&tool.id, ":", &item.field].concat());
        evidence.note = item.note;
        evidence
    }));
    list.extend(group.ssh.evidence().filter(|_| is_remote));
    list.sort_by(|a, b| {
        b.weight
            .0
            .total_cmp(&a.weight.0)
            .then_with(|| a.signature.cmp(&b.signature))
    });
    if group.flows > 0 && !group.is_answered {
        let what = if group.is_refused {
            "the answers are errors: the tunnel was asked for, and refused"
        } else {
            "no payload was seen from one of the two sides: tried, or captured in one direction only"
        };
        let mut unanswered = Evidence::observed(family, what.to_owned(), Decibans(0.0), &[], None);
        unanswered.measure = Some("answered".to_owned());
        list.push(unanswered);
    }
    list
}

/// Whether more than a call was seen: who is answered by a port and goes away again, as scanners do, controls nothing. A screen, a shell or files
/// moved, or both sides went on when the connection had been set up; where one side alone was captured, that one did. Of connections shorter
/// than a window there is no more than their length.
fn took_place(judged: &Judgement, peer: &PeerSeen, group: &Group) -> bool {
    let is_lively = matches!(
        judged.activity,
        Activity::Viewed | Activity::Driven | Activity::Bulk
    );
    if is_lively || peer.bytes >= peer.flows.saturating_mul(OPENING) {
        return true;
    }
    let later = || group.windows.values().filter(|window| !window.is_opening);
    let sent = later().any(|window| window.out.bytes > 0);
    let came = later().any(|window| window.inward.bytes > 0);
    sent && came || group.is_one_sided() && (sent || came)
}

/// Whether nothing but names of servers gave the tool away, none of which is asked for in its use alone, or one that is a console's, too.
fn by(group: &Group) -> By {
    let is_name = |group: &str| matches!(group, "name" | ASKED | "port");
    if group.has_hint(RoleHint::Shared) {
        By::SharedNames
    } else if group.items.iter().all(|(name, _)| is_name(name)) && !group.has_hint(RoleHint::Session) {
        By::NamesAlone
    } else {
        By::Any
    }
}

/// Who controls a controlled host, where it can be told. `peer` is the other end of a session that goes straight between the two.
fn controller(
    group: &Group,
    peer: Option<Address>,
    role: Role,
    knowledge: &Knowledge<'_>,
) -> Option<Controller> {
    if role == Role::Controller || role == Role::Client {
        return None;
    }
    let parties = group.parties.iter().filter(|_| role == Role::Controlled);
    if let Some(((address, how), _)) = group.controllers.iter().chain(parties).next() {
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

fn summary(host: &HostView, tool: &Tool, finding: &Finding, group: &Group, by: By) -> String {
    let peer = match (&finding.peer_name, &finding.peer) {
        (Some(name), Some(address)) => Some([name, " (", address, ")"].concat()),
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
        by,
        has_screen: tool.class.has_screen,
        driven: lasting(Activity::Driven),
        viewed: lasting(Activity::Viewed),
        flows: group.flows,
        is_answered: group.is_answered,
        is_refused: group.is_refused,
        peer: peer.as_deref(),
        peers: group.peers.len(),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::detect::activity_state::{Way, Window};
    use crate::geo::Geo;
    use crate::settings::policy::Policy;
    use crate::settings::rules::Rules;
    use crate::signatures::Catalogue;

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
        let lifted_here = |confidence, score, is_remote, group: &Group| {
            lifted(confidence, score, is_remote, group, &Rules::shipped().findings)
        };
        let group = driven(6);
        let (confidence, evidence) = lifted_here(Confidence::Low, 20, true, &group).unwrap();
        assert_eq!(
            (confidence, evidence.measure.as_deref()),
            (Confidence::Medium, Some("interactive_shape"))
        );
        assert!(
            lifted_here(Confidence::Low, 10, true, &group).is_none(),
            "too weak"
        );
        assert!(
            lifted_here(Confidence::Medium, 30, true, &group).is_none(),
            "no higher"
        );
        assert!(
            lifted_here(Confidence::Low, 20, false, &group).is_none(),
            "a tunnel"
        );
        assert!(
            lifted_here(Confidence::Low, 20, true, &driven(1)).is_none(),
            "too short"
        );
        let unanswered = Group {
            is_answered: false,
            ..group
        };
        assert!(lifted_here(Confidence::Low, 20, true, &unanswered).is_none());
    }

    #[test]
    fn the_companys_own_server_does_not_make_a_strangers_beside_it_allowed() {
        let text = "[[instance]]\ntool = \"rustdesk\"\nnames = [\"desk.example\"]\n";
        let policy = Policy::parse(Path::new("policy.toml"), text, &["rustdesk"]).unwrap();
        let (catalogue, geo) = (Catalogue::embedded().unwrap(), Geo::embedded());
        let knowledge = Knowledge {
            catalogue: &catalogue,
            geo: &geo,
            policy: &policy,
            rules: Rules::shipped(),
            reverse_names: None,
            at: None,
        };
        let tool = catalogue.tool("rustdesk").unwrap();
        let judged = |servers: &[&str]| {
            let mut group = Group::default();
            for (number, name) in (1..).zip(servers) {
                let address = Address::from_v4([192, 0, 2, number]);
                let seen = group.peers.or_insert_with(address, PeerSeen::default);
                seen.name = Some((*name).into());
            }
            sanctioned(&HostView::default(), tool, &group, servers, None, &knowledge)
        };
        assert_eq!(judged(&["desk.example", "rs-ny.rustdesk.com"]), Some(true));
        assert_eq!(judged(&["desk.example", "desk.stranger.example"]), Some(false));
        assert_eq!(judged(&["desk.stranger.example"]), Some(false));
    }
}
