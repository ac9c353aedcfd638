//! JA3 and JA3S: MD5 over the numbers of a hello (salesforce/ja3, BSD-3-Clause; facts from its README).
//!
//! Client: `version,ciphers,extensions,groups,point formats`; server: `version,cipher,extensions`. Decimal numbers, those
//! of one list joined by `-`, GREASE left out.

use md5::{Digest, Md5};

use super::hello::{ClientHello, ServerHello, extension, is_grease};
use super::hex;
use crate::dissect::cursor::Cursor;

/// Hexadecimal digits of an MD5.
pub type Fingerprint = [u8; 32];

/// JA3 of a client.
#[must_use]
pub fn client(hello: &ClientHello<'_>) -> Fingerprint {
    digest(&client_text(hello))
}

/// JA3S of a server.
#[must_use]
pub fn server(hello: &ServerHello<'_>) -> Fingerprint {
    digest(&server_text(hello))
}

fn client_text(hello: &ClientHello<'_>) -> Vec<u8> {
    let mut text = Vec::with_capacity(512);
    hex::push_decimal(&mut text, hello.version);
    text.push(b',');
    push_list(&mut text, super::hello::numbers(hello.ciphers));
    text.push(b',');
    push_list(&mut text, hello.extensions().map(|(kind, _)| kind));
    text.push(b',');
    push_list(&mut text, hello.listed(extension::GROUPS));
    text.push(b',');
    let formats = hello
        .extension(extension::POINT_FORMATS)
        .and_then(|body| Cursor::new(body).prefixed_u8());
    push_list(
        &mut text,
        formats
            .unwrap_or_default()
            .iter()
            .map(|format| u16::from(*format)),
    );
    text
}

fn server_text(hello: &ServerHello<'_>) -> Vec<u8> {
    let mut text = Vec::with_capacity(64);
    hex::push_decimal(&mut text, hello.legacy_version);
    text.push(b',');
    hex::push_decimal(&mut text, hello.cipher);
    text.push(b',');
    push_list(&mut text, hello.extensions().map(|(kind, _)| kind));
    text
}

fn push_list(text: &mut Vec<u8>, values: impl Iterator<Item = u16>) {
    let mut first = true;
    for value in values.filter(|value| !is_grease(*value)) {
        if !first {
            text.push(b'-');
        }
        first = false;
        hex::push_decimal(text, value);
    }
}

fn digest(text: &[u8]) -> Fingerprint {
    let mut digits = [0; 32];
    for (pair, value) in digits.as_chunks_mut::<2>().0.iter_mut().zip(Md5::digest(text)) {
        *pair = hex::octet(value);
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn the_text_leaves_reserved_values_out() {
        let body = sample::client_hello_body();
        let hello = ClientHello::read(&body, false).unwrap();
        assert_eq!(client_text(&hello), b"771,4865-49199-156,0-10-11-13-16-43,29,0");
        let body = sample::server_hello_body();
        assert_eq!(server_text(&ServerHello::read(&body).unwrap()), b"771,49199,16");
    }

    #[test]
    fn the_digest_is_md5_in_lower_case() {
        // The example of the JA3 project's README.
        let text = b"769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0";
        assert_eq!(&digest(text), b"ada70206e40642a3e4461f35503241d5");
    }
}
