//! Replays what fuzzing found worth keeping: every committed input through the target that it was kept for.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use farmhawk::dissect::registry::NAMES;

use crate::fuzzing;

fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz").join(name)
}

fn names_in(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap();
    let names = entries.map(|entry| entry.unwrap().path());
    names
        .map(|path| path.file_stem().unwrap().to_string_lossy().into_owned())
        .collect()
}

#[test]
fn every_kept_input_is_survived() {
    let corpus = folder("corpus");
    let mut inputs = 0;
    for target in names_in(&corpus) {
        for entry in fs::read_dir(corpus.join(&target)).unwrap() {
            let path = entry.unwrap().path();
            let input = fs::read(&path).unwrap();
            let outcome = std::panic::catch_unwind(|| fuzzing::run(&target, &input));
            assert_eq!(outcome.ok(), Some(true), "{}", path.display());
            inputs += 1;
        }
    }
    assert!(
        inputs > 100,
        "only {inputs} inputs are kept: was the corpus lost?"
    );
}

#[test]
fn every_dissector_has_its_target_and_every_target_its_corpus() {
    let targets = names_in(&folder("fuzz_targets"));
    for name in NAMES.iter() {
        let target = name.replace('-', "_");
        assert!(
            targets.contains(&target),
            "fuzz/fuzz_targets/{target}.rs is missing"
        );
    }
    let corpora = names_in(&folder("corpus"));
    assert_eq!(corpora, targets);
    let manifest = fs::read_to_string(folder("Cargo.toml")).unwrap();
    for target in &targets {
        let line = format!("path = \"fuzz_targets/{target}.rs\"");
        assert!(
            manifest.contains(&line),
            "fuzz/Cargo.toml does not build {target}"
        );
        assert!(fuzzing::run(target, &[]), "nothing is run for {target}");
    }
}
