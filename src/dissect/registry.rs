//! The list of dissectors, in the order in which they are asked: exact magic first, weak hints last.

use super::Dissector;

/// Every protocol that is dissected.
pub static DISSECTORS: &[&dyn Dissector] = &[
    &super::ssh::Ssh,
    &super::rfb::Rfb,
    &super::rdp::Rdp,
    &super::rdp::udp::RdpUdp,
    &super::pptp::Pptp,
    &super::teamviewer::TeamViewer,
    &super::socks::Socks,
    &super::telnet::Telnet,
    &super::wireguard::WireGuard,
    &super::ike::Ike,
    &super::l2tp::L2tp,
    &super::openvpn::OpenVpn,
    &super::rustdesk::RustDesk,
    &super::esp::Esp,
    &super::esp::Ah,
];
