//! pcapng: sections, interfaces, resolutions, every kind of packet block.

use super::*;
use crate::model::frame::LinkType;

/// Seconds since 1970 that the tests use.
const NOON: u64 = 1_700_000_000;

#[test]
fn sections_of_either_byte_order_follow_each_other_with_their_own_interfaces() {
    let mut bytes = Vec::new();
    for (order, link) in [(LITTLE, 1), (BIG, 101), (LITTLE, 276)] {
        bytes.extend(order.section());
        bytes.extend(order.interface(link, 0, &order.option(2, b"eth0")));
        bytes.extend(order.enhanced(0, NOON * 1_000_000, b"data!", &[]));
    }
    for outcome in [read(&bytes), read_in_small_blocks(&bytes)] {
        let seen: Vec<(u16, u16, u64)> = outcome
            .frames
            .iter()
            .map(|(frame, _)| (frame.link.0, frame.interface, frame.source.number))
            .collect();
        assert_eq!(seen, [(1, 0, 1), (101, 1, 2), (276, 2, 3)]);
        assert!(outcome.times().iter().all(|at| *at == 1_700_000_000_000_000_000));
        assert_eq!(outcome.captures[0].interfaces[2].name.as_deref(), Some("eth0"));
        assert!(outcome.damage.is_empty(), "{:?}", outcome.damage);
    }
}

#[test]
fn every_resolution_and_offset_gives_nanoseconds() {
    let cases: [(u8, u64, i64, i64); 9] = [
        (6, NOON * 1_000_000 + 1, 0, 1_700_000_000_000_001_000),
        (9, NOON * 1_000_000_000 + 1, 0, 1_700_000_000_000_000_001),
        (3, NOON * 1_000 + 1, 0, 1_700_000_000_001_000_000),
        (0, NOON, 0, 1_700_000_000_000_000_000),
        (10, NOON * 10_000_000_000 + 19, 0, 1_700_000_000_000_000_001),
        (0x8a, NOON * 1_024 + 512, 0, 1_700_000_000_500_000_000),
        (6, 1_000_000, 1_700_000_000, 1_700_000_001_000_000_000),
        (6, 0, -5, 0),
        (0, u64::MAX, i64::MAX, i64::MAX),
    ];
    for (resolution, ticks, offset, wanted) in cases {
        for order in [LITTLE, BIG] {
            let mut options = order.option(9, &[resolution]);
            options.extend(order.option(14, &order.u64(offset.cast_unsigned())));
            let mut bytes = order.section();
            bytes.extend(order.interface(1, 0, &options));
            bytes.extend(order.enhanced(0, ticks, b"x", &[]));
            assert_eq!(read(&bytes).times(), [wanted], "resolution {resolution:#x}");
        }
    }
}

#[test]
fn finest_resolutions_do_not_overflow() {
    for resolution in [0x7f, 0xff, 0x80, 0xc0, 29, 28] {
        let mut bytes = LITTLE.section();
        bytes.extend(LITTLE.interface(1, 0, &LITTLE.option(9, &[resolution])));
        bytes.extend(LITTLE.enhanced(0, u64::MAX, b"x", &[]));
        assert_eq!(read(&bytes).frames.len(), 1);
    }
}

#[test]
fn simple_and_obsolete_packet_blocks_are_read_and_other_blocks_passed_over() {
    for order in [LITTLE, BIG] {
        let mut bytes = order.section();
        bytes.extend(order.interface(1, 4, &[]));
        bytes.extend(order.block(4, b"names"));
        bytes.extend(order.enhanced(0, NOON * 1_000_000, b"abc", &[]));
        let mut simple = order.u32(9).to_vec();
        simple.extend_from_slice(b"wxyz");
        bytes.extend(order.block(3, &simple));
        bytes.extend(order.block(10, &[0; 32]));
        bytes.extend(order.block(0x0bad, &[0; 100]));
        bytes.extend(order.block(0x7777_7777, &[0; 5_000]));
        let mut obsolete = order.u16(0).to_vec();
        obsolete.extend(order.u16(3));
        let ticks = (NOON + 1) * 1_000_000;
        let high = u32::try_from(ticks >> 32).unwrap();
        let low = u32::try_from(ticks & 0xffff_ffff).unwrap();
        obsolete.extend(order.u32s(&[high, low, 2, 60]));
        obsolete.extend_from_slice(b"ob");
        bytes.extend(order.block(2, &obsolete));
        for outcome in [read(&bytes), read_in_small_blocks(&bytes)] {
            assert_eq!(outcome.payloads(), [&b"abc"[..], b"wxyz", b"ob"]);
            assert_eq!(
                outcome.times(),
                [
                    1_700_000_000_000_000_000,
                    1_700_000_000_000_000_000,
                    1_700_000_001_000_000_000
                ]
            );
            let wire: Vec<u32> = outcome
                .frames
                .iter()
                .map(|(frame, _)| frame.length_on_wire)
                .collect();
            assert_eq!(wire, [3, 9, 60]);
            assert!(outcome.damage.is_empty(), "{:?}", outcome.damage);
        }
    }
}

