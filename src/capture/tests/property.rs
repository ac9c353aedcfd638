//! Properties: what was written is read, a cut gives a prefix, nothing panics.

use proptest::prelude::*;

use super::*;
use crate::capture::writer::{PcapWriter, PcapngWriter};
use crate::model::frame::LinkType;
use crate::model::time::Timestamp;

/// A frame to write: link type, time, bytes, bytes that the snap length took, comment.
type Written = (u16, i64, Vec<u8>, u32, Option<String>);

fn frames() -> impl Strategy<Value = Vec<Written>> {
    let frame = (
        prop::sample::select(vec![0_u16, 1, 101, 113, 276]),
        1_000_000_000_i64..4_000_000_000_000_000_000,
        prop::collection::vec(any::<u8>(), 0..300),
        0_u32..2_000,
        prop::option::of("[a-z]{1,9}"),
    );
    prop::collection::vec(frame, 0..30)
}

fn pcapng(frames: &[Written]) -> Vec<u8> {
    let mut writer = PcapngWriter::new(Vec::new()).unwrap();
    for (link, at, bytes, cut, comment) in frames {
        let on_wire = u32::try_from(bytes.len()).unwrap() + cut;
        writer
            .frame(
                LinkType(*link),
                Timestamp(*at),
                bytes,
                on_wire,
                comment.as_deref(),
            )
            .unwrap();
    }
    writer.finish().unwrap()
}

fn pcap(frames: &[Written]) -> Vec<u8> {
    let mut writer = PcapWriter::new(Vec::new(), LinkType::ETHERNET, true).unwrap();
    for (_, at, bytes, cut, _) in frames {
        let on_wire = u32::try_from(bytes.len()).unwrap() + cut;
        writer.frame(Timestamp(*at), bytes, on_wire).unwrap();
    }
    writer.finish().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_was_written_is_read(frames in frames()) {
        let bytes = pcapng(&frames);
        for outcome in [read(&bytes), read_in_small_blocks(&bytes)] {
            prop_assert_eq!(outcome.frames.len(), frames.len());
            for ((header, bytes), (link, at, wanted, cut, _)) in outcome.frames.iter().zip(&frames) {
                prop_assert_eq!((header.link.0, header.at.0, bytes), (*link, *at, wanted));
                prop_assert_eq!(header.length_on_wire, header.captured + cut);
            }
            let comments: Vec<String> = frames.iter().filter_map(|frame| frame.4.clone()).collect();
            let read: Vec<String> = outcome.captures[0].comments.iter().map(|(_, text)| text.clone()).collect();
            prop_assert_eq!(read, comments);
        }
        let bytes = pcap(&frames);
        for outcome in [read(&bytes), read_in_small_blocks(&bytes)] {
            let times: Vec<i64> = frames.iter().map(|frame| frame.1).collect();
            prop_assert_eq!(outcome.times(), times);
            prop_assert!(outcome.payloads().iter().zip(&frames).all(|(read, frame)| *read == frame.2));
        }
    }

    #[test]
    fn any_cut_gives_a_prefix(frames in frames(), share in 0.0..1.0_f64) {
        for bytes in [pcapng(&frames), pcap(&frames)] {
            let whole = read(&bytes);
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "a place in a small file")]
            let length = (bytes.len() as f64 * share) as usize;
            // Less than a magic number is no capture.
            let Ok(cut) = read_with(&bytes[..length], &Reading::default()) else {
                prop_assert!(length < 12);
                continue;
            };
            prop_assert!(whole.payloads().starts_with(&cut.payloads()));
            prop_assert!(whole.times().starts_with(&cut.times()));
        }
    }

    #[test]
    fn bytes_that_were_changed_cost_no_more_than_their_neighbourhood(
        frames in frames(),
        places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        for mut bytes in [pcapng(&frames), pcap(&frames)] {
            for (place, value) in &places {
                let place = place.index(bytes.len());
                bytes[place] = *value;
            }
            // Only that it ends, and that both buffer sizes agree on what is there.
            let large = read_with(&bytes, &Reading::default());
            if let Ok(large) = large {
                let small = read_in_small_blocks(&bytes);
                prop_assert_eq!(large.payloads(), small.payloads());
                prop_assert_eq!(large.causes(), small.causes());
            }
        }
    }

    #[test]
    fn random_bytes_never_panic(tail in prop::collection::vec(any::<u8>(), 0..2_000), start in 0_usize..6) {
        let starts: [Vec<u8>; 6] = [
            Vec::new(),
            LITTLE.header(0xa1b2_c3d4, 1),
            BIG.header(0xa1b2_cd34, 1),
            LITTLE.section(),
            [BIG.section(), BIG.interface(1, 0, &[])].concat(),
            vec![0x1f, 0x8b, 0x08],
        ];
        let bytes = [starts[start].as_slice(), &tail].concat();
        if let Ok(outcome) = read_with(&bytes, &Reading::default()) {
            prop_assert!(outcome.frames.len() <= bytes.len());
        }
    }
}
