//! The outside of a tunnel that decoding opened: from which line a machine's packets come.

use super::address::{Address, AddressSpace};
use super::egress::Sightings;

/// A machine whose packets were seen inside a tunnel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TunnelEnd {
    /// What keeps the inner address apart from equal ones.
    pub space: AddressSpace,
    /// Sender of the inner packets.
    pub inner: Address,
    /// Sender of the outer ones.
    pub outer: Address,
    /// When.
    pub seen: Sightings,
}
