use super::*;
use tcp_flag::{ACK, FIN, RST, SYN};

fn segment(at_ms: i64, flags: u8, sequence: u32, acknowledgement: u32, length: u32) -> Segment {
    Segment {
        at: Timestamp(at_ms * 1_000_000 + 1),
        tcp_flags: flags,
        sequence,
        acknowledgement,
        payload_on_wire: length,
        window: 64,
        ..Segment::default()
    }
}

#[test]
fn a_handshake_gives_both_half_round_trips_and_the_options() {
    let mut flow = TcpFlow::default();
    flow.follow(
        &segment(0, SYN, 9, 0, 0),
        Side::Client,
        &[2, 4, 5, 0xb4, 1, 3, 3, 7],
    );
    assert_eq!(flow.state(), TcpState::SynSent);
    flow.follow(&segment(30, SYN | ACK, 99, 10, 0), Side::Server, &[2, 4, 4, 0xe5]);
    flow.follow(&segment(32, ACK, 10, 100, 0), Side::Client, &[]);
    let record = flow.record();
    assert_eq!(record.state, TcpState::Established);
    assert_eq!(
        (record.server_rtt, record.client_rtt),
        (Some(30_000_000), Some(2_000_000))
    );
    assert_eq!(
        (record.sides[0].mss, record.sides[1].mss),
        (Some(1_460), Some(1_253))
    );
    assert_eq!(
        (record.sides[0].window_scale, record.sides[1].window_scale),
        (Some(7), None)
    );
    assert_eq!(record.sides[0].option_kinds, 0b1110);
}

#[test]
fn a_connection_takes_one_cache_line() {
    assert_eq!(size_of::<TcpFlow>(), 64);
}

#[test]
fn a_repeated_syn_gives_no_round_trip() {
    let mut flow = TcpFlow::default();
    flow.follow(&segment(0, SYN, 9, 0, 0), Side::Client, &[]);
    flow.follow(&segment(1_000, SYN, 9, 0, 0), Side::Client, &[]);
    flow.follow(&segment(1_030, SYN | ACK, 99, 10, 0), Side::Server, &[]);
    assert_eq!(flow.record().server_rtt, None);
}

#[test]
fn a_late_segment_fills_its_hole_and_a_copy_is_a_retransmission() {
    let mut flow = TcpFlow::default();
    for (sequence, length) in [(100, 10), (120, 10), (110, 10), (110, 10), (140, 10)] {
        flow.follow(&segment(0, ACK, sequence, 1, length), Side::Client, &[]);
    }
    let side = flow.record().sides[0];
    assert_eq!((side.out_of_order, side.retransmissions), (1, 1));
    assert_eq!((side.gaps, side.gap_bytes), (1, 10));
}

#[test]
fn what_the_receiver_acknowledged_and_nobody_saw_was_lost_by_the_capture() {
    let mut flow = TcpFlow::default();
    // 110 to 120 and 130 to 140 are missing; the receiver has all up to 130.
    for sequence in [100, 120, 140] {
        flow.follow(&segment(0, ACK, sequence, 1, 10), Side::Client, &[]);
    }
    flow.follow(&segment(0, ACK, 1, 130, 0), Side::Server, &[]);
    let side = flow.record().sides[0];
    assert_eq!((side.gap_bytes, side.unseen_bytes), (20, 10));
    // The packet was stored late after all.
    flow.follow(&segment(0, ACK, 110, 1, 10), Side::Client, &[]);
    let side = flow.record().sides[0];
    assert_eq!((side.gap_bytes, side.unseen_bytes), (10, 0));
}

