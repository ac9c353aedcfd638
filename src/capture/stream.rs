//! The bytes of one input: read, hashed as they stand on disk, decompressed.
//!
//! Question: how are bytes read into a block without clearing its memory first? `Vec::resize` before each read(2) costs
//! 35 us a mebibyte; `Read::read_to_end` on a `Take` of the file itself reads into spare capacity. So an
//! uncompressed file is read directly, and only decompressors go through a shared handle ([`Tap`]).

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sha2::{Digest, Sha256};

use super::CaptureError;
use super::compression::{MOST_LAYERS, Scheme};
use super::inputs::Input;
use super::patient::{Patient, Stop};

/// First bytes that are looked at to tell formats apart.
const HEAD: usize = 64;
/// Bytes that tell every format.
const MAGIC: usize = 12;

/// The input itself.
enum Origin {
    /// A file that stays open.
    File(File),
    /// A file that is closed between reads, because very many are merged.
    Parked(PathBuf),
    /// Standard input, a pipe or a device.
    Patient(Patient),
}

/// The input with its counters.
struct Raw {
    origin: Origin,
    read: u64,
    hasher: Option<Sha256>,
}

impl Raw {
    /// Appends up to `limit` bytes to `bytes`; fewer mean the end.
    fn append(&mut self, limit: usize, bytes: &mut Vec<u8>) -> io::Result<usize> {
        let before = bytes.len();
        // One spare byte beyond the limit spares read_to_end the probe by which it looks for the end.
        bytes.reserve(limit.saturating_add(64));
        let result = match &mut self.origin {
            Origin::File(file) => file.take(limit as u64).read_to_end(bytes),
            Origin::Patient(input) => input.take(limit as u64).read_to_end(bytes),
            Origin::Parked(path) => File::open(path).and_then(|mut file| {
                file.seek(SeekFrom::Start(self.read))?;
                file.take(limit as u64).read_to_end(bytes)
            }),
        };
        let new = bytes.get(before..).unwrap_or_default();
        self.read = self.read.saturating_add(new.len() as u64);
        if let Some(hasher) = &mut self.hasher {
            hasher.update(new);
        }
        result
    }

    /// One read(2), as decompressors ask for it.
    fn read_some(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = match &mut self.origin {
            Origin::File(file) => file.read(buffer)?,
            Origin::Patient(input) => input.read(buffer)?,
            Origin::Parked(path) => {
                let mut file = File::open(path)?;
                file.seek(SeekFrom::Start(self.read))?;
                file.read(buffer)?
            }
        };
        self.read = self.read.saturating_add(length as u64);
        if let Some(hasher) = &mut self.hasher {
            hasher.update(buffer.get(..length).unwrap_or_default());
        }
        Ok(length)
    }
}

/// What a decompressor reads from.
struct Tap(Arc<Mutex<Raw>>);

impl Read for Tap {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        lock(&self.0).read_some(buffer)
    }
}

fn lock(raw: &Mutex<Raw>) -> MutexGuard<'_, Raw> {
    raw.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The decompressed bytes of an input.
pub(super) struct Stream {
    raw: Arc<Mutex<Raw>>,
    decoder: Option<Box<dyn Read + Send>>,
    head: Vec<u8>,
    failure: Option<io::Error>,
    ended: bool,
    /// Compressions that were opened, outermost first.
    pub(super) layers: Vec<Scheme>,
    /// Size on disk, where known.
    pub(super) size: Option<u64>,
}

impl Stream {
    /// Opens an input and looks at its first bytes; one that may keep silent is read until `stop` is set.
    pub(super) fn open(input: &Input, digest: bool, parked: bool, stop: &Stop) -> Result<Self, CaptureError> {
        let (origin, size) = match input {
            Input::Stdin => (Origin::Patient(Patient::new(io::stdin(), stop)), None),
            Input::File(path) => Self::origin(path, parked, stop)?,
        };
        let raw = Raw {
            origin,
            read: 0,
            hasher: digest.then(Sha256::new),
        };
        let mut stream = Self {
            raw: Arc::new(Mutex::new(raw)),
            decoder: None,
            head: Vec::new(),
            failure: None,
            ended: false,
            layers: Vec::new(),
            size,
        };
        stream.peek();
        while let Some(scheme) = Scheme::of(&stream.head) {
            if stream.layers.len() >= MOST_LAYERS {
                break;
            }
            stream
                .unwrap_layer(scheme)
                .map_err(|error| CaptureError::Open(input.path(), error))?;
        }
        Ok(stream)
    }

