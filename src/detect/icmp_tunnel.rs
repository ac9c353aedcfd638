//! Data in ICMP echo: answers that do not return what was asked.
//!
//! An echo's answer returns the data of its question (RFC 792; RFC 4443, 4.2), so both directions carry as many octets a packet, whatever
//! is pinged and however often. Tunnels send data of their own each way (ptunnel, icmptunnel, Hans). Costs nothing for other
//! flows, and for pings a comparison when they end.

use super::Concluded;
use super::lead::{Lead, Leads};
use super::recognise::Recognised;
use super::thresholds::{IcmpTunnel, THRESHOLDS};
use super::watcher::{Ended, Watcher};
use crate::model::finding::Confidence;
use crate::model::flow::FlowRecord;
use crate::model::observation::Observation;
use crate::model::quantity::counted;
use crate::model::segment::Layer;
use crate::settings::limits::Limits;

/// What is judgement here.
fn own() -> &'static IcmpTunnel {
    &THRESHOLDS.icmp_tunnel
}

/// Echoes of that kind: packets and octets of the client, of the server.
#[derive(Debug, Default)]
struct IcmpTunnels(Leads);

/// Watches for data in echoes.
pub(super) fn watch(_: &Limits) -> Box<dyn Watcher> {
    Box::<IcmpTunnels>::default()
}

/// Whether a flow is echo whose answers carry more than was asked.
fn answers_with_more(flow: &FlowRecord) -> bool {
    let is_echo = match flow.layer {
        Layer::Icmp => flow.icmp == Some([8, 0]),
        Layer::Icmpv6 => flow.icmp == Some([128, 0]),
        Layer::Tcp | Layer::Udp | Layer::Sctp | Layer::OtherIp | Layer::Link => false,
    };
    let ([asked, answered], [octets_asked, octets_answered]) = (flow.packets, flow.payload_bytes);
    // A quarter more an answer: as many answers as questions would be nothing, were one of them counted twice.
    let mean_is_larger = u128::from(octets_answered) * u128::from(asked) * 4
        >= u128::from(octets_asked) * u128::from(answered) * 5;
    is_echo
        && asked > 0
        && answered >= own().fewest
        && octets_answered >= octets_asked.saturating_add(own().beyond_octets)
        && mean_is_larger
}

impl Watcher for IcmpTunnels {
    fn flow(&mut self, observation: &Observation<'_>, _: &[Recognised<'_>]) {
        let flow = observation.flow;
        if !answers_with_more(flow) {
            return;
        }
        if let [Some(local), _] = observation.locals {
            let ([asked, answered], [out, back]) = (flow.packets, flow.payload_bytes);
            self.0.add(local, flow, [asked, answered, out, back]);
        }
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        let weights = &ended.knowledge.rules.findings.tunnel;
        self.0.conclude(ended, concluded, "ICMP", |server, gathered| {
            let [asked, answered, out, back] = gathered.sums;
            let is_much = out.saturating_add(back) >= own().much_octets;
            Some(Lead {
                tool: "icmp-tunnel",
                measure: "echo_data",
                what: format!(
                    "{} with {out} octets, {} with {back}: an answer returns what was asked (RFC 792)",
                    counted(asked, "echo request"),
                    if answered == 1 {
                        "1 reply".to_owned()
                    } else {
                        format!("{answered} replies")
                    },
                ),
                note: "a broken device may answer with more than was asked, never with much",
                summary: format!(
                    "ICMP echo with {server} carries data of its own each way, consistent with a tunnel"
                ),
                benign: "a test of a network's own, a paid hotspot that somebody goes round",
                weight: if is_much {
                    weights.icmp_much
                } else {
                    weights.icmp_little
                },
                confidence: if is_much {
                    Confidence::Medium
                } else {
                    Confidence::Low
                },
            })
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn echo(packets: [u64; 2], payload_bytes: [u64; 2]) -> FlowRecord {
        FlowRecord {
            layer: Layer::Icmp,
            icmp: Some([8, 0]),
            packets,
            payload_bytes,
            ..FlowRecord::default()
        }
    }

    #[test]
    fn answers_that_carry_a_file_are_a_tunnel() {
        assert!(answers_with_more(&echo([8, 23], [424, 21_492])));
        let other = FlowRecord {
            layer: Layer::Udp,
            ..echo([8, 23], [424, 21_492])
        };
        assert!(!answers_with_more(&other));
        let unreachable = FlowRecord {
            icmp: Some([3, 1]),
            ..echo([8, 23], [424, 21_492])
        };
        assert!(!answers_with_more(&unreachable));
    }

    #[test]
    fn few_octets_more_are_a_broken_device() {
        assert!(!answers_with_more(&echo([10, 10], [320, 640])));
    }

    proptest! {
        #[test]
        fn no_ping_is_a_tunnel_however_large_and_however_often_answered(
            asked in 1..100_000_u64, answered in 0..200_000_u64, size in 0..65_000_u64,
        ) {
            prop_assert!(!answers_with_more(&echo([asked, answered], [asked * size, answered * size])));
        }
    }
}
