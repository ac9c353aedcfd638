//! Streams that are encrypted from their first octet, by the test that a national firewall was found to use (Wu and others, "How the
//! Great Firewall of China Detects and Blocks Fully Encrypted Traffic", USENIX Security 2023): set bits an octet near one half, and no
//! runs of printable characters. Shadowsocks, VMess and obfs4 look so, and so do private protocols, compressed files and
//! encrypted backups.
//!
//! Off unless the policy asks for it. Looks only at the first 64 octets of each side, which are kept of streams that nobody
//! recognises, and only of streams whose beginning was captured. Our own addition: the answer must look so too.

use super::Concluded;
use super::lead::{Lead, Leads};
use super::recognise::Recognised;
use super::thresholds::{EncryptedStart, THRESHOLDS};
use super::watcher::{Ended, Watcher};
use crate::model::fact::{FieldId, Value};
use crate::model::finding::Confidence;
use crate::model::flow::{FlowRecord, OpenerJudgement};
use crate::model::observation::Observation;
use crate::model::quantity::counted;
use crate::model::segment::Layer;
use crate::settings::limits::Limits;

/// What is judgement here.
fn own() -> &'static EncryptedStart {
    &THRESHOLDS.encrypted_start
}

const TOOL: &str = "fully-encrypted";

const TO_SERVER: FieldId = FieldId::of("payload.to_server");
const TO_CLIENT: FieldId = FieldId::of("payload.to_client");

/// Streams of that kind.
#[derive(Debug, Default)]
struct EncryptedStarts(Leads);

/// Whether the first octets of a stream look like chance.
fn looks_encrypted(bytes: &[u8]) -> bool {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    if bytes.len() < own().shortest {
        return false;
    }
    let bits: u32 = bytes.iter().map(|octet| octet.count_ones()).sum();
    let is_printable = |octet: &u8| (0x20..=0x7e).contains(octet);
    let printable = bytes.iter().filter(|octet| is_printable(octet)).count();
    let longest = bytes
        .split(|octet| !is_printable(octet))
        .map(<[u8]>::len)
        .max()
        .unwrap_or(0);
    let starts = bytes.iter().take_while(|octet| is_printable(octet)).count();
    // Ex3: more than half.
    let [least, most] = own().bits;
    let tenths = bits.saturating_mul(10);
    least.saturating_mul(length) < tenths
        && tenths < most.saturating_mul(length)
        && starts < own().printable_start
        && longest <= own().printable_run
        && printable.saturating_mul(2) <= bytes.len()
}

fn start(flow: &FlowRecord, field: FieldId) -> Option<&[u8]> {
    if let Value::Bytes { bytes, .. } = flow.facts.find(field)?.value {
        return Some(bytes);
    }
    None
}

impl EncryptedStarts {
    /// Takes any placed flow that belongs to no tool.
    fn add(&mut self, observation: &Observation<'_>) {
        let flow = observation.flow;
        if flow.app_proto.is_some() || flow.layer != Layer::Tcp {
            return;
        }
        let [Some(local), _] = observation.locals else {
            return;
        };
        let is_whole = flow.opener == OpenerJudgement::Handshake;
        let both = [TO_SERVER, TO_CLIENT].map(|field| start(flow, field).is_some_and(looks_encrypted));
        if !is_whole || both != [true; 2] {
            return;
        }
        self.0.add(local, flow, [0; 4]);
    }
}

/// Watches for streams that are encrypted from their first octet.
pub(super) fn watch(_: &Limits) -> Box<dyn Watcher> {
    Box::<EncryptedStarts>::default()
}

impl Watcher for EncryptedStarts {
    fn flow(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        if recognised.is_empty() {
            self.add(observation);
        }
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        let weights = &ended.knowledge.rules.findings.tunnel;
        self.0.conclude(ended, concluded, "TCP", |server, gathered| {
            let streams = counted(gathered.count, "stream");
            Some(Lead {
                tool: TOOL,
                measure: "encrypted_start",
                what: format!(
                    "first octets of both sides with 3.4 to 4.6 set bits each and without printable runs, in {streams}"
                ),
                note: "a heuristic: fewer than one in a hundred ordinary streams look so (Wu and others 2023)",
                summary: format!(
                    "{streams} to {server} encrypted from the first octet, consistent with Shadowsocks, VMess or obfs4, and with many \
                     private protocols (a heuristic)"
                ),
                benign: "a private protocol of a game, a messenger or a backup, compressed or encrypted files sent plainly",
                weight: weights.encrypted_start,
                confidence: Confidence::Low,
            })
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn text_tls_and_what_has_few_or_many_bits_are_exempt() {
        let tls: Vec<u8> = [&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3][..], &[0; 40]].concat();
        for exempt in [
            &b"GET / HTTP/1.1\r\nHost: www.example.com\r\nAccept: */*\r\n"[..],
            &tls,
            &[0xff; 64],
            &[0x0f; 8],
        ] {
            assert!(!looks_encrypted(exempt), "{exempt:02x?}");
        }
        // Four set bits an octet, nothing printable.
        assert!(looks_encrypted(&[0x0f; 64]));
        let printable_start = [&b"abcdef"[..], &[0x0f; 58]].concat();
        assert!(!looks_encrypted(&printable_start));
    }

    #[test]
    fn nothing_is_looked_at_unless_it_was_asked_for() {
        use crate::model::address::Address;
        use crate::model::fact::{FactLog, Field, Side, Stamp};
        use crate::model::frame::FrameRef;
        use crate::model::observation::LocalIndex;
        use crate::model::time::Timestamp;
        let mut facts = FactLog::default();
        for (name, side) in [
            ("payload.to_server", Side::Client),
            ("payload.to_client", Side::Server),
        ] {
            let stamp = Stamp {
                at: Timestamp(1),
                source: FrameRef::default(),
                side,
            };
            let value = Value::Bytes {
                bytes: &[0x0f; 64],
                on_wire: 64,
            };
            facts.push(&Field::of_flow(name), stamp, &value);
        }
        let mut flow = FlowRecord {
            facts,
            layer: Layer::Tcp,
            opener: OpenerJudgement::Handshake,
            ..FlowRecord::default()
        };
        flow.server.address = Address::from_v4([198, 51, 100, 1]);
        let seen = |flow: &FlowRecord| {
            let mut starts = EncryptedStarts::default();
            starts.add(&Observation {
                flow,
                locals: [Some(LocalIndex(1)), None],
                server_name: None,
            });
            starts.0.pairs()
        };
        assert_eq!(seen(&flow), 1);
        flow.app_proto = Some("ssh");
        assert_eq!(seen(&flow), 0);
    }

    proptest! {
        #[test]
        fn the_order_of_octets_beyond_runs_and_any_length_do_no_harm(bytes: Vec<u8>) {
            let _ = looks_encrypted(&bytes);
        }

        #[test]
        fn text_is_never_taken_for_chance(text in "[ -~]{48,64}") {
            prop_assert!(!looks_encrypted(text.as_bytes()));
        }
    }
}
