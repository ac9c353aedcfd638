//! Damage: what can be read is read, and the place of the rest is named.

use std::io::Write;

use super::*;

/// A classic capture of ten records of 32 bytes each, at 24, 56, 88, ...
fn ten() -> Vec<u8> {
    let mut bytes = LITTLE.header(0xa1b2_c3d4, 1);
    for number in 0..10_u8 {
        bytes.extend(LITTLE.record(1_000 + u32::from(number), 5, &[b'a' + number; 16]));
    }
    bytes
}

/// A pcapng capture of ten packets of 48 bytes each, from 28 + 20 = 48 on.
fn ten_blocks() -> Vec<u8> {
    let mut bytes = LITTLE.section();
    bytes.extend(LITTLE.interface(1, 0, &[]));
    for number in 0..10_u8 {
        bytes.extend(LITTLE.enhanced(0, 1_000_000 + u64::from(number), &[b'a' + number; 16], &[]));
    }
    bytes
}

fn letters(outcome: &Outcome) -> String {
    outcome
        .frames
        .iter()
        .map(|(_, bytes)| char::from(bytes[0]))
        .collect()
}

#[test]
fn a_record_that_is_cut_short_is_named_by_its_offset() {
    let whole = ten();
    let outcome = read(&whole[..whole.len() - 1]);
    assert_eq!(letters(&outcome), "abcdefghi");
    assert_eq!(outcome.causes(), [(24 + 9 * 32, "the last record is cut short")]);
    assert_eq!(outcome.losses.total(), 1);
    let whole = ten_blocks();
    let outcome = read(&whole[..whole.len() - 30]);
    assert_eq!(letters(&outcome), "abcdefghi");
    assert_eq!(outcome.causes(), [(48 + 9 * 48, "the last record is cut short")]);
    assert!(
        outcome.damage[0]
            .to_string()
            .ends_with("at byte 480: the last record is cut short, 18 bytes passed over")
    );
}

#[test]
fn empty_files_are_reported_and_packetless_ones_are_no_damage() {
    assert_eq!(read(&[]).causes(), [(0, "an empty file")]);
    assert_eq!(read(&ten()[..24]).causes(), [], "whole, and without packets");
    assert_eq!(
        read(&ten()[..20]).causes(),
        [(20, "the file's header is cut short")]
    );
    assert_eq!(
        read(&ten_blocks()[..28]).causes(),
        [],
        "whole, and without packets"
    );
}

#[test]
fn a_foreign_file_is_refused_with_its_first_bytes() {
    let refused = read_with(b"MZ executable", &Reading::default()).unwrap_err();
    assert!(
        refused
            .to_string()
            .ends_with("not a capture (starts with [4d, 5a, 20, 65])"),
        "{refused}"
    );
}

#[test]
fn reading_goes_on_at_the_next_believable_record() {
    let mut bytes = ten();
    // The fourth record claims a length that no frame has.
    bytes[24 + 3 * 32 + 8..][..4].copy_from_slice(&[0xff; 4]);
    for outcome in [read(&bytes), read_in_small_blocks(&bytes)] {
        assert_eq!(letters(&outcome), "abcefghij");
        assert_eq!(
            outcome.causes(),
            [(24 + 3 * 32, "a record longer than any frame")]
        );
        assert_eq!(outcome.damage[0].skipped, 32);
        let numbers: Vec<u64> = outcome
            .frames
            .iter()
            .map(|(frame, _)| frame.source.number)
            .collect();
        assert_eq!(numbers, (1..=9).collect::<Vec<_>>());
    }
}

#[test]
fn a_length_that_leads_past_the_end_does_not_hide_the_records_behind_it() {
    let mut bytes = ten();
    bytes[24 + 3 * 32 + 8..][..4].copy_from_slice(&100_000_u32.to_le_bytes());
    assert_eq!(letters(&read(&bytes)), "abcefghij");
    let mut bytes = ten_blocks();
    bytes[48 + 3 * 48 + 4..][..4].copy_from_slice(&1_000_000_u32.to_le_bytes());
    assert_eq!(letters(&read(&bytes)), "abcefghij");
}

#[test]
fn garbage_between_records_is_passed_over() {
    let whole = ten();
    for junk in [vec![0; 100], vec![0xff; 77], (0..200_u8).collect::<Vec<_>>()] {
        let mut bytes = whole[..24 + 5 * 32].to_vec();
        bytes.extend_from_slice(&junk);
        bytes.extend_from_slice(&whole[24 + 5 * 32..]);
        let outcome = read(&bytes);
        assert!(letters(&outcome).ends_with("fghij"), "{}", letters(&outcome));
        assert!(letters(&outcome).starts_with("abcde"));
        assert_eq!(outcome.captures[0].damaged, 1);
    }
}

