//! The list of dissectors, in the order in which they are asked: exact magic first, weak hints last.

use super::{Dissector, ftp, imap, ldap, pop3, postgresql, quic, smtp, tls, xmpp};

/// Every protocol that is dissected.
pub static DISSECTORS: &[&dyn Dissector] = &[
    &tls::Tls,
    &quic::Quic,
    &tls::dtls::Dtls,
    &quic::gquic::Gquic,
    &postgresql::Postgresql,
    &ldap::Ldap,
    &xmpp::Xmpp,
    &imap::Imap,
    &pop3::Pop3,
    &smtp::Smtp,
    &ftp::Ftp,
];
