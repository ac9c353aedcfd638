//! The list of dissectors, in the order in which they are asked: exact magic first, weak hints last.

use super::{
    Dissector, arp, cdp, dhcp, dhcpv6, dns, esp, ftp, http, ike, imap, l2tp, ldap, lldp, llmnr, mdns, n2n,
    natpmp, ndp, netbios, nomachine, ntp, openvpn, pcoip, pop3, postgresql, pptp, proxy, proxy_protocol,
    quic, rdp, rfb, rsh, rustdesk, smtp, socks, ssdp, ssh, stun, teamviewer, telnet, tls, websocket,
    wireguard, xmpp,
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
    &openvpn::scrambled::Scrambled,
    &pcoip::Pcoip,
    &n2n::N2n,
    &esp::Esp,
    &esp::Ah,
];

/// Names of the registered protocols, in the registry's order.
pub static NAMES: std::sync::LazyLock<Vec<&'static str>> =
    std::sync::LazyLock::new(|| DISSECTORS.iter().map(|dissector| dissector.name()).collect());

/// Protocols whose flows are measured: behind them sits a person, or the far end of a tunnel. Of WebSockets, which may carry screens, the
/// opening is followed.
const MEASURED: &[&str] = &[
    "ssh",
    "vnc",
    "nomachine",
    "pcoip",
    "rdp",
    "rdpudp",
    "teamviewer",
    "rustdesk",
    "telnet",
    "wireguard",
    "openvpn",
    "openvpn-xor",
    "websocket",
];

/// The registered protocols that are measured, as bits of their numbers.
static MEASURED_BITS: std::sync::LazyLock<u64> = std::sync::LazyLock::new(|| {
    NAMES
        .iter()
        .enumerate()
        .filter(|(_, name)| MEASURED.contains(name))
        .fold(0, |bits, (number, _)| bits | 1 << (number & 63))
});

/// Whether flows that speak protocol `number` are measured: their round trips, and what answers their bursts.
#[must_use]
pub fn is_measured(number: u8) -> bool {
    *MEASURED_BITS >> (number & 63) & 1 == 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[test]
    fn there_are_few_enough_for_a_word_of_bits() {
        assert!(DISSECTORS.len() <= 64);
    }

    #[test]
    fn every_measured_protocol_is_registered() {
        for name in MEASURED {
            let number = NAMES.iter().position(|registered| registered == name);
            assert!(is_measured(u8::try_from(number.expect(name)).unwrap()));
        }
        let tls = NAMES.iter().position(|name| *name == "tls").unwrap();
        assert!(!is_measured(u8::try_from(tls).unwrap()));
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
