//! A block: some thousands of consecutive frames with their bytes, the unit that moves through the pipeline.
//!
//! Question: how do frames reach other threads without a copy for each? Answer: the reader fills the block's buffer with
//! read(2) and describes the frames in place; everything later refers to that buffer by offset, and the block
//! travels whole. Bytes that had to be rebuilt (reassembled fragments, unescaped HDLC) are appended to the same buffer.
//! Where blocks end depends on the input alone, never on the number of threads.

use super::frame::FrameHeader;

/// Frames and the bytes they stand in.
#[derive(Debug, Default)]
pub struct Block {
    /// The arena: file bytes as read, then whatever decoding rebuilt.
    pub bytes: Vec<u8>,
    /// The frames, in the order of analysis.
    pub frames: Vec<FrameHeader>,
}

impl Block {
    /// The bytes between `start` and `start + length`, or nothing where they do not exist.
    #[must_use]
    pub fn slice(&self, start: u32, length: u32) -> &[u8] {
        let start = start as usize;
        start
            .checked_add(length as usize)
            .and_then(|end| self.bytes.get(start..end))
            .unwrap_or_default()
    }

    /// The captured bytes of one frame.
    #[must_use]
    pub fn frame_bytes(&self, frame: &FrameHeader) -> &[u8] {
        self.slice(frame.offset, frame.captured)
    }

    /// Empties the block for reuse; capacity stays.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.frames.clear();
    }
}
