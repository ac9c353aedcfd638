use super::*;
use crate::dissect::rehearsal::{every_cut_is_harmless, played, probe_stream, said_in_stream};
use crate::model::fact::Side::{Client, Server};

const REQUEST: &[u8] = b"GET /kvm/ HTTP/1.1\r\nHost: 192.0.2.9\r\nUser-Agent: agent/1\r\n\
    Authorization: Basic c2VjcmV0\r\n\r\n";
const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nServer: nginx\r\nContent-Type: text/html\r\n\
    Content-Length: 27\r\n\r\n<html><TITLE>PiKVM Login</ti";

#[test]
fn a_request_and_its_response_are_described_without_credentials() {
    assert_eq!(
        said_in_stream(&Http, &[(Client, REQUEST), (Server, RESPONSE)]),
        [
            "http.method=GET",
            "http.path=/kvm/",
            "http.host=192.0.2.9",
            "http.user_agent=agent/1",
            "http.authorization=Basic [redacted sha256:1c11]",
            "http.status=200",
            "http.server=nginx",
            "http.content_type=text/html",
            "http.title=PiKVM Login",
        ]
    );
}

#[test]
fn the_same_is_said_wherever_the_head_is_cut() {
    let whole = said_in_stream(&Http, &[(Client, REQUEST)]);
    for cut in 0..=REQUEST.len() {
        let (head, tail) = REQUEST.split_at(cut);
        assert_eq!(
            said_in_stream(&Http, &[(Client, head), (Client, tail)]),
            whole,
            "cut at {cut}"
        );
    }
}

#[test]
fn a_head_whose_end_never_comes_still_says_its_lines() {
    let cut = b"GET / HTTP/1.1\r\nHost: a.example\r\nUser-Agent: cu";
    assert_eq!(
        said_in_stream(&Http, &[(Client, cut)]),
        ["http.method=GET", "http.path=/", "http.host=a.example"]
    );
}

#[test]
fn exchanges_behind_bodies_of_every_kind_are_found() {
    let requests =
        b"POST /a HTTP/1.1\r\nContent-Length: 4\r\n\r\nGET HEAD /b HTTP/1.1\r\n\r\nGET /c HTTP/1.1\r\n\r\n";
    let responses = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
        3;x=y\r\nabc\r\n0\r\nTrailer: 1\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\nHTTP/1.1 404 Gone\r\n\
        Content-Length: 0\r\n\r\n";
    let expected = [
        "http.method=POST",
        "http.path=/a",
        "http.method=HEAD",
        "http.path=/b",
        "http.method=GET",
        "http.path=/c",
        "http.status=100",
        "http.status=200",
        "http.status=200",
        "http.status=404",
    ];
    assert_eq!(
        said_in_stream(&Http, &[(Client, requests), (Server, responses)]),
        expected
    );
    for cut in 0..responses.len() {
        let (head, tail) = responses.split_at(cut);
        assert_eq!(
            said_in_stream(&Http, &[(Client, requests), (Server, head), (Server, tail)]),
            expected,
            "cut at {cut}"
        );
    }
}

#[test]
fn a_websocket_and_other_upgrades_are_handed_over_behind_the_head() {
    let request =
        b"GET /janus HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: janus-protocol\r\n\r\n";
    let switch = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\n\r\n\x81\x00";
    let (said, next) = played(&Http, &[(Client, request), (Server, switch)]);
    assert_eq!(
        said[2..4],
        ["http.upgrade=websocket", "websocket.subprotocol=janus-protocol"]
    );
    assert_eq!(next, Next::Become("websocket", switch.len() - 2));
    let other = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: DERP\r\n\r\n";
    assert_eq!(
        played(&Http, &[(Client, request), (Server, other)]).1,
        Next::Become("", other.len())
    );
}

