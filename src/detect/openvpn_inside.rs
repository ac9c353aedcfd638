//! OpenVPN inside what hides it, by the lengths of its resets and acknowledgements (told by `dissect::openvpn::lengths`).
//!
//! obfs2, obfs3 and stunnel leave these lengths apart from a constant; who pads or joins packets hides them. Off unless the policy asks for it:
//! another protocol of short questions and answers may have the same lengths now and then.

use super::Concluded;
use super::lead::{Lead, Leads};
use super::recognise::Recognised;
use super::watcher::{Ended, Watcher};
use crate::model::fact::FieldId;
use crate::model::finding::Confidence;
use crate::model::observation::Observation;
use crate::model::quantity::counted;
use crate::settings::limits::Limits;

const INSIDE: FieldId = FieldId::of("openvpn.inside");

/// Connections of that kind.
#[derive(Debug, Default)]
struct OpenVpnInside(Leads);

/// Watches for OpenVPN inside other connections.
pub(super) fn watch(_: &Limits) -> Box<dyn Watcher> {
    Box::<OpenVpnInside>::default()
}

impl Watcher for OpenVpnInside {
    fn flow(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        if let [Some(local), _] = observation.locals
            && recognised.is_empty()
            && observation.flow.facts.find(INSIDE).is_some()
        {
            self.0.add(local, observation.flow, [0; 4]);
        }
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        let weight = ended.knowledge.rules.findings.tunnel.openvpn_inside;
        self.0.conclude(ended, concluded, "TCP", |server, gathered| {
            let connections = counted(gathered.count, "connection");
            Some(Lead {
                tool: "openvpn-inside",
                measure: "openvpn_inside",
                what: format!(
                    "packets as long as OpenVPN's resets, and acknowledgements in the first twenty packets and hardly any behind the \
                     fiftieth, in {connections}"
                ),
                note: "a heuristic (Xue and others 2022): the lengths of packets alone, which another protocol may have by chance",
                summary: format!(
                    "{connections} to {server} with the lengths of OpenVPN's handshake, consistent with OpenVPN inside an obfuscating proxy \
                     or TLS (a heuristic)"
                ),
                benign: "a company's VPN behind stunnel, a protocol whose messages have such lengths",
                weight,
                confidence: Confidence::Low,
            })
        });
    }
}
