//! Same inputs, same bytes out: for any number of threads, any order of files, and any run.

use std::path::PathBuf;

use crate::program::{Run, farmhawk, finish, fixture};

fn captures() -> Vec<PathBuf> {
    // Sessions of different tools, tunnels in a tunnel, and a damaged file: what could depend on an order, does here.
    [
        "real/rdp-shadow/capture.pcap",
        "real/vnc-plain/capture.pcap",
        "real/openvpn-udp/capture.pcap",
        "real/home-lan/capture.pcap",
        "formats/encap-gre-in-vxlan.pcap",
        "formats/damaged-record.pcap",
        "formats/compressed.pcap.zst",
    ]
    .map(fixture)
    .to_vec()
}

fn analyze(threads: &str, format: &str, captures: &[PathBuf]) -> Run {
    let run = finish(
        farmhawk()
            .args(["analyze", "--all", "-j", threads, "--format", format])
            .args((format != "text").then_some("--flows"))
            .args(captures),
    );
    assert_eq!(run.code, 0, "{}", run.stderr);
    run
}

#[test]
fn threads_change_nothing() {
    let captures = captures();
    for format in ["jsonl", "json", "text"] {
        let one = analyze("1", format, &captures);
        assert!(one.stdout.len() > 1_000, "{}", one.stdout);
        for threads in ["1", "2", "3", "8"] {
            let many = analyze(threads, format, &captures);
            assert!(one.stdout == many.stdout, "{format} differs with -j {threads}");
        }
    }
}

#[test]
fn the_order_of_captures_changes_nothing() {
    let mut captures = captures();
    let one = analyze("2", "jsonl", &captures);
    for _ in 0..captures.len() {
        captures.rotate_left(1);
        let other = analyze("2", "jsonl", &captures);
        assert!(one.stdout == other.stdout, "differs for {captures:?}");
    }
    captures.reverse();
    assert!(one.stdout == analyze("3", "jsonl", &captures).stdout);
}
