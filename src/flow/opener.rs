//! Who opened a flow, also when its start is missing from the capture.

use crate::model::flow::OpenerJudgement;
use crate::model::segment::{Layer, Segment, tcp_flag};

/// Judges from the first packet seen: whether its sender opened the flow, and how that is known.
#[must_use]
pub fn judge(first: &Segment) -> (bool, OpenerJudgement) {
    match first.layer {
        Layer::Tcp => {
            if first.has_tcp(tcp_flag::SYN) {
                return if first.has_tcp(tcp_flag::ACK) {
                    (false, OpenerJudgement::HandshakeAnswer)
                } else {
                    (true, OpenerJudgement::Handshake)
                };
            }
            by_port(first)
        }
        Layer::Udp | Layer::Sctp => by_port(first),
        Layer::Icmp => match first.source_port {
            0 | 14 | 16 | 18 => (false, OpenerJudgement::HandshakeAnswer),
            8 | 13 | 15 | 17 => (true, OpenerJudgement::Handshake),
            _ => (true, OpenerJudgement::FirstSeen),
        },
        Layer::Icmpv6 => match first.source_port {
            129 | 134 | 136 | 131 | 140 | 145 => (false, OpenerJudgement::HandshakeAnswer),
            128 | 133 | 135 | 130 | 139 | 144 => (true, OpenerJudgement::Handshake),
            _ => (true, OpenerJudgement::FirstSeen),
        },
        Layer::OtherIp | Layer::Link => (true, OpenerJudgement::FirstSeen),
    }
}

/// A service's port calls nobody: the side with the more service-like port was called.
fn by_port(first: &Segment) -> (bool, OpenerJudgement) {
    let source = service_rank(first.source_port);
    let destination = service_rank(first.destination_port);
    match source.cmp(&destination) {
        std::cmp::Ordering::Less => (false, OpenerJudgement::Port),
        std::cmp::Ordering::Greater => (true, OpenerJudgement::Port),
        std::cmp::Ordering::Equal => (true, OpenerJudgement::FirstSeen),
    }
}

/// How much a port looks like a service: 0 system port (RFC 6335, section 6), 1 a registered service that clients
/// do not draw by chance, 2 anything else.
fn service_rank(port: u16) -> u8 {
    if port == 0 {
        2
    } else if port < 1_024 {
        0
    } else if REGISTERED.binary_search(&port).is_ok() {
        1
    } else {
        2
    }
}

/// Registered ports (IANA) of services that matter here and that lie below the ephemeral ranges in use; sorted.
const REGISTERED: &[u16] = &[
    1_080, 1_194, 1_433, 1_521, 1_701, 1_723, 1_883, 1_900, 2_049, 2_152, 3_128, 3_268, 3_306, 3_389, 3_478,
    3_544, 4_500, 4_789, 5_060, 5_222, 5_228, 5_353, 5_355, 5_432, 5_671, 5_672, 5_900, 5_901, 5_938, 5_985,
    6_081, 6_379, 6_443, 6_568, 6_783, 7_070, 8_000, 8_008, 8_080, 8_443, 8_883, 9_000, 9_092, 9_200, 21_115,
    21_116, 21_117, 21_118, 21_119, 27_017, 51_820,
];

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(flags: u8, source_port: u16, destination_port: u16) -> Segment {
        Segment {
            layer: Layer::Tcp,
            tcp_flags: flags,
            source_port,
            destination_port,
            ..Segment::default()
        }
    }

    #[test]
    fn the_handshake_tells_whatever_the_ports_are() {
        assert_eq!(
            judge(&tcp(tcp_flag::SYN, 22, 40_000)),
            (true, OpenerJudgement::Handshake)
        );
        assert_eq!(
            judge(&tcp(tcp_flag::SYN | tcp_flag::ACK, 40_000, 22)),
            (false, OpenerJudgement::HandshakeAnswer)
        );
    }

    #[test]
    fn in_the_middle_the_port_of_a_service_tells() {
        assert_eq!(
            judge(&tcp(tcp_flag::ACK, 443, 50_000)),
            (false, OpenerJudgement::Port)
        );
        assert_eq!(
            judge(&tcp(tcp_flag::ACK, 50_000, 5_900)),
            (true, OpenerJudgement::Port)
        );
        assert_eq!(
            judge(&tcp(tcp_flag::ACK, 50_000, 40_000)),
            (true, OpenerJudgement::FirstSeen)
        );
        assert_eq!(
            judge(&tcp(tcp_flag::ACK, 5_938, 443)),
            (true, OpenerJudgement::Port)
        );
    }

    #[test]
    fn the_table_of_ports_is_sorted() {
        assert!(REGISTERED.is_sorted());
    }
}
