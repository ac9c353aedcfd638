use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use super::payload::Transport;
use super::*;

fn catalogue() -> Catalogue {
    Catalogue::embedded().unwrap_or_else(|faults| panic!("{faults}"))
}

/// `tool` or `tool+` (may name it alone) with the weight, in the order of the matches.
fn found(catalogue: &Catalogue, field: &str, value: &[u8]) -> Vec<String> {
    let label = |found: Match<'_>| {
        let alone = if found.indicator.alone { "+" } else { "" };
        format!("{}{alone} {}", found.tool.id, found.weight())
    };
    catalogue.matches(field, value).map(label).collect()
}

#[test]
fn the_embedded_catalogue_is_whole() {
    let catalogue = catalogue();
    for id in [
        "anydesk",
        "teamviewer",
        "rustdesk",
        "chrome-remote-desktop",
        "splashtop",
        "screenconnect",
        "rdp",
        "vnc",
        "wireguard",
        "openvpn",
        "ipsec-ike",
        "ipsec-esp",
        "ssh",
        "telnet",
        "socks",
        "http-connect",
        "tor",
        "astrill",
        "nordvpn",
        "expressvpn",
        "surfshark",
        "protonvpn",
        "mullvad",
        "private-internet-access",
        "pia",
        "tailscale",
        "pikvm",
        "tinypilot",
        "jetkvm",
        "glinet-comet",
    ] {
        assert!(catalogue.tool(id).is_some(), "{id}");
    }
}

#[test]
fn every_indicator_has_a_source_and_a_note_on_false_positives() {
    for tool in catalogue().tools() {
        assert!(!tool.benign().is_empty(), "{}", tool.id);
        for indicator in &tool.indicators {
            let place = format!("{}:{}: {}", tool.path.display(), indicator.line, tool.id);
            assert!(!indicator.source.trim().is_empty(), "{place}: no source");
            assert!(
                indicator
                    .note
                    .as_ref()
                    .is_some_and(|note| !note.trim().is_empty()),
                "{place}: no note"
            );
        }
    }
}

#[test]
fn networks_have_the_day_on_which_they_were_read() {
    let is_day = |word: &str| crate::geo::build::epoch_of(word.trim_end_matches(',')).is_some();
    let catalogue = catalogue();
    let indicators =
        (catalogue.tools().iter()).flat_map(|tool| tool.indicators.iter().map(|one| (&tool.id, one)));
    let mut networks = 0;
    for (tool, indicator) in indicators {
        let of_address = |field: &String| field.starts_with("geo.");
        let is_network = |pattern: &Pattern| matches!(pattern, Pattern::Network(_));
        if indicator.fields.iter().any(of_address) || indicator.patterns.iter().any(is_network) {
            networks += 1;
            let source = &indicator.source;
            assert!(
                source.split_whitespace().any(is_day),
                "{tool} line {}: {source}",
                indicator.line
            );
        }
    }
    assert!(networks > 10, "{networks}");
}

#[test]
fn no_port_and_no_visit_to_a_web_site_names_a_tool_alone() {
    for tool in catalogue().tools() {
        for indicator in &tool.indicators {
            let is_port = indicator.fields.iter().any(|field| field.starts_with("port."));
            let is_site = indicator.role == Some(entry::RoleHint::Website);
            assert!(
                !indicator.alone || !(is_port || is_site),
                "{} line {}",
                tool.id,
                indicator.line
            );
            assert!(
                !indicator.alone || indicator.weight >= 20,
                "{} line {}",
                tool.id,
                indicator.line
            );
        }
    }
}

