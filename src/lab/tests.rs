//! The committed demonstration is what its seed gives, byte for byte.

use std::fs;
use std::path::Path;

use super::{DEFAULT_SEED, LabError, scenario, write, write_folder};

#[test]
fn the_demonstration_in_the_fixtures_is_what_its_seed_gives() {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/demo");
    if std::env::var_os("FARMHAWK_RENEW_DEMO").is_some() {
        let both = ["farm", "office"].map(|name| scenario(name).unwrap());
        write_folder(&both, DEFAULT_SEED, &committed).unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let both = ["farm", "office"].map(|name| scenario(name).unwrap());
    write_folder(&both, DEFAULT_SEED, folder.path()).unwrap();
    for name in ["farm.pcapng", "office.pcapng", "inventory.csv", "truth.toml"] {
        let same = fs::read(folder.path().join(name)).unwrap() == fs::read(committed.join(name)).unwrap();
        assert!(
            same,
            "{name}: renew with FARMHAWK_RENEW_DEMO=1 and read the difference"
        );
    }
}

#[test]
fn every_scenario_differs_by_seed_and_tells_its_truth_in_toml() {
    // One of each kind: all of them are run by the evaluation.
    for name in ["farm", "office", "tour", "s15", "s18", "s22"] {
        let scenario = scenario(name).unwrap();
        let [mut one, mut other, mut rows, mut facts] = [(); 4].map(|()| Vec::new());
        write(scenario, 1, &mut one, &mut rows, &mut facts).unwrap();
        write(scenario, 2, &mut other, &mut Vec::new(), &mut Vec::new()).unwrap();
        assert_ne!(one, other);
        let text = String::from_utf8(facts).unwrap();
        let table: toml::Table = text.parse().unwrap();
        assert_eq!(table["capture"].as_array().unwrap().len(), 1);
        assert!(rows.is_empty() == !matches!(name, "farm" | "office"));
    }
}

#[test]
fn an_unknown_scenario_is_refused_with_the_names_that_exist() {
    let LabError::UnknownScenario(_) = scenario("fram").unwrap_err() else {
        panic!("another error")
    };
    assert!(scenario("fram").unwrap_err().to_string().contains("farm, office"));
}
