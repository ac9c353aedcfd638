//! Tests of tunnels: each by hand-made packets.

use crate::decode::samples::*;
use crate::decode::tests::{SOURCE, is_the_sample};
use crate::model::address::{AddressSpace, SpaceKind};
use crate::model::segment::{Layer, segment_flag};

/// A tunnel around the sample TCP packet.
pub(in crate::decode) struct Sample {
    /// Protocol number of the outer IP packet.
    protocol: u8,
    /// The tunnels that the inner segment names.
    pub(in crate::decode) names: &'static str,
    identifier: Option<(SpaceKind, u32)>,
    /// The outer IP packet.
    pub(in crate::decode) packet: Vec<u8>,
}

/// Every tunnel that is opened.
#[expect(
    clippy::too_many_lines,
    reason = "a table with one entry for each form of a tunnel"
)]
pub(in crate::decode) fn tunnel_samples() -> Vec<Sample> {
    let ip = &tcp_v4(b"hello")[..];
    let frame = &ethernet(0x0800, ip)[..];
    let over_udp = |port: u16, parts: &[&[u8]]| ip_v4(17, &udp(50_000, port, &join(parts)));
    let gre = |parts: &[&[u8]]| ip_v4(47, &join(parts));
    let ppp_length = u16::try_from(ip.len() + 4).unwrap().to_be_bytes();
    let gtp_length = u16::try_from(ip.len()).unwrap().to_be_bytes();
    let gtp_long = u16::try_from(ip.len() + 8).unwrap().to_be_bytes();
    let vni = Some((SpaceKind::Vni, 42));
    let key = Some((SpaceKind::GreKey, 7));
    let table = vec![
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
    ];
    let sample = |(protocol, names, identifier, packet)| Sample {
        protocol,
        names,
        identifier,
        packet,
    };
    table.into_iter().map(sample).collect()
}

#[test]
fn every_tunnel_gives_its_outer_packet_and_then_the_inner_one() {
    for Sample {
        protocol,
        names,
        identifier,
        packet,
    } in tunnel_samples()
    {
        let decoded = decode(101, &[packet]);
        assert_eq!(decoded.segments.len(), 2, "{names}: {:?}", decoded.losses);
        let (outer, inner) = (&decoded.segments[0], &decoded.segments[1]);
        assert_eq!(outer.protocol, protocol, "{names}");
        assert!(outer.is(segment_flag::OPENED_TUNNEL), "{names}");
        assert_eq!(
            (outer.tunnels.to_string().as_str(), outer.space),
            (
                names.split(',').next().unwrap_or_default(),
                AddressSpace::default()
            ),
            "what it opens itself, not what lies further inside"
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
fn ayiya_is_opened_behind_identity_and_signature() {
    let inner = ip_v6(17, &udp(40_000, 40_001, b"zeek"));
    // An identity of 4 octets, a signature of 20 by SHA-1, a shared secret, forward, IPv6.
    let header = |operation: u8| join(&[&[0x21, 0x52, operation, 41], &[0; 4], &[0; 4], &[0; 20]]);
    let datagram = |operation| ip_v4(17, &udp(50_000, 5_072, &join(&[&header(operation), &inner])));
    let decoded = decode(101, &[datagram(0x11)]);
    assert_eq!(decoded.segments[1].tunnels.to_string(), "ayiya");
    assert_eq!(decoded.payload(1), b"zeek");
    // An echo request carries nothing.
    assert_eq!(decode(101, &[datagram(0x13)]).segments.len(), 1);
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
fn what_a_stranger_sends_through_a_tunnel_stands_in_a_space_of_his_own() {
    for Sample { names, packet, .. } in tunnel_samples() {
        let own = decode(101, std::slice::from_ref(&packet));
        let told = decode_where(block(101, &[packet]), &["10.0.0.0/8"]);
        assert_eq!(told.segments.len(), 2, "{names}");
        assert!(told.segments[1].space.is_strangers(), "{names}");
        assert!(!told.segments[0].space.is_strangers(), "{names}");
        assert!(!own.segments[1].space.is_strangers(), "{names}");
        let losses: Vec<_> = told.losses.iter().collect();
        assert_eq!(
            losses,
            [("packets in tunnels into which only a foreign address sends", 1)],
            "{names}"
        );
    }
    // The other end's packet in the same block puts it right.
    let mut answer = ip_v4(4, &tcp_v4(b"x"));
    answer[12..20].copy_from_slice(&[RECEIVER, SENDER].concat());
    let both = decode_where(block(101, &[ip_v4(4, &tcp_v4(b"x")), answer]), &["10.0.0.0/8"]);
    assert_eq!(both.segments.len(), 4);
    assert!(both.segments.iter().all(|segment| !segment.space.is_strangers()));
    assert_eq!(both.losses.iter().count(), 0);
    // What stands further inside is his word too, whoever it names as sender.
    let inner = ip_v4(4, &tcp_v4(b"x"));
    let twice = decode_where(block(101, &[ip_v4(4, &inner)]), &["10.0.0.0/8"]);
    let spaces: Vec<bool> = twice
        .segments
        .iter()
        .map(|segment| segment.space.is_strangers())
        .collect();
    assert_eq!(spaces, [false, true, true]);
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
