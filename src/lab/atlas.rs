//! What a geo database says of the addresses from which people come, where a scenario turns on it: documentation ranges are in no
//! database, so the laboratory brings its own (.mmdb, in the flat shape of ip-location-db's tables).

use std::io;
use std::time::{Duration, UNIX_EPOCH};

use mmdb_writer::{Ipv4Aliasing, Value, Writer};

/// A network of eight addresses and what is said of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Placed {
    /// Its first address; the last octet is a multiple of eight.
    pub(super) first: [u8; 4],
    /// ISO 3166-1 alpha-2.
    pub(super) country: &'static str,
    /// AS number, one of those for documentation (RFC 5398).
    pub(super) asn: u32,
    /// Whose it is.
    pub(super) organisation: &'static str,
}

/// Addresses in a network.
const SIZE: u8 = 8;

/// 14 September 2026, when captures of several days begin.
const BUILT: u64 = 1_789_344_000;

/// The database that says this.
pub(super) fn database(placed: &[Placed]) -> io::Result<Vec<u8>> {
    let mut writer = Writer::builder("farmhawk-lab")
        .description(&[("en", "where addresses of the laboratory are")])
        .ipv4_aliasing(Ipv4Aliasing::Disabled)
        .build_epoch(UNIX_EPOCH + Duration::from_secs(BUILT))
        .build();
    for one in placed {
        let [a, b, c, first] = one.first;
        let record: Vec<(&str, Value)> = vec![
            ("country_code", Value::from(one.country)),
            ("asn", Value::from(one.asn)),
            ("org", Value::from(one.organisation)),
        ];
        let ends = [first, first.saturating_add(SIZE - 1)].map(|last| [a, b, c, last].into());
        let [first, last] = ends;
        writer
            .insert_range(first, last, &Value::map(record))
            .map_err(io::Error::other)?;
    }
    writer.to_bytes().map_err(io::Error::other)
}
