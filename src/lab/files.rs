//! The files of a capture: itself, and beside it, under its name, the inventory, the truth and the policy.
//!
//! `farm.pcapng` has `farm.inventory.csv`, `farm.truth.toml` and `farm.policy.toml` (and some a `farm.geoip.mmdb`), so that captures share a folder with each
//! other and with the user's own files. Each is written beside its final name and renamed when all are whole: a disk that
//! is full leaves nothing that looks like a capture.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::{LabError, Scenario, inventory_header, write};

/// Writes one scenario to `path` and what belongs to it beside it; gives the files beside it.
///
/// A file that holds something else already is not replaced unless `force`. Where `path` is no file (a pipe, a device), the
/// capture alone is written into it.
pub fn write_to(scenario: &Scenario, seed: u64, path: &Path, force: bool) -> Result<Vec<PathBuf>, LabError> {
    let (mut capture, mut truth) = (Vec::new(), Vec::new());
    let mut inventory = inventory_header().into_bytes();
    let failed = |cause| LabError::Write(path.to_owned(), cause);
    write(scenario, seed, &mut capture, &mut inventory, &mut truth).map_err(failed)?;
    if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        fs::write(path, &capture).map_err(failed)?;
        return Ok(Vec::new());
    }
    let mut files = vec![
        (beside(path, "inventory.csv"), inventory),
        (beside(path, "truth.toml"), truth),
    ];
    if !scenario.policy.is_empty() {
        files.push((beside(path, "policy.toml"), scenario.policy.as_bytes().to_vec()));
    }
    if let Some(places) = super::database(scenario).map_err(failed)? {
        files.push((beside(path, "geoip.mmdb"), places));
    }
    let named = files.iter().map(|(path, _)| path.clone()).collect();
    files.push((path.to_owned(), capture));
    if !force && let Some((path, _)) = files.iter().find(|(path, bytes)| holds_another(path, bytes)) {
        return Err(LabError::Occupied(path.clone()));
    }
    let written = write_all(&files);
    if written.is_err() {
        for (path, _) in &files {
            // Most were never begun, and nobody is left to tell of the rest.
            let _ = fs::remove_file(partial(path));
        }
    }
    written.map(|()| named)
}

/// Writes every file whole, then gives every file its name, the capture's the last.
fn write_all(files: &[(PathBuf, Vec<u8>)]) -> Result<(), LabError> {
    let failed = |path: &Path, cause: io::Error| LabError::Write(path.to_owned(), cause);
    for (path, bytes) in files {
        fs::write(partial(path), bytes).map_err(|cause| failed(path, cause))?;
    }
    for (path, _) in files {
        fs::rename(partial(path), path).map_err(|cause| failed(path, cause))?;
    }
    Ok(())
}

/// `farm.inventory.csv` for `farm.pcapng`.
fn beside(path: &Path, what: &str) -> PathBuf {
    path.with_extension(what)
}

/// Where a file stands until it is whole.
fn partial(path: &Path) -> PathBuf {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".partial");
    path.with_file_name(name)
}

/// Whether something stands at `path` that is not these bytes; what cannot be read is something else.
fn holds_another(path: &Path, bytes: &[u8]) -> bool {
    match fs::read(path) {
        Ok(there) => there != bytes,
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}
