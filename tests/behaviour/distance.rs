//! Where the capture point stands against the place that an inventory gives a host: contradicted, agreed with, not known.

use std::fs;

use serde_json::Value;

use crate::program::{every_record, finish, fixture};

/// Findings about distance in the demonstration's farm when the laptop 192.168.77.21 is declared to stand at a place.
fn claims(declared: &str, at: Option<&str>) -> Vec<Value> {
    let folder = tempfile::tempdir().unwrap();
    let inventory = folder.path().join("inventory.csv");
    fs::write(
        &inventory,
        format!("ip,hostname,latitude,longitude\n192.168.77.21,laptop-northwind-01,{declared}\n"),
    )
    .unwrap();
    let mut command = every_record();
    command.arg("--assets").arg(&inventory);
    if let Some(at) = at {
        command.args(["--at", at]);
    }
    let run = finish(command.arg(fixture("demo/farm.pcapng")));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let mut findings = run.of("finding");
    findings.retain(|finding| finding["tool"] == "round-trip");
    findings
}

const SEATTLE: &str = "47.61,-122.33";
const TACOMA: &str = "47.25,-122.44";
const PHOENIX: &str = "33.45,-112.07";

#[test]
fn a_laptop_that_answers_faster_than_light_from_its_declared_place_is_elsewhere() {
    let findings = claims(SEATTLE, Some(PHOENIX));
    let [finding] = findings.as_slice() else {
        panic!("{findings:?}")
    };
    assert_eq!(
        (&finding["host_ip"], &finding["kind"]),
        (&"192.168.77.21".into(), &"latency_mismatch".into())
    );
    let claim = &finding["latency"]["claim"];
    let number = |field: &str| claim[field].as_f64().unwrap();
    assert!((number("distance_km") - 1_785.0).abs() < 15.0, "{claim}");
    // Its round trip of 5 ms reaches 500 km, and the uncertainty of the clock a hundred more.
    assert!(
        (number("possible_km") - (number("round_trip_ms") + 1.0) * 99.93).abs() < 1.0,
        "{claim}"
    );
    assert!(
        number("possible_km") < number("distance_km") && number("samples") >= 5.0,
        "{claim}"
    );
    let benign = finding["benign"][0].as_str().unwrap();
    assert!(
        ["proxy", "VPN", "relay", "inventory"]
            .iter()
            .all(|word| benign.contains(word)),
        "{benign}"
    );
    let note = finding["evidence"][0]["note"].as_str().unwrap();
    assert!(
        note.contains("end of the TCP connections, not about a person"),
        "{note}"
    );
}

#[test]
fn a_laptop_near_the_capture_point_agrees_with_a_declared_place_near_it() {
    assert_eq!(claims(SEATTLE, Some(TACOMA)), [] as [Value; 0]);
}

#[test]
fn without_the_capture_point_nothing_is_said_of_a_declared_place() {
    assert_eq!(claims(SEATTLE, None), [] as [Value; 0]);
}
