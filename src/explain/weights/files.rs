//! The files that hold the model's numbers and tables, and the hash of all of them.
//!
//! It can be had without the program: `sha256sum` of each file, the lines sorted by name as they stand here, and `sha256sum` of that.

use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Name of the file with the tables of explanation and clustering.
pub(super) const WEIGHTS: &str = "src/explain/weights.toml";

/// Every file by its name, sorted: what was changed in any of them gives another model. Signatures have a version of their own.
const FILES: &[(&str, &str)] = &[
    (
        "src/detect/activity_state.tsv",
        include_str!("../../detect/activity_state.tsv"),
    ),
    (
        "src/detect/dns_lookups.tsv",
        include_str!("../../detect/dns_lookups.tsv"),
    ),
    (
        "src/detect/segment_size.tsv",
        include_str!("../../detect/segment_size.tsv"),
    ),
    (
        "src/detect/services.tsv",
        include_str!("../../detect/services.tsv"),
    ),
    (
        "src/detect/tenants/labels.tsv",
        include_str!("../../detect/tenants/labels.tsv"),
    ),
    (
        "src/detect/tenants/zones.tsv",
        include_str!("../../detect/tenants/zones.tsv"),
    ),
    (
        "src/detect/thresholds.toml",
        include_str!("../../detect/thresholds.toml"),
    ),
    (
        "src/dissect/http/own_address.tsv",
        include_str!("../../dissect/http/own_address.tsv"),
    ),
    (WEIGHTS, include_str!("../weights.toml")),
    ("src/geo/countries.tsv", include_str!("../../geo/countries.tsv")),
    ("src/geo/kinds.tsv", include_str!("../../geo/kinds.tsv")),
    ("src/geo/reverse.tsv", include_str!("../../geo/reverse.tsv")),
    (
        "src/model/thresholds.toml",
        include_str!("../../model/thresholds.toml"),
    ),
    (
        "src/observe/background.tsv",
        include_str!("../../observe/background.tsv"),
    ),
    (
        "src/observe/thresholds.toml",
        include_str!("../../observe/thresholds.toml"),
    ),
    (
        "src/settings/iso3166.tsv",
        include_str!("../../settings/iso3166.tsv"),
    ),
];

/// The model's hash with this text for the tables: SHA-256 over a line for each file, its SHA-256 and its name.
pub(super) fn hash(weights: &str) -> String {
    let mut lines = String::new();
    for (name, text) in FILES {
        let text = if *name == WEIGHTS { weights } else { text };
        let _ = writeln!(lines, "{}  {name}", digest(text));
    }
    digest(&lines)
}

fn digest(text: &str) -> String {
    let mut written = String::new();
    for byte in Sha256::digest(text.as_bytes()) {
        let _ = write!(written, "{byte:02x}");
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    /// Names of data files below a folder.
    fn data(folder: &Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let is_data = path.extension().is_some_and(|end| end == "toml" || end == "tsv");
            if path.is_dir() {
                data(&path, found);
            } else if is_data {
                let root = Path::new(env!("CARGO_MANIFEST_DIR"));
                let name = path.strip_prefix(root).unwrap().components();
                let parts: Vec<_> = name.map(|part| part.as_os_str().to_str().unwrap()).collect();
                found.push(parts.join("/"));
            }
        }
    }

    #[test]
    fn the_hash_covers_every_data_file_but_signatures() {
        let mut found = Vec::new();
        data(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
        found.retain(|name| !name.starts_with("src/signatures/"));
        found.sort();
        let listed: Vec<&str> = FILES.iter().map(|(name, _)| *name).collect();
        assert_eq!(listed, found);
    }

    #[test]
    fn a_change_anywhere_gives_another_hash() {
        let (_, weights) = FILES.iter().find(|(name, _)| *name == WEIGHTS).unwrap();
        let whole = hash(weights);
        assert_ne!(whole, hash(&weights.replacen("0.6", "0.7", 1)));
        let mut lines = String::new();
        for (name, text) in FILES {
            let _ = writeln!(lines, "{}  {name}", digest(text));
        }
        assert_eq!(whole, digest(&lines));
        let (_, thresholds) = FILES
            .iter()
            .find(|(name, _)| name.ends_with("detect/thresholds.toml"))
            .unwrap();
        let changed = thresholds.replacen("together = 30", "together = 31", 1);
        assert_ne!(
            whole,
            digest(&lines.replace(&digest(thresholds), &digest(&changed)))
        );
    }
}
