//! Sessions between real programs: the tool is found on the right host with the right role, as `truth.toml` says.

use std::fs;

use serde_json::Value;

use crate::program::{Run, farmhawk, finish, fixture};

/// Sessions that are not found, or with another role; what must change for each.
const KNOWN_WRONG: [(&str, &str); 11] = [
    (
        "softether",
        "found by the names that its NAT traversal asks for; that its UDP over DNS is none is not told, so no peer",
    ),
    (
        "shadowsocks",
        "salt and ciphertext from the first octet on: nothing but a heuristic could tell",
    ),
    (
        "vmess",
        "as shadowsocks: a lead where the policy asks for it (heuristics.rs)",
    ),
    (
        "shadowsocks-tls",
        "ordinary TLS outside: a lead where the policy asks for it (heuristics.rs)",
    ),
    ("trojan", "as shadowsocks-tls"),
    ("vless-tls", "as shadowsocks-tls"),
    ("stunnel-socks", "as shadowsocks-tls"),
    (
        "openvpn-obfs3",
        "chance from the first octet on: the lengths of its packets are a lead where the policy asks for it (heuristics.rs)",
    ),
    (
        "openvpn-stunnel",
        "ordinary TLS outside: the lengths of its records are a lead where the policy asks for it (heuristics.rs)",
    ),
    (
        "novnc-tls",
        "all of it is inside TLS on port 443: only the form of the traffic could tell",
    ),
    (
        "ssh-tunnels",
        "typing into a shell through -R has the sizes and turns of typing from the laptop: who was first is not in the windows",
    ),
];

fn analyze(name: &str) -> Run {
    let capture = fixture("real").join(name).join("capture.pcap");
    let run = finish(
        farmhawk()
            .args(["analyze", "--format", "jsonl", "--all", "-n", "192.168.77.0/24"])
            .args(["-n", "2001:db8:77::/64"])
            .arg(capture),
    );
    assert_eq!(run.code, 0, "{name}: {}", run.stderr);
    run
}

/// Whether a finding is what the truth's session says.
fn is_session(finding: &Value, hosts: &[Value], session: &toml::Value) -> bool {
    let told = |field: &str| session[field].as_str().unwrap();
    let host = hosts.iter().find(|host| host["host"] == finding["host"]).unwrap();
    let ips = host["ips"].as_array().unwrap();
    let is_on = |side: &str| ips.iter().any(|ip| ip == told(side));
    let role = finding["role"].as_str().unwrap();
    // A browser's viewer is recognised as the protocol that it shows.
    let tool = if told("tool") == "novnc" {
        "vnc"
    } else {
        told("tool")
    };
    let (is_right_side, peer) = match role {
        "controlled" | "client" => (is_on("controlled"), told("controller")),
        "controller" | "server" => (is_on("controller"), told("controlled")),
        _ => (false, ""),
    };
    is_right_side && finding["tool"] == tool && finding["peer"] == peer
}

#[test]
fn every_session_is_found_with_its_role() {
    let mut wrong = Vec::new();
    let mut sessions = 0;
    for entry in fs::read_dir(fixture("real")).unwrap() {
        let folder = entry.unwrap().path();
        let name = folder.file_name().unwrap().to_str().unwrap();
        let truth: toml::Value =
            toml::from_str(&fs::read_to_string(folder.join("truth.toml")).unwrap()).unwrap();
        let run = analyze(name);
        let (findings, hosts) = (run.of("finding"), run.of("host"));
        let told = truth.get("session").and_then(toml::Value::as_array);
        let told = told.cloned().unwrap_or_default();
        sessions += told.len();
        let missed = told
            .iter()
            .filter(|session| {
                !findings
                    .iter()
                    .any(|finding| is_session(finding, &hosts, session))
            })
            .count();
        let is_known = KNOWN_WRONG.iter().any(|(known, _)| *known == name);
        match (is_known, missed) {
            (false, 1..) => wrong.push(format!("{name}: {missed} sessions missed: {findings:#?}")),
            (true, 0) => wrong.push(format!("{name}: found now: known as wrong no more")),
            _ => {}
        }
        // Nobody looks on from behind a relay in any of them.
        let is_longer = |finding: &&Value| finding["latency"]["control_loop"]["verdict"] == "longer";
        if let Some(finding) = findings.iter().find(is_longer) {
            wrong.push(format!("{name}: {}", finding["latency"]));
        }
        if told.is_empty() && !findings.is_empty() {
            wrong.push(format!("{name}: nothing is there, but {findings:#?}"));
        }
    }
    assert!(sessions >= 34, "only {sessions} sessions");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn findings_read_as_they_did() {
    for name in ["rdp-shadow", "vnc-reverse", "wireguard", "ssh-typing"] {
        insta::assert_json_snapshot!(name, analyze(name).of("finding"));
    }
}

/// What a finding of a tunnel must say beside its name: on which side the host stands, how long, how much, and all or a part.
fn says_its_use(finding: &Value) -> Result<(), String> {
    let used = &finding["tunnel"];
    let role = finding["role"].as_str().unwrap_or_default();
    let octets = ["bytes_out", "bytes_in"].map(|field| used[field].as_u64());
    let is_told = matches!(role, "client" | "server" | "controlled" | "controller")
        && used["seconds"].is_u64()
        && octets.iter().all(Option::is_some)
        && octets.iter().flatten().sum::<u64>() > 0
        && matches!(used["routing"].as_str(), Some("full" | "split" | "unknown"));
    let minutes = used["whole_minutes"].as_u64().unwrap_or_default();
    let is_judged = minutes < 3 || used["routing"] != "unknown";
    if is_told && is_judged {
        Ok(())
    } else {
        Err(format!("{} as {role}: {used}", finding["tool"]))
    }
}

#[test]
fn every_tunnel_says_its_side_how_long_how_much_and_whether_all_goes_through_it() {
    let (mut tools, mut wrong) = (std::collections::BTreeSet::new(), Vec::new());
    for entry in fs::read_dir(fixture("real")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        for finding in analyze(&name).of("finding") {
            let is_tunnel = matches!(
                finding["kind"].as_str(),
                Some("vpn" | "proxy" | "tor" | "reverse_tunnel")
            );
            // Names that were asked for are no traffic, nor is what only refers to other findings.
            let is_traffic = finding["flow_count"].as_u64() > Some(0) && finding["tool"] != "mtu-trace";
            if !is_tunnel || !is_traffic {
                continue;
            }
            tools.insert(finding["tool"].as_str().unwrap().to_owned());
            if let Err(what) = says_its_use(&finding) {
                wrong.push(format!("{name}: {what}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    for tool in [
        "openvpn",
        "wireguard",
        "ipsec-ike",
        "socks",
        "n2n",
        "vtun",
        "nebula",
        "tinc",
        "icmp-tunnel",
        "dns-tunnel",
        "tor",
    ] {
        assert!(tools.contains(tool), "{tool} is not among {tools:?}");
    }
}
