//! Tests of reading: hand-made captures of every kind, damage, merging, and the real captures.
#![expect(
    clippy::arithmetic_side_effects,
    reason = "an overflow in a test is a failure of the test"
)]

mod classic;
mod damage;
mod many;
mod pcapng;
mod property;
mod real;

use std::io::Write;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::counters::CaptureCounters;
use super::inputs::Input;
use super::{CaptureError, Damage, Reading, Source, open};
use crate::model::block::Block;
use crate::model::frame::FrameHeader;
use crate::model::loss::Losses;

/// Everything that a source gave.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    frames: Vec<(FrameHeader, Vec<u8>)>,
    damage: Vec<Damage>,
    losses: Losses,
    captures: Vec<CaptureCounters>,
    /// Frames in each block.
    blocks: Vec<usize>,
}

impl Outcome {
    fn times(&self) -> Vec<i64> {
        self.frames.iter().map(|(frame, _)| frame.at.0).collect()
    }

    fn payloads(&self) -> Vec<&[u8]> {
        self.frames.iter().map(|(_, bytes)| bytes.as_slice()).collect()
    }

    fn causes(&self) -> Vec<(u64, &'static str)> {
        self.damage
            .iter()
            .map(|damage| (damage.offset, damage.cause))
            .collect()
    }
}

/// Reads a source to its end.
fn drain(source: &mut dyn Source) -> Result<Outcome, CaptureError> {
    let mut outcome = Outcome::default();
    let mut block = Block::default();
    while source.fill(&mut block)? {
        outcome.blocks.push(block.frames.len());
        for frame in &block.frames {
            let bytes = block.frame_bytes(frame).to_vec();
            assert_eq!(
                bytes.len(),
                frame.captured as usize,
                "a frame lies within its block"
            );
            outcome.frames.push((*frame, bytes));
        }
        outcome.damage.append(&mut source.take_damage());
    }
    assert!(block.frames.is_empty());
    outcome.damage.append(&mut source.take_damage());
    outcome.losses = source.take_losses();
    outcome.captures = source.captures().into_iter().cloned().collect();
    Ok(outcome)
}

fn file_of(bytes: &[u8]) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(bytes).unwrap();
    file.flush().unwrap();
    file
}

fn read_with(bytes: &[u8], reading: &Reading) -> Result<Outcome, CaptureError> {
    let file = file_of(bytes);
    read_paths(&[file.path()], reading)
}

fn read_paths(paths: &[&Path], reading: &Reading) -> Result<Outcome, CaptureError> {
    let inputs: Vec<Input> = paths.iter().map(|path| Input::File(path.to_path_buf())).collect();
    drain(open(&inputs, reading)?.as_mut())
}

fn read(bytes: &[u8]) -> Outcome {
    read_with(bytes, &Reading::default()).unwrap()
}

/// Reads with buffers so small that most records straddle their ends.
fn read_in_small_blocks(bytes: &[u8]) -> Outcome {
    let mut reading = Reading::default();
    reading.limits.block_bytes = 64;
    reading.limits.block_frames = 3;
    read_with(bytes, &reading).unwrap()
}

/// Numbers in the byte order of a hand-made file.
#[derive(Clone, Copy)]
struct Order(bool);

impl Order {
    fn u16(self, value: u16) -> [u8; 2] {
        if self.0 {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    fn u32(self, value: u32) -> [u8; 4] {
        if self.0 {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    fn u32s(self, values: &[u32]) -> Vec<u8> {
        values.iter().flat_map(|value| self.u32(*value)).collect()
    }

    fn u64(self, value: u64) -> [u8; 8] {
        if self.0 {
            value.to_be_bytes()
        } else {
            value.to_le_bytes()
        }
    }

    /// Header of a classic file.
    fn header(self, magic: u32, link: u32) -> Vec<u8> {
        let mut bytes = self.u32(magic).to_vec();
        bytes.extend(self.u16(2));
        bytes.extend(self.u16(4));
        bytes.extend(self.u32s(&[0, 0, 65_535, link]));
        bytes
    }

    /// A classic record that was not cut.
    fn record(self, seconds: u32, fraction: u32, data: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap();
        let mut bytes = self.u32s(&[seconds, fraction, length, length]);
        bytes.extend_from_slice(data);
        bytes
    }

    /// A pcapng block around a body, which is padded.
    fn block(self, kind: u32, body: &[u8]) -> Vec<u8> {
        let padded = body.len().next_multiple_of(4);
        let length = u32::try_from(padded + 12).unwrap();
        let mut bytes = self.u32s(&[kind, length]);
        bytes.extend_from_slice(body);
        bytes.resize(8 + padded, 0);
        bytes.extend(self.u32(length));
        bytes
    }

    fn section(self) -> Vec<u8> {
        let mut body = self.u32(0x1a2b_3c4d).to_vec();
        body.extend(self.u16(1));
        body.extend(self.u16(0));
        body.extend(self.u64(u64::MAX));
        self.block(0x0a0d_0d0a, &body)
    }

    fn option(self, code: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = self.u16(code).to_vec();
        bytes.extend(self.u16(u16::try_from(value.len()).unwrap()));
        bytes.extend_from_slice(value);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    fn interface(self, link: u16, snap_length: u32, options: &[u8]) -> Vec<u8> {
        let mut body = self.u16(link).to_vec();
        body.extend(self.u16(0));
        body.extend(self.u32(snap_length));
        body.extend_from_slice(options);
        self.block(1, &body)
    }

    fn enhanced(self, interface: u32, ticks: u64, data: &[u8], options: &[u8]) -> Vec<u8> {
        let length = u32::try_from(data.len()).unwrap();
        let [high, low] = [ticks >> 32, ticks & 0xffff_ffff].map(|half| u32::try_from(half).unwrap());
        let mut body = self.u32s(&[interface, high, low, length, length]);
        body.extend_from_slice(data);
        body.resize(body.len().next_multiple_of(4), 0);
        body.extend_from_slice(options);
        self.block(6, &body)
    }
}

const LITTLE: Order = Order(false);
const BIG: Order = Order(true);

/// The folder of real captures, if it is there.
fn real_captures() -> Option<PathBuf> {
    let folder = std::env::var_os("FARMHAWK_CAPTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures"),
        PathBuf::from,
    );
    if folder.join("LABELS.tsv").is_file() {
        return Some(folder);
    }
    println!("skipped: no captures in {}", folder.display());
    None
}
