//! Proxies inside TLS: connections in which a second TLS handshake takes place, by the lengths of their first records (told by
//! `dissect::tls::nested`).
//!
//! Trojan, VLESS, VMess and Shadowsocks over TLS look so, a SOCKS proxy behind stunnel, and a proxy that is called by HTTPS. Off unless
//! the policy asks for it: an answer of another kind may have the same lengths now and then.

use super::Concluded;
use super::lead::{Lead, Leads};
use super::recognise::Recognised;
use super::watcher::{Ended, Watcher};
use crate::model::fact::FieldId;
use crate::model::finding::Confidence;
use crate::model::observation::Observation;
use crate::model::quantity::counted;
use crate::settings::limits::Limits;

const INNER: FieldId = FieldId::of("tls.inner_handshake");

/// Connections of that kind.
#[derive(Debug, Default)]
struct NestedTls(Leads);

/// Watches for handshakes inside TLS.
pub(super) fn watch(_: &Limits) -> Box<dyn Watcher> {
    Box::<NestedTls>::default()
}

impl Watcher for NestedTls {
    fn flow(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        if let [Some(local), _] = observation.locals
            && recognised.is_empty()
            && observation.flow.facts.find(INNER).is_some()
        {
            self.0.add(local, observation.flow, [0; 4]);
        }
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        let weights = &ended.knowledge.rules.findings.tunnel;
        self.0.conclude(ended, concluded, "TCP", |server, gathered| {
            let connections = counted(gathered.count, "connection");
            Some(Lead {
                tool: "nested-tls",
                measure: "inner_handshake",
                what: format!("records behind the handshake as long as those of another handshake inside, in {connections}"),
                note: "a heuristic: of 783 connections in public captures those of a VPN by HTTPS proxy and of Trojan look so, and one \
                       that is of neither",
                summary: format!(
                    "{connections} to {server} with lengths like a TLS handshake inside TLS, consistent with Trojan, VLESS, VMess or \
                     Shadowsocks over TLS, or a proxy behind stunnel (a heuristic)"
                ),
                benign: "a company's proxy that is called by HTTPS, an application whose messages have such lengths",
                weight: if gathered.count > 1 {
                    weights.nested_tls_several
                } else {
                    weights.nested_tls_one
                },
                confidence: Confidence::Low,
            })
        });
    }
}
