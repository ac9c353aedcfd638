//! What decoding makes of a frame: the innermost conversation that it carries, and each tunnel around it.

use std::fmt;

use super::address::{Address, AddressSpace, MacAddress};
use super::frame::FrameRef;
use super::time::Timestamp;

/// What a segment carries above the network layer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Layer {
    /// TCP with its header read.
    Tcp,
    /// UDP with its header read.
    Udp,
    /// SCTP with its ports read.
    Sctp,
    /// ICMP: type in `source_port`, code in `destination_port`.
    Icmp,
    /// `ICMPv6`, likewise.
    Icmpv6,
    /// Any other IP protocol, or a transport header that was cut away.
    #[default]
    OtherIp,
    /// No IP at all: ARP, LLDP, CDP and the like. `destination_port` holds the `EtherType` (or the LLC SNAP protocol),
    /// addresses are unspecified, `payload` is what follows the `EtherType`.
    Link,
}

/// TCP flag bits (RFC 9293, 3.1).
pub mod tcp_flag {
    /// No more data from the sender.
    pub const FIN: u8 = 0x01;
    /// Synchronise sequence numbers.
    pub const SYN: u8 = 0x02;
    /// Reset the connection.
    pub const RST: u8 = 0x04;
    /// Push.
    pub const PSH: u8 = 0x08;
    /// The acknowledgement field is significant.
    pub const ACK: u8 = 0x10;
}

/// An encapsulation that was opened to reach the innermost packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Encapsulation {
    /// Nothing; fills unused places of a stack.
    #[default]
    None,
    /// MPLS labels (RFC 3032).
    Mpls,
    /// PPPoE session (RFC 2516).
    Pppoe,
    /// IPv4 in IPv4 or IPv6 (RFC 2003, RFC 2473).
    Ipip,
    /// IPv6 in IPv4 (RFC 4213) or IPv6 (RFC 2473).
    Sixin4,
    /// GRE (RFC 2784, RFC 2890), enhanced GRE of PPTP included.
    Gre,
    /// ERSPAN type I.
    Erspan1,
    /// ERSPAN type II.
    Erspan2,
    /// ERSPAN type III.
    Erspan3,
    /// VXLAN (RFC 7348) and its generic protocol extension.
    Vxlan,
    /// GENEVE (RFC 8926).
    Geneve,
    /// GTP-U (3GPP TS 29.281).
    Gtpu,
    /// `L2TPv2` (RFC 2661).
    L2tp,
    /// TZSP.
    Tzsp,
    /// Teredo (RFC 4380).
    Teredo,
    /// Network service header (RFC 8300).
    Nsh,
    /// Ethernet pseudo-wire over MPLS (RFC 4448).
    EthernetPseudowire,
    /// Frame relay, Cisco or RFC 2427.
    FrameRelay,
    /// Ethernet directly in IP (RFC 3378, RFC 8986).
    EtherIp,
    /// IPsec's authentication header (RFC 4302): what follows it is in the clear.
    Ah,
    /// AYIYA (draft-massar-v6ops-ayiya-02).
    Ayiya,
}

impl Encapsulation {
    /// The name that flow records carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Mpls => "mpls",
            Self::Pppoe => "pppoe",
            Self::Ipip => "ipip",
            Self::Sixin4 => "6in4",
            Self::Gre => "gre",
            Self::Erspan1 => "erspan1",
            Self::Erspan2 => "erspan2",
            Self::Erspan3 => "erspan3",
            Self::Vxlan => "vxlan",
            Self::Geneve => "geneve",
            Self::Gtpu => "gtpu",
            Self::L2tp => "l2tp",
            Self::Tzsp => "tzsp",
            Self::Teredo => "teredo",
            Self::Nsh => "nsh",
            Self::EthernetPseudowire => "ethernet-pseudowire",
            Self::FrameRelay => "frame-relay",
            Self::EtherIp => "etherip",
            Self::Ah => "ah",
            Self::Ayiya => "ayiya",
        }
    }
}

/// Greatest number of encapsulations that are opened in one frame.
pub const MOST_TUNNELS: usize = 6;

/// The encapsulations around a packet, outermost first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TunnelStack {
    entries: [Encapsulation; MOST_TUNNELS],
    depth: u8,
}

impl TunnelStack {
    /// Adds the next inner encapsulation; `None` when the fixed depth is reached.
    #[must_use]
    pub fn with(mut self, encapsulation: Encapsulation) -> Option<Self> {
        *self.entries.get_mut(usize::from(self.depth))? = encapsulation;
        self.depth += 1;
        Some(self)
    }

    /// The encapsulations, outermost first.
    pub fn iter(self) -> impl Iterator<Item = Encapsulation> {
        self.entries.into_iter().take(usize::from(self.depth))
    }

