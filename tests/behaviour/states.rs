//! Sessions at several round trips: what the state machine says of each ten seconds agrees with the log of the script that
//! drove the session (`fixtures/states`), and the role is right in all.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::program::{Run, farmhawk, finish, fixture};

/// Percent of the windows that must agree, in each capture.
const AGREEMENT: usize = 90;

/// Captures recorded: seven sessions, three round trips.
const CAPTURES: usize = 21;

/// Captures held out: seven sessions, two round trips.
const HELD_OUT: usize = 14;

/// The same of each of the last collection: a clock that is drawn anew through a tunnel counts as something to look at.
const LEAST_OF_LATER: usize = 75;

/// Captures held out after these, twice: seven sessions, one round trip.
const HELD_OUT_LATER: usize = 7;

/// Both ends call a server: who looks at the screen is not seen.
const RELAYED: [&str; 1] = ["meshcentral"];

/// Seconds of a window.
const WINDOW: i64 = 10;

/// One window of the log.
struct Logged {
    start: i64,
    state: String,
}

fn analyze(folder: &Path) -> Run {
    let run = finish(
        farmhawk()
            .args([
                "analyze",
                "--format",
                "jsonl",
                "--flows",
                "--all",
                "-n",
                "192.168.77.0/24",
            ])
            .arg(folder.join("capture.pcap.zst")),
    );
    assert_eq!(run.code, 0, "{}: {}", folder.display(), run.stderr);
    run
}

fn log(folder: &Path) -> Vec<Logged> {
    let text = fs::read_to_string(folder.join("windows.tsv")).unwrap();
    let lines = text.lines().skip(1).map(|line| {
        let fields: Vec<&str> = line.split('\t').collect();
        Logged {
            start: fields[0].parse::<i64>().unwrap() * WINDOW,
            state: fields[1].to_owned(),
        }
    });
    lines.collect()
}

/// The state that a finding gives the middle of a window; nothing said is nothing moved.
fn said<'a>(finding: &'a Value, window: &Logged) -> &'a str {
    let middle = window.start + WINDOW / 2;
    let seconds = |value: &Value| {
        let text = value.as_str().unwrap();
        text.parse::<jiff::Timestamp>().unwrap().as_second()
    };
    finding["intervals"]
        .as_array()
        .unwrap()
        .iter()
        .find(|interval| seconds(&interval[0]) <= middle && middle < seconds(&interval[1]))
        .map_or("idle", |interval| interval[2].as_str().unwrap())
}

/// What the program says of the recordings of a collection, a line a session, and what of it is wrong.
fn judged(collection: &str, captures: usize, least: usize) -> (String, Vec<String>) {
    let mut table = String::from("session          agree  of  wrong (logged > said)\n");
    let mut wrong = Vec::new();
    let mut folders: Vec<_> = fs::read_dir(fixture(collection))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    assert_eq!(folders.len(), captures, "{collection}");
    for folder in folders {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let truth: toml::Value =
            toml::from_str(&fs::read_to_string(folder.join("truth.toml")).unwrap()).unwrap();
        let session = &truth["session"][0];
        // A browser's viewer is recognised as the protocol that it shows.
        let told = |field: &str| match session[field].as_str().unwrap() {
            "novnc" => "vnc",
            other => other,
        };
        let run = analyze(&folder);
        let findings = run.of("finding");
        let [finding] = findings.as_slice() else {
            wrong.push(format!("{name}: {} findings", findings.len()));
            continue;
        };
        if (finding["tool"].as_str(), finding["role"].as_str()) != (Some(told("tool")), Some("controlled"))
            || finding["host_ip"] != told("controlled")
            || !RELAYED.contains(&told("tool")) && finding["controller"]["address"] != told("controller")
        {
            wrong.push(format!(
                "{name}: {} is {} of {} by {}",
                finding["host_ip"], finding["role"], finding["tool"], finding["controller"]["address"]
            ));
        }
        // All of these sessions are direct.
        if finding["latency"]["control_loop"]["verdict"] == "longer" {
            wrong.push(format!("{name}: {}", finding["latency"]["control_loop"]));
        }
        let windows = log(&folder);
        for state in ["idle", "viewed", "driven"] {
            let count = windows.iter().filter(|window| window.state == state).count();
            assert!(count >= 3, "{name}: only {count} windows are {state}");
        }
        let misses: Vec<String> = windows
            .iter()
            .filter(|window| said(finding, window) != window.state)
            .map(|window| format!("{} > {}", window.state, said(finding, window)))
            .collect();
        let agree = windows.len() - misses.len();
        let (of, misses) = (windows.len(), misses.join(", "));
        writeln!(table, "{name:16} {agree:5} {of:3}  {misses}").unwrap();
        if agree * 100 < least * windows.len() {
            wrong.push(format!("{name}: {agree} of {} windows", windows.len()));
        }
    }
    (table, wrong)
}

