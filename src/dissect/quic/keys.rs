//! Keys of Initial packets: derived from a connection identifier that everybody can read (RFC 9001, 5.2; RFC 9369, 3.3).

use std::ops::Range;

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes_gcm::Aes128Gcm;
use aes_gcm::aead::AeadInOut;
use hkdf::Hkdf;
use sha2::Sha256;

use super::header::Initial;

/// What a version derives its keys from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Derivation {
    /// Salt of the extraction.
    salt: &'static [u8; 20],
    /// Whether the labels are those of QUIC version 2.
    labels: &'static [&'static [u8]; 3],
}

/// RFC 9001, 5.2; drafts 33 and 34 had it already.
static SALT_1: [u8; 20] =
    *b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a";
/// RFC 9369, 3.3.1.
static SALT_2: [u8; 20] =
    *b"\x0d\xed\xe3\xde\xf7\x00\xa6\xdb\x81\x93\x81\xbe\x6e\x26\x9d\xcb\xf9\xbd\x2e\xd9";
/// draft-ietf-quic-tls-29 to -32.
static SALT_29: [u8; 20] =
    *b"\xaf\xbf\xec\x28\x99\x93\xd2\x4c\x9e\x97\x86\xf1\x9c\x61\x11\xe0\x43\x90\xa8\x99";
/// draft-ietf-quic-tls-23 to -28.
static SALT_23: [u8; 20] =
    *b"\xc3\xee\xf7\x12\xc7\x2e\xbb\x5a\x11\xa7\xd2\x43\x2b\xb4\x63\x65\xbe\xf9\xf5\x02";
/// draft-ietf-quic-tls-21 and -22.
static SALT_22: [u8; 20] =
    *b"\x7f\xbc\xdb\x0e\x7c\x66\xbb\xe9\x19\x3a\x96\xcd\x21\x51\x9e\xbd\x7a\x02\x64\x4a";
/// Google's Q050.
static SALT_Q050: [u8; 20] =
    *b"\x50\x45\x74\xef\xd0\x66\xfe\x2f\x9d\x94\x5c\xfc\xdb\xd3\xa7\xf0\xd3\xb5\x6b\x45";
/// Google's T050.
static SALT_T050: [u8; 20] =
    *b"\x7f\xf5\x79\xe5\xac\xd0\x72\x91\x55\x80\x30\x4c\x43\xa2\x36\x7c\x60\x48\x83\x10";
/// Google's T051.
static SALT_T051: [u8; 20] =
    *b"\x7a\x4e\xde\xf4\xe7\xcc\xee\x5f\xa4\x50\x6c\x19\x12\x4f\xc8\xcc\xda\x6e\x03\x3d";

static LABELS_1: [&[u8]; 3] = [b"quic key", b"quic iv", b"quic hp"];
static LABELS_2: [&[u8]; 3] = [b"quicv2 key", b"quicv2 iv", b"quicv2 hp"];

impl Derivation {
    /// How `version` derives its keys; `None` for versions of which that is not known.
    #[must_use]
    pub fn of(version: u32) -> Option<Self> {
        let (salt, labels) = match version {
            0x0000_0001 | 0xff00_0021 | 0xff00_0022 => (&SALT_1, &LABELS_1),
            0x6b33_43cf => (&SALT_2, &LABELS_2),
            0xff00_001d..=0xff00_0020 => (&SALT_29, &LABELS_1),
            // mvfst's own numbers: 0xfaceb002 and 0xfaceb00e follow draft 27, 0xfaceb001 draft 22.
            0xff00_0017..=0xff00_001c | 0xface_b002 | 0xface_b00e => (&SALT_23, &LABELS_1),
            0xff00_0015 | 0xff00_0016 | 0xface_b001 => (&SALT_22, &LABELS_1),
            0x5130_3530 => (&SALT_Q050, &LABELS_1),
            0x5430_3530 => (&SALT_T050, &LABELS_1),
            0x5430_3531 => (&SALT_T051, &LABELS_1),
            _ => return None,
        };
        Some(Self { salt, labels })
    }
}

