//! Tests of whole frames: every link type and tunnel, all their truncations, and arbitrary bytes.

use proptest::prelude::*;

use super::samples::*;
use crate::model::address::{Address, AddressSpace, SpaceKind};
use crate::model::segment::{Layer, Segment, segment_flag, tcp_flag};

/// 802.2 and SNAP in front of IPv4.
const SNAP_IP: [u8; 8] = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
const DESTINATION: [u8; 6] = [2, 0, 0, 0, 0, 2];
const SOURCE: [u8; 6] = [2, 0, 0, 0, 0, 1];
const STATION: [u8; 6] = [2, 0, 0, 0, 0, 9];

fn is_the_sample(segment: &Segment) -> bool {
    segment.layer == Layer::Tcp
        && segment.source_address == Address::from_v4(SENDER)
        && segment.destination_address == Address::from_v4(RECEIVER)
        && (segment.source_port, segment.destination_port) == (40_000, 443)
}

/// A sample TCP packet in every link type that is understood: name, link type, frame.
fn link_samples() -> Vec<(&'static str, u16, Vec<u8>)> {
    let ip = &tcp_v4(b"hello")[..];
    let dot11 = |control: u8, flags: u8, rest: &[u8]| {
        join(&[
            &[control, flags, 0, 0],
            &DESTINATION,
            &SOURCE,
            &STATION,
            &[0, 0],
            rest,
        ])
    };
    let in_the_clear = dot11(0x08, 0, &join(&[&SNAP_IP, ip]));
    let mut netfilter = join(&[&[2, 0, 0, 1], &[8, 0, 1, 0, 0, 0, 0, 0]]);
    netfilter.extend(u16::try_from(ip.len() + 4).unwrap().to_le_bytes());
    netfilter.extend([9, 0]);
    netfilter.extend(ip);
    let length = u16::try_from(ip.len() + 2).unwrap().to_be_bytes();
    vec![
        ("Ethernet", 1, ethernet(0x0800, ip)),
        (
            "stacked VLAN tags",
            1,
            ethernet(0x88a8, &join(&[&[0, 5, 0x81, 0, 0, 6, 8, 0], ip])),
        ),
        (
            "old QinQ",
            1,
            ethernet(0x9100, &join(&[&[0, 5, 0x81, 0, 0, 6, 8, 0], ip])),
        ),
        (
            "802.3 with SNAP",
            1,
            ethernet(u16::try_from(ip.len() + 8).unwrap(), &join(&[&SNAP_IP, ip])),
        ),
        (
            "provider backbone",
            1,
            ethernet(0x88e7, &join(&[&[0; 4], &ethernet(0x0800, ip)])),
        ),
        ("VN-tag", 1, ethernet(0x8926, &join(&[&[0; 4], &[8, 0], ip]))),
        (
            "MACsec in the clear",
            1,
            ethernet(0x88e5, &join(&[&[0, 0, 0, 0, 0, 1, 8, 0], ip, &[7; 16]])),
        ),
        (
            "MPLS",
            1,
            ethernet(0x8847, &join(&[&[0, 1, 0x20, 64, 0, 1, 1, 64], ip])),
        ),
        (
            "PPPoE",
            1,
            ethernet(0x8864, &join(&[&[0x11, 0, 0, 7], &length, &[0, 0x21], ip])),
        ),
        ("BSD loopback, little-endian", 0, join(&[&[2, 0, 0, 0], ip])),
        ("BSD loopback, big-endian", 108, join(&[&[0, 0, 0, 2], ip])),
        ("SLIP", 8, join(&[&[0; 16], ip])),
        ("PPP", 9, join(&[&[0, 0x21], ip])),
        ("PPP in HDLC framing", 50, join(&[&[0xff, 3, 0, 0x21], ip])),
        ("PPP with compressed protocol", 9, join(&[&[0x21], ip])),
        ("Cisco HDLC in a PPP capture", 50, join(&[&[0x0f, 0, 8, 0], ip])),
        (
            "PPPoE alone",
            51,
            join(&[&[0x11, 0, 0, 7], &length, &[0, 0x21], ip]),
        ),
        ("raw IP", 101, ip.to_vec()),
        ("raw IP, BSD", 12, ip.to_vec()),
        ("IPv4", 228, ip.to_vec()),
        ("Cisco HDLC", 104, join(&[&[0x0f, 0, 8, 0], ip])),
        ("frame relay, Cisco", 107, join(&[&[0x18, 0x41, 8, 0], ip])),
        ("frame relay, RFC 2427", 107, join(&[&[0x18, 0x41, 3, 0xcc], ip])),
        (
            "frame relay with SNAP",
            107,
            join(&[&[0x18, 0x41, 3, 0, 0x80, 0, 0, 0, 8, 0], ip]),
        ),
        (
            "Linux cooked",
            113,
            join(&[&[0, 0, 0, 1, 0, 6], &SOURCE, &[0, 0, 8, 0], ip]),
        ),
        (
            "Linux cooked 2",
            276,
            join(&[&[8, 0, 0, 0, 0, 0, 0, 1, 0, 1, 0, 6], &SOURCE, &[0, 0], ip]),
        ),
        ("802.11", 105, in_the_clear.clone()),
        (
            "802.11 with QoS",
            105,
            dot11(0x88, 0, &join(&[&[0, 0], &SNAP_IP, ip])),
        ),
        ("radiotap", 127, join(&[&[0, 0, 8, 0, 0, 0, 0, 0], &in_the_clear])),
        (
            "radiotap with check sequence",
            127,
            join(&[&[0, 0, 9, 0, 2, 0, 0, 0, 0x10], &in_the_clear, &[9; 4]]),
        ),
        (
            "AVS",
            163,
            join(&[&[0x80, 0x21, 0x10, 1, 0, 0, 0, 64], &[0; 56], &in_the_clear]),
        ),
        (
            "Prism",
            119,
            join(&[&[0x44, 0, 0, 0, 0x90, 0, 0, 0], &[0; 136], &in_the_clear]),
        ),
        (
            "per-packet information",
            192,
            join(&[&[0, 0, 8, 0, 105, 0, 0, 0], &in_the_clear]),
        ),
        ("netfilter log", 239, netfilter),
        ("ARCNET", 129, join(&[&[1, 2, 0, 0, 0xd4, 0, 0, 1], ip])),
        (
            "token ring",
            6,
            join(&[&[0x10, 0x40], &DESTINATION, &SOURCE, &SNAP_IP, ip]),
        ),
        ("FDDI", 10, join(&[&[0x50], &DESTINATION, &SOURCE, &SNAP_IP, ip])),
        ("ATM", 11, join(&[&SNAP_IP, ip])),
        ("OpenBSD packet filter", 117, join(&[&[61, 2], &[0; 62], ip])),
        ("OpenBSD encapsulated", 109, join(&[&[0; 12], ip])),
    ]
}

