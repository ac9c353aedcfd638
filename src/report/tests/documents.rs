//! The page and the STIX bundle: shape, references, and hostile text in both.

use std::collections::BTreeSet;

use serde_json::Value;

use super::rendered;
use super::sample::{case, hostile};
use crate::model::case::Case;
use crate::report::escape::is_unsafe;
use crate::report::{html, stix};

#[test]
fn the_page_fetches_nothing_and_runs_nothing() {
    let page = rendered(html::write, &case());
    assert!(page.starts_with("<!DOCTYPE html>"));
    for forbidden in [
        "<script",
        "src=",
        "@import",
        "url(",
        "http://",
        "https://",
        "javascript:",
        " on",
    ] {
        let found = page.match_indices(forbidden).next();
        let is_word = forbidden == " on" && !page.contains(" onload") && !page.contains(" onclick");
        assert!(found.is_none() || is_word, "{forbidden}");
    }
    for wanted in [
        "consistent with",
        "Rival explanations",
        "gantt",
        "+12.3",
        "home.pcapng:17",
        "Not observable",
    ] {
        assert!(page.contains(wanted), "{wanted}");
    }
    assert!(!page.contains("is a farm"));
}

#[test]
fn every_link_of_the_page_leads_somewhere() {
    let page = rendered(html::write, &case());
    let after = |mark: &'static str| {
        page.split(mark)
            .skip(1)
            .map(|rest| rest.split('"').next().unwrap())
            .collect::<BTreeSet<_>>()
    };
    let ids = after(" id=\"");
    let links = after("href=\"#");
    assert!(!links.is_empty());
    assert!(links.is_subset(&ids), "{:?}", links.difference(&ids));
}

#[test]
fn the_page_of_an_empty_case_says_so() {
    assert!(rendered(html::write, &Case::default()).contains("No group and no host reaches"));
}

#[test]
fn hostile_text_is_text_on_the_page() {
    let page = rendered(html::write, &hostile());
    assert!(!page.contains("<script"));
    assert_eq!(page.matches("</style>").count(), 1);
    assert_eq!(page.chars().find(|one| is_unsafe(*one)), None);
    assert!(page.contains("&lt;script&gt;"));
}

/// Checks what every object of a bundle must have, and that references lead to objects of it.
fn checked(text: &str) -> Vec<Value> {
    let bundle: Value = serde_json::from_str(text).unwrap();
    assert_eq!(bundle["type"], "bundle");
    let objects = bundle["objects"].as_array().unwrap().clone();
    let ids: BTreeSet<&str> = objects.iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), objects.len());
    for object in &objects {
        let kind = object["type"].as_str().unwrap();
        let (prefix, uuid) = object["id"].as_str().unwrap().split_once("--").unwrap();
        assert_eq!(prefix, kind);
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "5"));
        assert_eq!(object["spec_version"], "2.1");
        let is_observable = matches!(kind, "ipv4-addr" | "ipv6-addr" | "network-traffic");
        assert_eq!(object.get("created").is_none(), is_observable, "{kind}");
        if let Some(created) = object.get("created") {
            assert_eq!(created.as_str().unwrap().len(), "2026-03-02T21:00:00.000Z".len());
        }
        for (key, value) in object.as_object().unwrap() {
            let refs: Vec<&Value> = if key.ends_with("_refs") {
                value.as_array().unwrap().iter().collect()
            } else if key.ends_with("_ref") {
                vec![value]
            } else {
                continue;
            };
            assert!(!refs.is_empty(), "{kind}.{key}");
            for one in refs {
                assert!(ids.contains(one.as_str().unwrap()), "{kind}.{key}: {one}");
            }
        }
    }
    objects
}

#[test]
fn the_bundle_has_the_shape_that_the_standard_asks_for() {
    let text = rendered(stix::write, &case());
    let objects = checked(&text);
    let of = |kind: &str| {
        objects
            .iter()
            .filter(|one| one["type"] == kind)
            .collect::<Vec<_>>()
    };
    assert_eq!(of("grouping").len(), 1);
    assert_eq!(of("infrastructure")[0]["confidence"], 94);
    assert_eq!(of("indicator").len(), 0);
    assert_eq!(
        of("attack-pattern")[0]["external_references"][0]["external_id"],
        "T1219.002"
    );
    for traffic in of("network-traffic") {
        assert!(traffic["protocols"].as_array().unwrap().len() > 1);
        assert!(traffic["end"].is_string());
        assert_eq!(traffic["is_active"], false);
    }
    assert_eq!(text, rendered(stix::write, &case()));
    checked(&rendered(stix::write, &Case::default()));
}

#[test]
fn observables_have_the_identifiers_of_the_standard() {
    // The identifier that the examples of the standard give this address.
    let mut one = case();
    one.findings[0].peer = Some("198.51.100.3".to_owned());
    assert!(rendered(stix::write, &one).contains("ipv4-addr--28bb3599-77cd-5a82-a950-b5bc3caf07c4"));
}

#[test]
fn hostile_text_breaks_no_bundle() {
    let text = rendered(stix::write, &hostile());
    assert_eq!(text.chars().find(|one| is_unsafe(*one)), None);
    checked(&text);
}
