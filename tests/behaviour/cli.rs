//! The command line: exit codes, messages, and what the smaller commands say.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::UdpSocket;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use etherparse::PacketBuilder;
use sha2::{Digest as _, Sha256};

use crate::program::{every_record, farmhawk, finish, fixture, run};

fn session() -> String {
    fixture("real/rdp-shadow/capture.pcap")
        .to_str()
        .unwrap()
        .to_owned()
}

fn written(folder: &tempfile::TempDir, name: &str, content: &str) -> String {
    let path: PathBuf = folder.path().join(name);
    fs::write(&path, content).unwrap();
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_wrong_command_line_is_2_and_a_missing_file_1() {
    for (arguments, code, said) in [
        (
            &["analyze", "--no-such-option", "x.pcap"][..],
            2,
            "--no-such-option",
        ),
        (&["analyze"], 2, "CAPTURE"),
        (&["analyse", "x.pcap"], 2, "analyze"),
        (&["analyze", "/no/such/file.pcap"], 1, "/no/such/file.pcap"),
        (&["analyze", "--since", "yesterday", "x.pcap"], 2, "RFC 3339"),
        (&["analyze", "-n", "300.1.2.3/8", "x.pcap"], 2, "300.1.2.3/8"),
        (&["analyze", "-n", "300.1.2.3", "x.pcap"], 2, "like 192.0.2.0/24"),
        (
            &[
                "analyze",
                "--since",
                "2026-01-02T00:00:00Z",
                "--until",
                "2026-01-01T00:00:00Z",
                "x.pcap",
            ],
            2,
            "is later than --until",
        ),
        (&["analyze", "-j", "0", "x.pcap"], 2, "--threads"),
        (&["analyze", "-j", "99999999999", "x.pcap"], 2, "from 1 to 1024"),
        (&["analyze", "-f", "tcp prot 80", &session()], 2, "tcp prot 80"),
        (&["signatures", "show", "anydesl"], 2, "anydesk"),
        (&["geoip", "lookup", "nowhere"], 2, "nowhere"),
    ] {
        let run = run(arguments);
        assert_eq!(run.code, code, "{arguments:?}: {}", run.stderr);
        assert!(run.stderr.contains(said), "{arguments:?}: {}", run.stderr);
        assert_eq!(run.stdout, "", "{arguments:?}");
    }
}

#[test]
fn who_counts_the_internet_as_his_own_is_told_what_that_hides() {
    let remarks = |network: &str| {
        let run = run(["analyze", "--format", "json", "-n", network, &session()]);
        assert_eq!(run.code, 0, "{}", run.stderr);
        let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
        report["summary"]["remarks"].to_string()
    };
    assert!(remarks("0.0.0.0/0").contains("-n 0.0.0.0/0 counts addresses all over the Internet as ours"));
    assert!(!remarks("10.0.0.0/8").contains("all over the Internet"));
}

#[test]
fn fail_on_is_3_when_the_verdict_stands_and_0_when_none_does() {
    let met = run(["analyze", "--fail-on", "note", &session()]);
    assert_eq!(met.code, 3, "{}", met.stderr);
    assert!(met.stdout.contains("rdp"), "the report is written all the same");
    let quiet = fixture("formats/link-raw.pcap");
    let unmet = run(["analyze", "--fail-on", "note", quiet.to_str().unwrap()]);
    assert_eq!(unmet.code, 0, "{}", unmet.stderr);
}

#[test]
fn a_bad_row_of_the_inventory_is_named_and_left_out_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    let assets = written(
        &folder,
        "assets.csv",
        "ip,asset,country\n192.168.77.21,LT-1,US\nnot-an-address,LT-2,US\n",
    );
    let lenient = run(["analyze", "--format", "jsonl", "-a", &assets, &session()]);
    assert_eq!(lenient.code, 0, "{}", lenient.stderr);
    assert!(lenient.stderr.contains("assets.csv:3"), "{}", lenient.stderr);
    assert!(lenient.stdout.contains("LT-1"), "the good row counts");
    let strict = run(["analyze", "--strict", "-a", &assets, &session()]);
    assert_eq!(strict.code, 2, "{}", strict.stderr);
    assert!(strict.stderr.contains("assets.csv:3"), "{}", strict.stderr);
}

