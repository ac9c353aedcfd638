//! Certificates that say a subject and an issuer (RFC 5280) around keys and signatures of chance: nobody can verify them, and a
//! capture does not need to.

use super::random::Random;

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const NULL: u8 = 0x05;
const OBJECT: u8 = 0x06;
const UTF8: u8 = 0x0c;
const PRINTABLE: u8 = 0x13;
const UTC_TIME: u8 = 0x17;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;

/// `sha256WithRSAEncryption` (RFC 8017, appendix C).
const SHA256_RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
/// `rsaEncryption`.
const RSA: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];

/// An attribute of a name: last octet of its identifier below 2.5.4 (X.520), and its text.
pub(super) type Attribute<'a> = (u8, &'a str);
/// Common name.
pub(super) const COMMON_NAME: u8 = 3;
/// Country.
pub(super) const COUNTRY: u8 = 6;
/// Organisation.
pub(super) const ORGANISATION: u8 = 10;

/// A certificate in DER; `years` are the two last digits of the years between which it holds.
pub(super) fn certificate(
    random: &mut Random,
    subject: &[Attribute<'_>],
    issuer: &[Attribute<'_>],
    years: [u8; 2],
) -> Vec<u8> {
    let algorithm = element(SEQUENCE, &[element(OBJECT, &[SHA256_RSA]), element(NULL, &[[]])]);
    let validity = years.map(|year| element(UTC_TIME, &[format!("{year:02}0301000000Z")]));
    let body = element(
        SEQUENCE,
        &[
            element(0xa0, &[element(INTEGER, &[[2]])]),
            element(INTEGER, &[number(random, 8)]),
            algorithm.clone(),
            name(issuer),
            element(SEQUENCE, &validity),
            name(subject),
            key(random),
        ],
    );
    let signature = bits(&random.octets(256));
    element(SEQUENCE, &[body, algorithm, signature])
}

fn element<T: AsRef<[u8]>>(tag: u8, parts: &[T]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.as_ref().len()).sum();
    let length = u16::try_from(length).unwrap_or(u16::MAX);
    let [high, low] = length.to_be_bytes();
    let mut bytes = vec![tag];
    match (high, low) {
        (0, 0..=127) => bytes.push(low),
        (0, _) => bytes.extend([0x81, low]),
        _ => bytes.extend([0x82, high, low]),
    }
    for part in parts {
        bytes.extend(part.as_ref());
    }
    bytes
}

/// A positive number of so many octets: the first bit is clear and the next is set.
fn number(random: &mut Random, length: usize) -> Vec<u8> {
    let mut octets = random.octets(length);
    if let Some(first) = octets.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    octets
}

fn bits(octets: &[u8]) -> Vec<u8> {
    element(BIT_STRING, &[&[0], octets])
}

fn name(attributes: &[Attribute<'_>]) -> Vec<u8> {
    let parts: Vec<Vec<u8>> = attributes
        .iter()
        .map(|(kind, text)| {
            let pair = [
                element(OBJECT, &[[0x55, 0x04, *kind]]),
                // Countries are printable strings by definition.
                element(
                    if *kind == COUNTRY { PRINTABLE } else { UTF8 },
                    &[text.as_bytes()],
                ),
            ];
            element(SET, &[element(SEQUENCE, &pair)])
        })
        .collect();
    element(SEQUENCE, &parts)
}

fn key(random: &mut Random) -> Vec<u8> {
    let algorithm = element(SEQUENCE, &[element(OBJECT, &[RSA]), element(NULL, &[[]])]);
    let pair = element(
        SEQUENCE,
        &[
            element(INTEGER, &[number(random, 256)]),
            element(INTEGER, &[[1, 0, 1]]),
        ],
    );
    element(SEQUENCE, &[algorithm, bits(&pair)])
}

#[cfg(test)]
mod tests {
    use x509_parser::prelude::{FromDer, X509Certificate};

    use super::*;

    #[test]
    fn a_certificate_reads_as_what_was_asked_for() {
        let subject = [
            (COUNTRY, "DE"),
            (ORGANISATION, "A company"),
            (COMMON_NAME, "A relay"),
        ];
        let issuer = [(COMMON_NAME, "A root")];
        let der = certificate(&mut Random::new(1), &subject, &issuer, [18, 38]);
        let (rest, read) = X509Certificate::from_der(&der).unwrap();
        assert!(rest.is_empty());
        assert_eq!(read.subject().to_string(), "C=DE, O=A company, CN=A relay");
        assert_eq!(read.issuer().to_string(), "CN=A root");
        assert!(read.public_key().parsed().is_ok());
    }
}