#[test]
fn every_link_type_gives_its_packet() {
    for (name, link, frame) in link_samples() {
        let decoded = decode(link, &[frame]);
        assert_eq!(decoded.segments.len(), 1, "{name}: {:?}", decoded.losses);
        assert!(
            is_the_sample(&decoded.segments[0]),
            "{name}: {:?}",
            decoded.segments[0]
        );
        assert_eq!(decoded.payload(0), b"hello", "{name}");
        assert!(!decoded.segments[0].is(segment_flag::CUT), "{name}");
        assert_eq!(decoded.losses.total(), 0, "{name}");
    }
}

#[test]
fn no_truncation_of_any_sample_panics_or_leaves_the_block() {
    let links = link_samples().into_iter();
    let tunnels = tunnel_samples()
        .into_iter()
        .map(|(_, name, _, packet)| (name, 101, packet));
    for (_, link, frame) in links.chain(tunnels) {
        for length in 0..frame.len() {
            let mut block = block(link, &[frame.clone()]);
            block.frames[0].captured = u32::try_from(length).unwrap();
            decode_block(block);
            decode(link, &[frame[..length].to_vec()]);
        }
    }
}

#[test]
fn addresses_of_802_11_follow_the_direction() {
    let body = join(&[&SNAP_IP, &tcp_v4(b"")]);
    let frame = |flags: u8, rest: &[u8]| {
        join(&[
            &[0x08, flags, 0, 0],
            &[1 << 1, 1, 1, 1, 1, 1],
            &[2; 6],
            &[4; 6],
            &[0, 0],
            rest,
        ])
    };
    let macs = |frame: Vec<u8>| {
        let segment = decode(105, &[frame]).segments[0];
        (segment.source_mac.0, segment.destination_mac.0)
    };
    assert_eq!(macs(frame(0, &body)), ([2; 6], [2, 1, 1, 1, 1, 1]));
    assert_eq!(macs(frame(1, &body)), ([2; 6], [4; 6]));
    assert_eq!(macs(frame(2, &body)), ([4; 6], [2, 1, 1, 1, 1, 1]));
    assert_eq!(macs(frame(3, &join(&[&[6; 6], &body]))), ([6; 6], [4; 6]));
}

