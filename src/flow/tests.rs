use super::*;
use crate::model::address::Address;
use crate::model::flow::EndReason;
use crate::model::segment::tcp_flag::{ACK, FIN, SYN};
use crate::model::time::SECOND;

#[derive(Default)]
struct Ended(Vec<FlowRecord>);

impl Ending for Ended {
    fn ended(&mut self, _attachment: u32, record: FlowRecord) {
        self.0.push(record);
    }
}

fn limits(flows: usize) -> Limits {
    Limits {
        flows,
        ..Limits::default()
    }
}

fn segment(number: u64, second: i64, from: (u8, u16), to: (u8, u16), layer: Layer, flags: u8) -> Segment {
    Segment {
        at: Timestamp(1_000 * SECOND + second * SECOND),
        source: FrameRef { capture: 0, number },
        layer,
        protocol: if layer == Layer::Tcp { 6 } else { 17 },
        source_address: Address::from_v4([192, 0, 2, from.0]),
        destination_address: Address::from_v4([192, 0, 2, to.0]),
        source_port: from.1,
        destination_port: to.1,
        tcp_flags: flags,
        frame_on_wire: 100,
        payload_on_wire: 40,
        ..Segment::default()
    }
}

fn take(flows: &mut Flows, segment: &Segment, ended: &mut Ended) -> Touch {
    let (key, from_upper) = FlowKey::of(segment);
    flows.take(
        segment,
        &HashedKey {
            key,
            hash: key.hash(7),
            from_upper,
        },
        &[],
        ended,
    )
}

#[test]
fn both_directions_are_counted_apart_and_the_opener_is_the_client() {
    let (mut flows, mut ended) = (Flows::new(&limits(10), 1, &["tls"]), Ended::default());
    take(
        &mut flows,
        &segment(1, 0, (9, 50_000), (1, 443), Layer::Tcp, SYN),
        &mut ended,
    );
    let touch = take(
        &mut flows,
        &segment(2, 1, (1, 443), (9, 50_000), Layer::Tcp, SYN | ACK),
        &mut ended,
    );
    assert_eq!((touch.side, touch.is_new), (Side::Server, false));
    take(
        &mut flows,
        &segment(3, 2, (9, 50_000), (1, 443), Layer::Tcp, ACK),
        &mut ended,
    );
    flows.name_protocol(touch.flow, 0, false);
    flows.drain(Timestamp(i64::MAX), &mut ended);
    let record = &ended.0[0];
    assert_eq!((record.client.port, record.server.port), (50_000, 443));
    assert_eq!(
        (record.packets, record.bytes, record.payload_bytes),
        ([2, 1], [200, 100], [80, 40])
    );
    assert_eq!(
        (record.opener, record.app_proto),
        (OpenerJudgement::Handshake, Some("tls"))
    );
    assert_eq!((record.frames.first.number, record.frames.last.number), (1, 3));
}

#[test]
fn silence_beyond_the_time_out_ends_a_flow_by_clock_and_by_packet() {
    let (mut flows, mut ended) = (Flows::new(&limits(10), 1, &[]), Ended::default());
    take(
        &mut flows,
        &segment(1, 0, (1, 50_000), (2, 9_999), Layer::Udp, 0),
        &mut ended,
    );
    take(
        &mut flows,
        &segment(2, 300, (2, 9_999), (1, 50_000), Layer::Udp, 0),
        &mut ended,
    );
    assert!(ended.0.is_empty());
    take(
        &mut flows,
        &segment(3, 601, (1, 50_000), (2, 9_999), Layer::Udp, 0),
        &mut ended,
    );
    assert_eq!((ended.0.len(), ended.0[0].end_reason), (1, EndReason::TimeOut));
    flows.advance(Timestamp(1_901 * SECOND), &mut ended);
    assert_eq!(ended.0.len(), 1);
    flows.advance(Timestamp(1_904 * SECOND), &mut ended);
    assert_eq!((ended.0.len(), ended.0[1].packets), (2, [1, 0]));
    flows.drain(Timestamp(i64::MAX), &mut ended);
    assert_eq!(ended.0.len(), 2);
}

#[test]
fn a_new_syn_on_the_same_ports_begins_a_new_flow() {
    let (mut flows, mut ended) = (Flows::new(&limits(10), 1, &[]), Ended::default());
    let mut first = segment(1, 0, (1, 50_000), (2, 80), Layer::Tcp, SYN);
    first.sequence = 5;
    take(&mut flows, &first, &mut ended);
    take(
        &mut flows,
        &segment(2, 1, (1, 50_000), (2, 80), Layer::Tcp, FIN | ACK),
        &mut ended,
    );
    let mut again = segment(3, 2, (1, 50_000), (2, 80), Layer::Tcp, SYN);
    again.sequence = 77;
    assert!(take(&mut flows, &again, &mut ended).is_new);
    assert_eq!(ended.0[0].end_reason, EndReason::Replaced);
}

