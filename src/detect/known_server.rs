//! Sessions that nothing names, on a server that a tool of the same machine calls by name.
//!
//! Question: whose session is it? Where agent and session call one server that somebody runs himself (MeshCentral), each by a connection of
//! its own, often only the agent's says what it is; the other one has the form of remote control and the same server and port. Then it is that
//! tool's: the machine is controlled through it, and there is one finding and not two.

use std::collections::{BTreeMap, BTreeSet};

use super::activity_state;
use super::group::MOST_FLOW_IDS;
use super::sentence::{Told, sentence};
use super::unknown_interactive::{self, Candidate};
use super::{Concluded, HostView, Knowledge, session_finding};
use crate::model::address::Address;
use crate::model::evidence::Decibans;
use crate::model::finding::{Activity, Confidence, Finding, FindingKind, Role};
use crate::model::identity::ContentId;
use crate::model::thresholds::THRESHOLDS;
use crate::model::time::Timestamp;
use crate::signatures::entry::Tool;

/// Findings of agents that call a server which their tool's sessions go through, too: places in the list, by host and server.
pub(super) type Servers = BTreeMap<(ContentId, String), Vec<usize>>;

/// Where such findings stand.
pub(super) fn servers(concluded: &Concluded, knowledge: &Knowledge<'_>) -> Servers {
    let is_agent = |finding: &Finding| {
        finding.kind == FindingKind::RemoteAccess
            && matches!(finding.role, Role::Agent | Role::Unknown)
            && finding.confidence >= Confidence::Medium
            && tool_of(finding, knowledge).is_some()
    };
    let mut servers = Servers::new();
    for (place, finding) in concluded.findings.iter().enumerate() {
        if let Some(peer) = finding.peer.as_ref().filter(|_| is_agent(finding)) {
            servers
                .entry((finding.host, peer.clone()))
                .or_default()
                .push(place);
        }
    }
    servers
}

fn tool_of<'k>(finding: &Finding, knowledge: &'k Knowledge<'_>) -> Option<&'k Tool> {
    let tool = knowledge.catalogue.tool(&finding.tool);
    tool.filter(|tool| tool.is_opened_by_both)
}

/// Adds the connections of a host with a peer to the finding of the tool whose server that is; false where there is none, or more than one.
pub(super) fn adopt(
    host: &HostView,
    peer: Address,
    list: &[Candidate],
    servers: &Servers,
    knowledge: &Knowledge<'_>,
    concluded: &mut Concluded,
) -> bool {
    let ports: BTreeSet<u16> = list.iter().map(|one| one.port).collect();
    if list.iter().any(|one| !one.is_opened_by_host) || ports.len() != 1 {
        return false;
    }
    let places = servers.get(&(host.id, peer.to_string()));
    let is_on_port = |place: &&usize| {
        let finding = concluded.findings.get(**place);
        let port = finding.and_then(|finding| finding.peer_port);
        port.is_some_and(|port| ports.contains(&port))
    };
    let mut known = places.into_iter().flatten().filter(is_on_port);
    let (Some(&place), None) = (known.next(), known.next()) else {
        return false;
    };
    let Some(finding) = concluded.findings.get_mut(place) else {
        return false;
    };
    let Some(tool) = tool_of(finding, knowledge) else {
        return false;
    };
    let session = concluded
        .sessions
        .iter_mut()
        .find(|session| session.finding == place);
    let Some(session) = session else {
        return false;
    };
    for one in list {
        for (number, window) in &one.windows {
            session.windows.entry(*number).or_default().add(*window);
        }
    }
    session.is_in_use = true;
    let first = list
        .iter()
        .map(|one| one.start)
        .fold(finding.timestamp, Timestamp::min);
    let last = list
        .iter()
        .map(|one| one.end)
        .fold(finding.last_seen, Timestamp::max);
    let judged =
        activity_state::judge(&session.windows, &tool.id, Some(Role::Controlled)).within(first, last);
    (finding.timestamp, finding.last_seen) = (first, last);
    finding.role = judged.role;
    finding.activity = judged.activity;
    finding.intervals = judged.intervals;
    let room = MOST_FLOW_IDS.saturating_sub(finding.flow_ids.len());
    finding
        .flow_ids
        .extend(list.iter().take(room).map(|one| one.flow));
    let more = u64::try_from(list.len()).unwrap_or(u64::MAX);
    finding.flow_count = finding.flow_count.saturating_add(more);
    weigh(finding, list, knowledge);
    finding.summary = summary(host, tool, finding);
    true
}

/// The form has nothing to do with what named the agent.
fn weigh(finding: &mut Finding, list: &[Candidate], knowledge: &Knowledge<'_>) {
    let rules = &knowledge.rules.findings;
    let longest = list
        .iter()
        .max_by_key(|one| (one.shape.hand, one.shape.span, one.flow));
    let Some(longest) = longest else { return };
    let weight = Decibans(f64::from(rules.form));
    let mut item =
        unknown_interactive::evidence(longest.shape, weight.0, &longest.frames, Some(longest.start));
    item.note = Some("on a connection with the server that the agent calls".into());
    finding.evidence.push(item);
    finding.score = Decibans((finding.score.0 + weight.0).min(f64::from(THRESHOLDS.finding.highest_score)));
    #[expect(clippy::cast_possible_truncation, reason = "at most the highest score")]
    let score = finding.score.0 as i32;
    finding.confidence = finding.confidence.max(session_finding::believed(score, rules));
}

fn summary(host: &HostView, tool: &Tool, finding: &Finding) -> String {
    let lasting = |wanted: Activity| {
        let of_state = finding.intervals.iter().filter(|(.., state)| *state == wanted);
        of_state
            .map(|(start, end, _)| end.since(*start))
            .fold(0, i64::saturating_add)
    };
    let peer = match (&finding.peer_name, &finding.peer) {
        (Some(name), Some(address)) => Some(format!("{name} ({address})")),
        (_, address) => address.clone(),
    };
    sentence(&Told {
        who: &host.label(),
        tool: &tool.name,
        role: finding.role,
        activity: finding.activity,
        is_named_only: false,
        driven: lasting(Activity::Driven),
        viewed: lasting(Activity::Viewed),
        flows: finding.flow_count,
        is_answered: true,
        is_refused: false,
        peer: peer.as_deref(),
        peers: 1,
    })
}
