//! Tests of whole frames: every link type and tunnel, all their truncations, and arbitrary bytes.

use proptest::prelude::*;

use super::samples::*;
use super::tunnel::tests::tunnel_samples;
use crate::model::address::{Address, AddressSpace};
use crate::model::segment::{Layer, Segment, segment_flag, tcp_flag};

/// 802.2 and SNAP in front of IPv4.
const SNAP_IP: [u8; 8] = [0xaa, 0xaa, 3, 0, 0, 0, 8, 0];
const DESTINATION: [u8; 6] = [2, 0, 0, 0, 0, 2];
/// Sender of the Ethernet samples.
pub(super) const SOURCE: [u8; 6] = [2, 0, 0, 0, 0, 1];
const STATION: [u8; 6] = [2, 0, 0, 0, 0, 9];

pub(super) fn is_the_sample(segment: &Segment) -> bool {
    segment.layer == Layer::Tcp
        && segment.source_address == Address::from_v4(SENDER)
        && segment.destination_address == Address::from_v4(RECEIVER)
        && (segment.source_port, segment.destination_port) == (40_000, 443)
}

/// A sample TCP packet in every link type that is understood: name, link type, frame.
#[expect(clippy::too_many_lines, reason = "a table with one entry for each link type")]
pub(super) fn link_samples() -> Vec<(&'static str, u16, Vec<u8>)> {
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
        .map(|sample| (sample.names, 101, sample.packet));
    for (_, link, frame) in links.chain(tunnels) {
        for length in 0..frame.len() {
            let mut block = block(link, std::slice::from_ref(&frame));
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
    let subframe = |identification: u8| {
        let mut packet = tcp_v4(b"one");
        packet[5] = identification;
        let body = join(&[&SNAP_IP, &packet]);
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        join(&[&DESTINATION, &SOURCE, &length, &body])
    };
    let (one, other) = (subframe(1), subframe(2));
    let padding = vec![0; one.len().next_multiple_of(4) - one.len()];
    let frame = join(&[
        &[0x88, 0, 0, 0],
        &DESTINATION,
        &SOURCE,
        &STATION,
        &[0, 0, 0x80, 0],
        &one,
        &padding,
        &other,
    ]);
    let decoded = decode(105, &[frame]);
    assert_eq!(decoded.segments.len(), 2);
    assert!(decoded.segments.iter().all(is_the_sample));
    assert_eq!(decoded.payload(1), b"one");
}

#[test]
fn a_wireless_frame_that_is_sent_again_counts_once() {
    let frame = |flags: u8, number: u16| {
        join(&[
            &[0x08, flags, 0, 0],
            &DESTINATION,
            &SOURCE,
            &STATION,
            &(number << 4).to_le_bytes(),
            &SNAP_IP,
            &tcp_v4(b"hello"),
        ])
    };
    let retry = 0x08;
    let sent = [frame(0, 7), frame(retry, 7), frame(0, 8), frame(retry, 9)];
    assert_eq!(decode(105, &sent).segments.len(), 3);
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
    let outside = &decoded.segments[0];
    assert_eq!(
        (
            outside.layer,
            outside.protocol,
            outside.is(segment_flag::OPENED_TUNNEL)
        ),
        (Layer::OtherIp, 51, true)
    );
    assert_eq!(outside.tunnels.to_string(), "ah");
    assert_eq!(
        (decoded.segments[1].layer, decoded.segments[1].protocol),
        (Layer::Tcp, 6)
    );
    assert_eq!(decoded.segments[1].source_address, outside.source_address);
    assert_eq!(decoded.payload(1), b"hello");
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

/// Four hundred packets, each followed by a copy with one hop less and other link addresses, in the VLAN that is asked for.
fn doubled(vlan_of_copy: u8) -> usize {
    let mut frames = Vec::new();
    for number in 0..400_u16 {
        let mut packet = tcp_v4(&number.to_be_bytes());
        packet[4..6].copy_from_slice(&number.to_be_bytes());
        frames.push(ethernet(0x8100, &join(&[&[0, 5, 8, 0], &packet])));
        packet[8] -= 1;
        let mut copy = ethernet(0x8100, &join(&[&[0, vlan_of_copy, 8, 0], &packet]));
        copy[..12].fill(0x0c);
        frames.push(copy);
    }
    decode(1, &frames).segments.len()
}

#[test]
fn copies_of_a_mirror_port_are_left_out_once_the_capture_proved_doubled() {
    // 128 packets are judged first, half of them copies.
    assert_eq!(doubled(5), 464);
}

#[test]
fn copies_in_another_vlan_stay() {
    assert_eq!(doubled(6), 800);
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
        samples.extend(tunnel_samples().into_iter().map(|sample| (101, sample.packet)));
        let (link, mut frame) = samples[index.index(samples.len())].clone();
        for (at, value) in damage {
            let at = at.index(frame.len());
            frame[at] = value;
        }
        decode(link, &[frame]);
    }
}