#[test]
fn at_its_ceiling_the_table_evicts_counts_and_goes_on() {
    let (mut flows, mut ended) = (Flows::new(&limits(8), 1, &[]), Ended::default());
    for number in 0..1_000u16 {
        let at = i64::from(number) / 100;
        take(
            &mut flows,
            &segment(
                u64::from(number) + 1,
                at,
                (1, 10_000 + number),
                (2, 53),
                Layer::Udp,
                0,
            ),
            &mut ended,
        );
    }
    assert_eq!((flows.peak, flows.evicted), (8, 992));
    flows.drain(Timestamp(i64::MAX), &mut ended);
    assert_eq!(ended.0.len(), 1_000);
    assert_eq!(ended.0.iter().map(|record| record.packets[0]).sum::<u64>(), 1_000);
}

#[test]
fn a_scan_at_the_ceiling_pushes_out_half_open_flows_and_no_session() {
    let (mut flows, mut ended) = (Flows::new(&limits(20), 1, &[]), Ended::default());
    for (number, port) in (0..10u16).map(|session| (u64::from(session) * 3, 50_000 + session)) {
        let (client, server) = ((9, port), (1, 443));
        take(
            &mut flows,
            &segment(number + 1, 0, client, server, Layer::Tcp, SYN),
            &mut ended,
        );
        take(
            &mut flows,
            &segment(number + 2, 0, server, client, Layer::Tcp, SYN | ACK),
            &mut ended,
        );
        take(
            &mut flows,
            &segment(number + 3, 0, client, server, Layer::Tcp, ACK),
            &mut ended,
        );
    }
    for number in 0..2_000u16 {
        let at = i64::from(number) / 20;
        flows.advance(Timestamp(1_000 * SECOND + at * SECOND), &mut ended);
        let scan = segment(
            u64::from(number) + 100,
            at,
            (3, 10_000 + number),
            (2, 22),
            Layer::Tcp,
            SYN,
        );
        take(&mut flows, &scan, &mut ended);
    }
    assert_eq!((flows.peak, flows.evicted), (20, 1_990));
    let sessions_ended = ended.0.iter().filter(|record| record.server.port == 443).count();
    assert_eq!(sessions_ended, 0);
}

#[test]
fn nothing_is_lost_or_counted_twice_whatever_time_does() {
    let (mut flows, mut ended) = (Flows::new(&limits(50), 1, &[]), Ended::default());
    let mut state = 1u64;
    for number in 0..20_000u64 {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        let port = 1_000 + u16::try_from(state >> 40 & 127).unwrap();
        let second = i64::try_from(state >> 50 & 1_023).unwrap() + i64::try_from(number).unwrap();
        let layer = if state & 1 == 0 { Layer::Tcp } else { Layer::Udp };
        let flags = [SYN, ACK, FIN | ACK, 4][usize::try_from(state >> 8 & 3).unwrap()];
        take(
            &mut flows,
            &segment(number + 1, second, (1, port), (2, 80), layer, flags),
            &mut ended,
        );
        if number % 500 == 0 {
            flows.advance(Timestamp(1_000 * SECOND + second * SECOND), &mut ended);
        }
    }
    flows.drain(Timestamp(i64::MAX), &mut ended);
    let total: u64 = ended.0.iter().flat_map(|record| record.packets).sum();
    assert_eq!(total, 20_000);
    assert!(flows.peak <= 50);
}

#[test]
fn a_flow_stays_within_its_budget_of_memory() {
    // PERFORMANCE: at most 320 bytes a flow with its slots in the index (8 to 21 bytes).
    let sizes = [size_of::<Hot>(), size_of::<Cold>(), size_of::<TcpFlow>()];
    assert!(sizes[0] <= 128, "{sizes:?}");
    assert!(sizes.iter().sum::<usize>() <= 330, "{sizes:?}");
}

/// A connection whose two sides speak in turn: input of 40 octets, half a second later 1,400 octets, `seconds` long.
fn conversation(flows: &mut Flows, ended: &mut Ended, port: u16, seconds: i64, octets: u32) -> u32 {
    let (mut asked, mut answered, mut flow) = (1, 1, 0);
    for turn in 0..seconds * 2 {
        let (from, to) = ((9, port), (1, 443));
        let mut input = segment(1, turn / 2, from, to, Layer::Tcp, ACK);
        input.at = input.at.plus(turn % 2 * SECOND / 2);
        (input.sequence, input.acknowledgement) = (asked, answered);
        flow = take(flows, &input, ended).flow;
        asked += 40;
        let mut answer = segment(2, turn / 2, to, from, Layer::Tcp, ACK);
        answer.at = input.at.plus(SECOND / 50);
        (answer.sequence, answer.acknowledgement, answer.payload_on_wire) = (answered, asked, octets);
        take(flows, &answer, ended);
        answered += octets;
    }
    flow
}