#[test]
fn an_aggregate_gives_each_of_its_subframes() {
    let body = join(&[&SNAP_IP, &tcp_v4(b"one")]);
    let length = u16::try_from(body.len()).unwrap().to_be_bytes();
    let subframe = join(&[&DESTINATION, &SOURCE, &length, &body]);
    let padding = vec![0; subframe.len().next_multiple_of(4) - subframe.len()];
    let frame = join(&[
        &[0x88, 0, 0, 0],
        &DESTINATION,
        &SOURCE,
        &STATION,
        &[0, 0, 0x80, 0],
        &subframe,
        &padding,
        &subframe,
    ]);
    let decoded = decode(105, &[frame]);
    assert_eq!(decoded.segments.len(), 2);
    assert!(decoded.segments.iter().all(is_the_sample));
    assert_eq!(decoded.payload(1), b"one");
}

#[test]
fn encrypted_wireless_frames_are_counted() {
    let frame = join(&[&[0x08, 0x41, 0, 0], &[2; 18], &[0, 0], &[0x55; 40]]);
    let decoded = decode(105, &[frame]);
    assert!(decoded.segments.is_empty());
    assert_eq!(
        decoded.losses.iter().collect::<Vec<_>>(),
        [("802.11 data frames that are encrypted", 1)]
    );
}

#[test]
fn a_link_type_that_is_not_understood_is_counted_by_name() {
    let decoded = decode(189, &[tcp_v4(b"x")]);
    assert!(decoded.segments.is_empty());
    assert_eq!(
        decoded.losses.iter().collect::<Vec<_>>(),
        [("link type 189 (USB_LINUX) not understood", 1)]
    );
}

#[test]
fn padding_is_no_payload_and_fields_are_read() {
    let frame = join(&[&ethernet(0x0800, &tcp_v4(b"hi")), &[0; 10]]);
    let decoded = decode(1, &[frame]);
    let segment = decoded.segments[0];
    assert_eq!(decoded.payload(0), b"hi");
    assert_eq!((segment.payload_on_wire, segment.frame_on_wire), (2, 66));
    assert_eq!((segment.ttl, segment.ip_id), (64, 0x1234));
    assert_eq!(
        (segment.sequence, segment.acknowledgement, segment.window),
        (1_000, 7, 8_192)
    );
    assert!(segment.has_tcp(tcp_flag::ACK) && segment.has_tcp(tcp_flag::PSH));
    assert_eq!(segment.source_mac.0, SOURCE);
    assert_eq!(segment.flags, segment_flag::HAS_MAC);
}

#[test]
fn an_offloaded_packet_of_length_zero_reaches_to_the_end_of_its_frame() {
    let mut packet = tcp_v4(&[7; 3_000]);
    packet[2..4].fill(0);
    let decoded = decode(1, &[ethernet(0x0800, &packet)]);
    assert_eq!(decoded.segments[0].payload_on_wire, 3_000);
}