#[test]
fn a_request_for_a_proxy_names_its_target_without_the_password() {
    let request =
        b"GET http://user:secret@a.example:8080/x HTTP/1.1\r\nProxy-Authorization: NTLM abc\r\n\r\n";
    assert_eq!(
        said_in_stream(&Http, &[(Client, request)]),
        [
            "http.method=GET",
            "http.proxy_target=a.example:8080",
            "http.target_form=absolute",
            "http.path=/x",
            "http.proxy_authorization=NTLM"
        ]
    );
}

#[test]
fn behind_a_gap_the_next_head_is_found() {
    let mut rehearsal = crate::dissect::rehearsal::Rehearsal::of(&Http);
    let stamp = |side| crate::model::fact::Stamp {
        side,
        ..crate::model::fact::Stamp::default()
    };
    rehearsal.stream(
        stamp(Client),
        b"POST / HTTP/1.1\r\nContent-Length: 9999\r\n\r\nabc",
        false,
    );
    rehearsal.stream(stamp(Client), b"some body", true);
    rehearsal.stream(stamp(Client), REQUEST, false);
    assert!(rehearsal.flow.iter().any(|fact| fact.field == HOST.id));
}

#[test]
fn a_connection_whose_opener_was_guessed_wrong_is_read_all_the_same() {
    assert_eq!(probe_stream(&Http, 80, RESPONSE, &[]), Probe::Yes);
    let mut usual = said_in_stream(&Http, &[(Client, REQUEST), (Server, RESPONSE)]);
    let mut swapped = said_in_stream(&Http, &[(Client, RESPONSE), (Server, REQUEST)]);
    usual.sort();
    swapped.sort();
    assert_eq!(swapped, usual);
}

#[test]
fn a_gateway_tells_the_public_address() {
    let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n<s:Body><u:GetExternalIPAddressResponse>\
        <NewExternalIPAddress>203.0.113.7</NewExternalIPAddress>";
    assert_eq!(
        said_in_stream(&Http, &[(Server, answer)]),
        ["http.status=200", "upnp.external=203.0.113.7"]
    );
}

#[test]
fn a_service_that_names_the_callers_address_is_believed_when_it_was_asked() {
    let whole = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n203.0.113.7\n";
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nc\r\n203.0.113.7\n\r\n0\r\n\r\n";
    let said = |host: &str, answer: &[u8]| {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let said = said_in_stream(&Http, &[(Client, request.as_bytes()), (Server, answer)]);
        said.iter().any(|fact| fact == "http.own_address=203.0.113.7")
    };
    assert!(said("icanhazip.com", whole) && said("api.ipify.org", chunked));
    assert!(!said("www.example.com", whole));
    assert!(!said(
        "icanhazip.com",
        b"HTTP/1.1 200 OK\r\nContent-Length: 14\r\n\r\nv 203.0.113.7\n"
    ));
}

#[test]
fn relatives_that_share_its_methods_are_not_taken() {
    for foreign in [
        &b"OPTIONS rtsp://a/ RTSP/1.0\r\n"[..],
        b"OPTIONS sip:a SIP/2.0\r\n",
        b"GETX / HTTP/1.1\r\n",
        b"get / HTTP/1.1\r\n",
        b"\x16\x03\x01\x00",
        b"GET / HTTP/2.0\r\n",
    ] {
        assert_eq!(probe_stream(&Http, 80, foreign, &[]), Probe::No);
    }
    assert_eq!(probe_stream(&Http, 9_999, REQUEST, &[]), Probe::Yes);
    assert_eq!(probe_stream(&Http, 9_999, &REQUEST[..9], &[]), Probe::Wait);
    assert_eq!(probe_stream(&Http, 9_999, &[], RESPONSE), Probe::Yes);
    assert_eq!(
        probe_stream(
            &http2::Http2,
            80,
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04",
            &[]
        ),
        Probe::Yes
    );
}

#[test]
fn every_cut_is_harmless_here() {
    every_cut_is_harmless(&Http, REQUEST);
    every_cut_is_harmless(&Http, RESPONSE);
}
