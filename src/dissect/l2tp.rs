//! L2TP: the control connection of version 2 (RFC 2661) and version 3 (RFC 3931) over UDP, and version 3 over IP.
//!
//! Inside ESP, as it is mostly used, it cannot be seen.

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Opening, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// Version of the protocol: 2 or 3.
pub const VERSION: Field = Field::of_flow("l2tp.version");
/// Name that the sender of a control message gives itself.
pub const HOST_NAME: Field = Field::of_flow("l2tp.host_name");
/// Vendor name of the sender.
pub const VENDOR: Field = Field::of_flow("l2tp.vendor");

const PORT: u16 = 1_701;
const PROTOCOL_L2TPV3: u8 = 115;
/// Type, length and sequence bits, which every control message sets (RFC 2661, 3.1).
const CONTROL: u8 = 0xc8;
const CONTROL_HEADER: u16 = 12;
const AVP_MESSAGE_TYPE: u16 = 0;
const AVP_HOST_NAME: u16 = 7;
const AVP_VENDOR: u16 = 8;
/// The AVP's value is encrypted with the tunnel's secret.
const AVP_HIDDEN: u16 = 0x4000;
/// Start-Control-Connection-Reply: after it both names were said.
const REPLY: u16 = 2;

/// Recognises L2TP.
pub struct L2tp;

impl Dissector for L2tp {
    fn name(&self) -> &'static str {
        "l2tp"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&VERSION, &HOST_NAME, &VENDOR]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp, Layer::OtherIp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        if head.layer == Layer::OtherIp {
            return Probe::when(head.protocol == PROTOCOL_L2TPV3);
        }
        let bytes = head.newest();
        let is_home = head.has_port(PORT);
        match control(bytes, head.length_on_wire) {
            Some((_, avps)) if avps.is_empty() => return if is_home { Probe::Yes } else { Probe::Wait },
            Some((_, avps)) => {
                let starts_with_type = Avps(avps).next().is_some_and(|avp| {
                    avp.vendor == 0 && avp.kind == AVP_MESSAGE_TYPE && avp.value.len() == 2
                });
                return if starts_with_type { Probe::Yes } else { Probe::No };
            }
            None => {}
        }
        Probe::when(
            is_home && is_data(bytes) || is_session_data(bytes) && (is_home || carries_ethernet(bytes)),
        )
    }

    fn opening(&self) -> Opening {
        // A control message, or data without the bit that tells them apart and without reserved bits.
        Opening::with(|first| first == CONTROL || first & 0xb4 == 0)
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(ControlConnection { said_version: false })
    }
}

/// Version and AVPs of a control message whose length field agrees with the datagram.
fn control(bytes: &[u8], length_on_wire: u32) -> Option<(u8, Cursor<'_>)> {
    let mut cursor = Cursor::new(bytes);
    let [flags, version] = cursor.array()?;
    // Priority and offset bits are zero in control messages; the low half of the first octet is reserved.
    if flags != CONTROL || !(version == 2 || version == 3) {
        return None;
    }
    let length = cursor.u16()?;
    if length < CONTROL_HEADER || u32::from(length) != length_on_wire {
        return None;
    }
    cursor.skip(8)?;
    Some((version, cursor))
}

/// Whether a message of version 2 carries PPP (RFC 2661, 3.1; RFC 1661, 2): address and control, or a protocol number.
fn is_data(bytes: &[u8]) -> bool {
    let carries_ppp = || {
        let mut cursor = Cursor::new(bytes);
        let [flags, version] = cursor.array()?;
        if flags & 0x80 != 0 || flags & 0x34 != 0 || version != 2 {
            return None;
        }
        if flags & 0x40 != 0 {
            cursor.skip(2)?;
        }
        cursor.skip(4)?;
        if flags & 0x08 != 0 {
            cursor.skip(4)?;
        }
        if flags & 0x02 != 0 {
            let offset = cursor.u16()?;
            cursor.skip(usize::from(offset))?;
        }
        let [first, second] = cursor.array()?;
        // All-stations and unnumbered information; LCP, PAP, CHAP, IPCP; IPv4 with a compressed number.
        Some(matches!(
            u16::from_be_bytes([first, second]),
            0xff03 | 0xc021 | 0xc023 | 0xc223 | 0x8021 | 0x8057 | 0x0021 | 0x0057 | 0x2145
        ))
    };
    carries_ppp().unwrap_or(false)
}