#[test]
fn a_cut_transport_header_keeps_the_ports_where_they_are() {
    let cut = |captured: u32| {
        let mut block = block(101, &[tcp_v4(b"hello")]);
        block.frames[0].captured = captured;
        decode_block(block).segments[0]
    };
    let with_ports = cut(24);
    assert_eq!(
        (with_ports.layer, with_ports.destination_port, with_ports.protocol),
        (Layer::OtherIp, 443, 6)
    );
    assert!(with_ports.is(segment_flag::CUT));
    let without = cut(23);
    assert_eq!((without.layer, without.destination_port), (Layer::OtherIp, 0));
    assert_eq!(without.source_address, Address::from_v4(SENDER));
}

#[test]
fn other_transports_are_read() {
    let udp_of_length = |length: u16| {
        let mut datagram = udp(5, 6, b"abc");
        datagram[4..6].copy_from_slice(&length.to_be_bytes());
        decode(101, &[ip_v4(17, &datagram)]).segments[0]
    };
    assert_eq!(udp_of_length(0).payload_on_wire, 3);
    assert_eq!(udp_of_length(10).payload_on_wire, 2);
    assert_eq!(udp_of_length(900).payload_on_wire, 3);
    assert_eq!(
        (udp_of_length(7).layer, udp_of_length(7).source_port),
        (Layer::OtherIp, 5)
    );
    let sctp = decode(101, &[ip_v4(132, &join(&[&[0, 5, 0, 6], &[0; 8], b"chunk"]))]);
    assert_eq!(
        (sctp.segments[0].layer, sctp.segments[0].destination_port),
        (Layer::Sctp, 6)
    );
    assert_eq!(sctp.payload(0), b"chunk");
    let icmp = decode(101, &[ip_v4(1, &[3, 1, 0, 0, 9, 9, 9, 9])]);
    let segment = icmp.segments[0];
    assert_eq!(
        (segment.layer, segment.source_port, segment.destination_port),
        (Layer::Icmp, 3, 1)
    );
    assert_eq!(icmp.payload(0), [9; 4]);
    let icmp_v6 = decode(101, &[ip_v6(58, &[135, 0, 0, 0, 1])]).segments[0];
    assert_eq!((icmp_v6.layer, icmp_v6.source_port), (Layer::Icmpv6, 135));
    let esp = decode(101, &[ip_v4(50, &[1; 30])]).segments[0];
    assert_eq!(
        (esp.layer, esp.protocol, esp.payload_on_wire),
        (Layer::OtherIp, 50, 30)
    );
}

#[test]
fn options_and_extension_headers_are_passed_over() {
    let mut with_options = tcp_v4(b"hello");
    with_options.splice(20..20, [1, 1, 1, 0]);
    with_options[0] = 0x46;
    with_options[3] += 4;
    assert!(is_the_sample(&decode(101, &[with_options]).segments[0]));
    let hop_by_hop = [60, 0, 1, 4, 0, 0, 0, 0];
    let destination = [51, 0, 1, 4, 0, 0, 0, 0];
    let authentication = [6, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2];
    let packet = ip_v6(
        0,
        &join(&[&hop_by_hop, &destination, &authentication, &tcp(b"hello")]),
    );
    let decoded = decode(101, &[packet]);
    assert_eq!(
        (decoded.segments[0].layer, decoded.segments[0].protocol),
        (Layer::Tcp, 6)
    );
    assert_eq!(decoded.payload(0), b"hello");
    let options = decode(
        101,
        &[ip_v4(6, &{
            let mut segment = tcp(&[2, 4, 5, 0xb4]);
            segment[12] = 0x60;
            segment
        })],
    );
    let segment = options.segments[0];
    assert_eq!(options.block.slice(segment.options_offset, 4), [2, 4, 5, 0xb4]);
    assert_eq!((segment.options_length, segment.payload_captured), (4, 0));
}

