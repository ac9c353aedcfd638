//! The case folder: refused when occupied, the same bytes twice, nothing left behind by a run that ended early.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::row;
use super::sample::{at, case};
use super::sample_flow::flow;
use super::us;
use crate::report::case::{CaseError, CaseFolder};
use crate::report::manifest::{FileRecord, Provenance};

/// Writes the sample; `minute` stands for the wall clock.
fn written(folder: &Path, force: bool, minute: i64) -> Result<(), CaseError> {
    let mut output = CaseFolder::create(folder, force)?;
    let place = us();
    for number in 0..5 {
        output.flow(&row(&flow(number), &place))?;
    }
    let provenance = Provenance {
        command_line: vec!["farmhawk".to_owned(), "analyze".to_owned()],
        inputs: vec![FileRecord {
            path: "inventory.csv".to_owned(),
            sha256: Some("cd".repeat(32)),
            bytes: Some(120),
        }],
        run: Some([at(minute), at(minute + 1)]),
    };
    output.finish(&case(), &provenance)
}

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            (
                entry.file_name().into_string().unwrap(),
                fs::read(entry.path()).unwrap(),
            )
        })
        .collect()
}

#[test]
fn two_runs_write_the_same_bytes_but_for_the_wall_clock() {
    let home = tempfile::tempdir().unwrap();
    let (one, two) = (home.path().join("one"), home.path().join("two"));
    written(&one, false, 0).unwrap();
    written(&two, false, 9).unwrap();
    let (mut one, mut two) = (contents(&one), contents(&two));
    let names: Vec<&str> = one.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "farms.jsonl",
            "findings.jsonl",
            "flows.parquet",
            "hosts.jsonl",
            "manifest.json",
            "report.html",
            "stix.json",
            "summary.json",
            "timeline.csv"
        ]
    );
    let manifests = [&mut one, &mut two].map(|files| {
        let bytes = files.remove("manifest.json").unwrap();
        serde_json::from_slice::<serde_json::Value>(&bytes).unwrap()
    });
    assert!(one == two);
    let [mut first, mut second] = manifests;
    assert_ne!(first, second);
    for output in first["outputs"].as_array().unwrap() {
        let bytes = &one[output["path"].as_str().unwrap()];
        let digest = Sha256::digest(bytes);
        let digest = digest
            .iter()
            .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
        assert_eq!(output["sha256"], digest);
        assert_eq!(output["bytes"], bytes.len());
    }
    assert_eq!(first["inputs"].as_array().unwrap().len(), 3);
    for manifest in [&mut first, &mut second] {
        manifest.as_object_mut().unwrap().remove("run").unwrap();
    }
    assert_eq!(first, second);
}

#[test]
fn a_folder_that_holds_a_case_is_refused_unless_forced() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("case");
    written(&folder, false, 0).unwrap();
    let before = contents(&folder);
    let refused = written(&folder, false, 1).unwrap_err();
    assert!(matches!(refused, CaseError::Occupied(_)));
    assert!(refused.to_string().contains("already holds a case"));
    assert!(contents(&folder) == before);
    written(&folder, true, 2).unwrap();
    assert_eq!(contents(&folder).len(), before.len());
}

#[test]
fn a_run_that_ends_early_leaves_the_old_case_and_no_half_files() {
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("case");
    written(&folder, false, 0).unwrap();
    let before = contents(&folder);
    let mut output = CaseFolder::create(&folder, true).unwrap();
    output.flow(&row(&flow(1), &us())).unwrap();
    drop(output);
    assert!(contents(&folder) == before);
}

#[test]
fn what_stands_in_the_way_is_named() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("file");
    fs::write(&file, b"x").unwrap();
    let error = written(&file.join("case"), false, 0).unwrap_err().to_string();
    assert!(
        error.contains("file/case") && error.contains("cannot create the case folder"),
        "{error}"
    );
    let folder = home.path().join("case");
    fs::create_dir_all(folder.join(".stix.json.partial")).unwrap();
    let error = written(&folder, false, 0).unwrap_err().to_string();
    assert!(error.contains(".stix.json.partial"), "{error}");
}
