//! Names of fields are written in three places: where a dissector says a fact, where a stage asks for it, and in the
//! catalogue. A name that only one of them knows is silence, not an error: here it is an error.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use farmhawk::detect;
use farmhawk::dissect::{engine, registry};
use farmhawk::model::fact::{Field, Scope};
use farmhawk::signatures::Catalogue;

use crate::source;

/// What detection makes up itself: no dissector says these.
const MADE_UP: [&str; 7] = [
    "app_proto",
    "ip.address",
    "ip.server",
    "port.tcp",
    "port.udp",
    "mac.oui",
    "tunnel",
];

/// Words of the vocabulary that nothing asks for yet: which network a flow's peer lies in is looked up only where flows are
/// written, and then by the default database too, on which alone no tool may be named.
const NOT_ASKED_FOR: [&str; 2] = ["geo.as_org", "geo.asn"];

/// Every field that dissectors or the engine say.
fn said() -> impl Iterator<Item = &'static Field> {
    registry::DISSECTORS
        .iter()
        .flat_map(|dissector| dissector.fields())
        .chain(engine::FIELDS)
        .copied()
}

fn names_said() -> BTreeSet<&'static str> {
    said().map(|field| field.name).collect()
}

#[test]
fn every_field_of_the_catalogue_is_said_and_asked_for() {
    let of_flows = said()
        .filter(|field| field.scope == Scope::Flow)
        .map(|field| field.name);
    let asked_for: BTreeSet<&str> = of_flows.chain(detect::further_fields()).collect();
    let vocabulary = Catalogue::vocabulary_fields().unwrap();
    assert!(!vocabulary.is_empty());
    let silent: Vec<&str> = vocabulary
        .iter()
        .map(String::as_str)
        .filter(|field| !asked_for.contains(field))
        .collect();
    assert_eq!(silent, NOT_ASKED_FOR, "entries that name these never match");
}

#[test]
fn every_field_that_detection_looks_up_is_said_and_in_the_vocabulary() {
    let vocabulary: BTreeSet<String> = Catalogue::vocabulary_fields().unwrap().into_iter().collect();
    let said = names_said();
    for field in detect::further_fields() {
        assert!(vocabulary.contains(field), "{field} is no word of the vocabulary");
        assert!(
            said.contains(field) || MADE_UP.contains(&field),
            "no dissector says {field}"
        );
    }
}

#[test]
fn every_fact_that_a_stage_asks_for_is_said() {
    let said = names_said();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut asked = 0;
    for file in source::all() {
        // Dissectors say, and the type itself and its tests ask for nothing.
        if file.path.starts_with("src/dissect/") || file.path.starts_with("src/model/fact") {
            continue;
        }
        let text = fs::read_to_string(root.join(&file.path)).unwrap();
        for way in ["FieldId::of(\"", "Field::of_event(\"", "Field::of_flow(\""] {
            for rest in text.split(way).skip(1) {
                let name = rest.split('"').next().unwrap();
                asked += 1;
                assert!(said.contains(name), "{}: no dissector says {name}", file.path);
            }
        }
    }
    assert!(
        asked > 30,
        "only {asked} places were found: are they written otherwise now?"
    );
}

#[test]
fn every_protocol_that_an_address_is_asked_for_has_a_dissector() {
    let names: BTreeSet<&str> = registry::DISSECTORS
        .iter()
        .map(|dissector| dissector.name())
        .collect();
    let catalogue = Catalogue::embedded().unwrap();
    let indicators = catalogue.tools().iter().flat_map(|tool| &tool.indicators);
    let asked_for: BTreeSet<&str> = indicators
        .flat_map(|indicator| indicator.conversation.protocols())
        .collect();
    assert!(asked_for.contains("wireguard"));
    assert!(asked_for.is_subset(&names), "{asked_for:?}");
}
