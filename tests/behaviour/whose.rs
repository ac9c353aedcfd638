//! Farms of the laboratory as other networks show them: public addresses, IPv6 without router advertisements, a VLAN for each machine,
//! captures without link addresses. Whose an address is and where it stands must come out all the same.

use std::fs;
use std::path::Path;

use farmhawk::model::case::Case;
use farmhawk::model::host::HostRecord;

use crate::analysis::Analyst;
use crate::runs::{scenarios, write};
use crate::scenes::{blocks, frame, save};

/// Types of Ethernet frames.
const IPV4: [u8; 2] = [0x08, 0x00];
const IPV6: [u8; 2] = [0x86, 0xdd];

/// Type of a block that describes an interface (pcapng), and where its link type stands.
const INTERFACE: u32 = 1;
const LINK_TYPE: usize = 8;

/// Where an enhanced packet block says the frame's lengths.
const CAPTURED: usize = 20;

fn is_ours(address: &[u8]) -> bool {
    address[0] == 10
}

/// An IPv4 frame in parts: the Ethernet addresses, and the packet.
fn v4(frame: &[u8]) -> Option<(&[u8], &[u8])> {
    (frame[12..14] == IPV4).then(|| (&frame[..12], &frame[14..]))
}

/// The block with another frame in it.
fn recast(block: &[u8], bytes: &[u8]) -> Vec<u8> {
    let word = |number: usize| u32::try_from(number).unwrap().to_le_bytes();
    let cut = {
        let at = |from: usize| u32::from_le_bytes(block[from..from + 4].try_into().unwrap());
        usize::try_from(at(CAPTURED + 4) - at(CAPTURED)).unwrap()
    };
    let mut body = [
        &block[8..CAPTURED],
        &word(bytes.len()),
        &word(bytes.len() + cut),
        bytes,
    ]
    .concat();
    body.resize(body.len().next_multiple_of(4), 0);
    let length = word(body.len() + 12);
    [&block[..4], &length, &body, &length].concat()
}

/// The head of a capture with another link type.
fn of_link_type(head: &[u8], link_type: u16) -> Vec<u8> {
    let mut head = head.to_vec();
    let mut from = 0;
    while from < head.len() {
        let word = |at: usize| u32::from_le_bytes(head[at..at + 4].try_into().unwrap());
        let (kind, length) = (word(from), word(from + 4));
        if kind == INTERFACE {
            head[from + LINK_TYPE..from + LINK_TYPE + 2].copy_from_slice(&link_type.to_le_bytes());
        }
        from += usize::try_from(length).unwrap();
    }
    head
}

const ETHERNET: u16 = 1;

/// What is said of a scenario whose frames were changed.
fn analysed(name: &str, link_type: u16, change: &dyn Fn(&[u8]) -> Option<Vec<u8>>) -> Case {
    let folder = tempfile::tempdir().unwrap();
    let analyst = Analyst::new().unwrap();
    let scenario = scenarios().find(|one| one.name == name).unwrap();
    let (path, inventory, _) = write(scenario, 1, folder.path()).unwrap();
    let (head, frames) = blocks(&fs::read(&path).unwrap());
    let changed: Vec<Vec<u8>> = frames
        .iter()
        .filter_map(|block| Some(recast(block, &change(frame(block))?)))
        .collect();
    let path: &Path = &folder.path().join("changed.pcapng");
    save(path, &of_link_type(&head, link_type), &changed);
    analyst
        .analyse(&[path.to_owned()], &inventory, scenario.policy)
        .unwrap()
        .case
}

/// Verdicts and sizes of the groups, largest first.
fn groups(case: &Case) -> Vec<(&'static str, usize)> {
    let mut groups: Vec<(&str, usize)> = case
        .farms
        .iter()
        .map(|farm| (farm.verdict.name(), farm.hosts.len()))
        .collect();
    groups.sort_by_key(|(_, size)| std::cmp::Reverse(*size));
    groups
}

fn remark<'a>(case: &'a Case, words: &str) -> Option<&'a str> {
    let mut remarks = case.summary.remarks.iter().map(String::as_str);
    remarks.find(|remark| remark.contains(words))
}

fn has_address(host: &HostRecord, start: &str) -> bool {
    host.ips.iter().any(|ip| ip.starts_with(start))
}

#[expect(clippy::unnecessary_wraps, reason = "as other changes are")]
fn unchanged(frame: &[u8]) -> Option<Vec<u8>> {
    Some(frame.to_vec())
}

