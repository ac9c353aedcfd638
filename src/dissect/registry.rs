//! The list of dissectors, in the order in which they are asked: exact magic first, weak hints last.

use super::{Dissector, quic, tls};

/// Every protocol that is dissected.
pub static DISSECTORS: &[&dyn Dissector] = &[&tls::Tls, &quic::Quic, &tls::dtls::Dtls, &quic::gquic::Gquic];
