//! Whom a datagram need not be shown, by its first octet and the ports of its flow ([`Dissector::opening`]).

use std::sync::LazyLock;

use crate::dissect::registry::DISSECTORS;
use crate::dissect::{Dissector, Head, Opening};
use crate::model::segment::Layer;

/// Sets of dissectors, as bits in the order of the registry.
#[derive(Debug)]
struct Openings {
    /// Whose datagrams may begin with this octet.
    by_first: [u64; 256],
    /// Who speaks on any port.
    anywhere: u64,
    /// Who speaks on this port and a few others alone, by port in ascending order.
    by_port: Vec<(u16, u64)>,
}

static OPENINGS: LazyLock<Openings> = LazyLock::new(|| Openings::of(DISSECTORS));

impl Openings {
    fn of(dissectors: &[&dyn Dissector]) -> Self {
        let mut openings = Self {
            by_first: [0; 256],
            anywhere: 0,
            by_port: Vec::new(),
        };
        for (number, dissector) in dissectors.iter().enumerate().take(64) {
            let bit = 1u64 << number;
            let Opening { first, ports } = dissector.opening();
            for (octet, set) in (0..=u8::MAX).zip(&mut openings.by_first) {
                if first(octet) {
                    *set |= bit;
                }
            }
            if ports.is_empty() {
                openings.anywhere |= bit;
            }
            for port in ports {
                match openings.by_port.binary_search_by_key(port, |(known, _)| *known) {
                    Ok(place) => {
                        if let Some((_, set)) = openings.by_port.get_mut(place) {
                            *set |= bit;
                        }
                    }
                    Err(place) => openings.by_port.insert(place, (*port, bit)),
                }
            }
        }
        openings
    }

    fn on(&self, port: u16) -> u64 {
        let place = self.by_port.binary_search_by_key(&port, |(known, _)| *known);
        place
            .ok()
            .and_then(|place| self.by_port.get(place))
            .map_or(0, |(_, set)| *set)
    }
}

/// Those whose a datagram may be; everybody for what is no datagram of UDP.
pub(super) fn fitting(head: &Head<'_>) -> u64 {
    match head.newest().first() {
        Some(first) if head.layer == Layer::Udp => {
            let openings = &*OPENINGS;
            let by_first = openings.by_first.get(usize::from(*first));
            let by_port = openings.anywhere | openings.on(head.client_port) | openings.on(head.server_port);
            by_first.map_or(u64::MAX, |by_first| by_first & by_port)
        }
        _ => u64::MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::engine::probing::remember;
    use crate::dissect::{Input, Probe, Seen};
    use crate::model::fact::Side;

    fn side(is_server: bool) -> Side {
        if is_server { Side::Server } else { Side::Client }
    }

    fn remembered(datagrams: &[(bool, Vec<u8>)]) -> Vec<Seen> {
        let seen = datagrams.iter().map(|(is_server, bytes)| {
            remember(&Input {
                side: side(*is_server),
                bytes,
                length_on_wire: u32::try_from(bytes.len()).unwrap(),
                after_gap: false,
            })
        });
        seen.collect()
    }

    /// Openings of many protocols, so that chance gets behind their first tests.
    const BEGINNINGS: &[&[u8]] = &[
        b"",
        b"\x01\x01\x06\0",
        b"\xc8\x02\0\x0c",
        b"\0\x03\0\0",
        b"\x16\xfe\xfd\0\0\0\0\0\0\0\0",
        b"\0\x01\0\0\x21\x12\xa4\x42",
        b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\x07example\0\0\x01\0\x01",
        b"\x38\0\0\0",
        b"\x17\x24\x0a",
        b"M-SEARCH * HTTP/1.1\r\n",
    ];

    proptest::proptest! {
        #![proptest_config(proptest::test_runner::Config::with_cases(4_000))]
        #[test]
        fn whoever_is_not_asked_would_say_no(
            beginning in proptest::sample::select(BEGINNINGS),
            rest in proptest::collection::vec(proptest::num::u8::ANY, 1..80),
            is_zero in proptest::bool::ANY,
            earlier in proptest::collection::vec(
                (proptest::bool::ANY, proptest::collection::vec(proptest::num::u8::ANY, 1..40)), 0..4),
            ports in proptest::sample::subsequence(
                vec![53_u16, 67, 68, 123, 137, 138, 500, 546, 547, 1_701, 1_900, 3_478, 4_172, 4_500, 4_501, 5_351, 5_353,
                    5_355, 21_116, 40_000], 2),
            is_server in proptest::bool::ANY,
            beyond in 0..3_u32,
        ) {
            let mut bytes = beginning.to_vec();
            bytes.extend(rest.iter().map(|octet| if is_zero { octet & 1 } else { *octet }));
            let earlier = remembered(&earlier);
            // Each first octet with the same rest.
            for first in 0..=u8::MAX {
                if beginning.is_empty() {
                    bytes[0] = first;
                }
                let length_on_wire = u32::try_from(bytes.len()).unwrap() + beyond;
                let head = Head {
                    layer: Layer::Udp,
                    protocol: 17,
                    client_port: ports[0],
                    server_port: ports[1],
                    side: side(is_server),
                    to_server: if is_server { &[] } else { &bytes },
                    to_client: if is_server { &bytes } else { &[] },
                    length_on_wire,
                    earlier: &earlier,
                };
                let fitting = fitting(&head);
                for (number, dissector) in DISSECTORS.iter().enumerate() {
                    if dissector.layers().contains(&Layer::Udp) && fitting >> number & 1 == 0 {
                        proptest::prop_assert_eq!(dissector.probe(&head), Probe::No, "{}", dissector.name());
                    }
                }
                if !beginning.is_empty() {
                    break;
                }
            }
        }
    }
}