/// Keys of one direction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keys {
    key: [u8; 16],
    nonce: [u8; 12],
    mask: [u8; 16],
}

impl Keys {
    /// The client's and the server's keys for the client's first destination identifier.
    #[must_use]
    pub fn derive(derivation: Derivation, identifier: &[u8]) -> [Self; 2] {
        let extracted = Hkdf::<Sha256>::new(Some(derivation.salt), identifier);
        [b"client in", b"server in"].map(|label| {
            let mut secret = [0; 32];
            expand(&extracted, label, &mut secret);
            let mut keys = Self {
                key: [0; 16],
                nonce: [0; 12],
                mask: [0; 16],
            };
            if let Ok(side) = Hkdf::<Sha256>::from_prk(&secret) {
                let [key, nonce, mask] = derivation.labels;
                expand(&side, key, &mut keys.key);
                expand(&side, nonce, &mut keys.nonce);
                expand(&side, mask, &mut keys.mask);
            }
            keys
        })
    }

    /// Removes both protections of a packet (RFC 9001, 5.3 and 5.4). `scratch` receives the packet; what is returned
    /// is where in it the frames stand. `None` if the keys do not fit or the packet is not whole.
    pub fn open(&self, packet: &Initial<'_>, scratch: &mut Vec<u8>) -> Option<Range<usize>> {
        let sample_at = packet.number_at.checked_add(4)?;
        let sample = packet.bytes.get(sample_at..sample_at.checked_add(16)?)?;
        let mut mask = aes::Block::try_from(sample).ok()?;
        Aes128::new(&self.mask.into()).encrypt_block(&mut mask);
        let [first_mask, number_mask @ ..] = mask.0;

        scratch.clear();
        scratch.extend_from_slice(packet.bytes);
        let first = scratch.first_mut()?;
        *first ^= first_mask & 0x0f;
        let number_length = usize::from(*first & 0x03).checked_add(1)?;
        let body_at = packet.number_at.checked_add(number_length)?;
        let mut nonce = self.nonce;
        let octets = scratch.get_mut(packet.number_at..body_at)?;
        let (_, nonce_end) = nonce.split_at_mut(12_usize.checked_sub(number_length)?);
        for ((octet, mask), nonce) in octets.iter_mut().zip(number_mask).zip(nonce_end) {
            *octet ^= mask;
            *nonce ^= *octet;
        }
        let (header, sealed) = scratch.split_at_mut_checked(body_at)?;
        let end = body_at.checked_add(sealed.len())?.checked_sub(16)?;
        let (body, tag) = sealed.split_at_mut_checked(sealed.len().checked_sub(16)?)?;
        let tag = aes_gcm::Tag::try_from(&*tag).ok()?;
        Aes128Gcm::new(&self.key.into())
            .decrypt_inout_detached(&nonce.into(), header, body.into(), &tag)
            .ok()?;
        Some(body_at..end)
    }
}

#[cfg(test)]
#[expect(clippy::arithmetic_side_effects, reason = "lengths of hand-made packets")]
impl Keys {
    /// Protects frames with a packet number of four octets: what `open` undoes.
    pub(crate) fn seal(&self, version: u32, identifier: &[u8], number: u32, frames: &[u8]) -> Vec<u8> {
        // Version 2 numbers its packet types differently.
        let mut packet = vec![if version == 0x6b33_43cf { 0xd3 } else { 0xc3 }];
        packet.extend(version.to_be_bytes());
        packet.push(u8::try_from(identifier.len()).unwrap());
        packet.extend(identifier);
        packet.extend([0, 0]);
        packet.extend((u16::try_from(frames.len() + 20).unwrap() | 0x4000).to_be_bytes());
        let number_at = packet.len();
        packet.extend(number.to_be_bytes());
        let mut nonce = self.nonce;
        for (nonce, octet) in nonce[8..].iter_mut().zip(number.to_be_bytes()) {
            *nonce ^= octet;
        }
        let mut body = frames.to_vec();
        let tag = Aes128Gcm::new(&self.key.into())
            .encrypt_inout_detached(&nonce.into(), &packet, body.as_mut_slice().into())
            .unwrap();
        packet.extend(body);
        packet.extend(tag);
        let mut mask = aes::Block::try_from(&packet[number_at + 4..number_at + 20]).unwrap();
        Aes128::new(&self.mask.into()).encrypt_block(&mut mask);
        packet[0] ^= mask[0] & 0x0f;
        for place in 0..4 {
            packet[number_at + place] ^= mask[place + 1];
        }
        packet
    }
}