#[test]
fn where_a_browser_goes_too_no_agent_is_said_to_be() {
    let catalogue = catalogue();
    // Of tunnels nothing is said of agents.
    let is_remote = |tool: &&Tool| tool.class.finding.as_deref() == Some("remote_access");
    for tool in catalogue.tools().iter().filter(is_remote) {
        for indicator in &tool.indicators {
            let note = indicator.note.as_deref().unwrap_or_default();
            let place = format!("{} line {}: {note}", tool.id, indicator.line);
            let denies = [
                "a browser has no reason",
                "browsers do not",
                "not asked for by the web interface",
            ];
            let says = ["browser", "console", "log-in of technicians", "web client"];
            let goes_there =
                says.iter().any(|word| note.contains(word)) && !denies.iter().any(|word| note.contains(word));
            if indicator.role == Some(entry::RoleHint::Agent) {
                assert!(!goes_there, "{place}");
            }
            // Lighter than a name that agents alone ask for, so that one of those decides where both were called.
            if indicator.role == Some(entry::RoleHint::Shared) {
                assert!(indicator.weight <= 25, "{place}");
            }
        }
    }
}

#[test]
fn every_class_leads_to_a_kind_of_finding_that_records_know() {
    let kinds = ["remote_access", "ip_kvm", "vpn", "proxy", "reverse_tunnel", "tor"];
    let vocabulary = Vocabulary::parse(Path::new(VOCABULARY.0), VOCABULARY.1).unwrap();
    for class in vocabulary.classes.values() {
        let is_known = class
            .finding
            .as_ref()
            .is_none_or(|kind| kinds.contains(&kind.as_str()));
        assert!(is_known && !class.benign.is_empty(), "{}", class.id);
    }
}

#[test]
fn names_tell_installed_from_used_and_from_a_visit() {
    let catalogue = catalogue();
    let roles = |name: &str| -> Vec<&str> {
        let heaviest = catalogue
            .matches("tls.sni", name.as_bytes())
            .map(|found| found.weight())
            .max();
        catalogue
            .matches("tls.sni", name.as_bytes())
            .filter(|found| Some(found.weight()) == heaviest)
            .filter_map(|found| found.indicator.role.map(entry::RoleHint::name))
            .collect()
    };
    assert_eq!(roles("boot.net.anydesk.com"), ["agent", "agent"]);
    assert_eq!(roles("relay-0a1b2c3d.net.anydesk.com"), ["agent", "session"]);
    assert_eq!(roles("anydesk.com"), ["website"]);
    assert_eq!(roles("st-v3-univ-srs-win.relay.splashtop.com"), ["session"]);
    assert_eq!(roles("REMOTEDESKTOP.google.com."), ["controller"]);
    assert!(roles("docs.google.com").is_empty());
}

#[test]
fn every_field_of_a_group_is_searched() {
    let catalogue = catalogue();
    for (field, value) in [
        ("tls.sni", "vpn-api.proton.me"),
        ("dns.query", "vpn-api.proton.me"),
        ("http.host", "VPN-api.proton.me.:8080"),
        ("http.proxy_target", "vpn-api.proton.me:443"),
        ("socks.target", "vpn-api.proton.me:443"),
    ] {
        assert_eq!(
            found(&catalogue, field, value.as_bytes()),
            ["protonvpn+ 30", "protonvpn 5"],
            "{field}"
        );
    }
    assert!(found(&catalogue, "http.proxy_target", b"[2001:db8::1]:443").is_empty());
    assert!(found(&catalogue, "tls.alpn", b"vpn-api.proton.me").is_empty());
    assert!(found(&catalogue, "no.such.field", b"x").is_empty());
}

