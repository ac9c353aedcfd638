//! The catalogue: what names a tool alone is proven by traffic, every entry has its sources, and the README says what
//! is known.

mod addresses;
mod conversations;
mod innocent;
mod link;
mod look_alike;
mod media;
mod proof;
mod protocols;
mod quic;
mod samples;
mod tls;
pub(crate) mod wire;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

use farmhawk::capture::writer::PcapWriter;
use farmhawk::model::frame::LinkType;
use farmhawk::model::time::{SECOND, Timestamp};
use farmhawk::signatures::Catalogue;
use serde_json::Value;

use self::proof::{DIGESTS, NOT_ON_THE_WIRE, Proof};
use crate::program::{every_record_of, real_captures, run, two_at_a_time};

/// Hosts in one capture: few enough that nothing is kept for them twice, and enough that starting costs little.
const HOSTS_IN_A_CAPTURE: usize = 150;

/// Whether an indicator can be proven by packets that are made from it.
fn is_provable(fields: &[String]) -> bool {
    !fields
        .iter()
        .all(|field| DIGESTS.contains(&field.as_str()) || NOT_ON_THE_WIRE.contains(&field.as_str()))
}

/// Proofs of everything that names a tool alone and leads to a finding.
fn all_proofs(catalogue: &Catalogue) -> (Vec<Proof<'_>>, Vec<String>) {
    let mut number = 0;
    let (mut all, mut missing) = (Vec::new(), Vec::new());
    for tool in catalogue.tools() {
        for indicator in &tool.indicators {
            let names_it = indicator.alone && tool.class.finding.is_some();
            if !names_it || !is_provable(&indicator.fields) {
                continue;
            }
            match proof::proofs(tool, indicator, &mut number) {
                Ok(proofs) => all.extend(proofs),
                Err(what) => missing.push(what),
            }
        }
    }
    (all, missing)
}

/// Writes a capture in which every host has its own second.
pub(crate) fn write<'f>(path: &Path, hosts: impl Iterator<Item = &'f Vec<Vec<u8>>>) {
    let file = BufWriter::new(File::create(path).unwrap());
    let mut out = PcapWriter::new(file, LinkType(1), false).unwrap();
    let start = 1_750_000_000 * SECOND;
    for (second, frames) in (0_i64..).zip(hosts) {
        for (place, frame) in (0_i64..).zip(frames) {
            let at = Timestamp(start + second * SECOND + place * SECOND / 1_000);
            out.frame(at, frame, u32::try_from(frame.len()).unwrap()).unwrap();
        }
    }
}

/// What is wrong with what was found of one proof.
fn complaint(proof: &Proof<'_>, findings: &BTreeMap<String, Vec<Value>>) -> Option<String> {
    let own = findings
        .get(&proof.host.to_string())
        .map(Vec::as_slice)
        .unwrap_or_default();
    let score = |finding: &Value| finding["score"].as_f64().unwrap();
    let place = format!(
        "{} line {}: {} {}",
        proof.tool.id, proof.indicator.line, proof.field, proof.shown
    );
    let Some(found) = own
        .iter()
        .find(|finding| finding["tool"] == proof.tool.id.as_str())
    else {
        let others: Vec<&str> = own
            .iter()
            .filter_map(|finding| finding["tool"].as_str())
            .collect();
        return Some(format!("{place}: not found, but {others:?}"));
    };
    if score(found) < f64::from(proof.indicator.weight) {
        return Some(format!("{place}: {} decibans only", score(found)));
    }
    let is_rival = |other: &&Value| {
        let is_carried = other["tool"] == found["protocol"] || other["protocol"] == found["tool"];
        other["tool"] != found["tool"] && !is_carried && score(other) >= score(found)
    };
    let rival = own.iter().find(is_rival)?;
    Some(format!("{place}: {} is as likely", rival["tool"]))
}

