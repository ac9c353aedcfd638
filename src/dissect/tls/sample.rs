//! Hand-made messages for the tests of this folder.

/// Body of a ClientHello to farm.example with GREASE, ALPN h2 and http/1.1, TLS 1.3 and 1.2.
pub(crate) fn client_hello_body() -> Vec<u8> {
    let mut body = vec![0x03, 0x03];
    body.extend([0x11; 32]);
    body.push(0); // session id
    body.extend([0, 8, 0x2a, 0x2a, 0x13, 0x01, 0xc0, 0x2f, 0x00, 0x9c]);
    body.extend([1, 0]); // compression
    let mut extensions = Vec::new();
    let mut extension = |kind: u16, content: &[u8]| {
        extensions.extend(kind.to_be_bytes());
        extensions.extend(u16::try_from(content.len()).unwrap().to_be_bytes());
        extensions.extend(content);
    };
    extension(0x4a4a, &[]);
    extension(0, b"\x00\x0f\x00\x00\x0cfarm.example");
    extension(10, &[0, 4, 0x6a, 0x6a, 0, 0x1d]);
    extension(11, &[1, 0]);
    extension(13, &[0, 4, 4, 3, 8, 4]);
    extension(16, b"\x00\x0c\x02h2\x08http/1.1");
    extension(43, &[6, 0x1a, 0x1a, 3, 4, 3, 3]);
    body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend(extensions);
    body
}

/// Body of a ServerHello of TLS 1.2 that chooses 0xc02f and h2.
pub(crate) fn server_hello_body() -> Vec<u8> {
    let mut body = vec![0x03, 0x03];
    body.extend([0x22; 32]);
    body.extend([0, 0xc0, 0x2f, 0]);
    body.extend([0, 9, 0, 16, 0, 5, 0, 3, 2, b'h', b'2']);
    body
}

/// A handshake message with its four-octet header.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap().to_be_bytes();
    let mut message = vec![kind, length[1], length[2], length[3]];
    message.extend(body);
    message
}

/// A record around `body`.
pub(crate) fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut record = vec![kind, 3, 1];
    record.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    record.extend(body);
    record
}
