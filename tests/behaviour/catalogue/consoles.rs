//! Whoever opens the console of a tool calls the servers that its agents call: nobody is said to have an agent for that.

use serde_json::Value;

use super::proof::ends;
use super::wire::{End, Side, Words, chance, stream};
use super::{findings_of, tls};

/// What a program or a browser says to a server of this name, and some pages.
fn visit(name: &str, protocol: Option<&[u8]>) -> Words {
    let mut words = vec![
        (Side::Client, tls::client_hello(Some(name.as_bytes()), protocol)),
        (
            Side::Server,
            tls::server_flight(&tls::certificate(&format!("CN={name}"), "CN=authority.example")),
        ),
    ];
    for seed in 0..8 {
        let record = |length: u16| {
            let content = chance(seed, length.into());
            [&[0x17, 3, 3][..], &length.to_be_bytes(), &content].concat()
        };
        words.extend([(Side::Client, record(400)), (Side::Server, record(9_000))]);
    }
    words
}

/// A name, and the protocol that is offered in TLS.
type Visit<'v> = (&'v str, Option<&'v [u8]>);

/// The finding of each host, which has made these visits.
fn found(hosts: &[(u32, &[Visit<'_>])]) -> Vec<Value> {
    let mut all = Vec::new();
    for (number, visits) in hosts {
        let [host, server] = ends(*number);
        let frames = (0_u16..)
            .zip(visits.iter())
            .flat_map(|(place, (name, protocol))| {
                let host = End {
                    port: host.port + place,
                    ..host
                };
                stream(host, End { port: 443, ..server }, &visit(name, *protocol))
            });
        all.push(frames.collect::<Vec<_>>());
    }
    let mut findings = findings_of(&all);
    hosts
        .iter()
        .map(|(number, _)| {
            let address = ends(*number)[0].ip.to_string();
            let own = findings.remove(&address).unwrap_or_default();
            let [finding] = own.as_slice() else {
                panic!("{own:#?}");
            };
            finding.clone()
        })
        .collect()
}

#[test]
fn an_agent_is_told_from_a_console_by_its_own_names_and_by_what_no_browser_does() {
    const BROWSER: Option<&[u8]> = Some(b"h2");
    let findings = found(&[
        (73_000, &[("app.rmmservice.eu", BROWSER)]),
        (73_001, &[("app.rmmservice.eu", None)]),
        (
            73_002,
            &[
                ("merlot.centrastage.net", BROWSER),
                ("01cc.centrastage.net", BROWSER),
            ],
        ),
        (73_003, &[("merlot.centrastage.net", BROWSER)]),
        (73_004, &[("acme.hostedrmm.com", BROWSER)]),
    ]);
    let told = |place: usize| {
        let finding: &Value = &findings[place];
        let text = |key: &str| finding[key].as_str().unwrap_or_default().to_owned();
        (text("tool"), text("role"), text("summary"))
    };
    for (place, tool, role) in [
        (0, "ninjaone", "unknown"),
        (1, "ninjaone", "agent"),
        (2, "datto-rmm", "agent"),
        (3, "datto-rmm", "unknown"),
        (4, "connectwise-automate", "unknown"),
    ] {
        let (found, is, summary) = told(place);
        assert_eq!((found.as_str(), is.as_str()), (tool, role), "{summary}");
        let words = "an installed agent, or its web console in a browser";
        assert_eq!(summary.contains(words), role == "unknown", "{summary}");
    }
}