#[test]
fn frames_without_ip_become_link_segments() {
    let cdp = ethernet(13, &[0xaa, 0xaa, 3, 0, 0, 0x0c, 0x20, 0, 1, 2, 3, 4, 5]);
    let spanning_tree = ethernet(7, &[0x42, 0x42, 3, 0, 0, 0, 0]);
    let decoded = decode(
        1,
        &[
            ethernet(0x0806, &[0, 1]),
            ethernet(0x88cc, &[2, 7]),
            cdp,
            spanning_tree,
        ],
    );
    let kinds: Vec<_> = decoded
        .segments
        .iter()
        .map(|s| (s.layer, s.source_port, s.destination_port))
        .collect();
    assert_eq!(
        kinds,
        [
            (Layer::Link, 0, 0x0806),
            (Layer::Link, 0, 0x88cc),
            (Layer::Link, 0x000c, 0x2000),
            (Layer::Link, 0x42, 0x42)
        ]
    );
    assert_eq!(decoded.payload(2), [1, 2, 3, 4, 5]);
    assert_eq!(decoded.segments[0].source_mac.0, SOURCE);
}

#[test]
fn vlan_tags_enter_the_space() {
    let frame = ethernet(0x88a8, &join(&[&[0xe0, 5, 0x81, 0, 0, 6, 8, 0], &tcp_v4(b"")]));
    assert_eq!(
        decode(1, &[frame]).segments[0].space,
        AddressSpace::default().with_vlan(5).with_vlan(6)
    );
}

/// Every tunnel around the sample: IP protocol (17 for UDP), names, identifier, outer IP packet.
fn tunnel_samples() -> Vec<(u8, &'static str, Option<(SpaceKind, u32)>, Vec<u8>)> {
    let ip = &tcp_v4(b"hello")[..];
    let frame = &ethernet(0x0800, ip)[..];
    let over_udp = |port: u16, parts: &[&[u8]]| ip_v4(17, &udp(50_000, port, &join(parts)));
    let gre = |parts: &[&[u8]]| ip_v4(47, &join(parts));
    let ppp_length = u16::try_from(ip.len() + 4).unwrap().to_be_bytes();
    let gtp_length = u16::try_from(ip.len()).unwrap().to_be_bytes();
    let gtp_long = u16::try_from(ip.len() + 8).unwrap().to_be_bytes();
    let vni = Some((SpaceKind::Vni, 42));
    let key = Some((SpaceKind::GreKey, 7));
    vec![
        (4, "ipip", None, ip_v4(4, ip)),
        (4, "ipip", None, ip_v6(4, ip)),
        (47, "gre", None, gre(&[&[0, 0, 8, 0], ip])),
        (
            47,
            "gre",
            key,
            gre(&[&[0xb0, 0, 8, 0, 1, 2, 0, 0, 0, 0, 0, 7, 0, 0, 0, 1], ip]),
        ),
        (47, "gre", None, gre(&[&[0, 0, 0x65, 0x58], frame])),
        (47, "gre,mpls", None, gre(&[&[0, 0, 0x88, 0x47, 0, 1, 1, 64], ip])),
        (
            47,
            "gre",
            None,
            gre(&[
                &[0x30, 0x81, 0x88, 0x0b],
                &ppp_length,
                &[0; 10],
                &[0xff, 3, 0, 0x21],
                ip,
            ]),
        ),
        (47, "erspan1", None, gre(&[&[0, 0, 0x88, 0xbe], frame])),
        (
            47,
            "erspan2",
            None,
            gre(&[
                &[0x10, 0, 0x88, 0xbe, 0, 0, 0, 1, 0x10, 0, 0, 0, 0, 0, 0, 0],
                frame,
            ]),
        ),
        (
            47,
            "erspan3",
            None,
            gre(&[
                &[0x10, 0, 0x22, 0xeb, 0, 0, 0, 1, 0x20],
                &[0; 10],
                &[1],
                &[0; 8],
                frame,
            ]),
        ),
        (
            17,
            "vxlan",
            vni,
            over_udp(4_789, &[&[8, 0, 0, 0, 0, 0, 42, 0], frame]),
        ),
        (
            17,
            "vxlan",
            vni,
            over_udp(8_472, &[&[8, 0, 0, 0, 0, 0, 42, 0], frame]),
        ),
        (
            17,
            "vxlan",
            vni,
            over_udp(4_790, &[&[0x0c, 0, 0, 1, 0, 0, 42, 0], ip]),
        ),
        (
            17,
            "vxlan,nsh",
            vni,
            over_udp(
                4_790,
                &[&[0x0c, 0, 0, 4, 0, 0, 42, 0, 0, 2, 2, 1, 0, 0, 1, 255], ip],
            ),
        ),
        (
            17,
            "geneve",
            vni,
            over_udp(6_081, &[&[1, 0, 0x65, 0x58, 0, 0, 42, 0, 1, 2, 3, 0], frame]),
        ),
        (
            17,
            "gtpu",
            None,
            over_udp(2_152, &[&[0x30, 255], &gtp_length, &[0, 0, 0, 9], ip]),
        ),
        (
            17,
            "gtpu",
            None,
            over_udp(
                2_152,
                &[
                    &[0x34, 255],
                    &gtp_long,
                    &[0, 0, 0, 9, 0, 0, 0, 0x85, 1, 0, 0, 0],
                    ip,
                ],
            ),
        ),
        (
            17,
            "l2tp",
            None,
            over_udp(1_701, &[&[0, 2, 0, 1, 0, 2, 0xff, 3, 0, 0x21], ip]),
        ),
        (
            17,
            "tzsp",
            None,
            over_udp(37_008, &[&[1, 0, 0, 1, 10, 1, 0xcc, 1], frame]),
        ),
        (137, "mpls", None, ip_v4(137, &join(&[&[0, 1, 1, 64], ip]))),
        (97, "etherip", None, ip_v4(97, &join(&[&[0x30, 0], frame]))),
    ]
}

