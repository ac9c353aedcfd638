//! The list of dissectors, in the order in which they are asked: exact magic first, weak hints last.

use super::{
    Dissector, arp, cdp, dhcp, dhcpv6, dns, http, lldp, llmnr, mdns, natpmp, ndp, netbios, ntp, proxy, ssdp,
    stun, websocket,
};

/// Every protocol that is dissected.
pub static DISSECTORS: &[&dyn Dissector] = &[
    &http::http2::Http2,
    &proxy::HttpConnect,
    &http::Http,
    &websocket::WebSocket,
    &ssdp::Ssdp,
    &stun::Stun,
    &stun::StunOverTcp,
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
    &lldp::Lldp,
    &cdp::Cdp,
    &dns::Dns,
    &dns::DnsOverTcp,
];
