//! RDP over UDP: the synchronisation of [MS-RDPEUDP] 2.2.2, versions 1 to 3.
//!
//! The two SYN datagrams are filled up to the path's size (at least 1,132 octets), which no other protocol's
//! first datagram with these flags does. TLS or DTLS follows inside the protocol's own packets and is not read.

use super::CORRELATION;
use crate::dissect::cursor::Cursor;
use crate::dissect::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Highest version that one side offers: 1, 2 or 3; versions without the extension are 1.
pub const VERSION: Field = Field::of_flow("rdpudp.version");
/// SHA-256 of the cookie that the session over TCP was given for this ([MS-RDPEUDP] 2.2.2.9); from the client, version 3.
pub const COOKIE_HASH: Field = Field::of_flow("rdpudp.cookie_hash");
/// Whether the client asks for the lossy mode, which runs DTLS.
pub const LOSSY: Field = Field::of_flow("rdpudp.lossy");

const FLAG_SYN: u16 = 0x0001;
const FLAG_ACK: u16 = 0x0004;
const FLAG_LOSSY: u16 = 0x0200;
const FLAG_CORRELATION: u16 = 0x0800;
const FLAG_EXTENSION: u16 = 0x1000;
/// No packet was received yet.
const NOTHING_RECEIVED: u32 = 0xffff_ffff;
/// Bounds of the path's size in both directions ([MS-RDPEUDP] 2.2.2.5).
const PATH_SIZES: std::ops::RangeInclusive<u16> = 1_132..=1_232;

/// Recognises RDP over UDP.
pub struct RdpUdp;

impl Dissector for RdpUdp {
    fn name(&self) -> &'static str {
        "rdpudp"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&VERSION, &LOSSY, &COOKIE_HASH, &CORRELATION]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Udp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        match Synchronisation::read(head.newest(), head.length_on_wire) {
            Some(_) => Probe::Yes,
            None => Probe::No,
        }
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Opening {
            datagrams: 0,
            is_asked: false,
        })
    }
}

struct Synchronisation {
    version: u16,
    is_lossy: bool,
    correlation: Option<[u8; 16]>,
    cookie_hash: Option<[u8; 32]>,
}

impl Synchronisation {
    fn read(bytes: &[u8], length_on_wire: u32) -> Option<Self> {
        let mut cursor = Cursor::new(bytes);
        let acknowledged = cursor.u32()?;
        cursor.skip(2)?;
        let flags = cursor.u16()?;
        let is_answer = flags & FLAG_ACK != 0;
        if flags & FLAG_SYN == 0 || is_answer == (acknowledged == NOTHING_RECEIVED) {
            return None;
        }
        cursor.skip(4)?;
        let upstream = cursor.u16()?;
        let downstream = cursor.u16()?;
        let is_filled = (1_132..=1_500).contains(&length_on_wire);
        if !is_filled || !PATH_SIZES.contains(&upstream) || !PATH_SIZES.contains(&downstream) {
            return None;
        }
        let mut correlation = None;
        if flags & FLAG_CORRELATION != 0 {
            correlation = cursor.array();
            cursor.skip(16)?;
        }
        let (mut version, mut cookie_hash) = (1, None);
        if flags & FLAG_EXTENSION != 0 {
            cursor.skip(2)?;
            version = match cursor.u16()? {
                // The document's third version is 0x0101; 3 was seen in a capture.
                number @ (3 | 0x0101) => {
                    if number == 0x0101 && !is_answer {
                        cookie_hash = cursor.array();
                    }
                    3
                }
                known @ 1..=2 => known,
                _ => return None,
            };
        }
        Some(Self {
            version,
            is_lossy: flags & FLAG_LOSSY != 0,
            correlation,
            cookie_hash,
        })
    }
}

struct Opening {
    datagrams: u8,
    /// The client's datagram was said; it comes again until it is answered.
    is_asked: bool,
}

impl Dissection for Opening {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        self.datagrams = self.datagrams.saturating_add(1);
        let Some(found) = Synchronisation::read(input.bytes, input.length_on_wire) else {
            return if self.datagrams > 4 {
                Next::Done
            } else {
                Next::More(0)
            };
        };
        if input.side == Side::Client && std::mem::replace(&mut self.is_asked, true) {
            return Next::More(0);
        }
        facts.number(&VERSION, u64::from(found.version));
        if input.side == Side::Client {
            facts.number(&LOSSY, u64::from(found.is_lossy));
            if let Some(hash) = &found.cookie_hash {
                facts.bytes(&COOKIE_HASH, hash);
            }
        }
        if let Some(correlation) = &found.correlation {
            facts.bytes(&CORRELATION, correlation);
        }
        if input.side == Side::Server {
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

    fn synchronisation(acknowledged: u32, flags: u16) -> Vec<u8> {
        let mut bytes = acknowledged.to_be_bytes().to_vec();
        bytes.extend([0, 64]);
        bytes.extend(flags.to_be_bytes());
        bytes.extend([1, 2, 3, 4, 4, 0xd0, 4, 0xd0]);
        if flags & FLAG_CORRELATION != 0 {
            bytes.extend([0xc1; 16]);
            bytes.extend([0; 16]);
        }
        bytes.extend([0, 1, 1, 1]);
        bytes.extend([0xab; 32]);
        bytes.resize(1_232, 0);
        bytes
    }

    #[test]
    fn both_synchronisations_are_read() {
        let ask = synchronisation(
            NOTHING_RECEIVED,
            FLAG_SYN | FLAG_EXTENSION | FLAG_CORRELATION | FLAG_LOSSY,
        );
        let answer = synchronisation(0x0102_0304, FLAG_SYN | FLAG_ACK | FLAG_EXTENSION);
        let mut trial = Trial::new(&[&RdpUdp], Layer::Udp, (40_000, 3_389));
        trial.payload(Side::Client, &ask);
        trial.payload(Side::Server, &answer);
        assert_eq!(trial.said("rdpudp.version"), ["3", "3"]);
        assert_eq!(trial.said("rdpudp.lossy"), ["1"]);
        assert_eq!(trial.said("rdpudp.cookie_hash"), ["ab".repeat(32)]);
        assert_eq!(trial.said("rdp.correlation"), ["c1".repeat(16)]);
        assert_eq!(trial.next, Some(Next::Done));
        survives_every_truncation(&RdpUdp, Layer::Udp, &[(Side::Client, &ask[..64])]);
    }

    #[test]
    fn a_short_datagram_is_refused() {
        let mut bytes = synchronisation(NOTHING_RECEIVED, FLAG_SYN);
        bytes.truncate(100);
        let mut trial = Trial::new(&[&RdpUdp], Layer::Udp, (40_000, 3_389));
        trial.payload(Side::Client, &bytes);
        assert_eq!(trial.probed, Probe::No);
    }
}
