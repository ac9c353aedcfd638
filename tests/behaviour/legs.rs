//! Two minutes of work by tool and path, direct and through a relay that ends the connection (`fixtures/legs`): the round trip is that of
//! the cable, and a session is called longer where somebody looks on from far behind the relay, and nowhere else.
//!
//! `make legs` prints the table of BENCHMARKS.md.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::program::{every_record, finish, fixture, two_at_a_time};

/// Paths on whose recordings the thresholds of `detect/hidden_leg.rs` were set; what is found in them proves nothing.
const ADJUSTED_ON: [&str; 3] = ["10", "90", "10-90"];

/// A leg of more than this must be found, in milliseconds.
const FAR: f64 = 80.0;

/// Percent of the sessions behind such a leg that must be called longer, for each tool.
const FOUND: usize = 90;

/// Tools that do not reach that, the percentage that they do reach, and why. None of their sessions may be called direct.
const FALLS_SHORT: [(&str, usize, &str); 4] = [
    (
        "ssh",
        0,
        "nothing that the client sends answers what the host shows",
    ),
    (
        "xrdp",
        0,
        "pictures without frame acknowledgements are not answered either",
    ),
    ("novnc", 75, OVERLAP),
    ("tigervnc", 75, OVERLAP),
];

const OVERLAP: &str =
    "behind 300 ms requests that answer earlier changes come between a change and its own answer";

/// One recording.
struct Session {
    folder: PathBuf,
    tool: String,
    path: String,
    near: f64,
    hidden: f64,
}

fn sessions() -> Vec<Session> {
    let mut folders: Vec<PathBuf> = fs::read_dir(fixture("legs"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    let sessions = folders.into_iter().map(|folder| {
        let truth: toml::Value =
            toml::from_str(&fs::read_to_string(folder.join("truth.toml")).unwrap()).unwrap();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let (tool, path) = name.split_once('-').unwrap();
        let milliseconds =
            |field: &str| f64::from(i32::try_from(truth["legs"][field].as_integer().unwrap()).unwrap());
        Session {
            tool: tool.to_owned(),
            path: path.to_owned(),
            near: milliseconds("near_ms"),
            hidden: milliseconds("hidden_ms"),
            folder,
        }
    });
    sessions.collect()
}

/// What the program says of the session's delays.
fn measured(session: &Session) -> Value {
    let run = finish(
        every_record()
            .args(["-n", "192.168.77.0/24"])
            .arg(session.folder.join("capture.pcap.zst")),
    );
    assert_eq!(run.code, 0, "{}: {}", session.folder.display(), run.stderr);
    let findings = run.of("finding");
    let mut sessions = findings
        .iter()
        .filter(|finding| finding["kind"] == "remote_access" && finding["role"] == "controlled");
    match (sessions.next(), sessions.next()) {
        (Some(finding), None) => finding["latency"].clone(),
        _ => panic!("{}: {findings:?}", session.folder.display()),
    }
}

#[test]
fn a_far_leg_behind_a_relay_is_found_and_none_where_there_is_none() {
    let sessions = sessions();
    assert!(sessions.len() >= 36, "only {} recordings", sessions.len());
    let latencies = two_at_a_time(&sessions, measured);
    let mut table = String::from(
        "| tool | path, one way ms | round trip: true | measured ms | hidden leg: true | at least | median ms | verdict |\n\
         | --- | --- | ---: | ---: | ---: | ---: | ---: | --- |\n",
    );
    let mut wrong = Vec::new();
    let mut far: Vec<(&str, bool)> = Vec::new();
    for (session, latency) in sessions.iter().zip(&latencies) {
        let name = format!("{}-{}", session.tool, session.path);
        let round_trip = latency["peer_side"]["min_ms"].as_f64().unwrap();
        if (round_trip - session.near).abs() > (session.near * 0.05).max(2.0) {
            wrong.push(format!("{name}: {round_trip} ms"));
        }
        let seen = &latency["control_loop"];
        let verdict = seen["verdict"].as_str().unwrap_or("not observable");
        if (session.hidden == 0.0 && verdict == "longer") || (session.hidden >= FAR && verdict == "direct") {
            wrong.push(format!("{name}: {verdict}, {seen}"));
        }
        let figure = |field: &str| {
            seen[field]
                .as_f64()
                .map_or_else(|| "-".to_owned(), |figure| format!("{figure:.0}"))
        };
        let is_judged = !ADJUSTED_ON.contains(&session.path.as_str());
        if is_judged && session.hidden > FAR {
            far.push((&session.tool, verdict == "longer"));
        }
        writeln!(
            table,
            "| {} | {}{} | {:.0} | {round_trip:.1} | {:.0} | {} | {} | {verdict} |",
            session.tool,
            session.path,
            if is_judged { "" } else { " (adjusted on)" },
            session.near,
            session.hidden,
            figure("excess_ms"),
            figure("median_excess_ms"),
        )
        .unwrap();
    }
    let mut tools: Vec<&str> = far.iter().map(|(tool, _)| *tool).collect();
    tools.dedup();
    for tool in tools {
        let of_tool = far.iter().filter(|(one, _)| *one == tool);
        let (found, count) = of_tool.fold((0, 0), |(found, count), (_, is_found)| {
            (found + usize::from(*is_found), count + 1)
        });
        let short = FALLS_SHORT.iter().find(|(one, ..)| *one == tool);
        writeln!(
            table,
            "\n{tool}: {found} of {count} legs over {FAR} ms found{}",
            short.map_or_else(String::new, |(.., why)| format!(" ({why})"))
        )
        .unwrap();
        if found * 100 < short.map_or(FOUND, |(_, percent, _)| *percent) * count {
            wrong.push(format!("{tool}: {found} of {count}"));
        }
    }
    println!("{table}");
    assert!(wrong.is_empty(), "{}\n{table}", wrong.join("\n"));
}
