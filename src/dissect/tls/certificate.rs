//! The leaf certificate of a chain that was sent in the clear (RFC 5246 7.4.2; RFC 5280).

use sha2::{Digest, Sha256};
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate, X509Name};

use super::{field, hex};
use crate::dissect::cursor::Cursor;
use crate::model::fact::{Facts, Field, LONGEST_VALUE};

/// Most alternative names said of one certificate.
const MOST_NAMES: usize = 64;

/// Longest certificate that is parsed.
const LONGEST: usize = 32 << 10;

/// Whose certificate it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owner {
    /// Of who was called.
    Server,
    /// Of who called.
    Client,
}

/// The fields of one owner's certificate.
struct Fields {
    subject: &'static Field,
    issuer: &'static Field,
    name: &'static Field,
    not_before: &'static Field,
    not_after: &'static Field,
    fingerprint: &'static Field,
    serial: &'static Field,
    self_issued: &'static Field,
}

static SERVER: Fields = Fields {
    subject: &field::SUBJECT,
    issuer: &field::ISSUER,
    name: &field::NAME,
    not_before: &field::NOT_BEFORE,
    not_after: &field::NOT_AFTER,
    fingerprint: &field::FINGERPRINT,
    serial: &field::SERIAL,
    self_issued: &field::SELF_SIGNED,
};

static CLIENT: Fields = Fields {
    subject: &field::CLIENT_SUBJECT,
    issuer: &field::CLIENT_ISSUER,
    name: &field::CLIENT_NAME,
    not_before: &field::CLIENT_NOT_BEFORE,
    not_after: &field::CLIENT_NOT_AFTER,
    fingerprint: &field::CLIENT_FINGERPRINT,
    serial: &field::CLIENT_SERIAL,
    self_issued: &field::CLIENT_SELF_SIGNED,
};

/// Says what the leaf in the body of a Certificate message is.
pub fn say(body: &[u8], owner: Owner, facts: &mut Facts<'_>) {
    if let Some(leaf) = leaf(body) {
        say_leaf(leaf, owner, facts);
    }
}

/// The first certificate of the list.
fn leaf(body: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::new(body);
    cursor.u24()?;
    let length = usize::try_from(cursor.u24()?).ok()?;
    cursor.take(length).filter(|der| !der.is_empty())
}

/// Says what one certificate is, in DER.
pub fn say_leaf(der: &[u8], owner: Owner, facts: &mut Facts<'_>) {
    let fields = match owner {
        Owner::Server => &SERVER,
        Owner::Client => &CLIENT,
    };
    let mut text = Vec::with_capacity(LONGEST_VALUE);
    hex::push_octets(&mut text, &Sha256::digest(der));
    facts.text(fields.fingerprint, &text);
    if der.len() > LONGEST {
        return;
    }
    let Ok((_, certificate)) = X509Certificate::from_der(der) else {
        return;
    };
    write_name(certificate.subject(), &mut text);
    facts.text(fields.subject, &text);
    write_name(certificate.issuer(), &mut text);
    facts.text(fields.issuer, &text);
    text.clear();
    hex::push_octets(&mut text, certificate.raw_serial());
    facts.text(fields.serial, &text);
    let validity = certificate.validity();
    say_time(fields.not_before, validity.not_before.timestamp(), facts);
    say_time(fields.not_after, validity.not_after.timestamp(), facts);
    if certificate.subject().as_raw() == certificate.issuer().as_raw() {
        facts.number(fields.self_issued, 1);
    }
    if let Ok(Some(names)) = certificate.subject_alternative_name() {
        let names = names.value.general_names.iter().filter_map(|name| {
            if let GeneralName::DNSName(name) = name {
                Some(*name)
            } else {
                None
            }
        });
        for name in names.take(MOST_NAMES) {
            facts.text(fields.name, name.as_bytes());
        }
    }
}

