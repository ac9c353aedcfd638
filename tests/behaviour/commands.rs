//! The commands beside `analyze`: what they write, where, and what they leave alone.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::UdpSocket;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

use crate::program::{Run, farmhawk, finish, fixture, run};

/// A capture of some size.
const FARM: &str = "demo/farm.pcapng";

/// Writes a scenario of a few machines as `file` in `folder`.
fn lab(folder: &Path, file: &str, more: &[&str]) -> Run {
    let mut command = farmhawk();
    command.current_dir(folder);
    finish(command.args(["lab", "farm", "-o", file]).args(more))
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).unwrap();
    let mut names: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

#[test]
fn the_laboratory_replaces_nothing_that_it_was_not_told_to() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    fs::write(folder.join("inventory.csv"), "ip,country\n").unwrap();
    for name in ["a", "b"] {
        let written = lab(folder, &format!("{name}.pcapng"), &[]);
        assert_eq!(written.code, 0, "{}", written.stderr);
    }
    let of = |name: &str| ["inventory.csv", "pcapng", "truth.toml"].map(|end| format!("{name}.{end}"));
    let mut all = [of("a"), of("b")].concat();
    all.push("inventory.csv".to_owned());
    assert_eq!(names(folder), all);
    assert_eq!(
        fs::read_to_string(folder.join("inventory.csv")).unwrap(),
        "ip,country\n"
    );

    let before = fs::read(folder.join("a.truth.toml")).unwrap();
    assert_eq!(
        lab(folder, "a.pcapng", &[]).code,
        0,
        "the same bytes again are no loss"
    );
    let refused = lab(folder, "a.pcapng", &["--seed", "2"]);
    assert_eq!(refused.code, 1, "{}", refused.stderr);
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    assert_eq!(fs::read(folder.join("a.truth.toml")).unwrap(), before);
    assert_eq!(lab(folder, "a.pcapng", &["--seed", "2", "--force"]).code, 0);
    assert_ne!(fs::read(folder.join("a.truth.toml")).unwrap(), before);
    assert_eq!(names(folder), all);
}

#[test]
fn the_laboratory_writes_to_standard_output_and_leaves_nothing_half_written() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    assert_eq!(lab(folder, "a.pcapng", &[]).code, 0);
    let output = farmhawk().args(["lab", "farm", "-o", "-"]).output().unwrap();
    assert_eq!(output.stdout, fs::read(folder.join("a.pcapng")).unwrap());
    let full = run(["lab", "farm", "-o", "/dev/full"]);
    assert_eq!(full.code, 1);
    assert!(full.stderr.contains("/dev/full: "), "{}", full.stderr);
    // A folder stands where the capture should: the files beside it go as well.
    fs::create_dir(folder.join("b.pcapng")).unwrap();
    assert_eq!(lab(folder, "b.pcapng", &[]).code, 1);
    assert_eq!(
        names(folder),
        ["a.inventory.csv", "a.pcapng", "a.truth.toml", "b.pcapng"]
    );
}

/// Builds a database of two ranges as `out`.
fn database(folder: &Path, out: &str) -> String {
    fs::write(folder.join("c.csv"), "8.0.0.0,8.0.3.255,NZ\n").unwrap();
    fs::write(folder.join("n.csv"), "8.0.0.0,8.0.3.255,64500,Example\n").unwrap();
    let mut command = farmhawk();
    command
        .current_dir(folder)
        .args(["geoip", "build", "--country", "c.csv"]);
    let built = finish(command.args(["--asn", "n.csv", "--date", "2026-06-17", "-o", out]));
    assert_eq!(built.code, 0, "{}", built.stderr);
    folder.join(out).to_str().unwrap().to_owned()
}

#[test]
fn what_geoip_builds_it_reads_compressed_or_not() {
    let folder = tempfile::tempdir().unwrap();
    for (name, is_compressed) in [("own.mmdb", false), ("own.mmdb.xz", true)] {
        let path = database(folder.path(), name);
        assert_eq!(
            fs::read(&path).unwrap().starts_with(b"\xfd7zXZ"),
            is_compressed,
            "{name}"
        );
        let lookup = run(["geoip", "lookup", "8.0.0.1", "--format", "json", "--geoip", &path]);
        assert_eq!(lookup.stderr, "");
        let place: Value = serde_json::from_str(&lookup.stdout).unwrap();
        assert_eq!((&place["country"], &place["asn"]), (&json!("NZ"), &json!(64_500)));
        let status = run(["geoip", "status", "--format", "json", "--geoip", &path]);
        let status: Value = serde_json::from_str(&status.stdout).unwrap();
        assert_eq!(status["databases"][0]["name"], "own");
        assert_eq!(status["databases"][0]["build_date"], "2026-06-17");
    }
    let both = run(["geoip", "status", "--geoip", folder.path().to_str().unwrap()]);
    assert_eq!(both.stdout.matches("own (").count(), 2, "{}", both.stdout);
    let private = run(["geoip", "lookup", "10.0.0.1", "--format", "json"]);
    let place: Value = serde_json::from_str(&private.stdout).unwrap();
    assert_eq!(
        place,
        json!({"ip": "10.0.0.1", "is_known": false, "is_reserved": true})
    );
}

