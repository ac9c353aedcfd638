//! One captured frame, as the reader found it.

use super::time::Timestamp;

/// Where a frame stands: which capture, and its 1-based number as Wireshark shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FrameRef {
    /// Index into the summary's list of captures.
    pub capture: u16,
    /// 1-based number of the frame within its capture.
    pub number: u64,
}

/// Link type of a frame: a `LINKTYPE_` value of the tcpdump registry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback, address family in the byte order of the capturing machine.
    pub const NULL: Self = Self(0);
    /// IEEE 802.3 Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// PPP, possibly with HDLC framing (RFC 1662).
    pub const PPP: Self = Self(9);
    /// PPP in HDLC framing.
    pub const PPP_HDLC: Self = Self(50);
    /// PPPoE session packet (RFC 2516).
    pub const PPP_ETHER: Self = Self(51);
    /// Raw IP, version from the first nibble.
    pub const RAW: Self = Self(101);
    /// Cisco HDLC.
    pub const C_HDLC: Self = Self(104);
    /// IEEE 802.11.
    pub const IEEE802_11: Self = Self(105);
    /// OpenBSD loopback, address family in network order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// IEEE 802.11 with radiotap header.
    pub const IEEE802_11_RADIOTAP: Self = Self(127);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// What the reader says of one frame; its bytes stand in the block that holds it.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameHeader {
    /// Capture time.
    pub at: Timestamp,
    /// Number and capture.
    pub source: FrameRef,
    /// Link type of the interface that saw it.
    pub link: LinkType,
    /// Interface index within the capture (pcapng); zero otherwise.
    pub interface: u16,
    /// Where its first byte stands in the block.
    pub offset: u32,
    /// Bytes captured, from `offset`.
    pub captured: u32,
    /// Bytes that were on the wire.
    pub length_on_wire: u32,
}
