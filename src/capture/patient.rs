//! Input that may keep silent for long: standard input, pipes and devices.
//!
//! Question: how does the program end when somebody asks it to while a pipe says nothing? Answer: a thread of its own waits for the input,
//! and who reads looks now and then whether to go on waiting. The end comes between two pieces, so that what was said is read
//! whole.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// Set when no more input is to be waited for.
pub type Stop = Arc<AtomicBool>;

/// How often who waits looks whether to go on.
const LOOKS: Duration = Duration::from_millis(100);

/// Octets of one piece.
const PIECE: usize = 256 << 10;

/// Pieces that are read ahead.
const AHEAD: usize = 4;

/// The input.
pub(super) struct Patient {
    pieces: Receiver<io::Result<Vec<u8>>>,
    piece: Vec<u8>,
    at: usize,
    stop: Stop,
    has_ended: bool,
}

impl Patient {
    /// Reads from `input` until it ends or `stop` is set.
    pub(super) fn new(input: impl Read + Send + 'static, stop: &Stop) -> Self {
        let (sender, pieces) = sync_channel(AHEAD);
        // It ends with the input, with this value, or with the program: a read that waits cannot be called back.
        thread::spawn(move || forward(input, &sender));
        Self {
            pieces,
            piece: Vec::new(),
            at: 0,
            stop: Arc::clone(stop),
            has_ended: false,
        }
    }

    /// The next piece; `false` at the end.
    fn next(&mut self) -> io::Result<bool> {
        while !self.has_ended {
            match self.pieces.recv_timeout(LOOKS) {
                Ok(Ok(piece)) => {
                    (self.piece, self.at) = (piece, 0);
                    return Ok(true);
                }
                Ok(Err(error)) => {
                    self.has_ended = true;
                    return Err(error);
                }
                Err(RecvTimeoutError::Timeout) => self.has_ended = self.stop.load(Ordering::Relaxed),
                Err(RecvTimeoutError::Disconnected) => self.has_ended = true,
            }
        }
        Ok(false)
    }
}

impl Read for Patient {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.at >= self.piece.len() && !self.next()? {
            return Ok(0);
        }
        let mut rest = self.piece.get(self.at..).unwrap_or_default();
        let length = rest.read(buffer)?;
        self.at = self.at.saturating_add(length);
        Ok(length)
    }
}

fn forward(mut input: impl Read, to: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut piece = vec![0; PIECE];
        let sent = match input.read(&mut piece) {
            Ok(0) => return,
            Ok(length) => {
                piece.truncate(length);
                to.send(Ok(piece))
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => {
                // Nobody may be left to hear it.
                let _ = to.send(Err(error));
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Says these pieces, then waits for ever.
    struct Silent(Vec<&'static [u8]>);

    impl Read for Silent {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                thread::park();
                return Ok(0);
            }
            self.0.remove(0).read(buffer)
        }
    }

    #[test]
    fn what_was_said_is_read_and_silence_ends_when_it_shall() {
        let stop = Stop::default();
        let mut patient = Patient::new(Silent(vec![b"one ", b"two"]), &stop);
        let mut said = [0; 7];
        patient.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"one two");
        stop.store(true, Ordering::Relaxed);
        let mut more = Vec::new();
        assert_eq!(patient.read_to_end(&mut more).unwrap(), 0);
    }

    #[test]
    fn an_input_that_ends_is_read_to_its_end() {
        let text: Vec<u8> = (0..1_000_000_u32)
            .map(|number| u8::try_from(number % 251).unwrap())
            .collect();
        let mut read = Vec::new();
        Patient::new(io::Cursor::new(text.clone()), &Stop::default())
            .read_to_end(&mut read)
            .unwrap();
        assert!(read == text);
    }
}
