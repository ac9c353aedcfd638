//! Classic pcap in all its variants.

use super::*;
use crate::capture::counters::Format;
use crate::model::frame::LinkType;

#[test]
fn both_byte_orders_and_both_resolutions_give_the_same_times() {
    for order in [LITTLE, BIG] {
        for (magic, fraction) in [(0xa1b2_c3d4, 250_000), (0xa1b2_3c4d, 250_000_000)] {
            let mut bytes = order.header(magic, 1);
            bytes.extend(order.record(1_000_000_000, fraction, b"hello"));
            let outcome = read(&bytes);
            assert_eq!(outcome.times(), [1_000_000_000_250_000_000]);
            assert_eq!(outcome.payloads(), [b"hello"]);
            let (frame, _) = &outcome.frames[0];
            assert_eq!(
                (frame.source.number, frame.link, frame.length_on_wire),
                (1, LinkType::ETHERNET, 5)
            );
            assert!(outcome.damage.is_empty());
        }
    }
}

#[test]
fn the_longer_records_of_the_modified_format_are_read() {
    for order in [LITTLE, BIG] {
        let mut bytes = order.header(0xa1b2_cd34, 1);
        for (second, data) in [(7, b"one"), (8, b"two")] {
            bytes.extend(order.u32s(&[second, 1, 3, 3, 2, 0x0800_0000]));
            bytes.extend_from_slice(data);
        }
        let outcome = read(&bytes);
        assert_eq!(outcome.payloads(), [b"one", b"two"]);
        assert_eq!(outcome.times(), [7_000_001_000, 8_000_001_000]);
        assert_eq!(outcome.captures[0].format, Format::ModifiedPcap);
        assert_eq!(read_in_small_blocks(&bytes).payloads(), [b"one", b"two"]);
    }
}

#[test]
fn bits_about_the_frame_check_sequence_do_not_change_the_link_type() {
    for order in [LITTLE, BIG] {
        let mut bytes = order.header(0xa1b2_c3d4, 0x2400_0071);
        bytes.extend(order.record(1, 1, b"x"));
        assert_eq!(read(&bytes).frames[0].0.link, LinkType::LINUX_SLL);
    }
}

#[test]
fn a_length_on_the_wire_below_the_captured_one_is_raised_to_it() {
    let mut bytes = LITTLE.header(0xa1b2_c3d4, 1);
    bytes.extend(LITTLE.u32s(&[1, 1, 4, 2]));
    bytes.extend_from_slice(b"long");
    bytes.extend(LITTLE.u32s(&[2, 1, 1, 1_514]));
    bytes.push(b'x');
    let outcome = read(&bytes);
    let lengths: Vec<u32> = outcome
        .frames
        .iter()
        .map(|(frame, _)| frame.length_on_wire)
        .collect();
    assert_eq!(lengths, [4, 1_514]);
}

#[test]
fn extreme_times_neither_overflow_nor_wrap() {
    let mut bytes = LITTLE.header(0xa1b2_c3d4, 1);
    bytes.extend(LITTLE.record(u32::MAX, u32::MAX, b"x"));
    assert_eq!(
        read(&bytes).times(),
        [4_294_967_295_000_000_000 + 4_294_967_295_000]
    );
}

#[test]
fn counters_describe_the_capture() {
    let mut bytes = LITTLE.header(0xa1b2_c3d4, 101);
    bytes.extend(LITTLE.record(5, 0, b"four"));
    bytes.extend(LITTLE.record(3, 0, b"x"));
    let reading = Reading {
        digest: true,
        ..Reading::default()
    };
    let outcome = read_with(&bytes, &reading).unwrap();
    let counters = &outcome.captures[0];
    assert_eq!(
        (counters.packets, counters.bytes, counters.size),
        (2, 5, Some(bytes.len() as u64))
    );
    assert_eq!(counters.first.unwrap().0, 3_000_000_000);
    assert_eq!(counters.last.unwrap().0, 5_000_000_000);
    assert_eq!(counters.links.iter().collect::<Vec<_>>(), [(&LinkType::RAW, &2)]);
    let wanted: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&bytes).into();
    assert_eq!(counters.sha256, Some(wanted));
}

#[test]
fn blocks_end_at_their_bounds_and_nothing_is_lost_between_them() {
    let mut bytes = LITTLE.header(0xa1b2_c3d4, 1);
    let data: Vec<Vec<u8>> = (0..50_u8)
        .map(|many| vec![many; usize::from(many) * 7 + 1])
        .collect();
    for (second, data) in (1..).zip(&data) {
        bytes.extend(LITTLE.record(second, 0, data));
    }
    let outcome = read_in_small_blocks(&bytes);
    assert_eq!(outcome.payloads(), data);
    assert!(outcome.blocks.len() > 40, "{:?}", outcome.blocks);
    assert_eq!(read(&bytes).blocks, [50]);
}
