//! The list of dissectors, in the order in which they are asked: exact magic first, weak hints last.

use super::{Dissector, dns};

/// Every protocol that is dissected.
pub static DISSECTORS: &[&dyn Dissector] = &[&dns::Dns, &dns::DnsOverTcp];