/// The packet over IPv6 with the same ports, hop limit and payload.
fn over_v6(frame: &[u8]) -> Option<Vec<u8>> {
    let (link, packet) = v4(frame)?;
    let (protocol, to) = (packet[9], &packet[16..20]);
    if packet[0] != 0x45 || !matches!(protocol, 6 | 17) || to[0] >= 224 || packet[12..16] == [0; 4] {
        return None;
    }
    let network = |address: &[u8]| {
        let ours = [
            0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 1, 2, 0, 0, 0xff, 0xfe, 0, 0x10, address[3],
        ];
        let mut others = [0x3f, 0xff, 0, address[1], 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        others[12..].copy_from_slice(address);
        if is_ours(address) { ours } else { others }
    };
    let length = u16::from_be_bytes([packet[2], packet[3]]) - 20;
    let [high, low] = length.to_be_bytes();
    let header = [0x60, 0, 0, 0, high, low, protocol, packet[8]];
    Some(
        [
            link,
            &IPV6,
            &header,
            &network(&packet[12..16]),
            &network(to),
            &packet[20..],
        ]
        .concat(),
    )
}

#[test]
fn a_farm_with_ipv6_that_no_router_announced_is_found_and_its_operators_are_nobody_of_ours() {
    let case = analysed("s02", ETHERNET, &|frame| {
        Some(over_v6(frame).unwrap_or_else(|| frame.to_vec()))
    });
    assert_eq!(groups(&case), [("strong", 7)]);
    assert!(
        case.hosts.iter().all(|host| !has_address(host, "3fff:")),
        "who is elsewhere became a host"
    );
    assert!(remark(&case, "1 IPv6 network").is_some_and(|remark| remark.contains("(-n)")));
}

#[test]
fn a_machine_with_both_protocols_is_one_machine() {
    // Outwards over IPv6, inside the house over IPv4.
    let case = analysed("s25", ETHERNET, &|frame| {
        let is_inside = v4(frame).is_some_and(|(_, packet)| is_ours(&packet[12..]) == is_ours(&packet[16..]));
        let is_tcp = v4(frame).is_some_and(|(_, packet)| packet[9] == 6);
        let changed = over_v6(frame).filter(|_| is_tcp && !is_inside);
        Some(changed.unwrap_or_else(|| frame.to_vec()))
    });
    assert_eq!(groups(&case), groups(&analysed("s25", ETHERNET, &unchanged)));
    assert_eq!(case.farms[0].hosts.len(), 5);
    for member in &case.farms[0].hosts {
        let host = case.hosts.iter().find(|host| host.host == member.host).unwrap();
        assert!(
            has_address(host, "10.") && has_address(host, "2001:db8:"),
            "{host:?}"
        );
    }
}

/// A campus: what was 10.x.y.z is 192.0.2.z.
fn public(frame: &[u8]) -> Vec<u8> {
    let mut changed = frame.to_vec();
    if v4(frame).is_some() {
        for from in [26, 30] {
            if is_ours(&frame[from..]) {
                changed[from..from + 3].copy_from_slice(&[192, 0, 2]);
            }
        }
    }
    changed
}

#[test]
fn a_campus_with_public_addresses_is_learnt_from_who_sends_first_hand() {
    let case = analysed("s02", ETHERNET, &|frame| Some(public(frame)));
    assert_eq!(groups(&case), [("strong", 7)]);
    assert!(case.hosts.iter().all(|host| !has_address(host, "203.0.113.")));
    assert!(remark(&case, "public IPv4 addresses").is_some_and(|remark| remark.contains("(-n)")));
}

#[test]
fn where_nothing_tells_whose_the_ends_are_the_user_is_asked() {
    // All packets come with one time to live, and through one pair of link addresses: seen between two routers.
    let case = analysed("s02", ETHERNET, &|frame| {
        let mut changed = public(frame);
        if v4(frame).is_some() {
            changed[22] = 60;
            changed[..12].copy_from_slice(&[2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2]);
        }
        Some(changed)
    });
    assert!(remark(&case, "no packet had a local address").is_some_and(|remark| remark.contains("(-n)")));
}

/// Type of a frame with a VLAN tag (IEEE 802.1Q).
const VLAN: [u8; 2] = [0x81, 0x00];

#[test]
fn a_vlan_for_each_laptop_behind_one_router_hides_no_farm() {
    let case = analysed("s25", ETHERNET, &|frame| {
        let Some((link, packet)) = v4(frame) else {
            return unchanged(frame);
        };
        let own = [&packet[12..16], &packet[16..20]]
            .into_iter()
            .find(|address| is_ours(address) && address[3] != 1);
        let tag = own.map_or(1, |address| 100 + u16::from(address[3]));
        Some([link, &VLAN, &tag.to_be_bytes(), &frame[12..]].concat())
    });
    assert_eq!(groups(&case), groups(&analysed("s25", ETHERNET, &unchanged)));
    assert!(
        case.farms[0]
            .hosts
            .iter()
            .all(|member| case.hosts.iter().any(|host| host.host == member.host))
    );
}

/// Link type of packets without link addresses.
const RAW: u16 = 101;

#[test]
fn a_capture_without_link_addresses_shows_the_farm_behind_ip_kvms() {
    let case = analysed("s13", RAW, &|frame| v4(frame).map(|(_, packet)| packet.to_vec()));
    let farm = case.farms.first().expect("a group");
    assert_eq!(farm.verdict.name(), "likely", "{}", farm.summary);
    let machines = farm.hosts.iter().filter(|member| !member.is_kvm).count();
    assert_eq!(machines, 4);
}