#[test]
fn states_agree_with_the_log_of_who_drove() {
    let (table, wrong) = judged("states", CAPTURES, AGREEMENT);
    println!("{table}");
    assert!(wrong.is_empty(), "{}\n{table}", wrong.join("\n"));
}

/// These were held out until the rules were mended by them (`fixtures/README.md`).
#[test]
fn states_agree_with_the_log_of_what_was_held_out_first() {
    let (table, wrong) = judged("held-out", HELD_OUT, AGREEMENT);
    println!("{table}");
    assert!(wrong.is_empty(), "{}\n{table}", wrong.join("\n"));
}

/// By these no rule was chosen: they were made after the last change, and judged once. All of them together, and each a little less.
#[test]
fn states_agree_with_the_log_of_what_was_held_out_later() {
    agree_together("held-out-later");
}

/// The same of another round trip, with a log that names what stands between two phases.
#[test]
fn states_agree_with_the_log_of_what_was_held_out_last() {
    agree_together("held-out-last");
}

fn agree_together(collection: &str) {
    let (table, wrong) = judged(collection, HELD_OUT_LATER, LEAST_OF_LATER);
    println!("{table}");
    assert!(wrong.is_empty(), "{}\n{table}", wrong.join("\n"));
    let [agree, of] = [1, 2].map(|column| {
        let numbers = table.lines().skip(1).filter_map(|line| {
            let number = line.split_whitespace().nth(column)?;
            number.parse::<usize>().ok()
        });
        numbers.sum::<usize>()
    });
    assert!(agree * 100 >= AGREEMENT * of, "{agree} of {of}\n{table}");
}

/// Until somebody drives it: what goes out looks like an upload then, and how the tunnel was opened tells.
#[test]
fn who_only_watches_through_a_reverse_tunnel_controls_the_host() {
    for name in [
        "states/ssh-tunnel-2",
        "states/ssh-tunnel-40",
        "states/ssh-tunnel-160",
        "held-out-later/ssh-tunnel-55",
    ] {
        let folder = fixture(name);
        let windows = log(&folder);
        let driven = windows.iter().find(|window| window.state == "driven").unwrap();
        let until = jiff::Timestamp::from_second(driven.start).unwrap().to_string();
        let run = finish(
            farmhawk()
                .args([
                    "analyze",
                    "--format",
                    "jsonl",
                    "--all",
                    "-n",
                    "192.168.77.0/24",
                    "--until",
                ])
                .args([until.as_str()])
                .arg(folder.join("capture.pcap.zst")),
        );
        let findings = run.of("finding");
        let [finding] = findings.as_slice() else {
            panic!("{name}: {findings:#?}");
        };
        assert_eq!(
            (finding["role"].as_str(), finding["activity"].as_str()),
            (Some("controlled"), Some("viewed")),
            "{name}"
        );
        assert_eq!(finding["controller"]["address"], "203.0.113.77", "{name}");
    }
}

/// A shell in a reverse tunnel, and a forward tunnel to the same server: two connections, one finding.
#[test]
fn a_shell_in_a_reverse_tunnel_is_driven() {
    let run = finish(
        farmhawk()
            .args(["analyze", "--format", "jsonl", "--all", "-n", "192.168.77.0/24"])
            .arg(fixture("real/ssh-tunnels/capture.pcap")),
    );
    let findings = run.of("finding");
    let [finding] = findings.as_slice() else {
        panic!("{findings:#?}");
    };
    assert_eq!(
        (finding["role"].as_str(), finding["activity"].as_str()),
        (Some("controlled"), Some("driven"))
    );
    let mut evidence = finding["evidence"].as_array().unwrap().iter();
    let item = evidence.find(|item| item["measure"] == "ssh_channels").unwrap();
    let what = item["what"].as_str().unwrap();
    assert!(
        what.contains("1 reverse tunnel") && what.contains("1 forward tunnel"),
        "{what}"
    );
}

/// The cable of the recordings is as long as they say, and the program measures it: within 2 ms or 5 %.
#[test]
fn round_trips_are_measured_as_they_were_made() {
    for entry in fs::read_dir(fixture("states")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let truth: f64 = name.rsplit('-').next().unwrap().parse().unwrap();
        for flow in analyze(&folder).of("flow") {
            let round_trips = &flow["tcp"]["rtt_ms"];
            let [client, server] = ["client", "server"].map(|side| round_trips[side].as_f64());
            let (Some(client), Some(server)) = (client, server) else {
                continue;
            };
            let sum = client + server;
            let tolerance = (truth * 0.05).max(2.0);
            assert!((sum - truth).abs() <= tolerance, "{name}: {sum} ms, not {truth}");
        }
    }
}
