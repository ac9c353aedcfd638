//! AYIYA (draft-massar-v6ops-ayiya-02, 3): IPv6 in UDP with an identity and a signature in front of it.
//!
//! That there is such a draft, with an identity of given length and type and a signature, was looked up; the places of single bits
//! are from memory, so that every field is tested before anything is opened.

use crate::model::segment::Encapsulation;

use super::super::Step;
use super::super::stretch::{Stretch, array};
use super::{Inside, routed};

/// Octets in front of the identity: lengths, operation, next header, time.
const FIXED: u32 = 8;
/// Longest identity that is believed, as a power of two: the field could say 32 kB.
const LONGEST_IDENTITY: u8 = 8;
/// The operation that carries a packet.
const FORWARD: u8 = 1;
/// Hash methods (none, MD5, SHA-1) and authentication methods (none, shared secret, public key) that there are.
const METHODS: u8 = 3;
/// Next headers that are IP packets.
const IP: [u8; 2] = [4, 41];

/// The packet inside.
pub(super) fn inside(view: &[u8], payload: Stretch) -> Option<Inside> {
    let [identity, hash, operation, next] = array::<4>(view, 0)?;
    let is_plausible = identity >> 4 <= LONGEST_IDENTITY
        && hash & 0x0f < METHODS
        && operation >> 4 < METHODS
        && operation & 0x0f == FORWARD
        && IP.contains(&next);
    let signature = u32::from(hash >> 4) * 4;
    let header = FIXED + (1_u32 << (identity >> 4)) + signature;
    let inner = routed(view, payload, header).filter(|_| is_plausible)?;
    Some(Inside::new(Encapsulation::Ayiya, Step::Ip(inner)))
}
