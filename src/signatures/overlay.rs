//! Signature files of the user on top of the catalogue: a later entry with the same id replaces an earlier one, and what extends an
//! entry adds to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use super::entry::Tool;
use super::extension;
use super::load;
use super::vocabulary::Vocabulary;
use crate::document::{Fault, Faults, did_you_mean};

/// A file of entries.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    /// Where it was read from.
    pub(super) path: PathBuf,
    /// Its text.
    pub(super) text: String,
}

/// The files at `paths`, folders as their `.toml` files in order of names; beside them, what cannot be read.
pub(super) fn read(paths: &[PathBuf]) -> (Vec<Layer>, Vec<Fault>) {
    let mut layers = Vec::new();
    let mut faults = Vec::new();
    for path in paths {
        let found = files(path).unwrap_or_else(|fault| {
            faults.push(fault);
            Vec::new()
        });
        for path in found {
            match fs::read_to_string(&path) {
                Ok(text) => layers.push(Layer { path, text }),
                Err(cause) => faults.push(fault(&path, cause.to_string())),
            }
        }
    }
    (layers, faults)
}

fn fault(path: &Path, what: String) -> Fault {
    Fault {
        path: path.to_owned(),
        line: 0,
        field: String::new(),
        what,
    }
}

fn files(path: &Path) -> Result<Vec<PathBuf>, Fault> {
    let unreadable = |cause: std::io::Error| fault(path, cause.to_string());
    if !fs::metadata(path).map_err(unreadable)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(path).map_err(unreadable)? {
        let file = entry.map_err(unreadable)?.path();
        if file.extension().is_some_and(|extension| extension == "toml") {
            found.push(file);
        }
    }
    found.sort();
    if found.is_empty() {
        return Err(fault(path, "no .toml file in this folder".to_owned()));
    }
    Ok(found)
}

/// Reads the layers one on top of the other. All faults of all layers are named, behind those that were found before.
pub(super) fn stack(
    layers: &[Layer],
    vocabulary: &Vocabulary,
    mut faults: Vec<Fault>,
) -> Result<Vec<Tool>, Faults> {
    let mut stacked: Vec<Tool> = Vec::new();
    let mut positions: BTreeMap<String, usize> = BTreeMap::new();
    for layer in layers {
        // The entries of a wrong file are looked at with the others, so that what is wrong between them is named as well.
        let (entries, found) = load::entries(&layer.path, &layer.text, vocabulary);
        faults.extend(found);
        for tool in entries.tools {
            let earlier = positions
                .get(&tool.id)
                .and_then(|position| stacked.get_mut(*position));
            if let Some(earlier) = earlier {
                *earlier = tool;
            } else {
                positions.insert(tool.id.clone(), stacked.len());
                stacked.push(tool);
            }
        }
        for extension in entries.extensions {
            faults.extend(extension::add(extension, &mut stacked));
        }
    }
    faults.extend(wrong_references(&stacked, &positions));
    if faults.is_empty() {
        Ok(stacked)
    } else {
        Err(Faults(faults))
    }
}

/// Aliases that name another entry too, and protocols that no entry has.
fn wrong_references(all: &[Tool], positions: &BTreeMap<String, usize>) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut aliases = BTreeSet::new();
    for tool in all {
        let mut wrong = |field: &str, what: String| {
            faults.push(Fault {
                path: tool.path.clone(),
                line: tool.line,
                field: format!("tool.{field}"),
                what,
            });
        };
        for alias in &tool.aliases {
            if positions.contains_key(alias) || !aliases.insert(alias) {
                wrong("aliases", format!("{alias:?} already names another entry"));
            }
        }
        if let Some(protocol) = tool
            .protocol
            .as_ref()
            .filter(|protocol| !positions.contains_key(*protocol))
        {
            let meant = did_you_mean(protocol, positions.keys().map(String::as_str));
            wrong("protocol", format!("unknown tool {protocol:?}{meant}"));
        }
    }
    faults
}
