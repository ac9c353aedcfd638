//! Community ID, version 1, seed 0: the flow hash that Zeek, Suricata and Wireshark share
//! (specification: corelight/community-id-spec).

use std::fmt;
use std::net::IpAddr;

use base64::Engine as _;
use sha1::{Digest, Sha1};

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
    let mut hash = Sha1::new();
    hash.update([0, 0]);
    for endpoint in [first, second] {
        match endpoint.address.to_ip() {
            IpAddr::V4(ip) => hash.update(ip.octets()),
            IpAddr::V6(ip) => hash.update(ip.octets()),
        }
    }
    hash.update([protocol, 0]);
    if has_ports {
        hash.update(first.port.to_be_bytes());
        hash.update(second.port.to_be_bytes());
    }
    let digest = hash.finalize();
    let mut text = *b"1:............................";
    if let Some(place) = text.get_mut(2..) {
        // Twenty octets are exactly these twenty-eight characters.
        let _ = base64::engine::general_purpose::STANDARD.encode_slice(digest, place);
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