/// Says a time in seconds since 1970; earlier ones are said as 0.
fn say_time(field: &Field, seconds: i64, facts: &mut Facts<'_>) {
    facts.number(field, u64::try_from(seconds).unwrap_or(0));
}

/// Writes a name as RFC 4514 has it: the last component first, `,` between them, `+` inside one.
fn write_name(name: &X509Name<'_>, text: &mut Vec<u8>) {
    text.clear();
    let components: Vec<_> = name.iter_rdn().collect();
    for component in components.iter().rev() {
        for (index, attribute) in component.iter().enumerate() {
            if !text.is_empty() {
                text.push(if index == 0 { b',' } else { b'+' });
            }
            let kind = attribute.attr_type().to_id_string();
            text.extend_from_slice(short_name(&kind).unwrap_or(&kind).as_bytes());
            text.push(b'=');
            write_value(attribute.attr_value().data, text);
            if text.len() > LONGEST_VALUE {
                return;
            }
        }
    }
}

/// Writes a value with the escapes of RFC 4514, 2.4; control characters as their digits.
fn write_value(value: &[u8], text: &mut Vec<u8>) {
    // BMPString is UTF-16; names are nearly always its Latin part.
    let is_wide = value.len() >= 2 && value.chunks(2).all(|pair| matches!(pair, [0, _]));
    let step: usize = if is_wide { 2 } else { 1 };
    let skipped = step.saturating_sub(1);
    let last = value.len().saturating_sub(1);
    for (index, character) in value.iter().copied().enumerate().skip(skipped).step_by(step) {
        let at_end = index == skipped || index == last;
        match character {
            b'"' | b'+' | b',' | b';' | b'<' | b'>' | b'\\' => text.extend_from_slice(&[b'\\', character]),
            b' ' if at_end => text.extend_from_slice(b"\\ "),
            b'#' if index == skipped => text.extend_from_slice(b"\\#"),
            0..=0x1f | 0x7f => {
                text.push(b'\\');
                text.extend_from_slice(&hex::octet(character));
            }
            _ => text.push(character),
        }
    }
}

/// Short names of attribute types (RFC 4514, 3, and what OpenSSL writes for the others).
fn short_name(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "2.5.4.3" => "CN",
        "2.5.4.4" => "SN",
        "2.5.4.5" => "serialNumber",
        "2.5.4.6" => "C",
        "2.5.4.7" => "L",
        "2.5.4.8" => "ST",
        "2.5.4.9" => "street",
        "2.5.4.10" => "O",
        "2.5.4.11" => "OU",
        "2.5.4.12" => "title",
        "2.5.4.13" => "description",
        "2.5.4.15" => "businessCategory",
        "2.5.4.17" => "postalCode",
        "2.5.4.41" => "name",
        "2.5.4.42" => "GN",
        "2.5.4.46" => "dnQualifier",
        "0.9.2342.19200300.100.1.1" => "UID",
        "0.9.2342.19200300.100.1.25" => "DC",
        "1.2.840.113549.1.9.1" => "emailAddress",
        "1.2.840.113549.1.9.2" => "unstructuredName",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_as_the_standard_has_it() {
        let written = |value: &[u8]| {
            let mut text = Vec::new();
            write_value(value, &mut text);
            String::from_utf8(text).unwrap()
        };
        assert_eq!(written(b"Sue, Grabbit and Runn"), "Sue\\, Grabbit and Runn");
        assert_eq!(written(b" a\x1b[31m "), "\\ a\\1b[31m\\ ");
        assert_eq!(written(b"\0L\0A\0N"), "LAN");
        assert_eq!(written(b""), "");
    }

    #[test]
    fn a_list_that_promises_more_than_it_holds_gives_nothing() {
        assert_eq!(leaf(&[0, 0, 9, 0, 0, 6, 1, 2, 3]), None);
        assert_eq!(leaf(&[0, 0, 0]), None);
        assert_eq!(leaf(&[0, 0, 6, 0, 0, 3, 1, 2, 3]), Some(&[1, 2, 3][..]));
    }
}
