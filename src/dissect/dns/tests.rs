use super::message::tests::ALIAS;
use super::*;
use crate::dissect::rehearsal::{every_cut_is_harmless, probe_datagram, probe_stream, said, said_in_stream};
use crate::model::fact::Side::{Client, Server};

const QUERY_A: &[u8] =
    b"\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x03wWw\x07exAmple\x03com\x00\x00\x01\x00\x01";

#[test]
fn a_question_and_its_answer_through_an_alias_become_facts_of_the_name_asked_for() {
    assert_eq!(
        said(&Dns, &[(Client, QUERY_A), (Server, ALIAS)]),
        [
            "dns.name=www.example.com",
            "dns.query=www.example.com",
            "dns.qtype=1",
            "dns.cname=e.example.net",
            "dns.answer=www.example.com 192.0.2.7 60",
        ]
    );
}

#[test]
fn a_response_without_its_query_says_the_question_too() {
    assert_eq!(said(&Dns, &[(Server, ALIAS)])[1], "dns.query=www.example.com");
}

#[test]
fn a_refused_name_is_said_with_its_response_code() {
    let mut refused = QUERY_A.to_vec();
    refused[2..4].copy_from_slice(&[0x81, 0x83]);
    assert_eq!(
        said(&Dns, &[(Client, QUERY_A), (Server, &refused)])[3..],
        ["dns.rcode=3", "dns.failed=www.example.com"]
    );
}

#[test]
fn messages_in_a_stream_are_found_behind_their_lengths_however_they_are_cut() {
    let mut stream = vec![0, u8::try_from(QUERY_A.len()).unwrap()];
    stream.extend_from_slice(QUERY_A);
    stream.extend_from_within(..);
    let whole = said_in_stream(&DnsOverTcp, &[(Client, &stream)]);
    assert_eq!(whole.len(), 5);
    for cut in 0..stream.len() {
        let (head, tail) = stream.split_at(cut);
        assert_eq!(
            said_in_stream(&DnsOverTcp, &[(Client, head), (Client, tail)]),
            whole
        );
    }
    assert_eq!(probe_stream(&DnsOverTcp, 53, &stream, &[]), Probe::Yes);
    assert_eq!(probe_stream(&DnsOverTcp, 9_953, &stream, &[]), Probe::Yes);
    assert_eq!(probe_stream(&DnsOverTcp, 53, &stream[..9], &[]), Probe::Wait);
    assert_eq!(
        probe_stream(
            &DnsOverTcp,
            443,
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03abcdefgh",
            &[]
        ),
        Probe::No
    );
}

#[test]
fn off_its_port_only_a_message_without_a_stray_octet_is_dns() {
    assert_eq!(probe_datagram(&Dns, 9_953, QUERY_A), Probe::Yes);
    assert_eq!(probe_datagram(&Dns, 9_953, ALIAS), Probe::Yes);
    let mut longer = QUERY_A.to_vec();
    longer.push(0);
    assert_eq!(probe_datagram(&Dns, 9_953, &longer), Probe::No);
    assert_eq!(probe_datagram(&Dns, 53, &longer), Probe::Yes);
    assert_eq!(probe_datagram(&Dns, 9_953, &[0; 64]), Probe::No);
    assert_eq!(probe_datagram(&Dns, 53, &[0xff; 64]), Probe::No);
}

#[test]
fn a_dynamic_update_tells_the_name_of_the_host_that_sends_it() {
    let update = b"\x00\x07\x28\x00\x00\x01\x00\x00\x00\x01\x00\x00\x04corp\x00\x00\x06\x00\x01\
        \x08LAPTOP-7\xc0\x0c\x00\x01\x00\x01\x00\x00\x04\xb0\x00\x04\x0a\x00\x00\x07";
    assert_eq!(
        said(&Dns, &[(Client, update)]),
        ["dns.update=laptop-7.corp 10.0.0.7 1200"]
    );
}

#[test]
fn every_cut_is_harmless_here() {
    every_cut_is_harmless(&Dns, ALIAS);
    every_cut_is_harmless(&DnsOverTcp, ALIAS);
}