#[test]
fn fingerprints_certificates_devices_and_protocols_are_recognised() {
    let catalogue = catalogue();
    for (field, value, wanted) in [
        ("tls.alpn", "anydesk/6.2.0/linux", "anydesk+ 40"),
        (
            "tls.client_certificate.subject",
            "CN=AnyDesk Client",
            "anydesk+ 40",
        ),
        (
            "tls.certificate.subject",
            "C=DE, O=philandro Software GmbH, CN=AnyNet Relay",
            "anydesk+ 40",
        ),
        (
            "tls.certificate.issuer",
            "CN=JetKVM Self-Signed CA, O=JetKVM, OU=JetKVM Self-Signed",
            "jetkvm+ 40",
        ),
        ("tls.ja4", "t12i640500_9197985d2161_a1e935682795", "anydesk 20"),
        ("mac.oui", "04:c9:8b:1f:00:01", "tinypilot+ 40"),
        ("mac.oui", "30:52:53:00:00:01", "jetkvm+ 40"),
        ("dhcp.host_name", "PiKVM", "pikvm+ 30"),
        ("mdns.host", "jetkvm-0123.local", "jetkvm+ 30"),
        ("app_proto", "wireguard", "wireguard+ 40"),
        ("app_proto", "esp", "ipsec-esp+ 40"),
        ("port.tcp", "3389", "rdp 10"),
        ("geo.asn", "209854", "surfshark+ 30"),
        ("dhcp.host_name", "kvm-0a1b", "nanokvm 15"),
        ("dhcp.host_name", "idrac-7XYZ12A", "dell-idrac+ 30"),
        ("dhcp.host_name", "my-jetkvm-2", "jetkvm+ 20"),
        ("vnc.server_version", "003.889", "apple-remote-desktop+ 40"),
        ("http.path", "/machine-1700000000000?ping=1", "simplehelp+ 30"),
        ("tls.sni", "tunnel.eu.ngrok.com", "ngrok+ 30"),
    ] {
        let all = found(&catalogue, field, value.as_bytes());
        assert_eq!(all.first().map(String::as_str), Some(wanted), "{field} {value}");
        let tool = wanted.split(['+', ' ']).next().unwrap_or_default();
        assert!(
            all.iter().all(|one| one.starts_with(tool)),
            "{field} {value}: {all:?}"
        );
    }
    let address = |text: &str| Address::from(text.parse::<std::net::IpAddr>().unwrap());
    assert_eq!(
        found(&catalogue, "ip.address", &address("239.255.102.18").0),
        ["anydesk+ 20"]
    );
    assert_eq!(
        found(&catalogue, "ip.address", &address("fd7a:115c:a1e0::7").0),
        ["tailscale+ 30"]
    );
    assert!(found(&catalogue, "ip.address", &address("192.0.2.1").0).is_empty());
    assert!(
        found(&catalogue, "mac.oui", b"04:c9:8b:2f:00:01").is_empty(),
        "the neighbouring block is somebody else's"
    );
}

#[test]
fn payloads_are_recognised_by_bytes_transport_and_length() {
    let catalogue = catalogue();
    let payload = |field: &str, bytes: &[u8], transport: Transport, length: usize| -> Vec<String> {
        let context = PayloadContext {
            transport: Some(transport),
            length_on_wire: Some(length),
        };
        catalogue
            .payload_matches(field, bytes, context)
            .map(|found| found.tool.id.clone())
            .collect()
    };
    assert_eq!(
        payload(
            "payload.to_server",
            b"\x32\x0d\x0a\x09123456789\x10\x05",
            Transport::Udp,
            15
        ),
        ["rustdesk"]
    );
    assert_eq!(
        payload("payload.to_server", &[1, 0, 0, 0, 9], Transport::Udp, 148),
        ["wireguard"]
    );
    assert!(payload("payload.to_server", &[1, 0, 0, 0, 9], Transport::Udp, 149).is_empty());
    assert_eq!(
        payload("payload.to_client", b"RFB 003.008\n", Transport::Tcp, 12),
        ["vnc"]
    );
    assert_eq!(
        payload("payload.to_server", b"\x17\x24\x0a\x00", Transport::Tcp, 80),
        ["teamviewer"]
    );
    // NATS and STOMP begin with that word, too: only the dissector tells them apart.
    assert!(payload("payload.to_server", b"CONNECT a:1 HTTP/1.1", Transport::Tcp, 20).is_empty());
    assert_eq!(
        payload("payload.to_server", b"SSH-2.0-x", Transport::Tcp, 9),
        ["ssh"]
    );
    assert!(payload("payload.to_server", b"SSH-2.0-x", Transport::Udp, 9).is_empty());
    let cookie = b"\x03\x00\x00\x2f\x2a\xe0\x00\x00\x00\x00\x00Cookie: mstshash=a\r\n";
    assert_eq!(
        payload("payload.to_server", cookie, Transport::Tcp, cookie.len()),
        ["rdp"]
    );
    for length in 0..cookie.len() {
        let _ = payload(
            "payload.to_server",
            &cookie[..length],
            Transport::Tcp,
            cookie.len(),
        );
    }
}

