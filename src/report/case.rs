//! The case folder (INTERFACE, `--out`): every output under its name, the manifest last.
//!
//! Each file is written beside its final name and renamed when all are whole, so that a run that fails leaves nothing
//! that looks like a case. A folder with a manifest holds a case; that one is not overwritten unless asked.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use crate::model::case::Case;

use super::flow::FlowRow;
use super::manifest::{FileRecord, MANIFEST, Manifest, Provenance};
use super::output::Output;
use super::registry::OUTPUTS;

/// Why a case folder could not be written.
#[derive(Debug, thiserror::Error)]
pub enum CaseError {
    /// It holds a case already.
    #[error("{path}: already holds a case (use --force to overwrite it)", path = .0.display())]
    Occupied(PathBuf),
    /// Something stands in the way of the folder itself.
    #[error("{path}: cannot create the case folder: {cause}", path = .0.display(), cause = .1)]
    Folder(PathBuf, io::Error),
    /// One file could not be written.
    #[error("{path}: cannot write: {cause}", path = .0.display(), cause = .1)]
    File(PathBuf, io::Error),
}

/// A file of the case that counts and digests what is written to it.
pub struct CaseFile {
    to: BufWriter<File>,
    digest: Sha256,
    bytes: u64,
}

impl CaseFile {
    fn create(path: &Path) -> io::Result<Self> {
        Ok(Self {
            to: BufWriter::with_capacity(1 << 16, File::create(path)?),
            digest: Sha256::new(),
            bytes: 0,
        })
    }

    /// Digest and length of the whole file.
    fn close(mut self) -> io::Result<(String, u64)> {
        self.to.flush()?;
        Ok((hexadecimal(&self.digest.finalize()), self.bytes))
    }
}

impl Write for CaseFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.to.write(bytes)?;
        self.digest.update(bytes.get(..written).unwrap_or(bytes));
        self.bytes = self.bytes.saturating_add(written.try_into().unwrap_or(u64::MAX));
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().saturating_mul(2));
    for byte in bytes {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// One output on its way.
struct Pending {
    file: &'static str,
    partial: PathBuf,
    output: Option<Box<dyn Output<CaseFile>>>,
}

/// A case folder that is being written. Dropped before [`CaseFolder::finish`], it leaves no files.
pub struct CaseFolder {
    folder: PathBuf,
    pending: Vec<Pending>,
}

impl CaseFolder {
    /// Creates the folder and opens every output; refuses a folder that holds a case, unless `force`.
    pub fn create(folder: &Path, force: bool) -> Result<Self, CaseError> {
        let manifest = folder.join(MANIFEST);
        let is_occupied = manifest
            .try_exists()
            .map_err(|cause| CaseError::Folder(folder.to_owned(), cause))?;
        if is_occupied && !force {
            return Err(CaseError::Occupied(folder.to_owned()));
        }
        fs::create_dir_all(folder).map_err(|cause| CaseError::Folder(folder.to_owned(), cause))?;
        let mut case = Self {
            folder: folder.to_owned(),
            pending: Vec::with_capacity(OUTPUTS.len()),
        };
        for entry in OUTPUTS {
            let partial = folder.join(format!(".{}.partial", entry.file));
            let failed = |cause| CaseError::File(partial.clone(), cause);
            let file = CaseFile::create(&partial).map_err(failed)?;
            // Entered before it is opened, so that it is removed if opening fails.
            case.pending.push(Pending {
                file: entry.file,
                partial: partial.clone(),
                output: None,
            });
            let output = (entry.open)(file).map_err(failed)?;
            if let Some(pending) = case.pending.last_mut() {
                pending.output = Some(output);
            }
        }
        Ok(case)
    }

    /// A flow ended.
    pub fn flow(&mut self, row: &FlowRow<'_>) -> Result<(), CaseError> {
        for pending in &mut self.pending {
            if let Some(output) = &mut pending.output {
                output
                    .flow(row)
                    .map_err(|cause| CaseError::File(pending.partial.clone(), cause))?;
            }
        }
        Ok(())
    }

    /// The analysis ended: writes the documents, gives every file its name, and the manifest last.
    pub fn finish(mut self, case: &Case, provenance: &Provenance) -> Result<(), CaseError> {
        let mut outputs = Vec::with_capacity(self.pending.len());
        for pending in &mut self.pending {
            let failed = |cause| CaseError::File(pending.partial.clone(), cause);
            if let Some(output) = pending.output.take() {
                let file = output.finish(case).map_err(failed)?;
                let (sha256, bytes) = file.close().map_err(failed)?;
                outputs.push(FileRecord {
                    path: pending.file.to_owned(),
                    sha256: Some(sha256),
                    bytes: Some(bytes),
                });
            }
        }
        let manifest = self.folder.join(MANIFEST);
        remove(&manifest).map_err(|cause| CaseError::File(manifest.clone(), cause))?;
        for pending in &self.pending {
            let path = self.folder.join(pending.file);
            fs::rename(&pending.partial, &path).map_err(|cause| CaseError::File(path, cause))?;
        }
        self.pending.clear();
        let partial = self.folder.join(format!(".{MANIFEST}.partial"));
        let text = Manifest::new(case, provenance, outputs).to_text();
        fs::write(&partial, text)
            .and_then(|()| fs::rename(&partial, &manifest))
            .map_err(|cause| CaseError::File(manifest, cause))
    }
}

impl Drop for CaseFolder {
    fn drop(&mut self) {
        for pending in &self.pending {
            // Nobody is left to tell; the next run overwrites what stays.
            let _ = fs::remove_file(&pending.partial);
        }
    }
}

/// Removes a file that may not be there.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(cause) if cause.kind() != io::ErrorKind::NotFound => Err(cause),
        Ok(()) | Err(_) => Ok(()),
    }
}
