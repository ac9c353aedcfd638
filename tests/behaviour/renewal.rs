//! A running sensor reads its signature files again on SIGHUP, and keeps what it has while they are wrong.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::UdpSocket;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread::spawn;
use std::time::Duration;

use serde_json::Value;

/// An entry that looks for datagrams which begin with these octets.
fn entry(id: &str, octets: &str, weight: &str) -> String {
    format!(
        "[[tool]]\nid = \"{id}\"\nname = \"{id}\"\nclass = \"remote-access\"\n[[tool.indicator]]\nfield = \"payload.to_server\"\n\
         bytes = \"udp @0 = {octets}\"\nweight = {weight}\nalone = true\nsource = \"this test\"\n"
    )
}

fn send_signal(child: &Child, signal: &str) {
    let done = Command::new("kill")
        .args([signal, &child.id().to_string()])
        .status()
        .unwrap();
    assert!(done.success());
}

/// What is said until a line holds this text; `None` where nothing more is said, or nothing for half a minute.
fn said_until(lines: &Receiver<String>, text: &str) -> Option<String> {
    let mut said = String::new();
    loop {
        let line = lines.recv_timeout(Duration::from_secs(30)).ok()?;
        println!("{line}");
        said.push_str(&line);
        if line.contains(text) {
            return Some(said);
        }
    }
}

#[test]
fn a_running_sensor_keeps_its_signatures_until_better_ones_are_right() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("own.toml");
    fs::write(&file, entry("first-tool", "f1 01 7e 02 55", "40")).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_farmhawk"))
        .args(["sensor", "-v", "-i", "lo", "--format", "jsonl", "--all"])
        .args(["-n", "127.0.0.0/8", "-f", "udp", "--signatures"])
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let errors = BufReader::new(child.stderr.take().unwrap());
    let (sender, lines) = mpsc::channel();
    spawn(move || {
        errors
            .lines()
            .map_while(Result::ok)
            .try_for_each(|line| sender.send(line))
    });
    if said_until(&lines, "capturing").is_none() {
        assert_eq!(child.wait().unwrap().code(), Some(1));
        println!("skipped: no permission to capture on lo");
        return;
    }
    // Wrong: it is refused whole, its right entry included.
    let wrong = entry("second-tool", "f2 01 7e 02 55", "40") + &entry("third-tool", "f3 01 7e 02 55", "4000");
    fs::write(&file, wrong).unwrap();
    send_signal(&child, "-HUP");
    let said = said_until(&lines, "stay").unwrap();
    assert!(said.contains("own.toml:18: indicator.weight: 4000"), "{said}");
    let to = UdpSocket::bind("127.0.0.1:0").unwrap();
    for first in [0xf1_u8, 0xf2, 0xf3, 0xf4] {
        let from = UdpSocket::bind("127.0.0.1:0").unwrap();
        from.send_to(&[first, 1, 0x7e, 2, 0x55], to.local_addr().unwrap())
            .unwrap();
    }
    // Right: what is new counts beside what is kept.
    let right = entry("first-tool", "f1 01 7e 02 55", "40") + &entry("fourth-tool", "f4 01 7e 02 55", "40");
    fs::write(&file, right).unwrap();
    send_signal(&child, "-HUP");
    // From this line on the next look takes it; the last is at the end, when the datagrams that the kernel holds are in.
    said_until(&lines, "read again").unwrap();
    send_signal(&child, "-INT");
    let output = child.wait_with_output().unwrap();
    let records = String::from_utf8(output.stdout).unwrap();
    let tools: Vec<String> = records
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .filter(|record| record["event_type"] == "finding")
        .map(|record| record["tool"].as_str().unwrap().to_owned())
        .collect();
    for (tool, is_found) in [
        ("first-tool", true),
        ("second-tool", false),
        ("third-tool", false),
        ("fourth-tool", true),
    ] {
        assert_eq!(tools.iter().any(|one| one == tool), is_found, "{tool}: {tools:?}");
    }
}
