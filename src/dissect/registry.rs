//! The list of dissectors, in the order in which they are asked: exact magic first, weak hints last.

use super::{Dissector, dhcp, dhcpv6, dns, llmnr, mdns, netbios};

/// Every protocol that is dissected.
pub static DISSECTORS: &[&dyn Dissector] = &[
    &dhcp::Dhcp,
    &dhcpv6::Dhcpv6,
    &netbios::name_service::Nbns,
    &netbios::datagram::Nbdgm,
    &mdns::Mdns,
    &llmnr::Llmnr,
    &dns::Dns,
    &dns::DnsOverTcp,
];
