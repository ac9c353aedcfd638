//! Captures that hold the same bytes: a capture kept compressed beside itself, or copied. Read twice, every packet in it would count
//! twice.

use std::collections::BTreeMap;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};

use super::Source as _;
use super::inputs::Input;
use super::patient::Stop;
use super::savefile::SaveFile;
use super::stream::Stream;
use crate::model::block::Block;
use crate::settings::limits::Limits;

/// Bytes, after decompression, by which captures are told apart before the whole of them is compared.
const START: usize = 64 << 10;
/// Captures shorter than this hold no packet worth counting once only.
const SHORTEST: usize = 64;
/// Captures no longer than this are looked into: one without packets, as a rotation leaves them by night, repeats nothing.
const SHORT: usize = 4 << 10;
/// Bytes that are read at once.
const READ_AT_ONCE: usize = 1 << 20;

/// A capture that is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Repeated {
    /// Which.
    pub path: PathBuf,
    /// The one with the same content, which is read.
    pub same_as: PathBuf,
}

/// Leaves out of a sorted list every capture whose bytes, after decompression, are those of an earlier one. Whole captures
/// are read only where their starts agree.
pub(super) fn leave_out(captures: &mut Vec<Input>) -> Vec<Repeated> {
    let mut starts: BTreeMap<[u8; 32], Vec<usize>> = BTreeMap::new();
    if captures.len() > 1 {
        for (place, input) in captures.iter().enumerate() {
            if let Some(digest) = digest(input, true) {
                starts.entry(digest).or_default().push(place);
            }
        }
    }
    let mut repeated = BTreeMap::new();
    for places in starts.into_values().filter(|places| places.len() > 1) {
        let mut wholes: BTreeMap<[u8; 32], PathBuf> = BTreeMap::new();
        for place in places {
            let Some(input) = captures.get(place) else {
                continue;
            };
            let Some(digest) = digest(input, false) else {
                continue;
            };
            let path = input.path();
            match wholes.get(&digest) {
                Some(same_as) => {
                    let same_as = same_as.clone();
                    repeated.insert(place, Repeated { path, same_as });
                }
                None => {
                    wholes.insert(digest, path);
                }
            }
        }
    }
    let mut place = 0_usize;
    captures.retain(|_| {
        let is_kept = !repeated.contains_key(&place);
        place = place.saturating_add(1);
        is_kept
    });
    repeated.into_values().collect()
}

/// Whether a packet can be read from a capture.
fn has_packets(input: &Input) -> bool {
    let mut block = Block::default();
    SaveFile::open(input, 0, &Limits::default(), false)
        .and_then(|mut file| file.fill(&mut block))
        .is_ok_and(|_| !block.frames.is_empty())
}

/// Digest of a file's bytes after decompression, of its start alone or of all; nothing for what can be read only once, is too
/// short, or cannot be read to its end.
fn digest(input: &Input, only_start: bool) -> Option<[u8; 32]> {
    if !matches!(input, Input::File(path) if path.is_file()) {
        return None;
    }
    let mut stream = Stream::open(input, false, false, &Stop::default()).ok()?;
    let mut hasher = Sha256::new();
    let mut bytes = Vec::new();
    let mut more = stream
        .append(if only_start { START } else { READ_AT_ONCE }, &mut bytes)
        .ok()?;
    if bytes.len() < SHORTEST || bytes.len() <= SHORT && !has_packets(input) {
        return None;
    }
    hasher.update(&bytes);
    while more && !only_start {
        bytes.clear();
        more = stream.append(READ_AT_ONCE, &mut bytes).ok()?;
        hasher.update(&bytes);
    }
    Some(hasher.finalize().into())
}