#[test]
fn every_tunnel_gives_its_outer_packet_and_then_the_inner_one() {
    for (protocol, names, identifier, packet) in tunnel_samples() {
        let decoded = decode(101, &[packet]);
        assert_eq!(decoded.segments.len(), 2, "{names}: {:?}", decoded.losses);
        let (outer, inner) = (&decoded.segments[0], &decoded.segments[1]);
        assert_eq!(outer.protocol, protocol, "{names}");
        assert!(outer.is(segment_flag::OPENED_TUNNEL), "{names}");
        assert_eq!(
            (outer.tunnels.depth(), outer.space),
            (0, AddressSpace::default()),
            "{names}"
        );
        assert!(is_the_sample(inner), "{names}: {inner:?}");
        assert!(!inner.is(segment_flag::OPENED_TUNNEL), "{names}");
        assert_eq!(inner.tunnels.to_string(), names);
        assert_eq!(decoded.payload(1), b"hello", "{names}");
        let space = identifier.map_or(AddressSpace::default(), |(kind, identifier)| {
            AddressSpace::default().with_identifier(kind, identifier)
        });
        assert_eq!(inner.space, space, "{names}");
        assert_eq!(outer.frame_on_wire, inner.frame_on_wire, "{names}");
    }
}

#[test]
fn ip_version_6_in_4_and_teredo_are_named() {
    let inner = ip_v6(6, &tcp(b"x"));
    let decoded = decode(101, &[ip_v4(41, &inner)]);
    assert_eq!(decoded.segments[1].tunnels.to_string(), "6in4");
    assert!(decoded.segments[1].is(segment_flag::V6));
    let mut teredo = inner;
    teredo[8..12].copy_from_slice(&[0x20, 1, 0, 0]);
    let origin = [0, 0, 1, 2, 3, 4, 5, 6];
    let decoded = decode(101, &[ip_v4(17, &udp(3_544, 50_000, &join(&[&origin, &teredo])))]);
    assert_eq!(decoded.segments[1].tunnels.to_string(), "teredo");
    assert_eq!(decoded.segments[1].layer, Layer::Tcp);
}

