//! Community ID, version 1, seed 0: the flow hash that Zeek, Suricata and Wireshark share
//! (specification: corelight/community-id-spec).

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use sha1::block_api::compress;

use crate::model::address::Endpoint;
use crate::model::flow::FlowRecord;
use crate::model::segment::Layer;

/// The identifier in its usual form: `1:` and the hash in base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CommunityId([u8; 30]);

impl CommunityId {
    /// The text; ASCII by construction.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Debug for CommunityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What comes first, so that an installation may have identifiers of its own; ours is everybody's.
const SEED: [u8; 2] = [0, 0];

/// Octets that SHA-1 takes at once.
const BLOCK: usize = 64;

/// What SHA-1 begins with (FIPS 180-4, 5.3.1).
const INITIAL: [u32; 5] = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476, 0xc3d2_e1f0];

/// Writes octets; gives what is behind them.
fn put<const N: usize>(rest: &mut [u8], octets: [u8; N]) -> &mut [u8] {
    let Some((place, behind)) = rest.split_first_chunk_mut() else {
        return &mut [];
    };
    *place = octets;
    behind
}

/// Identifier of a flow with the given endpoints. `one_way` ICMP (types without a counterpart) keeps its direction.
#[must_use]
pub fn community_id(
    protocol: u8,
    from: Endpoint,
    to: Endpoint,
    has_ports: bool,
    one_way: bool,
) -> CommunityId {
    let (first, second) = if one_way || from <= to {
        (from, to)
    } else {
        (to, from)
    };
    // At most forty octets: with their padding one block (FIPS 180-4, 5.1.1).
    let mut block = [0; BLOCK];
    let mut rest = put(&mut block, SEED);
    for endpoint in [first, second] {
        rest = match endpoint.address.to_ip() {
            IpAddr::V4(ip) => put(rest, ip.octets()),
            IpAddr::V6(ip) => put(rest, ip.octets()),
        };
    }
    rest = put(rest, [protocol, 0]);
    if has_ports {
        rest = put(rest, first.port.to_be_bytes());
        rest = put(rest, second.port.to_be_bytes());
    }
    let hashed = BLOCK.saturating_sub(rest.len()) as u64;
    if let Some(last) = put(rest, [0x80]).last_chunk_mut() {
        *last = hashed.saturating_mul(8).to_be_bytes();
    }
    let mut state = INITIAL;
    compress(&mut state, &[block]);
    let digest = state.map(u32::to_be_bytes);
    let mut text = *b"1:............................";
    if let Some(place) = text.get_mut(2..) {
        // Twenty octets are exactly these twenty-eight characters.
        let _ = base64::engine::general_purpose::STANDARD.encode_slice(digest.as_flattened(), place);
    }
    CommunityId(text)
}

/// Identifier of a recorded flow.
#[must_use]
pub fn of_record(flow: &FlowRecord) -> CommunityId {
    let has_ports = !matches!(flow.layer, Layer::OtherIp | Layer::Link);
    let one_way = flow.icmp_one_way;
    community_id(flow.protocol, flow.client, flow.server, has_ports, one_way)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::Address;

    fn endpoint(ip: &str, port: u16) -> Endpoint {
        Endpoint {
            address: Address::from(ip.parse::<IpAddr>().unwrap()),
            port,
        }
    }

    // Values of the specification's baseline (baseline_deflt.json).
    #[test]
    fn values_equal_the_published_baseline() {
        let cases = [
            (
                6,
                "128.232.110.120",
                34_855,
                "66.35.250.204",
                80,
                "1:LQU9qZlK+B5F3KDmev6m5PMibrg=",
            ),
            (
                17,
                "192.168.1.52",
                54_585,
                "8.8.8.8",
                53,
                "1:d/FP5EW3wiY1vCndhwleRRKHowQ=",
            ),
            (
                132,
                "192.168.170.8",
                7,
                "192.168.170.56",
                80,
                "1:jQgCxbku+pNGw8WPbEc/TS/uTpQ=",
            ),
        ];
        for (protocol, from, from_port, to, to_port, expected) in cases {
            let (from, to) = (endpoint(from, from_port), endpoint(to, to_port));
            assert_eq!(community_id(protocol, from, to, true, false).as_str(), expected);
            assert_eq!(community_id(protocol, to, from, true, false).as_str(), expected);
        }
    }

    #[test]
    fn the_hash_of_the_longest_is_that_of_the_whole_algorithm() {
        use sha1::{Digest, Sha1};
        let (from, to) = (endpoint("2001:db8::1", 65_535), endpoint("2001:db8::2", 1));
        let mut hash = Sha1::new();
        hash.update([0, 0]);
        for end in [from, to] {
            hash.update(end.address.0);
        }
        hash.update([17, 0, 0xff, 0xff, 0, 1]);
        let text = base64::engine::general_purpose::STANDARD.encode(hash.finalize());
        assert_eq!(
            community_id(17, from, to, true, false).as_str(),
            format!("1:{text}")
        );
    }

    #[test]
    fn an_echo_and_its_reply_have_one_identifier() {
        let (a, b) = (endpoint("192.168.0.89", 8), endpoint("192.168.0.1", 0));
        assert_eq!(
            community_id(1, a, b, true, false).as_str(),
            "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="
        );
        assert_eq!(
            community_id(1, b, a, true, false).as_str(),
            "1:X0snYXpgwiv9TZtqg64sgzUn6Dk="
        );
    }
}
