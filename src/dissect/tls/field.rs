//! What TLS says, whether it travels over TCP, in DTLS or in QUIC. Texts stand as they were sent: a server name that
//! came with upper case keeps it, and who compares folds case.

use crate::dissect::openvpn::lengths;
use crate::model::fact::Field;

/// Server name that the client asked for.
pub static SNI: Field = Field::of_flow("tls.sni");
/// Application protocols offered, one fact each, in order of preference.
pub static ALPN: Field = Field::of_flow("tls.alpn");
/// Application protocol chosen, where that is in the clear.
pub static ALPN_CHOSEN: Field = Field::of_flow("tls.alpn_chosen");
/// Version chosen, as Suricata writes it.
pub static VERSION: Field = Field::of_flow("tls.version");
/// Versions offered, one fact each.
pub static VERSION_OFFERED: Field = Field::of_flow("tls.version_offered");
/// Cipher suite chosen: IANA's name, or 0x and four digits.
pub static CIPHER: Field = Field::of_flow("tls.cipher");
/// JA3 of the client.
pub static JA3: Field = Field::of_flow("tls.ja3");
/// JA3S of the server.
pub static JA3S: Field = Field::of_flow("tls.ja3s");
/// JA4 of the client.
pub static JA4: Field = Field::of_flow("tls.ja4");
/// 1 if the client sent an encrypted hello or name, or pretended to (browsers do so to everybody: GREASE).
pub static ECH: Field = Field::of_flow("tls.ech");
/// The client's 32 random octets: two flows with the same ones are two legs of a relay.
pub static CLIENT_RANDOM: Field = Field::of_flow("tls.client_random");
/// How the client would resume an earlier session: `psk` or `ticket`.
pub static RESUMPTION_OFFERED: Field = Field::of_flow("tls.resumption_offered");
/// 1 if the server agreed to resume.
pub static RESUMED: Field = Field::of_flow("tls.resumed");
/// 1 if the client announced data before the handshake's end.
pub static EARLY_DATA: Field = Field::of_flow("tls.early_data");

/// Version of the handshake that seems to take place inside, by the lengths of records: only where that is asked for.
pub static INNER_HANDSHAKE: Field = Field::of_flow("tls.inner_handshake");

/// Lengths of the first encrypted records of a client that is read on (`client_records.rs`), as [`crate::model::lengths`] has them.
pub static LENGTHS: Field = Field::of_flow("tls.lengths");

/// Subject of the server's certificate in the form of RFC 4514.
pub static SUBJECT: Field = Field::of_flow("tls.certificate.subject");
/// Issuer of the server's certificate in the form of RFC 4514.
pub static ISSUER: Field = Field::of_flow("tls.certificate.issuer");
/// DNS names of the server's certificate, one fact each.
pub static NAME: Field = Field::of_flow("tls.certificate.name");
/// Start of validity, seconds since 1970.
pub static NOT_BEFORE: Field = Field::of_flow("tls.certificate.not_before");
/// End of validity, seconds since 1970.
pub static NOT_AFTER: Field = Field::of_flow("tls.certificate.not_after");
/// SHA-256 of the server's certificate, hexadecimal.
pub static FINGERPRINT: Field = Field::of_flow("tls.certificate.fingerprint");
/// Serial number, hexadecimal.
pub static SERIAL: Field = Field::of_flow("tls.certificate.serial");
/// 1 if subject and issuer are equal (the signature is not checked).
pub static SELF_SIGNED: Field = Field::of_flow("tls.certificate.self_signed");

/// Subject of the client's certificate.
pub static CLIENT_SUBJECT: Field = Field::of_flow("tls.client_certificate.subject");
/// Issuer of the client's certificate.
pub static CLIENT_ISSUER: Field = Field::of_flow("tls.client_certificate.issuer");
/// DNS names of the client's certificate, one fact each.
pub static CLIENT_NAME: Field = Field::of_flow("tls.client_certificate.name");
/// Start of validity, seconds since 1970.
pub static CLIENT_NOT_BEFORE: Field = Field::of_flow("tls.client_certificate.not_before");
/// End of validity, seconds since 1970.
pub static CLIENT_NOT_AFTER: Field = Field::of_flow("tls.client_certificate.not_after");
/// SHA-256 of the client's certificate, hexadecimal.
pub static CLIENT_FINGERPRINT: Field = Field::of_flow("tls.client_certificate.fingerprint");
/// Serial number, hexadecimal.
pub static CLIENT_SERIAL: Field = Field::of_flow("tls.client_certificate.serial");
/// 1 if subject and issuer are equal.
pub static CLIENT_SELF_SIGNED: Field = Field::of_flow("tls.client_certificate.self_signed");

/// All of them.
pub static ALL: &[&Field] = &[
    &SNI,
    &ALPN,
    &ALPN_CHOSEN,
    &VERSION,
    &VERSION_OFFERED,
    &CIPHER,
    &JA3,
    &JA3S,
    &JA4,
    &ECH,
    &CLIENT_RANDOM,
    &RESUMPTION_OFFERED,
    &RESUMED,
    &EARLY_DATA,
    &INNER_HANDSHAKE,
    &lengths::INSIDE,
    &LENGTHS,
    &SUBJECT,
    &ISSUER,
    &NAME,
    &NOT_BEFORE,
    &NOT_AFTER,
    &FINGERPRINT,
    &SERIAL,
    &SELF_SIGNED,
    &CLIENT_SUBJECT,
    &CLIENT_ISSUER,
    &CLIENT_NAME,
    &CLIENT_NOT_BEFORE,
    &CLIENT_NOT_AFTER,
    &CLIENT_FINGERPRINT,
    &CLIENT_SERIAL,
    &CLIENT_SELF_SIGNED,
];
