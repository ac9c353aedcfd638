//! Counts in how many of many recorded sessions a hidden leg is claimed: `make legs-direct` and `make legs-relayed` record them
//! (`fixtures/survey.sh`) and run this; the figures are in BENCHMARKS.md. The recordings are no fixtures, so nothing runs without them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::program::{every_record, finish, two_at_a_time};

/// A leg of more than this must be found, in milliseconds.
const FAR: f64 = 80.0;

/// Fewest sessions of which half a minute or more was seen to be driven.
const LEAST_DRIVEN_SECONDS: f64 = 30.0;

struct Session {
    name: String,
    tool: String,
    folder: PathBuf,
    near: f64,
    hidden: f64,
    jitter: f64,
}

fn sessions(folder: &Path) -> Vec<Session> {
    let mut sessions: Vec<Session> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.join("capture.pcap.zst").exists())
        .map(|folder| {
            let truth: toml::Value =
                toml::from_str(&fs::read_to_string(folder.join("truth.toml")).unwrap()).unwrap();
            let milliseconds = |field: &str| {
                let value = &truth["legs"][field];
                let whole = || {
                    value
                        .as_integer()
                        .map(|whole| f64::from(i32::try_from(whole).unwrap()))
                };
                value.as_float().or_else(whole).unwrap()
            };
            let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
            Session {
                tool: name.split_once('-').unwrap().0.to_owned(),
                name,
                near: milliseconds("near_ms"),
                hidden: milliseconds("hidden_ms"),
                jitter: milliseconds("jitter_ms"),
                folder,
            }
        })
        .collect();
    sessions.sort_by(|one, other| one.name.cmp(&other.name));
    sessions
}

/// What the program says of the longest session of remote access.
fn judged(session: &Session) -> Option<Value> {
    let run = finish(
        every_record()
            .args(["-n", "192.168.77.0/24"])
            .arg(session.folder.join("capture.pcap.zst")),
    );
    assert_eq!(run.code, 0, "{}: {}", session.name, run.stderr);
    run.of("finding")
        .into_iter()
        .find(|finding| finding["kind"] == "remote_access" && finding["role"] == "controlled")
}

/// The share that is not exceeded with 95 % certainty where so many of so many were counted (Clopper and Pearson 1934); three in the number of
/// sessions where there was none (the rule of three).
fn at_most(counted: u32, of: u32) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..60 {
        let share: f64 = f64::midpoint(low, high);
        // Chance of no more than were counted.
        let mut chance = 0.0;
        let mut term = (1.0 - share).powi(i32::try_from(of).unwrap());
        for number in 0..=counted {
            chance += term;
            term *= f64::from(of - number) / f64::from(number + 1) * share / (1.0 - share);
        }
        if chance > 0.05 {
            low = share;
        } else {
            high = share;
        }
    }
    high
}

#[derive(Default)]
struct Tally {
    sessions: u32,
    by_screen: u32,
    by_opening: u32,
    longer: [u32; 2],
    called: u32,
}

#[test]
fn none_of_three_hundred_bounds_a_rate_by_one_percent() {
    assert!((at_most(0, 300) - 0.00994).abs() < 1e-4, "{}", at_most(0, 300));
    assert!((at_most(2, 400) - 0.01567).abs() < 1e-4, "{}", at_most(2, 400));
}

#[test]
#[ignore = "counts what `make legs-direct` and `make legs-relayed` record"]
fn survey_of_recorded_sessions() {
    let folder =
        std::env::var_os("FARMHAWK_SURVEY").expect("FARMHAWK_SURVEY names a folder of fixtures/survey.sh");
    let sessions = sessions(Path::new(&folder));
    assert!(!sessions.is_empty());
    let findings = two_at_a_time(&sessions, judged);
    let mut tallies: BTreeMap<(bool, &str), Tally> = BTreeMap::new();
    let mut list = String::new();
    let mut off = Vec::new();
    for (session, finding) in sessions.iter().zip(&findings) {
        let Some(finding) = finding else {
            writeln!(list, "{}: no session was found", session.name).unwrap();
            continue;
        };
        let driven = finding["driven_seconds"].as_f64().unwrap_or(LEAST_DRIVEN_SECONDS);
        let latency = &finding["latency"];
        let verdict = |by: &str| latency[by]["verdict"].as_str().unwrap_or("not observable");
        let (screen, opening) = (verdict("control_loop"), verdict("opening"));
        let is_far = session.hidden > FAR;
        let least = latency["peer_side"]["min_ms"].as_f64().unwrap_or(-1.0);
        if (least - session.near).abs() > (session.near * 0.05).max(2.0) + 2.0 * session.jitter {
            off.push(format!("{}: {least} ms", session.name));
        }
        for tool in [session.tool.as_str(), "all"] {
            let tally = tallies.entry((is_far, tool)).or_default();
            tally.sessions += 1;
            tally.by_screen += u32::from(matches!(screen, "longer" | "direct"));
            tally.by_opening += u32::from(latency["opening"].is_object());
            tally.longer[0] += u32::from(screen == "longer");
            tally.longer[1] += u32::from(opening == "longer");
            tally.called += u32::from(screen == "longer" || opening == "longer");
        }
        let is_called = screen == "longer" || opening == "longer";
        if is_called != is_far {
            writeln!(
                list,
                "{}: {} s driven, jitter {} ms: {}, {}",
                session.name, driven, session.jitter, latency["control_loop"], latency["opening"]
            )
            .unwrap();
        }
    }
    println!("{list}");
    println!("round trips that are off: {off:?}\n");
    println!(
        "| hidden leg | tool | sessions | judged by the screen | with an opening | called longer: by the screen | by the opening | in all | share | \
         95 % bound |\n| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
    );
    for ((is_far, tool), tally) in &tallies {
        let share = f64::from(tally.called) / f64::from(tally.sessions);
        let bound = if *is_far {
            format!(
                "at least {:.1} %",
                100.0 * (1.0 - at_most(tally.sessions - tally.called, tally.sessions))
            )
        } else {
            format!("at most {:.1} %", 100.0 * at_most(tally.called, tally.sessions))
        };
        println!(
            "| {} | {tool} | {} | {} | {} | {} | {} | {} | {:.1} % | {bound} |",
            if *is_far { "over 80 ms" } else { "none" },
            tally.sessions,
            tally.by_screen,
            tally.by_opening,
            tally.longer[0],
            tally.longer[1],
            tally.called,
            share * 100.0,
        );
    }
}
