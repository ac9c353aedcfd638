//! Tests of reassembly: order, copies, overlaps, holes, bounds.

use proptest::prelude::*;

use super::*;
use crate::decode::samples::{block, decode, decode_block, fragment_v4, fragment_v6, udp};
use crate::model::block::Block;
use crate::model::segment::Layer;

/// A datagram with a payload of counting bytes, UDP header included.
fn datagram(length: u8) -> Vec<u8> {
    udp(1_000, 2_000, &(0..length).collect::<Vec<u8>>())
}

#[test]
fn fragments_in_any_order_give_one_segment_for_the_frame_that_completed_them() {
    let whole = datagram(40);
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [2, 0, 1]] {
        let parts = [
            fragment_v4(17, 0, true, &whole[..16]),
            fragment_v4(17, 16, true, &whole[16..32]),
            fragment_v4(17, 32, false, &whole[32..]),
        ];
        let frames = order.map(|index: usize| parts[index].clone());
        let decoded = decode(101, &frames);
        assert_eq!(decoded.segments.len(), 1);
        let segment = decoded.segments[0];
        assert_eq!((segment.layer, segment.destination_port), (Layer::Udp, 2_000));
        assert!(segment.is(segment_flag::REASSEMBLED));
        assert_eq!(segment.source.number, 3);
        assert_eq!(segment.frame_on_wire as usize, frames[2].len());
        assert_eq!(decoded.payload(0), &whole[8..]);
        assert_eq!(decoded.losses.total(), 0);
    }
}

#[test]
fn of_overlapping_ipv4_fragments_the_first_bytes_count() {
    let whole = datagram(24);
    let frames = [
        fragment_v4(17, 0, true, &whole[..16]),
        fragment_v4(17, 8, true, &[0xee; 16]),
        fragment_v4(17, 24, false, &whole[24..]),
    ];
    let decoded = decode(101, &frames);
    let expected = [&whole[8..16], &[0xee; 8], &whole[24..]].concat();
    assert_eq!(decoded.payload(0), expected);
    assert_eq!(
        decoded.losses.iter().collect::<Vec<_>>(),
        [("fragments that overlap", 1)]
    );
}

#[test]
fn overlapping_ipv6_fragments_are_refused_as_a_whole() {
    let whole = datagram(24);
    let frames = [
        fragment_v6(17, 0, true, &whole[..16]),
        fragment_v6(17, 8, true, &[0xee; 16]),
        fragment_v6(17, 24, false, &whole[24..]),
        fragment_v6(17, 0, true, &whole[..16]),
    ];
    let decoded = decode(101, &frames);
    assert!(
        decoded
            .segments
            .iter()
            .all(|segment| segment.layer == Layer::OtherIp)
    );
    assert!(
        decoded
            .segments
            .iter()
            .all(|segment| segment.is(segment_flag::LATER_FRAGMENT))
    );
}

#[test]
fn a_fragment_that_comes_twice_changes_nothing() {
    let whole = datagram(24);
    let first = fragment_v6(17, 0, true, &whole[..16]);
    let decoded = decode(
        101,
        &[first.clone(), first, fragment_v6(17, 16, false, &whole[16..])],
    );
    assert_eq!(decoded.payload(0), &whole[8..]);
    assert_eq!(
        decoded.losses.iter().collect::<Vec<_>>(),
        [("fragments that came twice", 1)]
    );
}

#[test]
fn a_first_fragment_whose_rest_never_comes_gives_its_header() {
    let whole = datagram(40);
    let mut late = block(
        101,
        &[
            fragment_v4(17, 0, true, &whole[..24]),
            crate::decode::samples::tcp_v4(b"x"),
        ],
    );
    late.frames[1].at = late.frames[0].at.plus(30_000_000_000);
    for block in [late, block(101, &[fragment_v4(17, 0, true, &whole[..24])])] {
        let decoded = decode_block(block);
        let segment = decoded.segments[0];
        assert_eq!(
            (segment.layer, segment.source_port, segment.source.number),
            (Layer::Udp, 1_000, 1)
        );
        assert_eq!(decoded.payload(0), &whole[8..24]);
        assert_eq!(
            decoded.losses.iter().collect::<Vec<_>>(),
            [("datagrams whose fragments never came", 1)]
        );
    }
}

#[test]
fn fragments_without_their_first_still_give_the_addresses() {
    let decoded = decode(101, &[fragment_v4(17, 8, true, &[0; 16])]);
    let segment = decoded.segments[0];
    assert_eq!((segment.layer, segment.protocol), (Layer::OtherIp, 17));
    assert!(segment.is(segment_flag::LATER_FRAGMENT));
}

#[test]
fn a_datagram_larger_than_ip_allows_is_refused() {
    let decoded = decode(101, &[fragment_v4(17, 65_528, false, &[0; 16])]);
    assert_eq!(
        decoded.losses.iter().collect::<Vec<_>>(),
        [("fragments beyond the largest datagram", 1)]
    );
}

#[test]
fn bounds_push_out_the_oldest_datagram() {
    let limits = Limits {
        fragments: 3,
        ..Limits::default()
    };
    let frames: Vec<_> = (0..9_u8)
        .map(|id| {
            let mut frame = fragment_v4(17, 0, true, &datagram(8));
            frame[4] = id;
            frame
        })
        .collect();
    let mut block: Block = block(101, &frames);
    let mut decoder = crate::decode::Decoder::new(&limits);
    let mut segments = Vec::new();
    decoder.decode(&mut block, &mut segments);
    let numbers: Vec<_> = segments.iter().map(|segment| segment.source.number).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5, 6]);
    assert_eq!(
        decoder.losses().iter().collect::<Vec<_>>(),
        [("datagrams given up because too many fragments waited", 6)]
    );
    decoder.finish(&mut block, &mut segments);
    assert_eq!(segments.len(), 9);
}

proptest! {
    #[test]
    fn any_cut_in_any_order_rebuilds_the_same(
        payload in prop::collection::vec(any::<u8>(), 0..400),
        cuts in prop::collection::vec(1_usize..50, 0..6),
        order in any::<u64>(),
        is_v6 in any::<bool>(),
    ) {
        let whole = udp(7, 9, &payload);
        let mut at: Vec<usize> = cuts.iter().map(|cut| cut * 8).filter(|cut| *cut < whole.len()).collect();
        at.extend([0, whole.len()]);
        at.sort_unstable();
        at.dedup();
        let mut frames: Vec<_> = at
            .windows(2)
            .map(|pair| {
                let offset = u16::try_from(pair[0]).unwrap();
                let more = pair[1] < whole.len();
                let make = if is_v6 { fragment_v6 } else { fragment_v4 };
                make(17, offset, more, &whole[pair[0]..pair[1]])
            })
            .collect();
        let mut state = order;
        for index in (1..frames.len()).rev() {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            frames.swap(index, usize::try_from(state >> 33).unwrap() % (index + 1));
        }
        let decoded = decode(101, &frames);
        prop_assert_eq!(decoded.segments.len(), 1);
        prop_assert_eq!(decoded.payload(0), &payload[..]);
    }

    #[test]
    fn arbitrary_fragments_never_panic(
        parts in prop::collection::vec((0_u16..40, any::<bool>(), 0_usize..64, any::<bool>()), 0..30),
    ) {
        let frames: Vec<_> = parts
            .iter()
            .map(|(place, more, length, is_v6)| {
                let make = if *is_v6 { fragment_v6 } else { fragment_v4 };
                make(17, place * 8, *more, &vec![7; *length])
            })
            .collect();
        decode(101, &frames);
    }
}
