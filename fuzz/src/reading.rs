//! Readers: captures of any content through the same doors that the program uses.

use std::io::{self, Read, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use farmhawk::capture::compression::Scheme;
use farmhawk::capture::inputs::Input;
use farmhawk::capture::{self, Reading};
use farmhawk::model::block::Block;
use farmhawk::settings::limits::Limits;

/// Octets that are decompressed before it is enough.
const MOST_DECOMPRESSED: u64 = 4 << 20;

/// Blocks that one capture may come in before the reader counts as hanging.
const MOST_BLOCKS: usize = 100_000;

/// A file that is removed when it is no longer needed.
pub(crate) struct Scratch(pub(crate) PathBuf);

impl Scratch {
    pub(crate) fn with(bytes: &[u8]) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let memory = PathBuf::from("/dev/shm");
        let folder = if memory.is_dir() {
            memory
        } else {
            std::env::temp_dir()
        };
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = folder.join(format!("farmhawk-fuzz-{}-{number}", std::process::id()));
        std::fs::File::create(&path)?.write_all(bytes)?;
        Ok(Self(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Nothing is lost when a file in a temporary folder stays.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Reads one capture twice, with blocks as small as they get and of ordinary size: both must give the same frames.
///
/// # Panics
///
/// When they do not: what fuzzing looks for.
pub fn capture(input: &[u8]) {
    let Ok(file) = Scratch::with(input) else {
        return;
    };
    let inputs = [Input::File(file.0.clone())];
    let small = Limits {
        block_bytes: 64,
        block_frames: 3,
        ..Limits::default()
    };
    let in_pieces = read(&inputs, small);
    let at_once = read(&inputs, Limits::default());
    assert_eq!(in_pieces, at_once, "what is read depends on the size of blocks");
}

/// Reads two captures that stand in one input, merged in time order.
pub fn several(input: &[u8]) {
    let Some((&[high, low], rest)) = input.split_first_chunk::<2>() else {
        return;
    };
    let first = usize::from(u16::from_be_bytes([high, low])).min(rest.len());
    let (first, second) = rest.split_at(first);
    let (Ok(first), Ok(second)) = (Scratch::with(first), Scratch::with(second)) else {
        return;
    };
    let inputs = [Input::File(first.0.clone()), Input::File(second.0.clone())];
    read(&inputs, Limits::default());
}

/// Frames as time, number, captured length, length on the wire; and how many places were damaged.
type Frames = (Vec<(i64, u64, u32, u32)>, u64);

fn read(inputs: &[Input], limits: Limits) -> Option<Frames> {
    let reading = Reading {
        limits,
        ..Reading::default()
    };
    let mut source = capture::open(inputs, &reading).ok()?;
    let mut block = Block::default();
    let mut frames = Vec::new();
    for blocks in 0.. {
        assert!(blocks < MOST_BLOCKS, "the reader makes no progress");
        match source.fill(&mut block) {
            Ok(true) => {}
            Ok(false) => break,
            Err(error) => {
                // Errors must have words.
                assert!(!error.to_string().is_empty());
                break;
            }
        }
        for frame in &block.frames {
            let captured = block.frame_bytes(frame).len();
            assert_eq!(captured, frame.captured as usize, "a frame outside its block");
            frames.push((
                frame.at.0,
                frame.source.number,
                frame.captured,
                frame.length_on_wire,
            ));
        }
    }
    source.take_losses();
    for damage in source.take_damage() {
        assert!(!damage.to_string().is_empty());
    }
    let damaged = source.captures().iter().map(|counters| counters.damaged).sum();
    Some((frames, damaged))
}

/// Decompresses what starts like something compressed.
pub fn compression(input: &[u8]) {
    let Some(scheme) = Scheme::of(input) else {
        return;
    };
    let Ok(decoder) = scheme.decoder(io::Cursor::new(input.to_vec())) else {
        return;
    };
    // An error is an answer, too.
    let _ = io::copy(&mut decoder.take(MOST_DECOMPRESSED), &mut io::sink());
}