#[test]
fn round_trips_are_measured_of_what_behaves_like_a_session_and_of_nothing_else() {
    let (mut flows, mut ended) = (Flows::new(&limits(10), 1, &[]), Ended::default());
    conversation(&mut flows, &mut ended, 50_000, 60, 1_400);
    conversation(&mut flows, &mut ended, 50_001, 60, 40);
    conversation(&mut flows, &mut ended, 50_002, 5, 1_400);
    flows.drain(Timestamp(i64::MAX), &mut ended);
    let measured: Vec<u16> = ended
        .0
        .iter()
        .filter(|record| record.latency.is_some())
        .map(|record| record.client.port)
        .collect();
    assert_eq!(measured, [50_000]);
    let latency = ended.0.iter().find_map(|record| record.latency.as_ref()).unwrap();
    let [_, server] = latency.quantiles();
    assert_eq!(server.unwrap().least, SECOND / 50);
}

#[test]
fn no_more_flows_are_measured_than_there_is_room_for_and_the_rest_is_counted() {
    let limits = Limits {
        timed_flows: 1,
        ..limits(10)
    };
    let (mut flows, mut ended) = (Flows::new(&limits, 1, &[]), Ended::default());
    for port in [50_000, 50_001] {
        let flow = conversation(&mut flows, &mut ended, port, 3, 1_400);
        flows.time(flow, Wish::Session);
        conversation(&mut flows, &mut ended, port, 6, 1_400);
    }
    assert_eq!(flows.untimed, 1);
    flows.drain(Timestamp(i64::MAX), &mut ended);
    assert_eq!(
        ended.0.iter().filter(|record| record.latency.is_some()).count(),
        1
    );
}

#[test]
fn a_short_flow_is_not_measured_whatever_it_speaks() {
    let (mut flows, mut ended) = (Flows::new(&limits(10), 1, &[]), Ended::default());
    let flow = conversation(&mut flows, &mut ended, 50_000, 1, 1_400);
    flows.time(flow, Wish::Session);
    conversation(&mut flows, &mut ended, 50_000, 3, 1_400);
    flows.drain(Timestamp(i64::MAX), &mut ended);
    let record = ended.0.first().unwrap();
    assert!(record.packets.iter().sum::<u64>() < 24 && record.latency.is_none());
}

#[test]
fn the_answer_to_one_question_is_a_round_trip_and_that_to_two_is_none() {
    let (mut flows, mut ended) = (Flows::new(&limits(10), 1, &[]), Ended::default());
    for (port, questions) in [(50_000, 1), (50_001, 2)] {
        for number in 0..questions {
            take(
                &mut flows,
                &segment(number, 0, (9, port), (1, 53), Layer::Udp, 0),
                &mut ended,
            );
        }
        let mut answer = segment(9, 0, (1, 53), (9, port), Layer::Udp, 0);
        answer.at = answer.at.plus(SECOND / 40);
        take(&mut flows, &answer, &mut ended);
    }
    flows.drain(Timestamp(i64::MAX), &mut ended);
    let answers: Vec<_> = ended.0.iter().map(|record| record.answer).collect();
    assert_eq!(answers, [Some((Side::Server, SECOND / 40)), None]);
}

#[test]
fn a_session_that_nobody_touches_over_a_weekend_is_the_same_and_any_other_connection_is_a_new_one() {
    let weekend = 60 * 3_600;
    let (mut flows, mut ended) = (Flows::new(&limits(100), 1, &[]), Ended::default());
    conversation(&mut flows, &mut ended, 50_000, 60, 1_400);
    conversation(&mut flows, &mut ended, 50_001, 60, 40);
    for hour in 1..=60 {
        flows.advance(Timestamp(hour * 3_600 * SECOND), &mut ended);
    }
    for port in [50_000, 50_001] {
        let late = segment(99, weekend, (9, port), (1, 443), Layer::Tcp, ACK);
        take(&mut flows, &late, &mut ended);
    }
    flows.drain(Timestamp(i64::MAX), &mut ended);
    let of = |port: u16| {
        let records = ended.0.iter().filter(move |record| record.client.port == port);
        records.count()
    };
    assert_eq!((of(50_000), of(50_001)), (1, 2));
}

#[test]
fn sessions_wait_for_nobody_where_half_of_their_places_are_taken() {
    let limits = Limits {
        timed_flows: 2,
        ..limits(100)
    };
    let (mut flows, mut ended) = (Flows::new(&limits, 1, &[]), Ended::default());
    conversation(&mut flows, &mut ended, 50_000, 60, 1_400);
    for hour in 1..=3 {
        flows.advance(Timestamp(hour * 3_600 * SECOND), &mut ended);
    }
    assert_eq!(ended.0.len(), 1);
}
