//! The list of dissectors, in the order in which they are asked: exact magic first, weak hints last.

use super::{
    Dissector, arp, cdp, dhcp, dhcpv6, dns, esp, ftp, http, ike, imap, l2tp, ldap, lldp, llmnr, mdns, n2n,
    natpmp, ndp, netbios, nomachine, ntp, openvpn, pop3, postgresql, pptp, proxy, proxy_protocol, quic, rdp,
    rfb, rsh, rustdesk, smtp, socks, ssdp, ssh, stun, teamviewer, telnet, tls, websocket, wireguard, xmpp,
};

/// Every protocol that is dissected.
pub static DISSECTORS: &[&dyn Dissector] = &[
    &tls::Tls,
    &http::http2::Http2,
    &proxy::HttpConnect,
    &proxy_protocol::ProxyProtocol,
    &http::Http,
    &websocket::WebSocket,
    &ssh::Ssh,
    &rfb::Rfb,
    &nomachine::NoMachine,
    &rdp::Rdp,
    &pptp::Pptp,
    &teamviewer::TeamViewer,
    &ssdp::Ssdp,
    &stun::Stun,
    &stun::StunOverTcp,
    &rdp::udp::RdpUdp,
    &quic::Quic,
    &tls::dtls::Dtls,
    &wireguard::WireGuard,
    &ike::Ike,
    &quic::gquic::Gquic,
    &dhcp::Dhcp,
    &dhcpv6::Dhcpv6,
    &netbios::name_service::Nbns,
    &netbios::datagram::Nbdgm,
    &mdns::Mdns,
    &llmnr::Llmnr,
    &natpmp::NatPmp,
    &ntp::Ntp,
    &arp::Arp,
    &ndp::Ndp::Neighbour,
    &ndp::Ndp::Router,
    &ndp::Ndp::Redirect,
    &lldp::LLDP,
    &cdp::CDP,
    &postgresql::Postgresql,
    &ldap::Ldap,
    &xmpp::Xmpp,
    &imap::IMAP,
    &pop3::POP3,
    &smtp::SMTP,
    &ftp::FTP,
    &telnet::Telnet,
    &rsh::Rsh,
    &rsh::Rlogin,
    &socks::Socks,
    &l2tp::L2tp,
    &dns::Dns,
    &dns::DnsOverTcp,
    &rustdesk::RustDesk,
    &openvpn::OpenVpn,
    &n2n::N2n,
    &esp::Esp,
    &esp::Ah,
];

/// Names of the registered protocols, in the registry's order.
pub static NAMES: std::sync::LazyLock<Vec<&'static str>> =
    std::sync::LazyLock::new(|| DISSECTORS.iter().map(|dissector| dissector.name()).collect());

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn there_are_few_enough_for_a_word_of_bits() {
        assert!(DISSECTORS.len() <= 64);
    }

    #[test]
    fn no_two_fields_share_an_identifier() {
        let mut seen = BTreeMap::new();
        let own = super::super::engine::FIELDS.iter();
        for field in DISSECTORS
            .iter()
            .flat_map(|dissector| dissector.fields())
            .chain(own)
        {
            let name = seen.entry(field.id).or_insert(field.name);
            assert_eq!(*name, field.name, "two fields hash to {:?}", field.id);
        }
    }
}
