//! Several captures as one, filters and spans of time.

use proptest::prelude::*;

use super::*;
use crate::capture::filter::NOT_MATCHING;
use crate::capture::span::OUTSIDE;
use crate::model::frame::LinkType;
use crate::model::time::{SECOND, Timestamp};

/// A classic capture whose packets have these seconds and one byte that names the capture.
fn capture(name: u8, seconds: &[u32]) -> Vec<u8> {
    let mut bytes = LITTLE.header(0xa1b2_c3d4, 1);
    for second in seconds {
        bytes.extend(LITTLE.record(*second, 0, &[name]));
    }
    bytes
}

fn merged(captures: &[Vec<u8>], reading: &Reading) -> Outcome {
    let files: Vec<NamedTempFile> = captures.iter().map(|bytes| file_of(bytes)).collect();
    let paths: Vec<&Path> = files.iter().map(NamedTempFile::path).collect();
    read_paths(&paths, reading).unwrap()
}

#[test]
fn equal_times_go_by_capture_and_frames_keep_the_order_of_their_file() {
    let captures = [
        capture(b'a', &[1, 5, 3, 9]),
        capture(b'b', &[1, 4, 9]),
        capture(b'c', &[]),
    ];
    let outcome = merged(&captures, &Reading::default());
    let seen: Vec<(u8, i64, u16)> = outcome
        .frames
        .iter()
        .map(|(frame, bytes)| (bytes[0], frame.at.0 / SECOND, frame.source.capture))
        .collect();
    assert_eq!(
        seen,
        [
            (b'a', 1, 0),
            (b'b', 1, 1),
            (b'b', 4, 1),
            (b'a', 5, 0),
            (b'a', 3, 0),
            (b'a', 9, 0),
            (b'b', 9, 1)
        ]
    );
    assert_eq!(outcome.captures.len(), 3);
    assert_eq!(outcome.captures[1].packets, 3);
    assert_eq!(outcome.causes(), [], "a capture without packets is whole");
}

#[test]
fn captures_that_follow_each_other_travel_in_their_own_blocks() {
    let first: Vec<u32> = (0..3_000).collect();
    let second: Vec<u32> = (3_000..6_000).collect();
    let outcome = merged(
        &[capture(b'b', &second), capture(b'a', &first)],
        &Reading::default(),
    );
    assert_eq!(outcome.blocks, [3_000, 3_000]);
    assert!(outcome.times().is_sorted());
}

#[test]
fn more_captures_than_may_be_open_are_merged() {
    let captures: Vec<Vec<u8>> = (0..600_u32)
        .map(|start| capture(b'x', &[start % 7, 10_000 - start % 11, 20_000]))
        .collect();
    let reading = Reading {
        digest: true,
        ..Reading::default()
    };
    let outcome = merged(&captures, &reading);
    assert_eq!(outcome.frames.len(), 1_800);
    assert!(outcome.times().is_sorted());
    assert!(
        outcome
            .captures
            .iter()
            .all(|counters| counters.packets == 3 && counters.sha256.is_some())
    );
}

