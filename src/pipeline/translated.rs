//! Sessions that were captured on both sides of an address translation: inside as those of several machines, outside as those
//! of the one address behind which they stand.
//!
//! Packets on both sides have nothing in common by which the decoder could tell a copy, but for what it does not keep of every
//! packet; so the outer address is a machine of its own here. The sentence says what it is, before somebody counts it.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use crate::model::finding::{Finding, FindingKind};
use crate::model::time::{Nanoseconds, SECOND, Timestamp};

/// Within what the two sides begin and end: the way through the router, and its clock where it captures itself.
const TOGETHER: Nanoseconds = SECOND;

/// What the sessions of several machines with one other end have in common.
type OtherEnd<'a> = (&'a str, &'a str, Option<u16>);

/// A sentence for each outer address whose sessions are those of other machines.
pub(super) fn remarks(findings: &[Finding]) -> Vec<String> {
    let sessions = || {
        findings
            .iter()
            .filter(|finding| finding.kind == FindingKind::RemoteAccess)
            .filter_map(|finding| Some((other_end(finding)?, finding)))
    };
    let mut outer: BTreeMap<OtherEnd<'_>, Vec<&Finding>> = BTreeMap::new();
    for (end, finding) in sessions().filter(|(_, finding)| is_outer(finding)) {
        outer.entry(end).or_default().push(finding);
    }
    if outer.is_empty() {
        return Vec::new();
    }
    let mut inner: BTreeMap<OtherEnd<'_>, Vec<&Finding>> = BTreeMap::new();
    for (end, finding) in sessions().filter(|(end, finding)| outer.contains_key(end) && !is_outer(finding)) {
        inner.entry(end).or_default().push(finding);
    }
    let mut said = Vec::new();
    for (end, several) in outer {
        let inside = inner.remove(&end).unwrap_or_default();
        for outside in several {
            if is_the_same(outside, &inside) {
                let (tool, peer, _) = end;
                said.push(format!(
                    "{}: its sessions of {tool} with {peer} are as many as those of {} and begin and end with them, which is \
                     consistent with a capture on either side of an address translation: it counts as a further machine here",
                    outside.host_ip,
                    machines(inside.len())
                ));
            }
        }
    }
    said
}

fn other_end(finding: &Finding) -> Option<OtherEnd<'_>> {
    Some((&finding.tool, finding.peer.as_deref()?, finding.peer_port))
}

/// Whether a machine's address is one that a translation gives; IPv6 is hardly ever translated.
fn is_outer(finding: &Finding) -> bool {
    let address = finding.host_ip.parse::<Ipv4Addr>();
    address.is_ok_and(|address| !address.is_private() && !address.is_link_local() && !address.is_loopback())
}

/// Whether these sessions together are what was seen of the outer address: as many connections, from the same moment to the same.
fn is_the_same(outside: &Finding, inside: &[&Finding]) -> bool {
    let first = inside.iter().map(|finding| finding.timestamp).min();
    let last = inside.iter().map(|finding| finding.last_seen).max();
    let flows = inside.iter().map(|finding| finding.flow_count);
    let together = |one: Option<_>, other| one.is_some_and(|one| near(one, other));
    together(first, outside.timestamp)
        && together(last, outside.last_seen)
        && flows.fold(0, u64::saturating_add) == outside.flow_count
}

fn near(one: Timestamp, other: Timestamp) -> bool {
    one.since(other).saturating_abs() <= TOGETHER
}

fn machines(count: usize) -> String {
    match count {
        1 => "another machine".to_owned(),
        count => format!("{count} other machines"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(host_ip: &str, [first, last]: [i64; 2], flow_count: u64) -> Finding {
        Finding {
            kind: FindingKind::RemoteAccess,
            tool: "screenconnect".to_owned(),
            host_ip: host_ip.to_owned(),
            peer: Some("198.51.100.31".to_owned()),
            peer_port: Some(443),
            timestamp: Timestamp(first * SECOND),
            last_seen: Timestamp(last * SECOND),
            flow_count,
            ..Finding::default()
        }
    }

    #[test]
    fn an_outer_address_that_repeats_the_sessions_of_those_behind_it_is_named() {
        let findings = [
            session("192.168.1.20", [100, 900], 2),
            session("192.168.1.21", [150, 950], 3),
            session("203.0.113.7", [100, 950], 5),
        ];
        let said = remarks(&findings);
        assert_eq!(said.len(), 1);
        assert!(
            said[0].starts_with(
                "203.0.113.7: its sessions of screenconnect with 198.51.100.31 are as many as those of 2 other machines"
            ),
            "{said:?}"
        );
    }

    #[test]
    fn a_machine_with_sessions_of_its_own_is_not() {
        let inside = session("192.168.1.20", [100, 900], 2);
        for other in [
            session("203.0.113.7", [100, 900], 3),
            session("203.0.113.7", [200, 900], 2),
            session("203.0.113.7", [100, 800], 2),
            session("192.168.1.21", [100, 900], 2),
        ] {
            assert_eq!(remarks(&[inside.clone(), other]), Vec::<String>::new());
        }
        assert_eq!(
            remarks(&[session("203.0.113.7", [100, 900], 2)]),
            Vec::<String>::new()
        );
    }
}