#[test]
fn an_overlay_replaces_by_id_adds_and_changes_the_version() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    let text = r#"
[[tool]]
id = "anydesk"
class = "remote-management"
[[tool.indicator]]
field = "tls.sni"
exact = "anydesk.mine.example"
weight = 30
source = "our own gateway"
[[tool]]
id = "mine"
class = "vpn"
protocol = "wireguard"
[[tool.indicator]]
field = "tls.sni"
suffix = "vpn.mine.example"
weight = 30
alone = true
source = "our own gateway"
"#;
    fs::write(&path, text).unwrap();
    let embedded = catalogue();
    let catalogue = Catalogue::with_overlays(&[folder.path().to_owned()]).unwrap();
    assert_ne!(embedded.version(), catalogue.version());
    assert_eq!(embedded.version(), self::catalogue().version());
    assert_eq!(catalogue.tools().len(), embedded.tools().len() + 1);
    assert_eq!(
        found(&catalogue, "tls.sni", b"anydesk.mine.example"),
        ["anydesk 30"]
    );
    assert!(found(&catalogue, "tls.sni", b"boot.net.anydesk.com").is_empty());
    assert_eq!(catalogue.tool("mine").unwrap().path, path);
    assert_eq!(
        catalogue.unknown("anydesl"),
        "unknown tool \"anydesl\" (did you mean \"anydesk\"?)"
    );
}

#[test]
fn wrong_overlays_are_refused_whole_with_all_their_faults() {
    let folder = tempfile::tempdir().unwrap();
    let entry = "class = \"vpn\"\n[[tool.indicator]]\nfield = \"app_proto\"\nexact = \"x\"\nweight = 5\nsource = \"s\"\n";
    fs::write(
        folder.path().join("a.toml"),
        format!("[[tool]]\nid = \"x\"\nprotocol = \"wiregard\"\n{entry}"),
    )
    .unwrap();
    let error = Catalogue::with_overlays(&[folder.path().to_owned()])
        .unwrap_err()
        .to_string();
    assert!(
        error.ends_with("a.toml:1: tool.protocol: unknown tool \"wiregard\" (did you mean \"wireguard\"?)"),
        "{error}"
    );
    fs::write(
        folder.path().join("b.toml"),
        format!("[[tool]]\nid = \"x\"\n{entry}[[tool]]\nid = \"x\"\n{entry}"),
    )
    .unwrap();
    fs::write(folder.path().join("c.toml"), "x = ").unwrap();
    let error = Catalogue::with_overlays(&[folder.path().to_owned()])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("b.toml:10: tool.id: \"x\" stands twice in this file") && error.contains("c.toml:1: "),
        "{error}"
    );
    let error = Catalogue::with_overlays(&[PathBuf::from("/nonexistent/x.toml")])
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("/nonexistent/x.toml: "), "{error}");
}

#[test]
fn lengths_are_found_by_direction_transport_and_record() {
    let catalogue = catalogue();
    let frames = [69, 178, 19, 21, 44, 19, 21, 55, 19, 21, 115, 300];
    let told = |lengths: &[u32]| {
        let mut told = crate::model::lengths::Lengths::default();
        for length in lengths {
            told.push(crate::model::fact::Side::Client, *length);
        }
        found(&catalogue, "tls.lengths", told.octets())
    };
    assert_eq!(told(&frames), ["meshcentral+ 25"]);
    assert_eq!(told(&frames[1..]), ["meshcentral+ 25"]);
    assert!(told(&frames[..10]).is_empty());
    assert!(told(&frames[8..]).is_empty(), "no frame before it");
    // Of ChaCha20 in TLS 1.2, and what encryption adds must not change on the way.
    assert_eq!(told(&[177, 18, 20, 40, 18, 20, 114]), ["meshcentral+ 25"]);
    assert!(told(&[177, 18, 20, 40, 19, 21, 115]).is_empty());
    assert_eq!(told(&[69, 28, 1045, 1045, 531, 1559]), ["tor+ 25"]);
    assert!(told(&[69, 28, 1045, 1045, 532, 1559]).is_empty());
}

