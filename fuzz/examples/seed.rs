//! Cuts the seeds of the fuzz targets out of captures: `seed FOLDER CAPTURE...` fills `FOLDER/<target>/`.
//!
//! Whole files for the readers, frames by link type for decoding, the payloads of each flow for the protocols that
//! the engine finds in it. What is equal is written once; names are hashes of the content.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

use farmhawk::capture::inputs::Input;
use farmhawk::capture::{self, Reading};
use farmhawk::decode::Decoder;
use farmhawk::dissect::registry::NAMES;
use farmhawk::flow::key::FlowKey;
use farmhawk::model::block::Block;
use farmhawk::model::frame::LinkType;
use farmhawk::model::identity::ContentId;
use farmhawk::model::segment::{Layer, Segment, segment_flag};
use farmhawk_fuzz::{decoding, dissection};

/// Octets of a seed, and of one payload in it.
const LONGEST: usize = 4_096;
const LONGEST_PAYLOAD: usize = 1_500;
/// Payloads of one flow.
const MOST_PAYLOADS: usize = 24;
/// Seeds of one target that one capture gives.
const MOST_SEEDS: usize = 12;

#[derive(Default)]
struct Seeds(BTreeMap<(String, usize), Vec<Vec<u8>>>);

impl Seeds {
    fn add(&mut self, target: &str, capture: usize, seed: Vec<u8>) {
        let seeds = self.0.entry((target.to_owned(), capture)).or_default();
        if seeds.len() < MOST_SEEDS && seed.len() <= LONGEST && !seeds.contains(&seed) {
            seeds.push(seed);
        }
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        for ((target, _), seeds) in &self.0 {
            let folder = folder.join(target);
            fs::create_dir_all(&folder)?;
            for seed in seeds {
                fs::write(folder.join(ContentId::of(&[seed]).to_string()), seed)?;
            }
        }
        Ok(())
    }
}

fn main() -> io::Result<()> {
    let mut arguments = env::args_os().skip(1).map(PathBuf::from);
    let folder = arguments.next().expect("usage: seed FOLDER CAPTURE...");
    let mut seeds = Seeds::default();
    for (number, path) in arguments.enumerate() {
        let bytes = fs::read(&path)?;
        whole(&mut seeds, number, &path, &bytes);
        if let Ok(mut source) = capture::open(&[Input::File(path)], &Reading::default()) {
            let mut decoder = Decoder::new(&farmhawk::settings::limits::Limits::default());
            let mut flows = Vec::new();
            let mut block = Block::default();
            while source.fill(&mut block).unwrap_or(false) {
                frames(&mut seeds, number, &block);
                let mut segments = Vec::new();
                decoder.decode(&mut block, &mut segments);
                for segment in &segments {
                    gather(&mut flows, segment, &block);
                }
            }
            for (_, _, seed, _) in flows {
                for name in dissection::spoken(&seed) {
                    if let Some(name) = NAMES.get(usize::from(name)) {
                        seeds.add(&name.replace('-', "_"), number, seed.clone());
                    }
                }
                seeds.add("engine", number, seed);
            }
        }
    }
    seeds.write(&folder)
}

/// The file itself for the readers; two halves of it for the one that merges.
fn whole(seeds: &mut Seeds, number: usize, path: &Path, bytes: &[u8]) {
    let name = path.to_string_lossy();
    let target = if name.contains("compressed") {
        "compression"
    } else if bytes.starts_with(&[0x0a, 0x0d, 0x0d, 0x0a]) {
        "pcapng"
    } else {
        "classic"
    };
    seeds.add(target, number, bytes.to_vec());
    if target == "compression" || bytes.len() < 2_300 {
        seeds.add("input", number, bytes.to_vec());
    }
    if target != "compression" && bytes.len() < 2_300 {
        let mut twice = u16::try_from(bytes.len()).unwrap_or(0).to_be_bytes().to_vec();
        twice.extend_from_slice(bytes);
        twice.extend_from_slice(bytes);
        seeds.add("merge", number, twice);
    }
}

/// Some frames of a block, for the target of their link type.
fn frames(seeds: &mut Seeds, number: usize, block: &Block) {
    let groups = [
        ("decode_ethernet", decoding::ETHERNET),
        ("decode_dot11", decoding::DOT11),
        ("decode_cooked", decoding::COOKED),
        ("decode_serial", decoding::SERIAL),
        ("decode_raw", decoding::RAW),
    ];
    for (target, links) in groups {
        let mut seed = Vec::new();
        for frame in &block.frames {
            let place = links.iter().position(|link: &LinkType| *link == frame.link);
            let bytes = block.frame_bytes(frame);
            if let Some(place) = place
                && seed.len() + bytes.len() < 1_800
            {
                push_piece(&mut seed, u8::try_from(place).unwrap_or(0), bytes);
            }
        }
        if !seed.is_empty() {
            seeds.add(target, number, seed);
        }
    }
}

type Flow = (FlowKey, bool, Vec<u8>, usize);

/// Appends a segment's payload to its flow's seed.
fn gather(flows: &mut Vec<Flow>, segment: &Segment, block: &Block) {
    let payload = block.slice(segment.payload_offset, segment.payload_captured);
    if payload.is_empty() || segment.is(segment_flag::OPENED_TUNNEL) {
        return;
    }
    let (key, from_upper) = FlowKey::of(segment);
    let known = if segment.layer == Layer::Link {
        None
    } else {
        flows.iter().position(|(known, ..)| *known == key)
    };
    let place = known.unwrap_or_else(|| {
        let mut seed = vec![segment.layer as u8, segment.protocol];
        seed.extend_from_slice(&segment.source_port.to_be_bytes());
        seed.extend_from_slice(&segment.destination_port.to_be_bytes());
        flows.push((key, from_upper, seed, 0));
        flows.len() - 1
    });
    if let Some((_, opener, seed, count)) = flows.get_mut(place)
        && *count < MOST_PAYLOADS
    {
        let payload = payload.get(..LONGEST_PAYLOAD).unwrap_or(payload);
        if seed.len() + payload.len() < LONGEST - 3 {
            *count += 1;
            push_piece(seed, u8::from(from_upper != *opener), payload);
        }
    }
}

/// Appends a piece as `farmhawk_fuzz::pieces` reads them.
fn push_piece(seed: &mut Vec<u8>, flags: u8, piece: &[u8]) {
    let length = u16::try_from(piece.len()).unwrap_or(u16::MAX);
    seed.push(flags);
    seed.extend_from_slice(&length.to_be_bytes());
    seed.extend(piece.iter().take(usize::from(length)));
}
