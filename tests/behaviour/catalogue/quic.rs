//! The first packet of a QUIC connection, sealed as RFC 9001, 5 has it: anybody can read it who has read the identifier in it.

use aes::Aes128;
use aes::cipher::{BlockCipherEncrypt, KeyInit};
use aes_gcm::Aes128Gcm;
use aes_gcm::aead::{Aead, Payload};
use hkdf::Hkdf;
use sha2::Sha256;

use super::tls;

/// RFC 9001, 5.2.
const SALT: [u8; 20] = *b"\x38\x76\x2c\xf7\xf5\x59\x34\xb3\x4d\x17\x9a\xe6\xa4\xc8\x0c\xad\xcc\xbb\x7f\x0a";
/// Identifier that the client chose for the server.
const IDENTIFIER: [u8; 8] = [0x83, 0x94, 0xc8, 0xf0, 0x3e, 0x51, 0x57, 0x08];
/// Octets of the packet's number, and of the tag behind what is sealed.
const NUMBER: usize = 4;
const TAG: usize = 16;
/// Least length of a client's first datagram (RFC 9000, 14.1).
const LENGTH: usize = 1_200;

/// HKDF-Expand-Label (RFC 8446, 7.1) without a context.
fn expand<const N: usize>(secret: &Hkdf<Sha256>, label: &str) -> [u8; N] {
    let label = format!("tls13 {label}");
    let mut info = u16::try_from(N).unwrap().to_be_bytes().to_vec();
    info.push(u8::try_from(label.len()).unwrap());
    info.extend(label.as_bytes());
    info.push(0);
    let mut key = [0; N];
    secret.expand(&info, &mut key).unwrap();
    key
}

/// An Initial packet with a hello that asks for a name.
pub(super) fn initial(name: &str) -> Vec<u8> {
    let extracted = Hkdf::<Sha256>::new(Some(&SALT), &IDENTIFIER);
    let secret: [u8; 32] = expand(&extracted, "client in");
    let secret = Hkdf::<Sha256>::from_prk(&secret).unwrap();
    let (key, nonce, mask): ([u8; 16], [u8; 12], [u8; 16]) = (
        expand(&secret, "quic key"),
        expand(&secret, "quic iv"),
        expand(&secret, "quic hp"),
    );
    // A CRYPTO frame (RFC 9000, 19.6) with the message that a record would carry, then padding.
    let record = tls::client_hello(Some(name.as_bytes()), Some(b"h3"));
    let message = &record[5..];
    let mut frames = vec![6, 0];
    frames.extend((0x4000 | u16::try_from(message.len()).unwrap()).to_be_bytes());
    frames.extend(message);
    let mut packet = vec![0xc3, 0, 0, 0, 1, 8];
    packet.extend(IDENTIFIER);
    packet.extend([0, 0]);
    let number_at = packet.len() + 2;
    frames.resize(LENGTH - number_at - NUMBER - TAG, 0);
    let rest = u16::try_from(NUMBER + frames.len() + TAG).unwrap();
    packet.extend((0x4000 | rest).to_be_bytes());
    packet.extend([0; NUMBER]);
    let payload = Payload {
        msg: &frames,
        aad: &packet,
    };
    let sealed = Aes128Gcm::new(&key.into())
        .encrypt(&nonce.into(), payload)
        .unwrap();
    packet.extend(sealed);
    // RFC 9001, 5.4.
    let sample: [u8; 16] = packet[number_at + 4..number_at + 20].try_into().unwrap();
    let mut block = aes::Block::from(sample);
    Aes128::new(&mask.into()).encrypt_block(&mut block);
    packet[0] ^= block[0] & 0x0f;
    for place in 0..NUMBER {
        packet[number_at + place] ^= block[place + 1];
    }
    packet
}
