//! Lengths of the first payloads, where a user's entry asks for them: what is encrypted from the first octet on still has a form.

use serde_json::Value;

use super::proof::ends;
use super::wire::{End, Side, chance, datagram, stream};
use super::write;
use crate::program::{every_record, finish};

/// Two protocols of somebody's own, one by UDP and one by TCP.
const OWN: &str = r#"[[tool]]
id = "own-udp"
class = "remote-access"
[[tool.indicator]]
field = "payload.lengths"
lengths = "udp >61 <61 >40-90*1-3 <200+16k"
weight = 25
alone = true
source = "recorded by ourselves"
note = "none known"
[[tool.indicator]]
field = "port.udp"
port = "44444"
weight = 10
source = "its manual"
note = "none known"

[[tool]]
id = "own-tcp"
class = "remote-access"
[[tool.indicator]]
field = "payload.lengths"
lengths = "tcp <32 >96 ??*0-2 <9"
weight = 25
alone = true
source = "recorded by ourselves"
note = "none known"
"#;

/// What is found of hosts whose conversations have these lengths; positive ones are the client's. The tools found, each with its confidence.
fn found(conversations: &[(bool, &[i32])], signatures: &str) -> Vec<Vec<(String, String)>> {
    let folder = tempfile::tempdir().unwrap();
    let (capture, own) = (folder.path().join("a.pcap"), folder.path().join("own.toml"));
    std::fs::write(&own, signatures).unwrap();
    let mut hosts = Vec::new();
    let mut all = Vec::new();
    for (number, (is_tcp, lengths)) in (0_u32..).zip(conversations) {
        let [host, server] = ends(number);
        hosts.push(host.ip.to_string());
        let words: Vec<(Side, Vec<u8>)> = (1_u64..)
            .zip(lengths.iter())
            .map(|(seed, length)| {
                let side = if *length > 0 { Side::Client } else { Side::Server };
                let length = usize::try_from(length.unsigned_abs()).unwrap();
                (side, chance(seed + u64::from(number) * 100, length))
            })
            .collect();
        let send = |(side, bytes): &(Side, Vec<u8>)| {
            let ends: (End, End) = if *side == Side::Client {
                (host, server)
            } else {
                (server, host)
            };
            datagram(ends.0, ends.1, bytes)
        };
        all.push(if *is_tcp {
            stream(host, server, &words)
        } else {
            words.iter().map(send).collect()
        });
    }
    write(&capture, all.iter());
    let run = finish(every_record().arg("--signatures").arg(&own).arg(&capture));
    assert_eq!(run.code, 0, "{}", run.stderr);
    let findings = run.of("finding");
    let text = |finding: &Value, key: &str| finding[key].as_str().unwrap_or_default().to_owned();
    hosts
        .iter()
        .map(|host| {
            let own = findings
                .iter()
                .filter(|finding| text(finding, "host_ip") == *host);
            own.map(|finding| (text(finding, "tool"), text(finding, "confidence")))
                .filter(|(tool, _)| tool.starts_with("own"))
                .collect()
        })
        .collect()
}

#[test]
fn what_nobody_claims_is_told_by_the_lengths_and_directions_of_its_first_payloads() {
    let all = found(
        &[
            (false, &[61, -61, 40, -216]),
            (false, &[61, -61, 40, 90, 77, -232, 900, -3, 5, 5]),
            // Another direction, length, step, transport; too early an end.
            (false, &[-61, 61, 40, -216]),
            (false, &[62, -61, 40, -216]),
            (false, &[61, -61, 40, -217]),
            (true, &[61, -61, 40, -216]),
            (false, &[61, -61, 40]),
            (true, &[-32, 96, -9]),
            (true, &[-32, 96, 1_000, -1_000, -9, 4]),
            (true, &[-32, 96, 1_000, -1_000, 1_000, -9]),
        ],
        OWN,
    );
    let is = |tool: &str| vec![(tool.to_owned(), "medium".to_owned())];
    assert_eq!(
        all[..2],
        [is("own-udp"), is("own-udp")],
        "with the port, and not sure"
    );
    for (number, other) in all.iter().enumerate().take(7).skip(2) {
        assert!(other.is_empty(), "{number}: {other:?}");
    }
    assert_eq!(all[7..9], [is("own-tcp"), is("own-tcp")]);
    assert!(all[9].is_empty());
}
