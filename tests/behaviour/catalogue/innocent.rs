//! What is no remote access and no proxy although it shares a word, a port or a form with one.

use serde_json::Value;

use super::findings_of;
use super::proof::ends;
use super::wire::{End, Side, Words, stream};

/// The findings of one host that has this conversation with a server's port.
fn found(number: u32, port: u16, words: impl Fn(&End) -> Words) -> Vec<Value> {
    let [host, server] = ends(number);
    let server = End { port, ..server };
    let frames = stream(host, server, &words(&server));
    let found = findings_of(&[frames]);
    found.into_values().flatten().collect()
}

fn tools(findings: &[Value]) -> Vec<&str> {
    findings
        .iter()
        .map(|finding| finding["tool"].as_str().unwrap())
        .collect()
}

/// NetSupport's poll as its gateway gets it: the gateway's own address stands in the request (ET Open, corelight/zeek-netsupport-detector).
fn poll(asked: &str) -> Words {
    let head = format!(
        "POST http://{asked}/fakeurl.htm HTTP/1.1\r\nUser-Agent: NetSupport Manager/1.3\r\nContent-Length: 0\r\nHost: {asked}\r\n\r\n"
    );
    let answer =
        "HTTP/1.1 200 OK\r\nServer: NetSupport Gateway/1.6 (Windows NT)\r\nContent-Length: 0\r\n\r\n";
    vec![
        (Side::Client, head.into_bytes()),
        (Side::Server, answer.as_bytes().to_vec()),
    ]
}

#[test]
fn a_server_that_is_asked_for_its_own_whole_address_is_no_proxy() {
    for port in ["", ":443"] {
        let own = found(71_000, 443, |server| poll(&format!("{}{port}", server.ip)));
        assert_eq!(tools(&own), ["netsupport-manager"], "{own:#?}");
    }
    let other = found(71_001, 443, |_| poll("192.0.2.1"));
    assert_eq!(tools(&other), ["http-proxy", "netsupport-manager"], "{other:#?}");
}