#[test]
fn a_partly_filled_hole_stays_open_at_both_ends_across_the_wrap() {
    let mut flow = TcpFlow::default();
    let start = u32::MAX - 20;
    flow.follow(&segment(0, ACK, start, 1, 10), Side::Server, &[]);
    flow.follow(&segment(0, ACK, start.wrapping_add(40), 1, 10), Side::Server, &[]);
    flow.follow(&segment(0, ACK, start.wrapping_add(20), 1, 10), Side::Server, &[]);
    let side = flow.record().sides[1];
    assert_eq!((side.out_of_order, side.gaps, side.gap_bytes), (1, 2, 20));
}

#[test]
fn keep_alives_are_no_retransmissions() {
    let mut flow = TcpFlow::default();
    flow.follow(&segment(0, ACK, 100, 1, 10), Side::Client, &[]);
    flow.follow(&segment(0, ACK, 109, 1, 0), Side::Client, &[]);
    flow.follow(&segment(0, ACK, 109, 1, 1), Side::Client, &[]);
    assert_eq!(flow.record().sides[0].retransmissions, 0);
}

#[test]
fn fin_from_both_sides_closes_and_a_reset_ends() {
    let mut flow = TcpFlow::default();
    flow.follow(&segment(0, ACK, 1, 1, 1), Side::Client, &[]);
    flow.follow(&segment(0, FIN | ACK, 2, 1, 0), Side::Client, &[]);
    assert_eq!(flow.state(), TcpState::Closing);
    flow.follow(&segment(0, FIN | ACK, 1, 3, 0), Side::Server, &[]);
    assert_eq!(flow.state(), TcpState::Closed);
    flow.follow(&segment(0, RST, 0, 0, 0), Side::Client, &[]);
    assert_eq!(flow.state(), TcpState::Reset);
    assert_eq!(flow.record().sides[0].retransmissions, 0);
}

#[test]
fn a_new_initial_sequence_number_is_a_new_connection_and_a_repeated_syn_is_not() {
    let mut flow = TcpFlow::default();
    flow.follow(&segment(0, SYN, 9, 0, 0), Side::Client, &[]);
    assert!(!flow.is_replaced_by(&segment(1, SYN, 9, 0, 0), Side::Client));
    assert!(flow.is_replaced_by(&segment(1, SYN, 5_000, 0, 0), Side::Client));
    assert!(!flow.is_replaced_by(&segment(1, SYN | ACK, 5_000, 0, 0), Side::Server));
}

proptest::proptest! {
    #[test]
    fn any_order_of_segments_leaves_no_gap_when_all_were_seen(order in proptest::sample::subsequence((0..4u32).collect::<Vec<_>>(), 4).prop_shuffle(), start: u32) {
        let mut flow = TcpFlow::default();
        flow.follow(&segment(0, ACK, start, 1, 10), Side::Client, &[]);
        for index in order {
            let sequence = start.wrapping_add(10 + index * 10);
            flow.follow(&segment(0, ACK, sequence, 1, 10), Side::Client, &[]);
        }
        let side = flow.record().sides[0];
        proptest::prop_assert_eq!((side.gaps, side.retransmissions), (0, 0));
    }

    #[test]
    fn arbitrary_segments_never_panic(list in proptest::collection::vec((proptest::num::u8::ANY, proptest::num::u32::ANY, proptest::num::u32::ANY, 0u32..70_000, proptest::bool::ANY), 0..64), options: Vec<u8>) {
        let mut flow = TcpFlow::default();
        for (flags, sequence, acknowledgement, length, client) in list {
            let side = if client { Side::Client } else { Side::Server };
            flow.follow(&segment(0, flags, sequence, acknowledgement, length), side, &options);
        }
        let _ = flow.record();
    }
}
use proptest::strategy::Strategy as _;

/// A connection that both ends opened: 10 is the client's next octet, 100 the server's.
fn established() -> TcpFlow {
    let mut flow = TcpFlow::default();
    flow.follow(&segment(0, SYN, 9, 0, 0), Side::Client, &[]);
    flow.follow(&segment(1, SYN | ACK, 99, 10, 0), Side::Server, &[]);
    flow.follow(&segment(2, ACK, 10, 100, 0), Side::Client, &[]);
    flow
}

