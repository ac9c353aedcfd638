//! Every format of one hand-made case, as a person would read it, and a hostile case in every format.

mod documents;
mod folder;
mod sample;
mod sample_flow;
mod tables;

use std::io::Write;

use sample::{HOSTILE, at, case, hostile};
use sample_flow::flow;

use crate::model::case::Case;
use crate::model::finding::PlaceRecord;
use crate::model::flow::FlowRecord;
use crate::model::threads::Threads;

use super::escape::is_unsafe;
use super::flow::{FlowRow, Placed};
use super::json::{JsonLines, JsonObject};
use super::output::{Output, Render};
use super::shown::Shown;
use super::text::{self, Styles};
use super::{json, timeline};

fn rendered(render: Render, case: &Case) -> String {
    let mut bytes = Vec::new();
    render(case, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn plain_text(case: &Case, to: &mut dyn Write) -> std::io::Result<()> {
    text::write(case, Shown::default(), &Styles::plain(), to)
}

fn row<'a>(flow: &'a FlowRecord, place: &'a Placed) -> FlowRow<'a> {
    FlowRow {
        flow,
        server_name: None,
        places: [None, Some(place)],
        reverse_names: [None, None],
        community_id: "1:x",
    }
}

fn us() -> Placed {
    Placed::new(PlaceRecord {
        country: Some("US".to_owned()),
        asn: Some(64_500),
        ..PlaceRecord::default()
    })
}

fn finished<O: Output<Vec<u8>>>(mut output: O, flows: u32) -> String {
    let place = us();
    for number in 0..flows {
        output.flow(&row(&flow(number), &place)).unwrap();
    }
    String::from_utf8(Box::new(output).finish(&case()).unwrap()).unwrap()
}

#[test]
fn the_text_says_the_verdict_first_and_fits_a_hundred_columns() {
    let text = rendered(plain_text, &case());
    assert!(text.starts_with("LIKELY"));
    for line in text.lines() {
        assert!(line.chars().count() <= 100, "{line}");
    }
    assert!(!text.contains("is a farm"));
    insta::assert_snapshot!("text", text);
}

#[test]
fn colours_change_nothing_but_colours() {
    let mut colored = Vec::new();
    text::write(&case(), Shown::default(), &Styles::colored(), &mut colored).unwrap();
    let colored = String::from_utf8(colored).unwrap();
    assert!(colored.contains('\u{1b}'));
    let stripped = anstream::adapter::strip_str(&colored).to_string();
    assert_eq!(stripped, rendered(plain_text, &case()));
}

#[test]
fn an_empty_case_is_a_page_too() {
    insta::assert_snapshot!("empty", rendered(plain_text, &Case::default()));
}

#[test]
fn the_timeline_is_in_order_of_time() {
    let table = rendered(timeline::write, &case());
    let mut moments: Vec<&str> = table
        .lines()
        .skip(1)
        .map(|line| line.split(',').next().unwrap())
        .collect();
    assert!(moments.is_sorted());
    moments.dedup();
    assert!(moments.len() > 5);
    insta::assert_snapshot!("timeline", table);
}

#[test]
fn one_object_holds_what_is_shown_and_the_flows() {
    let text = finished(
        JsonObject::new(Vec::new(), Shown::default(), true, Threads::default()),
        2,
    );
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    for (key, many) in [("flows", 2), ("farms", 1), ("hosts", 2), ("findings", 3)] {
        assert_eq!(value[key].as_array().unwrap().len(), many, "{key}");
        for record in value[key].as_array().unwrap() {
            assert!(
                record["event_type"].is_string() && record["timestamp"].is_string(),
                "{key}"
            );
        }
    }
    assert_eq!(value["summary"]["event_type"], "summary");
    insta::assert_json_snapshot!("object", value);
}

#[test]
fn one_object_without_flows_has_no_flows_and_with_none_an_empty_list() {
    let none = finished(
        JsonObject::new(Vec::new(), Shown { all: true }, false, Threads::default()),
        2,
    );
    let none: serde_json::Value = serde_json::from_str(&none).unwrap();
    assert!(none.get("flows").is_none());
    assert_eq!(none["hosts"].as_array().unwrap().len(), 3);
    let empty = finished(
        JsonObject::new(Vec::new(), Shown::default(), true, Threads::default()),
        0,
    );
    let empty: serde_json::Value = serde_json::from_str(&empty).unwrap();
    assert_eq!(empty["flows"], serde_json::json!([]));
}

#[test]
fn lines_are_flows_farms_hosts_findings_and_the_summary_last() {
    let text = finished(
        JsonLines::new(Vec::new(), Shown::default(), true, Threads::default()),
        2,
    );
    let kinds: Vec<String> = text
        .lines()
        .map(|line| {
            let value: serde_json::Value = serde_json::from_str(line).unwrap();
            value["event_type"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "flow", "flow", "farm", "host", "host", "finding", "finding", "finding", "summary"
        ]
    );
}

#[test]
fn json_is_the_same_for_any_number_of_threads() {
    let mut many = case();
    many.findings = many.findings.iter().cycle().take(2_500).cloned().collect();
    many.hosts = many.hosts.iter().cycle().take(300).cloned().collect();
    let all = Shown { all: true };
    let lines = |threads| {
        let output = Box::new(JsonLines::new(Vec::new(), all, false, Threads::new(threads)));
        output.finish(&many).unwrap()
    };
    let object = |threads| {
        let output = Box::new(JsonObject::new(Vec::new(), all, false, Threads::new(threads)));
        output.finish(&many).unwrap()
    };
    assert!(lines(1) == lines(3) && object(1) == object(3));
    let value: serde_json::Value = serde_json::from_slice(&object(2)).unwrap();
    assert_eq!(value["findings"].as_array().unwrap().len(), 2_500);
}

#[test]
fn json_keeps_hostile_text_but_shows_no_control_character() {
    let mut value = Vec::new();
    json::write_value(&mut value, &HOSTILE).unwrap();
    let text = String::from_utf8(value).unwrap();
    assert!(!text.chars().any(is_unsafe) && !text.contains('\n'));
    assert_eq!(serde_json::from_str::<String>(&text).unwrap(), HOSTILE);
    // Outside the basic plane an escape needs a pair.
    let mut tag = Vec::new();
    json::write_value(&mut tag, "\u{e0041}").unwrap();
    assert_eq!(tag, br#""\udb40\udc41""#);
}

#[test]
fn no_format_lets_hostile_text_through() {
    let case = hostile();
    let formats: [(&str, Render); 6] = [
        ("text", plain_text),
        ("timeline", timeline::write),
        ("farms", json::farms),
        ("hosts", json::hosts),
        ("findings", json::findings),
        ("summary", json::summary),
    ];
    for (name, render) in formats {
        let text = rendered(render, &case);
        let found = text.chars().find(|one| is_unsafe(*one) && *one != '\r');
        assert_eq!(found, None, "{name}");
        assert!(
            !text.lines().any(|line| line.starts_with("VERDICT none")),
            "{name}"
        );
        if name == "text" {
            assert!(text.lines().all(|line| line.chars().count() <= 100));
        }
        if name == "timeline" {
            assert!(!text.contains(",=cmd") && !text.contains(",\"=cmd"));
        }
    }
}

#[test]
fn the_summary_file_does_not_depend_on_the_clock() {
    assert!(!rendered(json::summary, &case()).contains("wall_seconds"));
    assert_eq!(at(0).to_string(), "2026-03-02T13:00:00.000000Z");
}
