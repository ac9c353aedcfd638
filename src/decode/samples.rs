//! Packets that tests of this folder share.

/// An IPv4 packet from 192.0.2.1:40000 to 198.51.100.2:443 with TCP and this payload.
pub(super) fn tcp_v4(payload: &[u8]) -> Vec<u8> {
    let builder =
        etherparse::PacketBuilder::ipv4([192, 0, 2, 1], [198, 51, 100, 2], 64).tcp(40_000, 443, 1_000, 8_192);
    let mut bytes = Vec::new();
    builder.write(&mut bytes, payload).unwrap();
    bytes[4..6].copy_from_slice(&[0x12, 0x34]);
    bytes
}
