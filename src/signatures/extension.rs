//! What a file adds to an entry that stands in a file before it, or before it in the same: `extends` in the place of `id`.
//!
//! Everything of the entry stays as it is; further aliases and indicators stand beside its own. An entry with an `id` that is there already
//! takes its place instead, as a rule of Suricata with the same `sid` does.

use std::path::{Path, PathBuf};

use super::entry::{Indicator, Tool};
use super::load;
use super::vocabulary::Vocabulary;
use crate::document::{Fault, Table, did_you_mean};

/// An addition to an entry.
#[derive(Clone, Debug)]
pub struct Extension {
    /// The entry's identifier, or an alias of it.
    id: String,
    aliases: Vec<String>,
    indicators: Vec<Indicator>,
    path: PathBuf,
    line: usize,
}

/// What an entry alone may say.
const OF_ENTRIES: [&str; 10] = [
    "id",
    "name",
    "class",
    "protocol",
    "consumer_vpn",
    "watched_vpn",
    "opened_by",
    "media",
    "benign",
    "unseen",
];

/// Reads a table that has `extends`.
pub(super) fn read(path: &Path, table: &Table<'_>, vocabulary: &Vocabulary) -> Extension {
    let id = table.required_text("extends").unwrap_or_default().to_owned();
    for key in OF_ENTRIES {
        if table.has(key) {
            let what = "what extends an entry adds aliases and indicators only; an entry of the same id without extends replaces it";
            table.fault(key, what);
        }
    }
    let indicators = load::indicators(table, vocabulary);
    let aliases = load::aliases(table);
    if indicators.is_empty() && aliases.is_empty() {
        table.fault("indicator", "nothing to add: no indicator and no alias");
    }
    table.refuse_unknown();
    Extension {
        id,
        aliases,
        indicators,
        path: path.to_owned(),
        line: table.line(),
    }
}

/// Adds it to its entry; a fault where there is none.
pub(super) fn add(extension: Extension, stacked: &mut [Tool]) -> Option<Fault> {
    let is_meant = |tool: &&mut Tool| tool.id == extension.id || tool.aliases.contains(&extension.id);
    let Some(tool) = stacked.iter_mut().find(is_meant) else {
        let meant = did_you_mean(&extension.id, stacked.iter().map(|tool| tool.id.as_str()));
        return Some(Fault {
            path: extension.path,
            line: extension.line,
            field: "tool.extends".to_owned(),
            what: format!("unknown tool {:?}{meant}", extension.id),
        });
    };
    if !extension.indicators.is_empty() {
        tool.unseen = None;
    }
    tool.aliases.extend(extension.aliases);
    tool.indicators.extend(extension.indicators);
    None
}

#[cfg(test)]
mod tests {
    use crate::signatures::Catalogue;

    /// Two files one on top of the other, the second over the catalogue and the first.
    fn read(first: &str, second: &str) -> Result<Catalogue, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in [("1.toml", first), ("2.toml", second)] {
            if !text.is_empty() {
                std::fs::write(folder.path().join(name), text).unwrap();
            }
        }
        Catalogue::with_overlays(&[folder.path().to_owned()]).map_err(|faults| faults.to_string())
    }

    fn names(catalogue: &Catalogue, server: &str) -> Vec<String> {
        let found = catalogue.matches("tls.sni", server.as_bytes());
        let mut names: Vec<String> = found.map(|found| found.tool.id.clone()).collect();
        names.dedup();
        names
    }

    const OURS: &str = "[[tool.indicator]]\nfield = \"tls.sni\"\nexact = \"desk.example.com\"\nweight = 30\nalone = true\nsource = \"our gateway\"\n";

    #[test]
    fn what_extends_an_entry_stands_beside_what_it_has() {
        let text = format!("[[tool]]\nextends = \"anydesk\"\naliases = [\"desk\"]\n{OURS}");
        let catalogue = read(&text, "").unwrap();
        let (ours, theirs) = (catalogue.tool("anydesk").unwrap(), Catalogue::embedded().unwrap());
        let theirs = theirs.tool("anydesk").unwrap();
        assert_eq!(ours.indicators.len(), theirs.indicators.len() + 1);
        assert_eq!((&ours.name, &ours.class), (&theirs.name, &theirs.class));
        assert_eq!(names(&catalogue, "desk.example.com"), ["anydesk"]);
        assert_eq!(names(&catalogue, "boot.net.anydesk.com"), ["anydesk"]);
        assert_eq!(
            catalogue.tool("desk").map(|tool| tool.id.as_str()),
            Some("anydesk")
        );
        assert!(ours.sources().contains("our gateway"));
        assert_ne!(catalogue.version(), Catalogue::embedded().unwrap().version());
    }

    #[test]
    fn a_later_entry_replaces_what_was_added_and_later_additions_stand_beside_it() {
        let extends = format!("[[tool]]\nextends = \"anydesk\"\n{OURS}");
        let other = OURS.replace("desk.example.com", "other.example.com");
        let replaces = format!("[[tool]]\nid = \"anydesk\"\nclass = \"remote-access\"\n{other}");
        let replaced = read(&extends, &replaces).unwrap();
        assert!(names(&replaced, "desk.example.com").is_empty());
        assert_eq!(names(&replaced, "other.example.com"), ["anydesk"]);
        let both = read(&replaces, &extends).unwrap();
        assert_eq!(names(&both, "desk.example.com"), ["anydesk"]);
        assert_eq!(names(&both, "other.example.com"), ["anydesk"]);
        assert!(names(&both, "boot.net.anydesk.com").is_empty());
    }

    #[test]
    fn what_adds_to_nothing_or_says_what_an_entry_says_is_refused() {
        let refused = |head: &str, body: &str| read(&format!("[[tool]]\n{head}\n{body}"), "").unwrap_err();
        let unknown = refused("extends = \"anydesl\"", OURS);
        assert!(
            unknown.contains("1.toml:1: tool.extends: unknown tool \"anydesl\" (did you mean \"anydesk\"?)"),
            "{unknown}"
        );
        let both = refused("extends = \"anydesk\"\nid = \"mine\"", OURS);
        assert!(both.contains("1.toml:3: tool.id: what extends"), "{both}");
        let class = refused("extends = \"anydesk\"\nclass = \"vpn\"", OURS);
        assert!(class.contains("1.toml:3: tool.class: what extends"), "{class}");
        let nothing = refused("extends = \"anydesk\"", "");
        assert!(nothing.contains("nothing to add"), "{nothing}");
        let weight = refused("extends = \"anydesk\"", &OURS.replace("30", "300"));
        assert!(weight.contains("indicator.weight: 300"), "{weight}");
        let alias = refused("extends = \"anydesk\"\naliases = [\"ssh\"]", OURS);
        assert!(alias.contains("already names another entry"), "{alias}");
    }
}
