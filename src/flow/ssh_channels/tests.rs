//! Conversations as OpenSSH 9.2 has them, by the lengths of their messages: what a cipher makes of these is computed as RFC 4253, 6 says.

use super::*;

/// A cipher: octets of its blocks, whether the length counts into them, and octets of its MAC.
#[derive(Clone, Copy)]
struct Cipher(u32, bool, u32);

const CIPHERS: [Cipher; 4] = [
    // chacha20-poly1305@openssh.com
    Cipher(8, false, 16),
    // aes128-gcm@openssh.com (RFC 5647)
    Cipher(16, false, 16),
    // aes128-ctr with hmac-sha2-256-etm@openssh.com
    Cipher(16, false, 32),
    // aes128-ctr with hmac-sha1
    Cipher(16, true, 20),
];

impl Cipher {
    /// Octets of a packet with so many of message.
    fn packet(self, message: u32) -> u32 {
        let Self(block, counts_length, mac) = self;
        let head = if counts_length { 5 } else { 1 };
        let padded = (head + message + 4).next_multiple_of(block);
        padded + if counts_length { 0 } else { 4 } + mac
    }
}

/// Who speaks, octets of its messages, and milliseconds before.
type Said = (Side, &'static [u32], i64);

use Side::{Client as C, Server as S};

/// Log-in with a key; NEWKEYS and what is before it have no cipher.
const LOG_IN: [Said; 8] = [
    (C, &[17], 1),
    (S, &[17], 1),
    (C, &[45], 1),
    (S, &[50], 1),
    (C, &[120], 1),
    (S, &[80], 1),
    (C, &[290], 1),
    (S, &[1], 9),
];

/// `no-more-sessions@openssh.com`, the server's keys, CHANNEL_OPEN for a session.
const NO_MORE: u32 = 34;
const KEYS: u32 = 380;
const SESSION_OPEN: u32 = 24;

fn told(cipher: Cipher, said: &[Said]) -> Option<SshChannels> {
    let mut follower = Follower::default();
    let mut at = 1_000;
    let mut sequence = [7u32, 0xffff_ff00];
    let mut send = |side: Side, length: u32, wait: i64| {
        at += wait;
        let place = &mut sequence[side.index()];
        let segment = Segment {
            at: Timestamp(at * 1_000_000),
            layer: Layer::Tcp,
            tcp_flags: tcp_flag::ACK,
            sequence: *place,
            payload_on_wire: length,
            ..Segment::default()
        };
        *place = place.wrapping_add(length);
        follower.follow(&segment, side);
        // Sent again: counts once.
        follower.follow(&segment, side);
    };
    for (side, length) in [
        (C, 41),
        (S, 41),
        (C, 1_560),
        (S, 1_088),
        (C, 1_208),
        (S, 1_564),
        (C, 16),
    ] {
        send(side, length, 1);
    }
    for (side, messages, wait) in LOG_IN.iter().chain(said) {
        let length = messages.iter().map(|octets| cipher.packet(*octets)).sum();
        send(*side, length, *wait);
    }
    follower.into_record()
}

/// The first channel with every cipher, which must be the same.
fn first(said: &[Said]) -> Option<FirstChannel> {
    let all = CIPHERS.map(|cipher| told(cipher, said).and_then(|record| record.first));
    assert!(all.iter().all(|one| *one == all[0]), "{all:?}");
    all[0]
}

/// Addresses of nine octets each.
const DIRECT: u32 = 45 + 18;
const FORWARDED: u32 = 48 + 18;

#[test]
fn a_reverse_tunnel_is_opened_by_who_was_called() {
    let said: [Said; 9] = [
        (C, &[36], 0),
        (C, &[NO_MORE], 0),
        (S, &[KEYS], 30),
        (S, &[1], 1),
        (S, &[FORWARDED], 20_000),
        (C, &[17], 2),
        (C, &[21], 1),
        (S, &[FORWARDED], 5_000),
        (C, &[17], 1),
    ];
    for cipher in CIPHERS {
        let record = told(cipher, &said).unwrap();
        assert_eq!(record.first, Some(FirstChannel::Inward));
        assert!(record.is_listening_asked);
        assert_eq!(record.opened, 2);
        assert!(!record.has_several_places());
        let nobody = told(cipher, &said[..4]).unwrap();
        assert!(nobody.is_listening_asked && nobody.first.is_none());
    }
}

#[test]
fn the_grant_of_a_reverse_tunnel_may_come_with_its_first_connection() {
    let said: [Said; 4] = [
        (C, &[36], 0),
        (C, &[NO_MORE], 0),
        (S, &[1, FORWARDED], 90),
        (C, &[17], 2),
    ];
    assert_eq!(first(&said), Some(FirstChannel::Inward));
}

#[test]
fn shells_copies_and_forward_tunnels_are_opened_by_who_called() {
    let in_one: [Said; 3] = [(C, &[SESSION_OPEN, NO_MORE], 0), (S, &[KEYS], 30), (S, &[17], 1)];
    let in_two: [Said; 4] = [
        (C, &[SESSION_OPEN], 0),
        (C, &[NO_MORE], 0),
        (S, &[KEYS], 9),
        (S, &[17], 1),
    ];
    let alone: [Said; 2] = [(C, &[SESSION_OPEN], 0), (S, &[17], 1)];
    for said in [&in_one[..], &in_two, &alone] {
        assert_eq!(first(said), Some(FirstChannel::Session));
    }
    let forward: [Said; 4] = [
        (C, &[NO_MORE], 0),
        (S, &[KEYS], 30),
        (C, &[DIRECT], 100),
        (S, &[17], 1),
    ];
    assert_eq!(first(&forward), Some(FirstChannel::Outward));
}

#[test]
fn several_places_are_told_by_the_lengths_of_their_names() {
    let said: [Said; 8] = [
        (C, &[NO_MORE], 0),
        (C, &[DIRECT], 100),
        (S, &[17], 1),
        (C, &[DIRECT + 24], 3_000),
        (S, &[17], 1),
        // Amid other traffic it may be anything.
        (C, &[DIRECT + 64], 10),
        (S, &[17], 1),
        (C, &[25], 1),
    ];
    for cipher in CIPHERS {
        let record = told(cipher, &said).unwrap();
        assert_eq!((record.first, record.opened), (Some(FirstChannel::Outward), 2));
        assert!(record.has_several_places());
    }
}

#[test]
fn behind_a_session_nothing_is_a_tunnel() {
    let said: [Said; 6] = [
        (C, &[SESSION_OPEN, NO_MORE], 0),
        (S, &[17], 1),
        // Output, then an arrow key.
        (S, &[66], 5_000),
        (C, &[17], 60),
        (S, &[66], 5_000),
        (C, &[17], 60),
    ];
    assert_eq!(first(&said), Some(FirstChannel::Session));
}

#[test]
fn a_tunnel_device_and_an_unseen_log_in_are_not_told() {
    // tun@openssh.com (OpenSSH PROTOCOL, 2.3) takes 40 octets.
    assert_eq!(told(CIPHERS[0], &[(C, &[40, NO_MORE], 0), (S, &[17], 1)]), None);
    let mut follower = Follower::default();
    for step in 0..300 {
        let segment = Segment {
            at: Timestamp(step * SECOND),
            layer: Layer::Tcp,
            sequence: u32::try_from(step).unwrap() * 44,
            payload_on_wire: 44,
            ..Segment::default()
        };
        follower.follow(&segment, if step % 2 == 0 { C } else { S });
    }
    assert_eq!(follower.stage, Stage::Lost);
    assert_eq!(follower.into_record(), None);
}

proptest::proptest! {
    #[test]
    fn anything_at_all_is_taken(steps in proptest::collection::vec((0i64..1 << 50, proptest::num::u32::ANY, 0u32..3_000, proptest::bool::ANY), 0..400)) {
        let mut follower = Follower::default();
        for (at, sequence, length, is_client) in steps {
            let segment = Segment { at: Timestamp(at), layer: Layer::Tcp, sequence, payload_on_wire: length, ..Segment::default() };
            follower.follow(&segment, if is_client { C } else { S });
        }
        let _ = follower.into_record();
    }
}
