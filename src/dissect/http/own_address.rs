//! Web services that name the caller's address in a body of nothing else: how a machine learns its public address in the clear.
//!
//! Headers such as X-Forwarded-For are not read for this: whoever sends one forwards for somebody else, so that it names anybody's
//! address but the sender's.

use std::net::IpAddr;
use std::sync::OnceLock;

use crate::model::fact::{Facts, Field};

/// The caller's public address, as such a service names it.
pub(super) const OWN_ADDRESS: Field = Field::of_event("http.own_address");

/// Longest body of one address, with a chunk's end.
const LONGEST: usize = 80;

/// Host names of the table, sorted; the shortest and the longest length.
fn services() -> &'static (Vec<&'static str>, [usize; 2]) {
    static SERVICES: OnceLock<(Vec<&'static str>, [usize; 2])> = OnceLock::new();
    SERVICES.get_or_init(|| {
        let lines = include_str!("own_address.tsv").lines();
        let mut names: Vec<&str> = lines
            .filter(|line| !line.starts_with('#'))
            .filter_map(|line| line.split('\t').next())
            .collect();
        names.sort_unstable();
        let lengths = || names.iter().map(|name| name.len());
        let bounds = [lengths().min().unwrap_or(0), lengths().max().unwrap_or(0)];
        (names, bounds)
    })
}

/// Whether a host is such a service.
pub(super) fn is_service(host: &[u8]) -> bool {
    let (names, [shortest, longest]) = services();
    let host = host.trim_ascii();
    if !(*shortest..=*longest).contains(&host.len()) {
        return false;
    }
    names
        .iter()
        .any(|name| name.as_bytes().eq_ignore_ascii_case(host))
}

/// Says the address that a service's body consists of.
pub(super) fn say(body: &[u8], facts: &mut Facts<'_>) {
    let line = body.split(|octet| *octet == b'\n').next().unwrap_or_default();
    if body.len() <= LONGEST
        && let Ok(text) = std::str::from_utf8(line.trim_ascii())
        && let Ok(address) = text.parse::<IpAddr>()
    {
        facts.endpoint(&OWN_ADDRESS, address, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_known_by_their_whole_name_and_have_a_source_and_a_day() {
        for line in include_str!("own_address.tsv").lines() {
            assert_eq!(
                line.split('\t').filter(|cell| !cell.is_empty()).count(),
                3,
                "{line}"
            );
        }
        for line in include_str!("own_address.tsv").lines().skip(1) {
            let day = line.rsplit('\t').next().unwrap();
            assert!(day.parse::<jiff::civil::Date>().is_ok(), "{line}");
        }
        assert!(is_service(b"ICANHAZIP.com") && is_service(b" api.ipify.org"));
        for other in [
            &b"example.com"[..],
            b"icanhazip.com.example",
            b"",
            b"xicanhazip.com",
        ] {
            assert!(!is_service(other));
        }
    }
}
