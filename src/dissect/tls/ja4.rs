//! JA4 of a TLS client (FoxIO, BSD-3-Clause; facts from its technical description). The licence of the other
//! fingerprints of that family does not allow them here.
//!
//! `t13d1516h2_8daaf6152771_b186095e22b6`: transport, version, whether a name was sent, number of ciphers and
//! extensions, first and last character of the first ALPN value; then cut SHA-256 of the sorted ciphers, and of the
//! sorted extensions with the signature algorithms.

use sha2::{Digest, Sha256};

use super::handshake::Carrier;
use super::hello::{ClientHello, extension, is_grease, numbers};
use super::hex;

/// The 36 characters of a JA4.
pub type Fingerprint = [u8; 36];

/// JA4 of a client.
#[must_use]
pub fn client(hello: &ClientHello<'_>, carrier: Carrier) -> Fingerprint {
    let mut list: Vec<u16> = Vec::with_capacity(64);
    let mut text: Vec<u8> = Vec::with_capacity(512);
    let mut result = Vec::with_capacity(36);

    result.push(match carrier {
        Carrier::Stream => b't',
        Carrier::Datagram => b'd',
        Carrier::Quic => b'q',
    });
    result.extend_from_slice(version(hello));
    let has_name = hello.extension(extension::SERVER_NAME).is_some();
    result.push(if has_name { b'd' } else { b'i' });

    list.extend(numbers(hello.ciphers).filter(|cipher| !is_grease(*cipher)));
    push_count(&mut result, list.len());
    let extensions = || {
        hello
            .extensions()
            .map(|(kind, _)| kind)
            .filter(|kind| !is_grease(*kind))
    };
    push_count(&mut result, extensions().count());
    result.extend_from_slice(&protocol(hello.protocols().next()));

    result.push(b'_');
    list.sort_unstable();
    push_list(&mut text, &list);
    push_hash(&mut result, &text);

    result.push(b'_');
    list.clear();
    list.extend(extensions().filter(|kind| !matches!(*kind, extension::SERVER_NAME | extension::ALPN)));
    list.sort_unstable();
    text.clear();
    push_list(&mut text, &list);
    list.clear();
    list.extend(
        hello
            .listed(extension::SIGNATURE_ALGORITHMS)
            .filter(|algorithm| !is_grease(*algorithm)),
    );
    if !list.is_empty() {
        text.push(b'_');
        push_list(&mut text, &list);
    }
    push_hash(&mut result, &text);
    result.as_slice().try_into().unwrap_or([b'0'; 36])
}

/// The highest version offered.
fn version(hello: &ClientHello<'_>) -> &'static [u8; 2] {
    let rank = |version: &u16| {
        if *version >> 8 == 0xfe {
            !*version
        } else {
            *version
        }
    };
    let highest = hello
        .supported_versions()
        .filter(|version| !is_grease(*version))
        .max_by_key(rank)
        .unwrap_or(hello.version);
    match highest {
        0x0304 => b"13",
        0x0303 => b"12",
        0x0302 => b"11",
        0x0301 => b"10",
        0x0300 => b"s3",
        0x0002 => b"s2",
        0xfeff => b"d1",
        0xfefd => b"d2",
        0xfefc => b"d3",
        _ => b"00",
    }
}

/// First and last character of an ALPN value; of its hexadecimal form where one of both is no letter or digit.
fn protocol(value: Option<&[u8]>) -> [u8; 2] {
    let Some((first, last)) = value.and_then(|value| Some((*value.first()?, *value.last()?))) else {
        return *b"00";
    };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return [first, last];
    }
    let [high, _] = hex::octet(first);
    let [_, low] = hex::octet(last);
    [high, low]
}

fn push_count(text: &mut Vec<u8>, count: usize) {
    let count = u16::try_from(count.min(99)).unwrap_or(99);
    if count < 10 {
        text.push(b'0');
    }
    hex::push_decimal(text, count);
}

fn push_list(text: &mut Vec<u8>, list: &[u16]) {
    for (index, value) in list.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        hex::push_octets(text, &value.to_be_bytes());
    }
}

/// The first twelve digits of SHA-256, or zeros for an empty list.
fn push_hash(result: &mut Vec<u8>, text: &[u8]) {
    if text.is_empty() {
        result.extend_from_slice(b"000000000000");
        return;
    }
    let digest = Sha256::digest(text);
    hex::push_octets(result, digest.get(..6).unwrap_or_default());
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_published_lists_give_the_published_hashes() {
        // The worked example of the technical description.
        let ciphers = [
            0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014, 0x009c,
            0x009d, 0x002f, 0x0035,
        ];
        let extensions = [
            0x001b, 0x0033, 0x4469, 0x0017, 0x002d, 0x000d, 0x0005, 0x0023, 0x0012, 0x002b, 0xff01, 0x000b,
            0x000a, 0x0015,
        ];
        let algorithms = [0x0403, 0x0804, 0x0401, 0x0503, 0x0805, 0x0501, 0x0806, 0x0601];
        let sorted = |list: &[u16]| {
            let mut list = list.to_vec();
            list.sort_unstable();
            list
        };
        let mut text = Vec::new();
        let mut result = Vec::new();
        push_list(&mut text, &sorted(&ciphers));
        push_hash(&mut result, &text);
        assert_eq!(result, b"8daaf6152771");
        text.clear();
        result.clear();
        push_list(&mut text, &sorted(&extensions));
        text.push(b'_');
        push_list(&mut text, &algorithms);
        push_hash(&mut result, &text);
        assert_eq!(result, b"e5627efa2ab1");
    }

    #[test]
    fn the_first_part_counts_without_reserved_values() {
        let body = sample::client_hello_body();
        let hello = ClientHello::read(&body, false).unwrap();
        let fingerprint = client(&hello, Carrier::Quic);
        assert_eq!(&fingerprint[..11], b"q13d0306h2_");
    }

    #[test]
    fn protocols_that_are_not_text_show_their_hexadecimal_digits() {
        assert_eq!(&protocol(Some(b"http/1.1")), b"h1");
        assert_eq!(&protocol(Some(&[0xab])), b"ab");
        assert_eq!(&protocol(Some(&[0x30, 0x31, 0xab, 0xcd])), b"3d");
        assert_eq!(&protocol(Some(b"")), b"00");
        assert_eq!(&protocol(None), b"00");
    }
}