#[test]
fn comments_on_a_section_and_an_interface_are_about_no_frame() {
    let mut header = LITTLE.u32s(&[0x1a2b_3c4d, 1, u32::MAX, u32::MAX]);
    header.extend(LITTLE.option(1, b"whole capture"));
    let mut bytes = LITTLE.block(0x0a0d_0d0a, &header);
    bytes.extend(LITTLE.interface(1, 0, &LITTLE.option(1, b"mirror port")));
    bytes.extend(LITTLE.enhanced(0, 1, b"abcde", &LITTLE.option(1, b"a frame")));
    let outcome = read(&bytes);
    let kept = [(0, "whole capture"), (0, "mirror port"), (1, "a frame")];
    assert_eq!(
        outcome.captures[0].comments,
        kept.map(|(frame, text)| (frame, text.to_owned()))
    );
    assert_eq!(outcome.payloads(), [&b"abcde"[..]]);
}

#[test]
fn comments_and_drop_counters_are_kept() {
    let mut bytes = LITTLE.section();
    bytes.extend(LITTLE.interface(1, 0, &[]));
    let mut options = LITTLE.option(2, &[0; 4]);
    options.extend(LITTLE.option(1, b"first frame"));
    options.extend(LITTLE.option(0, &[]));
    bytes.extend(LITTLE.enhanced(0, 1, b"abcde", &options));
    bytes.extend(LITTLE.enhanced(0, 2, b"", &LITTLE.option(2, &[0; 4])));
    let mut statistics = LITTLE.u32s(&[0, 0, 0]);
    statistics.extend(LITTLE.option(4, &LITTLE.u64(100)));
    statistics.extend(LITTLE.option(5, &LITTLE.u64(7)));
    bytes.extend(LITTLE.block(5, &statistics));
    let outcome = read(&bytes);
    let counters = &outcome.captures[0];
    assert_eq!(counters.comments, [(1, "first frame".to_owned())]);
    assert_eq!(counters.interfaces[0].received, Some(100));
    assert_eq!(counters.interfaces[0].dropped_by_interface, Some(7));
    assert_eq!(outcome.payloads(), [&b"abcde"[..], b""]);
}

#[test]
fn several_interfaces_keep_their_own_link_types() {
    let mut bytes = LITTLE.section();
    bytes.extend(LITTLE.interface(1, 0, &[]));
    bytes.extend(LITTLE.interface(113, 0, &LITTLE.option(9, &[9])));
    bytes.extend(LITTLE.enhanced(1, NOON * 1_000_000_000, b"b", &[]));
    bytes.extend(LITTLE.enhanced(0, NOON * 1_000_000, b"a", &[]));
    let outcome = read(&bytes);
    assert_eq!(outcome.times(), [1_700_000_000_000_000_000; 2]);
    assert_eq!(outcome.captures[0].links.get(&LinkType::LINUX_SLL), Some(&1));
    assert_eq!(outcome.captures[0].links.get(&LinkType::ETHERNET), Some(&1));
}

#[test]
fn a_block_larger_than_the_buffer_is_passed_over() {
    let mut bytes = LITTLE.section();
    bytes.extend(LITTLE.interface(1, 0, &[]));
    bytes.extend(LITTLE.enhanced(0, 1, b"before", &[]));
    bytes.extend(LITTLE.block(10, &vec![7; 3 << 20]));
    bytes.extend(LITTLE.enhanced(0, 2, b"after", &[]));
    let outcome = read(&bytes);
    assert_eq!(outcome.payloads(), [&b"before"[..], b"after"]);
    assert!(outcome.damage.is_empty());
}
