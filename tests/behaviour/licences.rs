//! `THIRD-PARTY.md` lists every crate that is locked, under licences that `.deny.toml` allows.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

/// Licence and crates of each row of the tables of crates.
fn rows(text: &str) -> Vec<(&str, Vec<&str>)> {
    let tables = text.split_once("## Crates in the program").unwrap().1;
    tables
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.split_once(" | "))
        .filter(|(licence, _)| !matches!(*licence, "licence" | "---"))
        .map(|(licence, crates)| (licence, crates.split(", ").collect()))
        .collect()
}

#[test]
fn every_crate_is_listed_with_a_licence_that_is_allowed() {
    let text = read("THIRD-PARTY.md");
    let listed: BTreeSet<&str> = rows(&text).into_iter().flat_map(|(_, crates)| crates).collect();
    let lock = read("Cargo.lock");
    let locked: BTreeSet<&str> = lock
        .lines()
        .filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"'))
        .filter(|name| *name != env!("CARGO_PKG_NAME"))
        .collect();
    let difference: Vec<&&str> = listed.symmetric_difference(&locked).collect();
    assert!(
        difference.is_empty(),
        "listed or locked, not both: {difference:?}"
    );

    let rules: toml::Table = read(".deny.toml").parse().unwrap();
    let allowed: Vec<&str> = rules["licenses"]["allow"]
        .as_array()
        .unwrap()
        .iter()
        .map(|licence| licence.as_str().unwrap())
        .collect();
    for (licence, crates) in rows(&text) {
        // Of alternatives one is enough; of what stands together the rest is an exception by name.
        let is_allowed = licence
            .trim_start_matches('(')
            .split(" OR ")
            .any(|one| allowed.contains(&one.split(')').next().unwrap()));
        assert!(is_allowed, "{licence}: {crates:?}");
    }
}