/// Whether a message of version 3 belongs to a session (RFC 3931, 4.1.2.1): zero flags, version, zeros, an identifier.
fn is_session_data(bytes: &[u8]) -> bool {
    match bytes.split_first_chunk::<8>() {
        Some(([0, 3, 0, 0, session @ ..], _)) => *session != [0; 4],
        _ => false,
    }
}

/// Whether a message of version 3 holds a frame of Ethernet with ARP, or with an IPv4 packet whose header adds up (RFC 3931, 4.1; RFC 4719, 2): tunnels that
/// administrators set up on ports of their own have no control messages. Cookie and sublayer are as long as both ends agreed.
fn carries_ethernet(bytes: &[u8]) -> bool {
    const COOKIES_AND_SUBLAYERS: [usize; 5] = [0, 4, 8, 12, 16];
    let header_adds_up = |beyond: usize| {
        let mut cursor = Cursor::new(bytes);
        cursor.skip(8)?;
        cursor.skip(beyond)?;
        cursor.skip(12)?;
        let kind = cursor.u16()?;
        let header = cursor.array::<20>()?;
        if kind == 0x0806 {
            // Of Ethernet and IPv4, a question or an answer (RFC 826).
            return Some(matches!(header, [0, 1, 8, 0, 6, 4, 0, 1 | 2, ..]));
        }
        let (words, _) = header.as_chunks::<2>();
        let sum: u32 = words
            .iter()
            .map(|word| u32::from(u16::from_be_bytes(*word)))
            .sum();
        // The carries of ten words fit into one more addition (RFC 1071).
        let folded = (sum & 0xffff).wrapping_add(sum >> 16);
        Some(kind == 0x0800 && header.first() == Some(&0x45) && folded == 0xffff)
    };
    COOKIES_AND_SUBLAYERS
        .iter()
        .any(|beyond| header_adds_up(*beyond) == Some(true))
}

struct Avp<'a> {
    vendor: u16,
    kind: u16,
    is_hidden: bool,
    value: &'a [u8],
}

/// Attribute-value pairs (RFC 2661, 4.1): ten bits of length, vendor, type.
struct Avps<'a>(Cursor<'a>);

impl<'a> Iterator for Avps<'a> {
    type Item = Avp<'a>;

    fn next(&mut self) -> Option<Avp<'a>> {
        let flags = self.0.u16()?;
        let length = usize::from(flags & 0x03ff).checked_sub(2)?;
        let mut body = self.0.within(length)?;
        Some(Avp {
            vendor: body.u16()?,
            kind: body.u16()?,
            is_hidden: flags & AVP_HIDDEN != 0,
            value: body.rest(),
        })
    }
}

struct ControlConnection {
    said_version: bool,
}