#[test]
fn a_compressed_capture_merges_with_a_plain_one() {
    let plain = capture(b'p', &[2, 4]);
    for other in damage::compressed(&capture(b'z', &[1, 3, 5])) {
        let outcome = merged(&[plain.clone(), other], &Reading::default());
        assert_eq!(outcome.payloads().concat(), b"zpzpz");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn merging_is_the_sort_by_running_maximum_whatever_the_buffers(
        captures in prop::collection::vec(prop::collection::vec(0_u32..30, 0..40), 2..6),
        block_bytes in 64_usize..400,
        block_frames in 1_usize..20,
    ) {
        // A head waits for earlier heads of others, and then so does everything behind it: sorting by the largest time so far,
        // then capture, then number, is the same.
        let mut wanted = Vec::new();
        for (index, seconds) in captures.iter().enumerate() {
            let mut largest = 0;
            for (number, second) in seconds.iter().enumerate() {
                largest = largest.max(*second);
                wanted.push((largest, index, number + 1));
            }
        }
        wanted.sort_unstable();
        let wanted: Vec<(usize, usize)> = wanted.into_iter().map(|(_, index, number)| (index, number)).collect();
        let files: Vec<Vec<u8>> = captures.iter().map(|seconds| capture(b'x', seconds)).collect();
        let mut reading = Reading::default();
        reading.limits.block_bytes = block_bytes;
        reading.limits.block_frames = block_frames;
        for reading in [reading, Reading::default()] {
            let outcome = merged(&files, &reading);
            let seen: Vec<(usize, usize)> = outcome
                .frames
                .iter()
                .map(|(frame, _)| (usize::from(frame.source.capture), usize::try_from(frame.source.number).unwrap()))
                .collect();
            prop_assert_eq!(&seen, &wanted);
        }
    }
}

/// Ethernet, IPv4, UDP from port 1000 to `port`, no payload.
fn datagram(port: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    etherparse::PacketBuilder::ethernet2([2; 6], [4; 6])
        .ipv4([192, 0, 2, 1], [192, 0, 2, 2], 64)
        .udp(1_000, port)
        .write(&mut bytes, &[])
        .unwrap();
    bytes
}

fn with_filter(filter: &str) -> Reading {
    Reading {
        filter: Some(filter.to_owned()),
        ..Reading::default()
    }
}

#[test]
fn a_filter_works_for_every_link_type_that_occurs() {
    let mut bytes = LITTLE.section();
    bytes.extend(LITTLE.interface(1, 0, &[]));
    bytes.extend(LITTLE.interface(101, 0, &[]));
    for port in [53, 443, 53] {
        bytes.extend(LITTLE.enhanced(0, 1, &datagram(port), &[]));
        bytes.extend(LITTLE.enhanced(1, 1, &datagram(port)[14..], &[]));
    }
    let outcome = read_with(&bytes, &with_filter("udp port 53")).unwrap();
    let numbers: Vec<u64> = outcome
        .frames
        .iter()
        .map(|(frame, _)| frame.source.number)
        .collect();
    assert_eq!(numbers, [1, 2, 5, 6]);
    assert_eq!(outcome.losses.iter().collect::<Vec<_>>(), [(NOT_MATCHING, 2)]);
    assert_eq!(outcome.captures[0].packets, 6);
}

#[test]
fn a_filter_that_is_wrong_everywhere_is_refused_before_reading() {
    let refused = open(&[], &with_filter("port and and")).map(|_| ()).unwrap_err();
    assert!(refused.is_usage(), "{refused}");
    assert!(
        refused.to_string().starts_with("filter \"port and and\": "),
        "{refused}"
    );
}

#[test]
fn a_filter_that_does_not_fit_a_link_type_names_it() {
    let mut bytes = LITTLE.header(0xa1b2_c3d4, 101);
    bytes.extend(LITTLE.record(1, 0, &datagram(53)[14..]));
    let refused = read_with(&bytes, &with_filter("ether host 02:02:02:02:02:02")).unwrap_err();
    assert!(!refused.is_usage());
    assert!(
        refused.to_string().contains("cannot be used on link type 101"),
        "{refused}"
    );
}

#[test]
fn a_span_of_time_includes_both_ends() {
    let reading = Reading {
        since: Some(Timestamp(2 * SECOND)),
        until: Some(Timestamp(4 * SECOND)),
        ..Reading::default()
    };
    let outcome = read_with(&capture(b'x', &[1, 2, 5, 3, 4]), &reading).unwrap();
    assert_eq!(outcome.times(), [2 * SECOND, 3 * SECOND, 4 * SECOND]);
    assert_eq!(outcome.losses.iter().collect::<Vec<_>>(), [(OUTSIDE, 2)]);
    assert_eq!(outcome.frames[0].0.link, LinkType::ETHERNET);
}