    fn origin(path: &Path, parked: bool, stop: &Stop) -> Result<(Origin, Option<u64>), CaptureError> {
        let refuse = |error: io::Error| {
            if error.kind() == io::ErrorKind::NotFound {
                CaptureError::NotFound(path.to_owned())
            } else {
                CaptureError::Open(path.to_owned(), error)
            }
        };
        let file = File::open(path).map_err(refuse)?;
        let metadata = file.metadata().map_err(refuse)?;
        let size = metadata.is_file().then_some(metadata.len());
        // A pipe or a device cannot be opened twice.
        let origin = if size.is_none() {
            Origin::Patient(Patient::new(file, stop))
        } else if parked {
            Origin::Parked(path.to_owned())
        } else {
            Origin::File(file)
        };
        Ok((origin, size))
    }

    /// Puts a decompressor around what is read now.
    fn unwrap_layer(&mut self, scheme: Scheme) -> io::Result<()> {
        let start = Cursor::new(std::mem::take(&mut self.head));
        let inner: Box<dyn Read + Send> = match self.decoder.take() {
            Some(decoder) => decoder,
            None => Box::new(Tap(Arc::clone(&self.raw))),
        };
        self.decoder = Some(scheme.decoder(start.chain(inner))?);
        self.layers.push(scheme);
        self.ended = false;
        self.failure = None;
        self.peek();
        Ok(())
    }

    /// Fills the head; an error is kept for the first real read.
    fn peek(&mut self) {
        let mut head = std::mem::take(&mut self.head);
        self.pull(HEAD, &mut head);
        self.head = head;
    }

    /// The first bytes of what will be read.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Whether there is nothing to judge a format by: no byte, or so few because decompression failed.
    pub(super) fn is_empty(&self) -> bool {
        self.head.is_empty() || self.failure.is_some() && self.head.len() < MAGIC
    }

    fn pull(&mut self, limit: usize, bytes: &mut Vec<u8>) {
        if self.ended {
            return;
        }
        let before = bytes.len();
        let result = match &mut self.decoder {
            Some(decoder) => {
                bytes.reserve(limit.saturating_add(64));
                decoder.take(limit as u64).read_to_end(bytes)
            }
            None => lock(&self.raw).append(limit, bytes),
        };
        if let Err(error) = result {
            self.failure = Some(error);
            self.ended = true;
        } else if bytes.len().saturating_sub(before) < limit {
            self.ended = true;
        }
    }

    /// Appends up to `limit` bytes to `bytes`. `Ok(true)` means that more may follow, `Ok(false)` that this was the
    /// end; with an error, what was read before it stands in `bytes`.
    pub(super) fn append(&mut self, limit: usize, bytes: &mut Vec<u8>) -> io::Result<bool> {
        let from_head = self.head.len().min(limit);
        bytes.reserve(limit.saturating_add(64));
        bytes.extend(self.head.drain(..from_head));
        let rest = limit.saturating_sub(from_head);
        if rest > 0 {
            self.pull(rest, bytes);
        }
        if !self.head.is_empty() {
            return Ok(true);
        }
        match self.failure.take() {
            Some(error) => Err(error),
            None => Ok(!self.ended),
        }
    }

    /// Bytes read from the input, before decompression.
    pub(super) fn read(&self) -> u64 {
        lock(&self.raw).read
    }

    /// Reads what no decoder wanted, and gives the SHA-256 of all.
    pub(super) fn digest(&mut self) -> Option<[u8; 32]> {
        let mut raw = lock(&self.raw);
        raw.hasher.as_ref()?;
        let mut rest = vec![0; 64 << 10];
        while let Ok(length @ 1..) = raw.read_some(&mut rest) {
            debug_assert!(
                length <= rest.len(),
                "read never gives more than the buffer holds"
            );
        }
        raw.hasher.take().map(|hasher| hasher.finalize().into())
    }
}
