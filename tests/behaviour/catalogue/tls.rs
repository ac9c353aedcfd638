//! Hellos and certificates for proofs, as small as RFC 5246 and RFC 5280 let them be.

use super::wire::{Side, Words, chance};

/// A record of the handshake with one message in it.
fn handshake(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend(&u32::try_from(body.len()).unwrap().to_be_bytes()[1..]);
    message.extend(body);
    let mut record = vec![22, 3, 3];
    record.extend(double(message.len()));
    record.extend(message);
    record
}

fn double(length: usize) -> [u8; 2] {
    u16::try_from(length).unwrap().to_be_bytes()
}

fn with_length(bytes: &[u8]) -> Vec<u8> {
    [&double(bytes.len())[..], bytes].concat()
}

/// A client's hello that asks for a name or offers a protocol.
pub(super) fn client_hello(name: Option<&[u8]>, protocol: Option<&[u8]>) -> Vec<u8> {
    let mut extensions = Vec::new();
    if let Some(name) = name {
        let entry = [&[0][..], &with_length(name)].concat();
        extensions.extend([0, 0]);
        extensions.extend(with_length(&with_length(&entry)));
    }
    if let Some(protocol) = protocol {
        let entry = [&[u8::try_from(protocol.len()).unwrap()][..], protocol].concat();
        extensions.extend([0, 16]);
        extensions.extend(with_length(&with_length(&entry)));
    }
    hello(&[0xc0, 0x2f, 0xc0, 0x30, 0x00, 0x9c], &extensions)
}

fn hello(ciphers: &[u8], extensions: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend((0..32).map(|number| number * 7 + 3));
    body.push(0);
    body.extend(with_length(ciphers));
    body.extend([1, 0]);
    body.extend(with_length(extensions));
    handshake(1, &body)
}

/// A client that offers no ALPN and ends its ciphers as OpenSSL does, with a server whose certificate says nothing; behind the handshake the client's
/// records have these lengths.
pub(super) fn client_records(lengths: &[usize]) -> Words {
    let record = |length: usize| [&[23, 3, 3][..], &double(length), &chance(7, length)].concat();
    let end = [&[20, 3, 3, 0, 1, 1][..], &handshake(20, &chance(9, 40))].concat();
    let records: Vec<Vec<u8>> = lengths.iter().map(|length| record(*length)).collect();
    vec![
        (Side::Client, hello(&[0xc0, 0x2c, 0xc0, 0x30, 0x00, 0xff], &[])),
        (
            Side::Server,
            server_flight(&certificate("CN=desk.example", "CN=authority.example")),
        ),
        (
            Side::Client,
            [handshake(16, &chance(8, 33)), end.clone()].concat(),
        ),
        (Side::Server, end),
        (Side::Client, records.concat()),
        (Side::Server, record(100)),
    ]
}

/// The server's hello in version 1.2, its certificate, and the end of its turn.
pub(super) fn server_flight(certificate: &[u8]) -> Vec<u8> {
    let mut body = vec![3, 3];
    body.extend((0..32).map(|number| number * 5 + 1));
    body.extend([0, 0xc0, 0x2f, 0]);
    [
        handshake(2, &body),
        certificate_message(certificate),
        handshake(14, &[]),
    ]
    .concat()
}

/// A certificate message, of either side.
pub(super) fn certificate_message(certificate: &[u8]) -> Vec<u8> {
    let triple = |length: usize| u32::try_from(length).unwrap().to_be_bytes()[1..].to_vec();
    let entry = [triple(certificate.len()), certificate.to_vec()].concat();
    handshake(11, &[triple(entry.len()), entry].concat())
}

/// A certificate of this subject and issuer, written as the catalogue writes names: the last component first.
pub(super) fn certificate(subject: &str, issuer: &str) -> Vec<u8> {
    let algorithm = element(
        0x30,
        &[
            element(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 0x0b]]),
            element(5, &[&[]]),
        ],
    );
    let key = element(
        0x30,
        &[
            element(
                0x30,
                &[
                    element(6, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1]]),
                    element(5, &[&[]]),
                ],
            ),
            element(
                3,
                &[
                    vec![0],
                    element(0x30, &[element(2, &[&[0x41; 64]]), element(2, &[&[1, 0, 1]])]),
                ],
            ),
        ],
    );
    let body = element(
        0x30,
        &[
            element(0xa0, &[element(2, &[&[2]])]),
            element(2, &[&[0x11]]),
            algorithm.clone(),
            name(issuer),
            element(
                0x30,
                &[
                    element(0x17, &[b"240101000000Z"]),
                    element(0x17, &[b"340101000000Z"]),
                ],
            ),
            name(subject),
            key,
        ],
    );
    element(0x30, &[body, algorithm, element(3, &[vec![0; 65]])])
}

/// A tag, a length, the parts.
fn element<T: AsRef<[u8]>>(tag: u8, parts: &[T]) -> Vec<u8> {
    let content = parts.iter().map(AsRef::as_ref).collect::<Vec<_>>().concat();
    let mut bytes = vec![tag];
    match content.len() {
        length @ 0..=127 => bytes.push(u8::try_from(length).unwrap()),
        length => {
            bytes.push(0x82);
            bytes.extend(double(length));
        }
    }
    bytes.extend(content);
    bytes
}

fn name(text: &str) -> Vec<u8> {
    // A comma inside a value is escaped (RFC 4514, 2.4).
    let text = text.replace("\\,", "\u{1}");
    let parts: Vec<Vec<u8>> = text
        .split(',')
        .rev()
        .map(|part| {
            let (kind, value) = part.split_once('=').unwrap();
            let place = match kind {
                "CN" => 3,
                "C" => 6,
                "L" => 7,
                "ST" => 8,
                "O" => 10,
                "OU" => 11,
                _ => panic!("no attribute is called {kind}"),
            };
            let value = value.replace('\u{1}', ",");
            let pair = [
                element(6, &[&[0x55, 4, place]]),
                element(0x0c, &[value.as_bytes()]),
            ];
            element(0x31, &[element(0x30, &pair)])
        })
        .collect();
    element(0x30, &parts)
}