#[test]
fn a_wrong_policy_is_refused_with_line_and_suggestion() {
    let folder = tempfile::tempdir().unwrap();
    let policy = written(&folder, "policy.toml", "\nallowed_tools = [\"anydesl\"]\n");
    let run = run(["analyze", "-p", &policy, &session()]);
    assert_eq!(run.code, 2, "{}", run.stderr);
    assert!(run.stderr.contains("policy.toml:2"), "{}", run.stderr);
    assert!(run.stderr.contains("did you mean \"anydesk\""), "{}", run.stderr);
}

#[test]
fn the_catalogue_is_listed_shown_and_checked() {
    let list = run(["signatures", "list"]);
    assert_eq!(list.code, 0);
    for tool in ["anydesk", "rdp", "wireguard", "ipsec-ike"] {
        assert!(
            list.stdout
                .lines()
                .any(|line| line.starts_with(&format!("{tool} "))),
            "{tool}"
        );
        let show = run(["signatures", "show", tool]);
        assert_eq!(show.code, 0, "{}", show.stderr);
        assert!(show.stdout.contains("source: "), "{}", show.stdout);
    }
    let json = run(["signatures", "list", "--json"]);
    assert_eq!(json.records().len() + 1, list.stdout.lines().count());

    let folder = tempfile::tempdir().unwrap();
    let entry = "[[tool]]\nid = \"own\"\nname = \"Own\"\nclass = \"remote-access\"\n[[tool.indicator]]\n\
                 field = \"host.name\"\nsuffix = [\"own.example\"]\nweight = 40\nalone = true\nsource = \"ours\"\n";
    let good = written(&folder, "good.toml", entry);
    let checked = run(["signatures", "check", &good]);
    assert_eq!(checked.code, 0, "{}", checked.stderr);
    let bad = written(&folder, "bad.toml", &entry.replace("host.name", "host.nam"));
    let refused = run(["signatures", "check", &bad]);
    assert_eq!(refused.code, 2, "{}{}", refused.stdout, refused.stderr);
    assert!(refused.stderr.contains("bad.toml"), "{}", refused.stderr);
}

#[test]
fn an_entry_of_ones_own_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let entry = "[[tool]]\nid = \"own\"\nname = \"Own\"\nclass = \"remote-access\"\n[[tool.indicator]]\n\
                 field = \"app_proto\"\nexact = [\"dns\"]\nweight = 40\nalone = true\nsource = \"ours\"\n";
    let own = written(&folder, "own.toml", entry);
    let capture = fixture("formats/link-raw.pcap");
    let run = run([
        "analyze",
        "--all",
        "--format",
        "jsonl",
        "-s",
        &own,
        capture.to_str().unwrap(),
    ]);
    assert!(
        run.of("finding").iter().any(|finding| finding["tool"] == "own"),
        "{}",
        run.stdout
    );
}

#[test]
fn the_databases_of_places_answer() {
    let status = run(["geoip", "status"]);
    assert_eq!(status.code, 0);
    assert!(status.stdout.contains("embedded"), "{}", status.stdout);
    let lookup = run(["geoip", "lookup", "8.8.8.8"]);
    assert_eq!(lookup.code, 0);
    assert!(lookup.stdout.contains("AS15169"), "{}", lookup.stdout);
    let private = run(["geoip", "lookup", "10.0.0.1"]);
    assert_eq!(private.code, 0);
    assert!(!private.stdout.contains("AS"), "{}", private.stdout);
}

#[test]
fn completions_and_the_manual_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let run = run(["completions", shell]);
        assert_eq!(run.code, 0);
        assert!(run.stdout.contains("fail-on"), "{shell}");
    }
    let manual = run(["man"]);
    assert_eq!(manual.code, 0);
    assert!(manual.stdout.contains(".TH farmhawk"), "{}", manual.stdout);
    for (command, option) in [(&["analyze"][..], "fail\\-on"), (&["geoip", "lookup"], "geoip")] {
        let page = run([&["man"], command].concat());
        assert_eq!(page.code, 0, "{}", page.stderr);
        let title = format!(".TH farmhawk-{} 1", command.join("-"));
        assert!(page.stdout.contains(&title), "{}", page.stdout);
        assert!(page.stdout.contains(option), "{}", page.stdout);
    }
    let unknown = run(["man", "analyse"]);
    assert_eq!(unknown.code, 2, "{}", unknown.stderr);
    assert!(unknown.stderr.contains("analyze"), "{}", unknown.stderr);
}