/// HKDF-Expand-Label of TLS 1.3 with an empty context (RFC 8446, 7.1).
fn expand(secret: &Hkdf<Sha256>, label: &[u8], out: &mut [u8]) {
    let length = u16::try_from(out.len()).unwrap_or(0).to_be_bytes();
    let label_length = u8::try_from(label.len()).unwrap_or(0).saturating_add(6);
    // An output of at most 32 octets is always possible.
    let _ = secret.expand_multi_info(&[&length, &[label_length], b"tls13 ", label, &[0]], out);
}

#[cfg(test)]
mod tests {
    use super::super::header;
    use super::super::sample::{octets, server_initial_v1, server_initial_v2};
    use super::*;

    /// RFC 9001, A.1 and RFC 9369, A.1.
    const IDENTIFIER: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];

    fn expected(key: &str, nonce: &str, mask: &str) -> Keys {
        Keys {
            key: octets(key).try_into().unwrap(),
            nonce: octets(nonce).try_into().unwrap(),
            mask: octets(mask).try_into().unwrap(),
        }
    }

    #[test]
    fn version_1_derives_the_keys_of_rfc_9001() {
        let [client, server] = Keys::derive(Derivation::of(1).unwrap(), &IDENTIFIER);
        let wanted = expected(
            "1f369613dd76d5467730efcbe3b1a22d",
            "fa044b2f42a3fd3b46fb255c",
            "9f50449e04a0e810283a1e9933adedd2",
        );
        assert_eq!(client, wanted);
        let wanted = expected(
            "cf3a5331653c364c88f0f379b6067e37",
            "0ac1493ca1905853b0bba03e",
            "c206b8d9b9f0f37644430b490eeaa314",
        );
        assert_eq!(server, wanted);
    }

    #[test]
    fn version_2_derives_the_keys_of_rfc_9369() {
        let [client, server] = Keys::derive(Derivation::of(0x6b33_43cf).unwrap(), &IDENTIFIER);
        let wanted = expected(
            "8b1a0bc121284290a29e0971b5cd045d",
            "91f73e2351d8fa91660e909f",
            "45b95e15235d6f45a6b19cbcb0294ba9",
        );
        assert_eq!(client, wanted);
        let wanted = expected(
            "82db637861d55e1d011f19ea71d5d2a7",
            "dd13c276499c0249d3310652",
            "edf6d05c83121201b436e16877593c3a",
        );
        assert_eq!(server, wanted);
    }

    #[test]
    fn the_servers_packets_of_both_documents_open() {
        for (version, bytes) in [(1, server_initial_v1()), (0x6b33_43cf, server_initial_v2())] {
            let [client, server] = Keys::derive(Derivation::of(version).unwrap(), &IDENTIFIER);
            let header::Packet::Initial(packet) = header::read(&bytes).unwrap().packet else {
                panic!("an Initial packet");
            };
            let mut scratch = Vec::new();
            let frames = server.open(&packet, &mut scratch).unwrap();
            assert_eq!(scratch[frames][..11], [2, 0, 0, 0, 0, 6, 0, 0x40, 0x5a, 2, 0]);
            assert!(client.open(&packet, &mut scratch).is_none());
        }
    }
}