#[test]
fn quiet_hides_no_loss_and_a_database_that_does_not_exist_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.mmdb");
    fs::write(&broken, "no database").unwrap();
    let assets = folder.path().join("assets.csv");
    fs::write(
        &assets,
        "ip,country,shift\n192.0.2.1,UK,night\n192.0.2.2,GB,day\n",
    )
    .unwrap();
    let mut command = farmhawk();
    let usable = folder.path().join("usable.mmdb");
    fs::write(folder.path().join("c.csv"), "8.0.0.0,8.0.0.255,US\n").unwrap();
    fs::write(folder.path().join("a.csv"), "8.0.0.0,8.0.0.255,64500,Example\n").unwrap();
    let mut build = farmhawk();
    build.current_dir(folder.path());
    build.args([
        "geoip",
        "build",
        "--country",
        "c.csv",
        "--asn",
        "a.csv",
        "--date",
        "2026-01-01",
    ]);
    let built = finish(build.arg("-o").arg(&usable));
    assert_eq!(built.code, 0, "{}", built.stderr);
    command
        .args(["analyze", "-q", "--geoip"])
        .arg(&broken)
        .arg("--geoip")
        .arg(&usable)
        .arg("-a")
        .arg(&assets);
    command.arg("-o").arg(folder.path().join("case"));
    let run_on = finish(command.arg(fixture("formats/damaged-record.pcap")));
    assert_eq!(run_on.code, 0, "{}", run_on.stderr);
    for said in [
        "broken.mmdb",
        "assets.csv:2: country: \"UK\"",
        "GB",
        "damaged-record.pcap: at byte",
    ] {
        assert!(run_on.stderr.contains(said), "{said} not in {}", run_on.stderr);
    }
    assert!(!run_on.stderr.contains("shift"), "{}", run_on.stderr);
    // Alone it leaves none but the built-in database, which the user did not ask for.
    let capture = fixture("damaged-record.pcap");
    let alone = finish(farmhawk().args(["analyze", "--geoip"]).arg(&broken).arg(capture));
    assert_eq!((alone.code, alone.stdout.as_str()), (2, ""));
    assert!(
        alone.stderr.contains("no database of places could be used") && alone.stderr.contains("broken.mmdb"),
        "{}",
        alone.stderr
    );
    for arguments in [
        &["analyze", "--geoip", "/no/such.mmdb", "x.pcap"][..],
        &["geoip", "status", "--geoip", "/no/such.mmdb"],
    ] {
        let refused = run(arguments);
        assert_eq!(refused.code, 2, "{}", refused.stderr);
        assert!(
            refused.stderr.contains("/no/such.mmdb: no such file"),
            "{}",
            refused.stderr
        );
    }
}

#[test]
fn an_interrupted_sensor_takes_what_the_kernel_holds() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_farmhawk"))
        .args([
            "sensor",
            "-i",
            "lo",
            "-v",
            "--duration",
            "60",
            "--format",
            "jsonl",
        ])
        .args([
            "-n",
            "127.0.0.0/8",
            "-f",
            &format!("udp dst port {}", address.port()),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("capturing") {
        line.clear();
        if said.read_line(&mut line).unwrap() == 0 {
            println!("skipped: no permission to capture on lo");
            child.wait().unwrap();
            return;
        }
    }
    let many = 100;
    for _ in 0..many {
        socket.send_to(b"a datagram to nobody but us", address).unwrap();
    }
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let mut records = String::new();
    child.stdout.take().unwrap().read_to_string(&mut records).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let summary: Value = serde_json::from_str(records.lines().last().unwrap()).unwrap();
    assert_eq!(summary["packets"]["read"], many);
}

#[test]
fn a_pipe_that_keeps_silent_is_left_when_it_is_asked_for() {
    let path = fixture(FARM);
    let capture = fs::read(&path).unwrap();
    assert!(capture.len() > 1 << 17, "more than a pipe holds");
    let mut child = Command::new(env!("CARGO_BIN_EXE_farmhawk"))
        .args(["analyze", "-q", "-j", "1", "--format", "jsonl", "-"])
        .env_remove("FARMHAWK_GEOIP")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    // What a pipe does not hold was taken by the program: it reads, and knows what to do about signals.
    pipe.write_all(&capture).unwrap();
    thread::sleep(Duration::from_millis(300));
    let killed = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(killed.unwrap().success());
    let (done, is_done) = mpsc::channel();
    // The pipe stays open for as long as anybody would wait.
    let rescue = thread::spawn(move || {
        let waited_in_vain = is_done.recv_timeout(Duration::from_secs(40)).is_err();
        drop(pipe);
        waited_in_vain
    });
    let mut records = String::new();
    child.stdout.take().unwrap().read_to_string(&mut records).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    // Nobody listens any more where it was in vain.
    let _ = done.send(());
    assert!(!rescue.join().unwrap(), "it waited for the pipe");
    let summary: Value = serde_json::from_str(records.lines().last().unwrap()).unwrap();
    assert_eq!(summary["packets"]["damaged"], json!({}));
}

#[test]
fn a_span_of_time_without_packets_is_no_short_capture() {
    let said = run([
        "analyze",
        "--since",
        "2040-01-01T00:00:00Z",
        fixture(FARM).to_str().unwrap(),
    ])
    .stdout;
    assert!(
        said.contains("passes the filter or lies in the span of time"),
        "{said}"
    );
    assert!(!said.contains("0 s of traffic"), "{said}");
}

#[test]
fn a_variable_that_is_set_to_nothing_is_not_set() {
    let run = finish(farmhawk().args(["geoip", "status"]).env("FARMHAWK_GEOIP", ""));
    assert_eq!(run.code, 0, "{}", run.stderr);
}
