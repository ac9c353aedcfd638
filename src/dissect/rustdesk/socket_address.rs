//! The mangled socket address of RustDesk's rendezvous.
//!
//! An IPv4 address is one number of 128 bits, little-endian with the zero octets at its end cut off:
//! `(ip + t) << 49 | t << 17 | (port + (t & 0xffff))`, where `t` is the low half of the server's microsecond clock and `ip` the
//! address read as a little-endian number. An IPv6 address is its 16 octets and the port, little-endian.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Octets of the IPv6 form.
const V6_LENGTH: usize = 18;

/// Address and port, or nothing where the octets cannot come from a mangled address.
pub(super) fn decode(mangled: &[u8]) -> Option<(IpAddr, u16)> {
    if mangled.len() == V6_LENGTH {
        let (address, port) = mangled.split_first_chunk::<16>()?;
        let port = u16::from_le_bytes(port.try_into().ok()?);
        return Some((IpAddr::V6(Ipv6Addr::from(*address)), port));
    }
    let mut octets = [0; 16];
    octets.get_mut(..mangled.len())?.copy_from_slice(mangled);
    let value = u128::from_le_bytes(octets);
    let time = u32::try_from(value >> 17 & 0xffff_ffff).ok()?;
    // The sum of address and time has 33 bits; nothing may stand above.
    let sum = u64::try_from(value >> 49).ok().filter(|sum| sum >> 33 == 0)?;
    let address = u32::try_from(sum.checked_sub(u64::from(time))?).ok()?;
    let sum_of_ports = u32::try_from(value & 0x1_ffff).ok()?;
    let port = u16::try_from(sum_of_ports.checked_sub(time & 0xffff)?).ok()?;
    (address != 0 && port != 0).then(|| (IpAddr::V4(Ipv4Addr::from(address.to_le_bytes())), port))
}

/// The inverse, for tests.
#[cfg(test)]
pub(super) fn encode(address: [u8; 4], port: u16, time: u32) -> Vec<u8> {
    let ip = u128::from(u32::from_le_bytes(address));
    let time = u128::from(time);
    let value = (ip + time) << 49 | time << 17 | (u128::from(port) + (time & 0xffff));
    let mut octets = value.to_le_bytes().to_vec();
    while octets.last() == Some(&0) {
        octets.pop();
    }
    octets
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_address_survives_the_round_trip(address in any::<u32>(), port in 1_u16.., time in any::<u32>()) {
            prop_assume!(address != 0);
            let octets = address.to_le_bytes();
            prop_assert_eq!(decode(&encode(octets, port, time)), Some((IpAddr::from(octets), port)));
        }

        #[test]
        fn any_octets_are_survived(octets in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = decode(&octets);
        }
    }

    #[test]
    fn the_longer_form_is_an_address_of_version_six() {
        let ip: Ipv6Addr = "2001:db8::5".parse().unwrap();
        let mut octets = ip.octets().to_vec();
        octets.extend(21_118_u16.to_le_bytes());
        assert_eq!(decode(&octets), Some((IpAddr::V6(ip), 21_118)));
    }
}