#[test]
fn a_syn_that_nobody_answers_replaces_no_living_connection() {
    let mut flow = established();
    let blind = segment(3, SYN, 5_000_000, 0, 0);
    assert!(!flow.is_replaced_by(&blind, Side::Client));
    flow.follow(&blind, Side::Client, &[]);
    // The challenge that its alleged sender gets, and what goes on as before (RFC 5961, section 4.2).
    for (side, sequence, acknowledgement, length) in [
        (Side::Server, 100, 10, 0),
        (Side::Client, 10, 100, 20),
        (Side::Server, 100, 30, 50),
    ] {
        let next = segment(4, ACK, sequence, acknowledgement, length);
        assert!(!flow.is_replaced_by(&next, side));
        flow.follow(&next, side, &[]);
    }
    let record = flow.record();
    assert_eq!(record.state, TcpState::Established);
    assert_eq!((record.sides[0].gaps, record.sides[0].retransmissions), (0, 0));
    assert_eq!(flow.stream_start(Side::Client), Some(10));
}

#[test]
fn a_syn_that_is_answered_replaces_a_connection_whose_end_was_missed() {
    let mut flow = established();
    flow.follow(&segment(3, SYN, 5_000_000, 0, 0), Side::Client, &[]);
    assert!(flow.is_replaced_by(&segment(4, SYN | ACK, 7_000, 5_000_001, 0), Side::Server));
    // The answer may have been missed, too.
    assert!(flow.is_replaced_by(&segment(4, ACK, 5_000_001, 7_001, 0), Side::Client));
    assert!(!flow.is_replaced_by(&segment(4, SYN | ACK, 7_000, 4_999, 0), Side::Server));
}

#[test]
fn where_one_side_alone_is_captured_a_syn_replaces_at_once() {
    let mut flow = TcpFlow::default();
    flow.follow(&segment(0, SYN, 9, 0, 0), Side::Client, &[]);
    flow.follow(&segment(1, ACK, 10, 100, 30), Side::Client, &[]);
    assert_eq!(flow.state(), TcpState::Established);
    assert!(flow.is_replaced_by(&segment(2, SYN, 5_000_000, 0, 0), Side::Client));
}

#[test]
fn a_reset_is_believed_near_the_senders_numbers_only() {
    let mut flow = established();
    flow.follow(&segment(3, RST, 3_000_000, 0, 0), Side::Client, &[]);
    flow.follow(&segment(3, RST, 4_000_000_000, 0, 0), Side::Server, &[]);
    flow.follow(&segment(4, ACK, 10, 100, 20), Side::Client, &[]);
    assert_eq!(flow.state(), TcpState::Established);
    flow.follow(&segment(5, RST, 30, 0, 0), Side::Client, &[]);
    assert_eq!(flow.state(), TcpState::Reset);

    let mut refused = TcpFlow::default();
    refused.follow(&segment(0, SYN, 9, 0, 0), Side::Client, &[]);
    refused.follow(&segment(1, RST | ACK, 0, 10, 0), Side::Server, &[]);
    assert_eq!(refused.state(), TcpState::Reset);
}

#[test]
fn ten_holes_that_are_filled_later_leave_no_gap() {
    let mut flow = established();
    for number in 1..=10 {
        flow.follow(&segment(3, ACK, 10 + number * 20, 100, 10), Side::Client, &[]);
    }
    assert_eq!(flow.record().sides[0].gaps, 10);
    for number in 0..10 {
        flow.follow(&segment(4, ACK, 20 + number * 20, 100, 10), Side::Client, &[]);
    }
    let side = flow.record().sides[0];
    // Its first ten octets never came.
    assert_eq!((side.gaps, side.gap_bytes), (1, 10));
    assert_eq!((side.out_of_order, side.retransmissions), (10, 0));
}