/// Analyses captures of so many hosts each; gives the findings by the host's address.
pub(crate) fn findings_of(all: &[Vec<Vec<u8>>]) -> BTreeMap<String, Vec<Value>> {
    let folder = tempfile::tempdir().unwrap();
    let batches: Vec<(usize, &[Vec<Vec<u8>>])> = all.chunks(HOSTS_IN_A_CAPTURE).enumerate().collect();
    let found = two_at_a_time(&batches, |(number, batch)| {
        let path = folder.path().join(format!("{number}.pcap"));
        write(&path, batch.iter());
        let run = every_record_of(&path);
        assert_eq!(run.code, 0, "{}", run.stderr);
        run.of("finding")
    });
    let mut findings: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for finding in found.concat() {
        let host = finding["host_ip"].as_str().unwrap().to_owned();
        findings.entry(host).or_default().push(finding);
    }
    findings
}

#[test]
fn what_names_a_tool_alone_is_proven_by_packets() {
    let catalogue = Catalogue::embedded().unwrap();
    let (proofs, missing) = all_proofs(&catalogue);
    assert!(missing.is_empty(), "{}", missing.join("\n"));
    assert!(proofs.len() > 1_000, "only {} proofs", proofs.len());
    let frames: Vec<Vec<Vec<u8>>> = proofs.iter().map(|proof| proof.frames.clone()).collect();
    let findings = findings_of(&frames);
    let wrong: Vec<String> = proofs
        .iter()
        .filter_map(|proof| complaint(proof, &findings))
        .collect();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        proofs.len(),
        wrong.join("\n")
    );
}

/// What was found of the first proof of each of these tools.
fn found_of(tools: &[&str]) -> Vec<Vec<Value>> {
    let catalogue = Catalogue::embedded().unwrap();
    let (proofs, _) = all_proofs(&catalogue);
    let chosen: Vec<&Proof<'_>> = tools
        .iter()
        .map(|id| proofs.iter().find(|proof| proof.tool.id == *id).unwrap())
        .collect();
    let frames: Vec<Vec<Vec<u8>>> = chosen.iter().map(|proof| proof.frames.clone()).collect();
    let mut findings = findings_of(&frames);
    chosen
        .iter()
        .map(|proof| findings.remove(&proof.host.to_string()).unwrap_or_default())
        .collect()
}

#[test]
fn who_opens_the_connection_drives_but_where_the_entry_says_otherwise() {
    let wanted = [
        ("radmin", "controller"),
        ("x11", "controlled"),
        ("synergy", "controlled"),
    ];
    for ((tool, role), found) in wanted.iter().zip(found_of(&wanted.map(|(tool, _)| tool))) {
        let [finding] = found.as_slice() else {
            panic!("{tool}: {found:#?}");
        };
        assert_eq!(finding["tool"], *tool);
        assert_eq!(finding["role"], *role, "{tool}");
    }
}

#[test]
fn who_opened_a_reversed_session_is_who_serves() {
    let wanted = [
        ("reverse-ssh", [("reverse-ssh", "server"), ("ssh", "controlled")]),
        (
            "reverse-socks",
            [("reverse-socks", "server"), ("socks", "server")],
        ),
    ];
    for ((tool, roles), found) in wanted.iter().zip(found_of(&wanted.map(|(tool, _)| tool))) {
        let mut said: Vec<(&str, &str)> = found
            .iter()
            .map(|finding| {
                (
                    finding["tool"].as_str().unwrap(),
                    finding["role"].as_str().unwrap(),
                )
            })
            .collect();
        said.sort_unstable();
        assert_eq!(said, roles, "{tool}");
    }
}

#[test]
fn the_relays_of_tor_are_one_finding_of_their_host() {
    let Some(folder) = real_captures() else {
        return;
    };
    let run = every_record_of(&folder.join("nd-tor.pcap"));
    let found = run.of("finding");
    let of_tor: Vec<&Value> = found.iter().filter(|finding| finding["tool"] == "tor").collect();
    let [finding] = of_tor.as_slice() else {
        panic!("{of_tor:#?}");
    };
    assert_eq!(finding["role"], "client");
    assert!(finding["flow_count"].as_u64().unwrap() > 1, "{finding}");
}

#[test]
fn a_product_that_speaks_its_protocol_is_called_straight() {
    let catalogue = Catalogue::embedded().unwrap();
    let (proofs, _) = all_proofs(&catalogue);
    let greeting = proofs
        .iter()
        .find(|proof| proof.tool.id == "realvnc" && proof.field == "vnc.server_version")
        .unwrap();
    let findings = findings_of(std::slice::from_ref(&greeting.frames));
    let found = findings.values().flatten().collect::<Vec<_>>();
    let [finding] = found.as_slice() else {
        panic!("{found:#?}");
    };
    assert_eq!(finding["tool"], "realvnc");
    assert_eq!(finding["role"], "controller", "it opened the connection");
    assert!(finding["peer"].is_string(), "{finding}");
}

