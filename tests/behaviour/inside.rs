//! Servers and routers on our own side of the capture: a relay among the local machines ends no session, and a company's router is
//! nobody's home.

use std::path::PathBuf;

use serde_json::Value;
use tempfile::TempDir;

use crate::program::{every_record, farmhawk, finish};

fn scenario(name: &str, folder: &TempDir) -> PathBuf {
    let path = folder.path().join(format!("{name}.pcapng"));
    let run = finish(farmhawk().args(["lab", name, "-o"]).arg(&path));
    assert_eq!(run.code, 0, "{}", run.stderr);
    path
}

fn text<'a>(record: &'a Value, field: &str) -> &'a str {
    record[field].as_str().unwrap_or_default()
}

#[test]
fn a_relay_inside_the_local_ranges_turns_nobody_into_a_controller() {
    let folder = tempfile::tempdir().unwrap();
    let path = scenario("s25", &folder);
    let with = |local: &[&str]| {
        let mut command = every_record();
        for network in local {
            command.args(["--local", network]);
        }
        let run = finish(command.arg(&path));
        assert_eq!(run.code, 0, "{}", run.stderr);
        let findings = run.of("finding");
        let remote = findings
            .into_iter()
            .filter(|one| text(one, "kind") == "remote_access");
        let mut told: Vec<String> = remote
            .map(|one| {
                let fields = ["host_ip", "tool", "role", "activity", "peer", "peer_name"];
                fields.map(|field| text(&one, field).to_owned()).join(" ")
            })
            .collect();
        told.sort();
        told
    };
    let outside = with(&["10.0.0.0/8"]);
    assert!(
        outside.iter().any(|one| one.contains(" controlled driven ")),
        "{outside:#?}"
    );
    let (servers, others): (Vec<String>, Vec<String>) = with(&["10.0.0.0/8", "198.51.100.0/24"])
        .into_iter()
        .partition(|one| one.contains(" server "));
    assert_eq!(others, outside);
    let [server] = servers.as_slice() else {
        panic!("{servers:#?}");
    };
    assert!(
        server.starts_with("198.51.100.31 screenconnect server unknown "),
        "{server}"
    );
}

#[test]
fn the_router_of_a_companys_concentrator_is_no_shared_home() {
    let folder = tempfile::tempdir().unwrap();
    let path = scenario("s05", &folder);
    let told = |vantage: &str| {
        let mut command = every_record();
        command.args(["--vantage", vantage]).arg("--assets");
        let run = finish(command.arg(path.with_extension("inventory.csv")).arg(&path));
        assert_eq!(run.code, 0, "{}", run.stderr);
        let farms = run.of("farm");
        let reasons = farms.iter().flat_map(|farm| farm["reasons"].as_array().unwrap());
        let mut all = reasons.map(|one| text(one, "reason").to_owned());
        all.any(|reason| reason == "assignees")
    };
    assert!(!told("auto"));
    assert!(!told("employer"));
    assert!(told("home"), "who says that it is a house is believed");
}
