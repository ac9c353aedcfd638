//! In which conversations an address gives a tool away.
//!
//! Anybody can send a packet to any address: a ping, a port scan and a question that nobody answers show nothing of what an address is
//! used for. So an indicator on addresses that may name its tool alone has to say which conversations it means, and the loader refuses
//! one that does not.

use super::payload::Transport;
use crate::document::Table;
use crate::model::fact::FieldId;
use crate::model::flow::{FlowRecord, OpenerJudgement};
use crate::model::segment::Layer;

/// In `speaks`: what nobody recognised.
const UNRECOGNISED: &str = "unrecognised";

/// The server's name in the clear, which says more than its address.
const SERVER_NAME: FieldId = FieldId::of("tls.sni");

/// What a conversation with an address must be. The address is always that of who was called, as far as that is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conversation {
    transport: Option<Transport>,
    is_answered: bool,
    /// Protocols of which one is spoken; nothing where any may be.
    speaks: Vec<String>,
}

impl Conversation {
    /// Whether an indicator on addresses says nothing of the conversation.
    pub(super) fn is_any(&self) -> bool {
        *self == Self::default()
    }

    /// Protocols of which one must be spoken.
    pub fn protocols(&self) -> impl Iterator<Item = &str> {
        let named = self.speaks.iter().map(String::as_str);
        named.filter(|protocol| *protocol != UNRECOGNISED)
    }

    /// Whether a flow is one, with the address on the side that was called or on the other.
    #[must_use]
    pub fn is(&self, flow: &FlowRecord, is_called: bool) -> bool {
        if self.is_any() {
            return true;
        }
        // In a capture that begins in the middle either end may be the one that was called.
        let is_right_end = is_called || flow.opener == OpenerJudgement::FirstSeen;
        let is_carried = match self.transport {
            None => true,
            Some(Transport::Tcp) => flow.layer == Layer::Tcp,
            Some(Transport::Udp) => flow.layer == Layer::Udp,
        };
        let is_answered = !self.is_answered || is_answered(flow);
        is_right_end && is_carried && is_answered && self.is_spoken(flow)
    }

    fn is_spoken(&self, flow: &FlowRecord) -> bool {
        if self.speaks.is_empty() {
            return true;
        }
        let has_ports = matches!(flow.layer, Layer::Tcp | Layer::Udp);
        let spoken = flow.app_proto.unwrap_or(UNRECOGNISED);
        has_ports
            && is_answered(flow)
            && self.speaks.iter().any(|one| one == spoken)
            && flow.facts.find(SERVER_NAME).is_none()
    }
}

/// Whether both sides said something.
#[must_use]
pub fn is_answered(flow: &FlowRecord) -> bool {
    flow.payload_bytes.iter().all(|bytes| *bytes > 0)
}

/// Reads `transport`, `answered` and `speaks`.
pub(super) fn read(table: &Table<'_>) -> Conversation {
    let transport = table.text("transport").and_then(|word| match word {
        "tcp" => Some(Transport::Tcp),
        "udp" => Some(Transport::Udp),
        _ => {
            table.fault("transport", "expected tcp or udp");
            None
        }
    });
    Conversation {
        transport,
        is_answered: table.flag("answered").unwrap_or_default(),
        speaks: table
            .texts("speaks")
            .iter()
            .map(|item| item.text.to_owned())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::signatures::Catalogue;

    fn catalogue(condition: &str, field: &str) -> Result<Catalogue, String> {
        let text = format!(
            "[[tool]]\nid = \"one\"\nclass = \"vpn-service\"\n[[tool.indicator]]\nfield = \"{field}\"\nweight = 30\nalone = true\n\
             source = \"x\"\n{condition}\n"
        );
        Catalogue::of_file(Path::new("own.toml"), &text).map_err(|faults| faults.to_string())
    }

    fn conversation(condition: &str) -> Conversation {
        let whole = format!("network = \"192.0.2.0/24\"\n{condition}");
        let catalogue = catalogue(&whole, "ip.address").unwrap();
        catalogue.tools()[0].indicators[0].conversation.clone()
    }

    /// Both sides spoke.
    fn flow(layer: Layer, app_proto: Option<&'static str>) -> FlowRecord {
        FlowRecord {
            layer,
            app_proto,
            opener: OpenerJudgement::Handshake,
            payload_bytes: [40, 90],
            ..FlowRecord::default()
        }
    }

    #[test]
    fn an_address_that_names_a_tool_alone_says_in_which_conversations() {
        let refused = catalogue("network = \"192.0.2.0/24\"", "ip.address").unwrap_err();
        assert!(
            refused.contains("indicator.alone: an address names a tool alone only with"),
            "{refused}"
        );
        for right in ["transport = \"udp\"", "answered = true", "speaks = \"wireguard\""] {
            let text = format!("network = \"192.0.2.0/24\"\n{right}");
            assert_eq!(catalogue(&text, "ip.address").err(), None);
        }
        // Whose conversations have such a condition already.
        assert_eq!(catalogue("network = \"192.0.2.0/24\"", "ip.server").err(), None);
    }

    #[test]
    fn a_condition_on_what_is_no_address_and_a_wrong_word_are_refused() {
        let name = catalogue("exact = \"a.example\"\nanswered = true", "tls.sni").unwrap_err();
        assert!(name.contains("indicator.answered: only addresses"), "{name}");
        let word = catalogue("network = \"192.0.2.0/24\"\ntransport = \"icmp\"", "ip.address").unwrap_err();
        assert!(
            word.contains("indicator.transport: expected tcp or udp"),
            "{word}"
        );
    }

    #[test]
    fn a_question_without_an_answer_a_ping_and_another_protocol_are_no_such_conversation() {
        let tunnel = conversation("speaks = [\"wireguard\", \"unrecognised\"]");
        assert_eq!(tunnel.protocols().collect::<Vec<_>>(), ["wireguard"]);
        assert!(tunnel.is(&flow(Layer::Udp, Some("wireguard")), true));
        assert!(tunnel.is(&flow(Layer::Udp, None), true));
        assert!(!tunnel.is(&flow(Layer::Icmp, None), true), "a ping");
        assert!(!tunnel.is(&flow(Layer::Udp, Some("dns")), true));
        for payload_bytes in [[40, 0], [0, 90], [0, 0]] {
            let scanned = FlowRecord {
                payload_bytes,
                ..flow(Layer::Udp, None)
            };
            assert!(!tunnel.is(&scanned, true), "{payload_bytes:?}");
        }
    }

    #[test]
    fn who_calls_from_such_an_address_is_no_server_of_it() {
        let tunnel = conversation("answered = true");
        let mut called = flow(Layer::Tcp, None);
        assert!(tunnel.is(&called, true) && !tunnel.is(&called, false));
        called.opener = OpenerJudgement::FirstSeen;
        assert!(tunnel.is(&called, false), "joined in its middle");
    }

    #[test]
    fn groups_answer_nobody_and_are_asked_by_datagrams() {
        let group = conversation("transport = \"udp\"");
        let mut asked = flow(Layer::Udp, None);
        asked.payload_bytes = [40, 0];
        assert!(group.is(&asked, true));
        let report = FlowRecord {
            protocol: 2,
            ..flow(Layer::default(), None)
        };
        assert!(report.layer != Layer::Udp && !group.is(&report, true));
    }
}