    /// Those around the innermost, and the innermost itself.
    #[must_use]
    pub fn split_innermost(mut self) -> (Self, Encapsulation) {
        let depth = self.depth.saturating_sub(1);
        let innermost = self.entries.get_mut(usize::from(depth));
        let innermost = innermost.map(std::mem::take).unwrap_or_default();
        self.depth = depth;
        (self, innermost)
    }

    /// How many there are.
    #[must_use]
    pub const fn depth(self) -> usize {
        self.depth as usize
    }
}

impl fmt::Display for TunnelStack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, entry) in self.iter().enumerate() {
            if index > 0 {
                f.write_str(",")?;
            }
            f.write_str(entry.name())?;
        }
        Ok(())
    }
}

/// Properties of a segment that are either true or not.
pub mod segment_flag {
    /// IP version 6.
    pub const V6: u8 = 0x01;
    /// The payload was rebuilt from fragments.
    pub const REASSEMBLED: u8 = 0x02;
    /// A fragment that does not open its datagram: no transport header.
    pub const LATER_FRAGMENT: u8 = 0x04;
    /// The outer packet of a tunnel that was opened: its payload is accounted for by the inner segment and not dissected.
    pub const OPENED_TUNNEL: u8 = 0x08;
    /// Cut by the snap length: fewer payload bytes than `payload_on_wire`.
    pub const CUT: u8 = 0x10;
    /// `source_mac` and `destination_mac` belong to this packet's own link (not to a tunnel's outside).
    pub const HAS_MAC: u8 = 0x20;
}

/// One packet of one conversation, in a fixed and copyable form; bytes stand in the block and are named by offset.
#[derive(Clone, Copy, Debug, Default)]
pub struct Segment {
    /// Capture time.
    pub at: Timestamp,
    /// The frame that carried it.
    pub source: FrameRef,
    /// VLAN tags and network identifier.
    pub space: AddressSpace,
    /// Sender's address.
    pub source_address: Address,
    /// Receiver's address.
    pub destination_address: Address,
    /// Sender's port; see [`Layer`] for ICMP and link segments.
    pub source_port: u16,
    /// Receiver's port.
    pub destination_port: u16,
    /// IP protocol number as the packet says it.
    pub protocol: u8,
    /// What was read of it.
    pub layer: Layer,
    /// Bits of [`segment_flag`].
    pub flags: u8,
    /// Bits of [`tcp_flag`].
    pub tcp_flags: u8,
    /// Time to live or hop limit as captured.
    pub ttl: u8,
    /// Differentiated services field, six upper bits.
    pub dscp: u8,
    /// Identification of IPv4; zero for IPv6.
    pub ip_id: u16,
    /// TCP sequence number.
    pub sequence: u32,
    /// TCP acknowledgement number.
    pub acknowledgement: u32,
    /// TCP window as sent, unscaled.
    pub window: u16,
    /// Length of the TCP options in bytes.
    pub options_length: u8,
    /// Where the TCP options start in the block.
    pub options_offset: u32,
    /// Where the payload starts in the block.
    pub payload_offset: u32,
    /// Payload bytes that are there.
    pub payload_captured: u32,
    /// Payload bytes that the headers promise.
    pub payload_on_wire: u32,
    /// Length of the whole frame on the wire, link header included: what counters count.
    pub frame_on_wire: u32,
    /// Encapsulations around it; with `OPENED_TUNNEL` the innermost is what it opens itself.
    pub tunnels: TunnelStack,
    /// Sender's link address, where `HAS_MAC`.
    pub source_mac: MacAddress,
    /// Receiver's link address, where `HAS_MAC`.
    pub destination_mac: MacAddress,
}

impl Segment {
    /// Whether a bit of [`segment_flag`] is set.
    #[must_use]
    pub const fn is(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether a bit of [`tcp_flag`] is set.
    #[must_use]
    pub const fn has_tcp(&self, flag: u8) -> bool {
        self.tcp_flags & flag != 0
    }
}

#[cfg(test)]
mod tests {
    use super::{Encapsulation, TunnelStack};

    #[test]
    fn the_innermost_of_a_stack_is_split_off_and_leaves_no_trace() {
        let outer = TunnelStack::default().with(Encapsulation::Mpls).unwrap();
        let both = outer.with(Encapsulation::L2tp).unwrap();
        assert_eq!(both.split_innermost(), (outer, Encapsulation::L2tp));
        assert_eq!(
            outer.split_innermost(),
            (TunnelStack::default(), Encapsulation::Mpls)
        );
        let nothing = TunnelStack::default();
        assert_eq!(nothing.split_innermost(), (nothing, Encapsulation::None));
    }
}