#[test]
fn a_full_or_closed_output_is_no_panic() {
    for arguments in [
        &["completions", "bash"][..],
        &["man"],
        &["signatures", "list"],
        &["geoip", "status"],
        &["lab", "--list"],
    ] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_farmhawk"))
            .args(arguments)
            .stdout(full)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert_eq!(said.matches("os error 28").count(), 1, "{arguments:?}: {said}");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = Command::new(env!("CARGO_BIN_EXE_farmhawk"))
            .args(arguments)
            .stdout(writer)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!((output.status.code(), &*said), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn names_that_are_no_utf8_are_names() {
    let folder = tempfile::tempdir().unwrap();
    let odd = |bytes: &[u8]| folder.path().join(OsStr::from_bytes(bytes));
    let capture = odd(b"bad\xff.pcap");
    fs::copy(session(), &capture).unwrap();
    for (capture, case) in [
        (capture, odd(b"case")),
        (PathBuf::from(session()), odd(b"x\xffy")),
    ] {
        let run = finish(farmhawk().arg("analyze").arg(capture).arg("-o").arg(&case));
        assert_eq!(run.code, 0, "{}", run.stderr);
        let manifest = fs::read_to_string(case.join("manifest.json")).unwrap();
        assert!(manifest.contains('\u{fffd}'), "{manifest}");
    }
}

#[test]
fn the_size_of_standard_input_is_what_was_read_of_it() {
    let bytes = fs::read(fixture("formats/compressed.pcap.zst")).unwrap();
    let mut command = every_record();
    let run = finish(
        command
            .arg("--digest")
            .arg("always")
            .arg("-")
            .write_stdin(bytes.clone()),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    let capture = &run.summary()["captures"][0];
    assert_eq!(capture["bytes"], bytes.len());
    let mut digest = String::new();
    for byte in Sha256::digest(&bytes) {
        write!(digest, "{byte:02x}").unwrap();
    }
    assert_eq!(capture["sha256"], digest);
}

#[test]
fn a_cause_that_the_system_names_is_said_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = written(&folder, "file", "");
    let below = format!("{file}/case");
    let run = run(["analyze", &session(), "-o", &below]);
    assert_eq!(run.code, 1);
    assert_eq!(run.stderr.matches("os error").count(), 1, "{}", run.stderr);
}

#[test]
fn colours_stand_only_where_they_are_wanted() {
    let has_colour = |command: &mut assert_cmd::Command| {
        let run = finish(command.args(["analyze", &session()]));
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.stdout.contains('\x1b')
    };
    assert!(!has_colour(&mut farmhawk()), "a pipe gets none");
    assert!(has_colour(farmhawk().args(["--color", "always"])));
    assert!(!has_colour(farmhawk().args(["--color", "never"])));
    assert!(!has_colour(farmhawk().env("NO_COLOR", "1")));
    assert!(
        has_colour(farmhawk().env("NO_COLOR", "1").args(["--color", "always"])),
        "the command line says more than the environment"
    );
}

#[test]
fn whoever_reads_only_the_first_line_is_no_error() {
    // More records than a pipe holds, so that the program does write into the closed one.
    let mut child = Command::new(env!("CARGO_BIN_EXE_farmhawk"))
        .args(["analyze", "--format", "jsonl", "--flows", "--all"])
        .args((0..40).map(|_| session()))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    {
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        reader.read_line(&mut line).unwrap();
    }
    let status = child.wait().unwrap();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(line.starts_with('{'), "{line}");
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
}

/// A classic capture of one frame.
fn capture_of(path: &Path, frame: &[u8]) {
    let length = u32::try_from(frame.len()).unwrap().to_le_bytes();
    let mut file = Vec::new();
    for field in [0xa1b2_c3d4_u32, 0x0004_0002, 0, 0, 65_535, 1, 1_700_000_000, 0] {
        file.extend(field.to_le_bytes());
    }
    file.extend([length, length].concat());
    file.extend(frame);
    fs::write(path, file).unwrap();
}

/// A DHCP request (RFC 2131, 2) with that host name (option 12) in it.
fn request_of(hostname: &[u8]) -> Vec<u8> {
    let mac = [2, 0, 0x5e, 0, 0x77, 9];
    let mut message = vec![1, 1, 6, 0, 1, 2, 3, 4];
    message.resize(28, 0);
    message.extend(mac);
    message.resize(236, 0);
    message.extend([99, 130, 83, 99, 53, 1, 3, 50, 4, 192, 168, 1, 9, 12]);
    message.push(u8::try_from(hostname.len()).unwrap());
    message.extend(hostname);
    message.push(255);
    let mut frame = Vec::new();
    PacketBuilder::ethernet2(mac, [0xff; 6])
        .ipv4([192, 168, 1, 9], [192, 168, 1, 1], 64)
        .udp(68, 67)
        .write(&mut frame, &message)
        .unwrap();
    frame
}

#[test]
fn names_from_the_wire_do_nothing_to_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = "evil\x1b]0;owned\x07\x1b[2J\r\u{202e}name";
    // A file's name comes from outside as well.
    let path = folder.path().join("a\x1b[31mred.pcap");
    capture_of(&path, &request_of(hostile.as_bytes()));
    let run = finish(farmhawk().args(["analyze", "--all", "-v"]).arg(&path));
    assert_eq!(run.code, 0, "{}", run.stderr);
    assert!(run.stdout.contains("evil"), "the name is shown: {}", run.stdout);
    for output in [&run.stdout, &run.stderr] {
        let unsafe_one = output
            .chars()
            .find(|one| (one.is_control() && *one != '\n') || *one == '\u{202e}');
        assert_eq!(unsafe_one, None, "{output:?}");
    }
    let missing = finish(farmhawk().args(["analyze", "no\x1b[31m-such.pcap"]));
    assert!(!missing.stderr.contains('\x1b'), "{:?}", missing.stderr);
}

#[test]
fn a_sensor_sees_what_passes_its_interface() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_farmhawk"))
        .args([
            "sensor",
            "-i",
            "lo",
            "--duration",
            "2",
            "--format",
            "jsonl",
            "--flows",
            "--all",
        ])
        .args(["-n", "127.0.0.0/8", "-f", "udp"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (one, other) = (
        UdpSocket::bind("127.0.0.1:0").unwrap(),
        UdpSocket::bind("127.0.0.1:0").unwrap(),
    );
    other.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let silent = UdpSocket::bind("127.0.0.1:0").unwrap();
    silent.set_read_timeout(Some(Duration::from_millis(20))).unwrap();
    let mut sent = 0_u64;
    while child.try_wait().unwrap().is_none() {
        one.send_to(b"a datagram to nobody but us", other.local_addr().unwrap())
            .unwrap();
        sent += 1;
        let mut buffer = [0; 64];
        let _ = other.recv_from(&mut buffer);
        // Nobody writes to this one: its time-out spaces the datagrams.
        let _ = silent.recv_from(&mut buffer);
    }
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    if output.status.code() == Some(1) && (said.contains("ermi") || said.contains("o such device")) {
        println!("skipped: no permission to capture on lo: {said}");
        return;
    }
    assert_eq!(output.status.code(), Some(0), "{said}");
    let port = other.local_addr().unwrap().port();
    let records = String::from_utf8(output.stdout).unwrap();
    let summary: serde_json::Value = serde_json::from_str(records.lines().last().unwrap()).unwrap();
    assert!(
        summary["captures"][0]["kernel_dropped"].is_u64(),
        "how many packets the kernel dropped is said, also when it is none: {summary}"
    );
    let flow = records
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .find(|record| record["event_type"] == "flow" && record["dest_port"] == port)
        .unwrap_or_else(|| panic!("no flow to port {port}: {records}"));
    let seen = flow["pkts_toserver"].as_u64().unwrap();
    assert!(
        (1..=sent).contains(&seen),
        "{seen} of {sent} datagrams, each once"
    );
}

#[test]
fn a_host_by_itself_carries_its_sentence_and_what_is_open() {
    let mut command = every_record();
    command.arg("--assets").arg(fixture("demo/inventory.csv"));
    let run = finish(command.arg(fixture("demo/farm.pcapng")));
    let hosts = run.of("host");
    assert!(!hosts.is_empty());
    for host in &hosts {
        assert!(!host["summary"].as_str().unwrap().is_empty(), "{host}");
        assert!(host["not_observable"].is_array(), "{host}");
        // Nothing is asked about a host for which nothing speaks.
        let is_asked_about = host["next_question"].is_string();
        assert_eq!(is_asked_about, host["verdict"] != "none", "{host}");
    }
    assert!(
        hosts.iter().any(|host| host["verdict"] != "none"),
        "none is worth a line"
    );
}