#[test]
fn a_product_carries_its_protocol_and_brings_no_second_finding() {
    let found = found_of(&["apple-remote-desktop"]).concat();
    let [finding] = found.as_slice() else {
        panic!("{found:#?}");
    };
    assert_eq!(finding["tool"], "apple-remote-desktop");
    assert_eq!(finding["protocol"], "vnc");
}

/// What names a tool alone by a digest cannot be made: no message has that digest by design. A capture would prove it.
const WITHOUT_PROOF: [(&str, &str); 3] = [
    // The project recorded it: fixtures/real/openconnect.
    ("cisco-anyconnect", "dd2i080400_eb2f42bf365c_75a4a91190bb"),
    // nDPId computed it from Tor 0.4.8 in 2025; none of the labelled captures is that young.
    ("tor", "t13d181100_6c2ba73853a4_d41ae481755e"),
    // The project recorded it with Tor 0.4.9: fixtures/real/tor.
    ("tor", "t13d181100_796efca44d18_d41ae481755e"),
];

#[test]
fn every_digest_that_names_a_tool_alone_is_listed_with_its_reason() {
    let catalogue = Catalogue::embedded().unwrap();
    let mut digests = Vec::new();
    for tool in catalogue.tools() {
        for indicator in tool.indicators.iter().filter(|indicator| indicator.alone) {
            if indicator
                .fields
                .iter()
                .any(|field| DIGESTS.contains(&field.as_str()))
            {
                for pattern in &indicator.patterns {
                    digests.push((tool.id.as_str(), String::from_utf8(pattern.example()).unwrap()));
                }
            }
        }
    }
    let listed = WITHOUT_PROOF.map(|(tool, digest)| (tool, digest.to_owned()));
    assert_eq!(digests, listed);
}

#[test]
fn a_visit_to_a_web_site_is_a_lead_at_most() {
    let catalogue = Catalogue::embedded().unwrap();
    let visits = proof::visits(&catalogue);
    assert!(visits.len() > 250, "only {} web sites", visits.len());
    let frames: Vec<Vec<Vec<u8>>> = visits.iter().map(|visit| visit.frames.clone()).collect();
    let findings = findings_of(&frames);
    for visit in visits {
        for finding in findings.get(&visit.host.to_string()).into_iter().flatten() {
            assert_eq!(
                finding["confidence"], "low",
                "{}: {}",
                visit.name, finding["summary"]
            );
        }
    }
}

/// Lines between which the README holds the table that `signatures list --format markdown` prints.
const MARKS: [&str; 2] = ["<!-- catalogue -->\n", "<!-- end of catalogue -->\n"];

#[test]
fn the_readme_lists_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let [begin, end] = MARKS;
    let (_, behind) = readme.split_once(begin).unwrap();
    let (table, _) = behind.split_once(end).unwrap();
    let listed = run(["signatures", "list", "--format", "markdown"]);
    assert_eq!(
        table, listed.stdout,
        "put what `farmhawk signatures list --format markdown` prints between the marks of README.md"
    );
}

#[test]
fn the_list_tells_the_size_and_the_sources_of_every_entry() {
    let list = run(["signatures", "list", "--format", "json"]);
    assert_eq!(list.code, 0, "{}", list.stderr);
    let list: Value = serde_json::from_str(&list.stdout).unwrap();
    let entries = list["entries"].as_array().unwrap();
    assert_eq!(list["tools"], entries.len());
    assert!(entries.len() >= 300, "{} tools", entries.len());
    let mut indicators = 0;
    for entry in entries {
        let sources = entry["sources"].as_array().unwrap();
        let is_named = |source: &Value| source.as_str().is_some_and(|source| !source.trim().is_empty());
        assert!(!sources.is_empty() && sources.iter().all(is_named), "{entry}");
        indicators += entry["indicators"].as_u64().unwrap();
    }
    assert_eq!(list["indicators"], indicators);
}
