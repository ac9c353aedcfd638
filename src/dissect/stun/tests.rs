use super::message::tests::{IPV4_RESPONSE, IPV6_RESPONSE};
use super::*;
use crate::dissect::rehearsal::{
    Rehearsal, every_cut_is_harmless, played, probe_datagram, probe_stream, said,
};
use crate::model::fact::Side::{self, Server};
use crate::model::fact::Stamp;

/// A classic request of RFC 3489: no cookie, no attributes.
const CLASSIC: &[u8] = b"\x00\x01\x00\x00abcdefghijklmnop";
const CLASSIC_RESPONSE: &[u8] =
    b"\x01\x01\x00\x0cabcdefghijklmnop\x00\x01\x00\x08\x00\x01\x1f\x90\xc0\x00\x02\x01";
/// An allocation with a peer, and a channel's data.
const ALLOCATED: &[u8] =
    b"\x01\x03\x00\x0c\x21\x12\xa4\x42abcdefghijkl\x00\x16\x00\x08\x00\x01\xa1\x47\xe1\x12\xa6\x43";
const CHANNEL_DATA: &[u8] = b"\x40\x01\x00\x04data";

#[test]
fn mapped_addresses_are_said_once() {
    assert_eq!(
        said(
            &Stun,
            &[
                (Server, IPV4_RESPONSE),
                (Server, IPV4_RESPONSE),
                (Server, IPV6_RESPONSE)
            ]
        ),
        [
            "stun.method=1",
            "stun.software=test vector",
            "stun.mapped=192.0.2.1 32853",
            "stun.mapped=2001:db8:1234:5678:11:2233:4455:6677 32853",
        ]
    );
}

#[test]
fn what_is_no_message_is_released_and_a_channels_data_is_not() {
    let mut session = Rehearsal::of(&Stun);
    let mut feed =
        |bytes: &[u8]| session.datagram(Stamp::default(), bytes, u32::try_from(bytes.len()).unwrap());
    assert_eq!(feed(b"\x16\xfe\xff\x00\x00"), Next::Release);
    assert_eq!(feed(CHANNEL_DATA), Next::Release);
    assert_eq!(feed(ALLOCATED), Next::More(0));
    assert_eq!(feed(CHANNEL_DATA), Next::More(0));
    assert_eq!(feed(b"\x80\x60\x00\x01"), Next::Release);
}

#[test]
fn a_classic_request_waits_for_its_answer_off_the_port() {
    assert_eq!(probe_datagram(&Stun, 3_478, CLASSIC), Probe::Yes);
    assert_eq!(probe_datagram(&Stun, 9_000, CLASSIC), Probe::Wait);
    assert_eq!(probe_datagram(&Stun, 9_000, CLASSIC_RESPONSE), Probe::Yes);
    assert_eq!(
        said(&Stun, &[(Server, CLASSIC_RESPONSE)])[1],
        "stun.mapped=192.0.2.1 8080"
    );
    assert_eq!(probe_datagram(&Stun, 9_000, &[0; 20]), Probe::No);
    assert_eq!(probe_datagram(&Stun, 9_000, &IPV4_RESPONSE[..40]), Probe::No);
}

#[test]
fn messages_in_a_stream_are_found_bare_and_behind_their_lengths() {
    let bare = [ALLOCATED, CHANNEL_DATA, IPV4_RESPONSE].concat();
    let prefixed = [
        &[0, 32],
        ALLOCATED,
        &[0, 8],
        CHANNEL_DATA,
        &[0, 48],
        IPV4_RESPONSE,
    ]
    .concat();
    for stream in [bare, prefixed] {
        assert_eq!(probe_stream(&StunOverTcp, 443, &stream, &[]), Probe::Yes);
        let said = |segments: &[(Side, &[u8])]| {
            let mut said = played(&StunOverTcp, segments).0;
            said.sort();
            said
        };
        let whole = said(&[(Server, &stream)]);
        assert_eq!(whole.len(), 4);
        for cut in 0..stream.len() {
            let (head, tail) = stream.split_at(cut);
            assert_eq!(said(&[(Server, head), (Server, tail)]), whole, "cut at {cut}");
        }
    }
}

#[test]
fn a_bound_connection_is_handed_over() {
    let bound = b"\x01\x0b\x00\x00\x21\x12\xa4\x42abcdefghijkl";
    assert_eq!(played(&StunOverTcp, &[(Server, bound)]).1, Next::Become("", 20));
}

#[test]
fn every_cut_is_harmless_here() {
    every_cut_is_harmless(&Stun, IPV4_RESPONSE);
    every_cut_is_harmless(&StunOverTcp, ALLOCATED);
}