#[test]
fn lengths_never_make_sure_and_say_of_what_they_are() {
    let entry = |field: &str, lengths: &str, weight: u32| {
        let text = format!(
            "[[tool]]\nid = \"x\"\nclass = \"vpn\"\n[[tool.indicator]]\nfield = \"{field}\"\nlengths = \"{lengths}\"\nweight = {weight}\nalone = true\nsource = \"s\"\n"
        );
        let read = Catalogue::of_file(&PathBuf::from("my.toml"), &text);
        read.map_or_else(|faults| faults.to_string(), |_| String::new())
    };
    assert_eq!(entry("payload.lengths", "udp >148 <92 >32+16k", 25), "");
    assert_eq!(
        entry("payload.lengths", "udp >148 <92 >32+16k", 26),
        "my.toml:7: indicator.weight: a pattern of lengths is worth 25 decibans at most"
    );
    for (field, lengths, fault) in [
        ("payload.lengths", "tls >19 >21 >115", "begins with tcp or udp"),
        ("tls.lengths", "tcp >19 >21 >115", "begins with tls"),
        ("payload.to_server", "tcp >19 >21 >115", "not matched in that way"),
        ("tls.lengths", "tls >19", "fewer than 3"),
    ] {
        let faults = entry(field, lengths, 25);
        assert!(
            faults.contains("my.toml:6: indicator.lengths: ") && faults.contains(fault),
            "{faults}"
        );
    }
}

#[test]
fn ten_thousand_patterns_of_lengths_are_found_as_one_is() {
    let mut text = String::new();
    for number in 0..10_000 {
        let _ = write!(
            text,
            "[[tool]]\nid = \"t{number}\"\nclass = \"vpn\"\n[[tool.indicator]]\nfield = \"payload.lengths\"\n\
             lengths = \"udp >{} <{} ??*1-3 >7\"\nweight = 10\nsource = \"s\"\n",
            number / 100 + 1,
            number % 100 + 1,
        );
    }
    let catalogue = Catalogue::of_file(&PathBuf::from("many.toml"), &text).unwrap();
    let mut lengths = crate::model::lengths::Lengths::default();
    for (side, length) in [(0, 100), (1, 100), (1, 1_200), (0, 7)] {
        let side = [crate::model::fact::Side::Client, crate::model::fact::Side::Server][side];
        lengths.push(side, length);
    }
    let of = |transport: Transport| {
        let context = PayloadContext {
            transport: Some(transport),
            length_on_wire: None,
        };
        let found = catalogue.payload_matches("payload.lengths", lengths.octets(), context);
        found.map(|found| found.tool.id.as_str()).collect::<Vec<_>>()
    };
    assert_eq!(of(Transport::Udp), ["t9999"]);
    assert!(of(Transport::Tcp).is_empty());
}

#[test]
fn ten_thousand_entries_are_found_as_a_hundred_are() {
    let mut text = String::new();
    for number in 0..10_000 {
        let _ = write!(
            text,
            "[[tool]]\nid = \"t{number}\"\nclass = \"vpn\"\n[[tool.indicator]]\nfield = \"host.name\"\nsuffix = \"host{number}.example\"\nweight = 10\nsource = \"s\"\n\
             [[tool.indicator]]\nfield = \"payload.to_server\"\nbytes = \"tcp @0 = 7f {:02x} {:02x} 55\"\nweight = 10\nsource = \"s\"\n",
            number >> 8,
            number & 255,
        );
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.toml");
    fs::write(&path, text).unwrap();
    let catalogue = Catalogue::with_overlays(&[path]).unwrap();
    assert_eq!(
        found(&catalogue, "dns.query", b"a.b.host9999.example"),
        ["t9999 10"]
    );
    assert_eq!(
        found(&catalogue, "payload.to_server", &[0x7f, 0x27, 0x0f, 0x55]),
        ["t9999 10"]
    );
    assert!(found(&catalogue, "dns.query", b"host99999.example").is_empty());
}