#[test]
fn a_pseudo_wire_gives_the_addresses_of_the_inner_frame() {
    let inner = ethernet(0x0800, &tcp_v4(b"x"));
    for control_word in [&[][..], &[0, 0, 0, 1]] {
        let mut frame = ethernet(0x8847, &join(&[&[0, 1, 1, 64], control_word, &inner]));
        frame[..12].fill(0x0e);
        let segment = decode(1, &[frame]).segments[0];
        assert_eq!(segment.tunnels.to_string(), "mpls,ethernet-pseudowire");
        assert_eq!(segment.source_mac.0, SOURCE);
        assert!(segment.is(segment_flag::HAS_MAC));
    }
}

#[test]
fn routed_inner_packets_have_no_link_addresses_and_bridged_ones_their_own() {
    let routed = decode(1, &[ethernet(0x0800, &ip_v4(4, &tcp_v4(b"")))]);
    assert!(routed.segments[0].is(segment_flag::HAS_MAC));
    assert!(!routed.segments[1].is(segment_flag::HAS_MAC));
    let bridged = decode(
        1,
        &[ethernet(
            0x0800,
            &ip_v4(
                47,
                &join(&[&[0, 0, 0x65, 0x58], &ethernet(0x0806, &[0, 1, 8, 0])]),
            ),
        )],
    );
    assert!(bridged.segments[1].is(segment_flag::HAS_MAC));
    assert_eq!(
        (bridged.segments[1].layer, bridged.segments[1].destination_port),
        (Layer::Link, 0x0806)
    );
}

#[test]
fn a_port_alone_opens_no_tunnel() {
    for port in [1_701, 2_152, 3_544, 4_789, 4_790, 6_081, 8_472, 37_008] {
        for content in [
            &b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03www\x07example\x03com\0\0\x01\0\x01"[..],
            &[8; 60],
            &[0; 60],
            b"",
        ] {
            let decoded = decode(101, &[ip_v4(17, &udp(port, 53, content))]);
            assert_eq!(decoded.segments.len(), 1, "{port}");
            assert!(!decoded.segments[0].is(segment_flag::OPENED_TUNNEL), "{port}");
        }
    }
}

#[test]
fn tunnels_are_opened_six_deep_and_the_seventh_is_counted() {
    let mut packet = tcp_v4(b"x");
    for _ in 0..7 {
        packet = ip_v4(4, &packet);
    }
    let decoded = decode(101, &[packet]);
    assert_eq!(decoded.segments.len(), 7);
    assert_eq!(
        decoded
            .segments
            .iter()
            .filter(|segment| segment.is(segment_flag::OPENED_TUNNEL))
            .count(),
        6
    );
    assert_eq!(
        decoded.losses.iter().collect::<Vec<_>>(),
        [("tunnels nested deeper than is opened", 1)]
    );
}

#[test]
fn a_tunnel_in_fragments_is_rebuilt_and_opened() {
    let inside = join(&[&[0, 0, 8, 0], &tcp_v4(&[9; 100])]);
    let frames = [
        fragment_v4(47, 0, true, &inside[..64]),
        fragment_v4(47, 64, false, &inside[64..]),
    ];
    let decoded = decode(101, &frames);
    assert_eq!(decoded.segments.len(), 2);
    assert!(decoded.segments[0].is(segment_flag::REASSEMBLED | segment_flag::OPENED_TUNNEL));
    assert!(is_the_sample(&decoded.segments[1]));
    assert_eq!(decoded.payload(1), [9; 100]);
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(link in prop::sample::select(vec![0_u16, 1, 6, 8, 9, 10, 11, 50, 51, 101, 104, 105, 107, 109, 113, 117, 119, 127, 129, 163, 192, 239, 276]), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        decode(link, &[bytes]);
    }

    #[test]
    fn damaged_samples_never_panic(
        index in any::<prop::sample::Index>(),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let mut samples: Vec<_> = link_samples().into_iter().map(|(_, link, frame)| (link, frame)).collect();
        samples.extend(tunnel_samples().into_iter().map(|(_, _, _, packet)| (101, packet)));
        let (link, mut frame) = samples[index.index(samples.len())].clone();
        for (at, value) in damage {
            let at = at.index(frame.len());
            frame[at] = value;
        }
        decode(link, &[frame]);
    }
}