impl Dissection for ControlConnection {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        // Over IP a control message is preceded by a session identifier of zero (RFC 3931, 4.1.1.2).
        let (bytes, length_on_wire) = match input.bytes.strip_prefix(&[0, 0, 0, 0, CONTROL]) {
            Some(_) => (
                input.bytes.get(4..).unwrap_or_default(),
                input.length_on_wire.saturating_sub(4),
            ),
            None => (input.bytes, input.length_on_wire),
        };
        let Some((version, avps)) = control(bytes, length_on_wire) else {
            return Next::More(0);
        };
        if !self.said_version {
            facts.number(&VERSION, u64::from(version));
            self.said_version = true;
        }
        let mut message = 0;
        for avp in Avps(avps).filter(|avp| avp.vendor == 0 && !avp.is_hidden) {
            match avp.kind {
                AVP_MESSAGE_TYPE => message = Cursor::new(avp.value).u16().unwrap_or(0),
                AVP_HOST_NAME => facts.text(&HOST_NAME, avp.value),
                AVP_VENDOR => facts.text(&VENDOR, avp.value),
                _ => {}
            }
        }
        if message == REPLY {
            Next::Done
        } else {
            Next::More(0)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::trial::{Trial, survives_every_truncation};
    use crate::model::fact::Side;

    fn message(kind: u8, name: &str) -> Vec<u8> {
        let mut avps = vec![0x80, 8, 0, 0, 0, 0, 0, kind];
        for (attribute, text) in [(7, name), (8, "maker")] {
            avps.extend([0x80, u8::try_from(6 + text.len()).unwrap(), 0, 0, 0, attribute]);
            avps.extend(text.as_bytes());
        }
        let length = u8::try_from(12 + avps.len()).unwrap();
        let mut bytes = vec![0xc8, 2, 0, length, 0, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend(avps);
        bytes
    }

    #[test]
    fn both_ends_of_a_control_connection_name_themselves_on_any_port() {
        let mut trial = Trial::new(&[&L2tp], Layer::Udp, (40_000, 40_001));
        trial.payload(Side::Client, &message(1, "home-router"));
        trial.payload(Side::Server, &message(2, "concentrator"));
        assert_eq!(trial.said("l2tp.host_name"), ["home-router", "concentrator"]);
        assert_eq!(trial.said("l2tp.vendor"), ["maker", "maker"]);
        assert_eq!(trial.next, Some(Next::Done));
    }

    #[test]
    fn a_frame_of_ethernet_behind_the_header_of_version_3_tells_it_on_any_port() {
        let ip = [
            0x45, 0, 0, 84, 0x36, 0x64, 0, 0, 64, 1, 0, 0, 10, 10, 10, 1, 10, 10, 10, 2,
        ];
        let sum: u32 = ip
            .chunks(2)
            .map(|pair| u32::from(pair[0]) << 8 | u32::from(pair[1]))
            .sum();
        let checksum = !u16::try_from((sum & 0xffff) + (sum >> 16)).unwrap();
        for beyond in [0, 4, 8, 12, 16] {
            let mut frame = [
                &[0, 3, 0, 0, 0, 0, 0, 7][..],
                &vec![0xab; beyond],
                &[2; 12],
                &[8, 0],
                &ip,
            ]
            .concat();
            let at = frame.len() - 10;
            frame[at..at + 2].copy_from_slice(&checksum.to_be_bytes());
            let probed = |bytes: &[u8]| {
                let mut trial = Trial::new(&[&L2tp], Layer::Udp, (1_234, 1_234));
                trial.payload(Side::Client, bytes);
                trial.probed
            };
            assert_eq!(probed(&frame), Probe::Yes, "{beyond}");
            frame[at] ^= 1;
            assert_eq!(probed(&frame), Probe::No, "{beyond}: it does not add up");
        }
    }

    #[test]
    fn a_length_that_disagrees_with_the_datagram_is_refused() {
        let mut trial = Trial::new(&[&L2tp], Layer::Udp, (40_000, 1_701));
        let mut bytes = message(1, "x");
        bytes.push(0);
        trial.payload(Side::Client, &bytes);
        assert_eq!(trial.probed, Probe::No);
    }

    #[test]
    fn data_is_believed_on_its_port_when_it_carries_ppp() {
        let mut trial = Trial::new(&[&L2tp], Layer::Udp, (1_701, 1_701));
        trial.payload(Side::Client, &[0, 2, 0, 7, 0, 9, 0xff, 3, 0xc0, 0x21, 1]);
        assert_eq!(trial.names, ["l2tp"]);
        let mut third = Trial::new(&[&L2tp], Layer::Udp, (1_701, 1_701));
        third.payload(Side::Client, &[0, 3, 0, 0, 0, 0, 0, 1, 9, 9]);
        assert_eq!(third.names, ["l2tp"]);
    }

    #[test]
    fn truncated_messages_are_survived() {
        let (first, second) = (message(1, "a"), message(2, "b"));
        survives_every_truncation(
            &L2tp,
            Layer::Udp,
            &[(Side::Client, &first), (Side::Server, &second)],
        );
        survives_every_truncation(&L2tp, Layer::OtherIp, &[(Side::Client, &first)]);
    }
}