#[test]
fn a_tail_of_zeros_is_damage_and_not_a_million_frames() {
    let mut bytes = ten();
    bytes.resize(bytes.len() + 3_000_000, 0);
    let outcome = read(&bytes);
    assert_eq!(letters(&outcome), "abcdefghij");
    assert_eq!(outcome.causes(), [(24 + 320, "a record of zeros")]);
    assert_eq!(outcome.damage[0].skipped, 3_000_000);
}

#[test]
fn impossible_block_lengths_cost_that_block_alone() {
    for length in [0_u32, 3, 11, 0xffff_fff0] {
        let mut bytes = ten_blocks();
        bytes[48 + 3 * 48 + 4..][..4].copy_from_slice(&length.to_le_bytes());
        for outcome in [read(&bytes), read_in_small_blocks(&bytes)] {
            assert_eq!(letters(&outcome), "abcefghij");
            assert_eq!(outcome.causes(), [(48 + 3 * 48, "a block of impossible length")]);
        }
    }
}

#[test]
fn a_wrong_trailer_costs_nothing_when_another_block_follows() {
    let mut bytes = ten_blocks();
    bytes[48 + 3 * 48 + 44..][..4].copy_from_slice(&[1, 2, 3, 4]);
    for outcome in [read(&bytes), read_in_small_blocks(&bytes)] {
        assert_eq!(letters(&outcome), "abcdefghij");
        assert_eq!(
            outcome.causes(),
            [(48 + 3 * 48, "a block whose two lengths differ")]
        );
    }
}

#[test]
fn blocks_that_leave_padding_out_of_their_length_are_read() {
    let mut bytes = LITTLE.section();
    bytes.extend(LITTLE.interface(1, 0, &[]));
    let mut odd = LITTLE.u32s(&[6, 33, 0, 0, 1, 1, 1]);
    odd.extend_from_slice(b"x");
    odd.extend(LITTLE.u32(33));
    bytes.extend_from_slice(&odd);
    bytes.extend(LITTLE.enhanced(0, 2, b"y", &[]));
    let outcome = read(&bytes);
    assert_eq!(letters(&outcome), "xy");
    assert!(outcome.damage.is_empty(), "{:?}", outcome.damage);
}

#[test]
fn packets_of_undescribed_interfaces_and_overlong_packets_are_counted() {
    let mut bytes = ten_blocks();
    bytes[48 + 3 * 48 + 8] = 9;
    bytes[48 + 5 * 48 + 20] = 200;
    let outcome = read(&bytes);
    assert_eq!(letters(&outcome), "abceghij");
    assert_eq!(
        outcome.causes(),
        [
            (48 + 3 * 48, "a packet of an interface that nothing describes"),
            (48 + 5 * 48, "a packet longer than its block"),
        ]
    );
}

#[test]
fn every_cut_of_a_compressed_capture_gives_what_was_decompressed_before() {
    for compressed in compressed(&ten()) {
        let outcome = read(&compressed);
        assert_eq!(letters(&outcome), "abcdefghij");
        assert!(outcome.damage.is_empty(), "{:?}", outcome.damage);
        for length in 10..compressed.len() {
            let outcome = read(&compressed[..length]);
            assert!("abcdefghij".starts_with(&letters(&outcome)));
            assert!(
                !outcome.damage.is_empty() || outcome.frames.len() == 10,
                "cut at {length}"
            );
        }
    }
}

/// The same bytes compressed in every way that is read, some of them in two parts, some twice.
pub(super) fn compressed(bytes: &[u8]) -> Vec<Vec<u8>> {
    let gzip = |part: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(part).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = |part: &[u8]| zstd::encode_all(part, 3).unwrap();
    let lz4 = |part: &[u8]| {
        let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
        encoder.write_all(part).unwrap();
        encoder.finish().unwrap()
    };
    let xz = |part: &[u8]| {
        let options = lzma_rust2::XzOptions::with_preset(1);
        let mut encoder = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
        encoder.write_all(part).unwrap();
        encoder.finish().unwrap()
    };
    let (head, tail) = bytes.split_at(bytes.len() / 2);
    vec![
        gzip(bytes),
        [gzip(head), gzip(tail)].concat(),
        zstd(bytes),
        [zstd(head), zstd(tail)].concat(),
        lz4(bytes),
        [lz4(head), lz4(tail)].concat(),
        xz(bytes),
        [xz(head), xz(tail)].concat(),
        zstd(&gzip(bytes)),
    ]
}

#[test]
fn the_digest_covers_the_file_on_disk_also_behind_damage() {
    let mut bytes = ten();
    bytes.resize(bytes.len() + (70 << 20), 0);
    let reading = Reading {
        digest: true,
        ..Reading::default()
    };
    let outcome = read_with(&bytes, &reading).unwrap();
    let wanted: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&bytes).into();
    assert_eq!(outcome.captures[0].sha256, Some(wanted));
    for compressed in compressed(&ten()) {
        let outcome = read_with(&compressed, &reading).unwrap();
        let wanted: [u8; 32] = <sha2::Sha256 as sha2::Digest>::digest(&compressed).into();
        assert_eq!(outcome.captures[0].sha256, Some(wanted));
    }
}
