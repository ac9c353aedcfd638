//! Lists of ranges that the user supplies: plain text, an address or a network (CIDR) a line, with a head that says what they are.
//!
//! ```text
//! # name: Exits of Example VPN
//! # kind: vpn
//! # date: 2026-08-01
//! 198.51.100.0/24
//! 2001:db8:7::/48     # the rest of a line behind this sign is a remark
//! ```
//!
//! Providers publish their ranges in the form of RFC 8805 too (`192.0.2.0/27,US,US-WA,Seattle,`): of such a line the network counts, and what it
//! says of the place is left to the databases.
//!
//! Name, kind and date must be there: a list without a date cannot be called old. Kinds are the words of
//! [`NetworkKind::name`].

use std::fs;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;

use super::kinds::NetworkKind;
use super::ranges::RangeTable;
use super::{DatabaseDescription, GeoError, build};
use crate::document::did_you_mean;

/// Endings by which lists in a folder are told; a file that is named itself is told by its content.
const ENDINGS: [&str; 2] = ["cidr", "netset"];

/// A list in use.
pub(super) struct List {
    pub(super) description: Arc<DatabaseDescription>,
    pub(super) kind: NetworkKind,
    ranges: RangeTable<()>,
    /// The networks as they were written, of lists of Tor's relays.
    pub(super) networks: Vec<IpNet>,
}

impl List {
    /// Whether an address is on it.
    pub(super) fn holds(&self, ip: IpAddr) -> bool {
        self.ranges.get(ip).is_some()
    }
}

/// Whether a file of a folder is a list by its ending.
pub(super) fn has_ending(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    ending.is_some_and(|ending| ENDINGS.iter().any(|known| known.eq_ignore_ascii_case(ending)))
}

/// Whether a file's bytes are text: databases hold zero octets from the beginning.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    let start = bytes.get(..bytes.len().min(512)).unwrap_or_default();
    !start.is_empty()
        && start
            .iter()
            .all(|octet| *octet >= b' ' || octet.is_ascii_whitespace())
}

/// Reads a list.
pub(super) fn read(path: &Path, bytes: &[u8]) -> Result<List, GeoError> {
    let fault = |line: usize, what: String| GeoError::List(path.to_owned(), line, what);
    let text = std::str::from_utf8(bytes).map_err(|_| fault(0, "not UTF-8".to_owned()))?;
    let (mut name, mut kind, mut date) = (None, None, None);
    let mut networks: Vec<IpNet> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some((key, value)) = line.strip_prefix('#').and_then(|head| head.split_once(':')) {
            let value = value.trim();
            match key.trim() {
                "name" => name = Some(value.to_owned()),
                "kind" => kind = Some(kind_of(value).map_err(|what| fault(number, what))?),
                "date" => {
                    let epoch = build::epoch_of(value);
                    date = Some((
                        value.to_owned(),
                        epoch.ok_or_else(|| {
                            fault(number, format!("{value:?} is not a day such as 2026-08-01"))
                        })?,
                    ));
                }
                _ => {}
            }
        }
        let entry = line.split(['#', ',']).next().unwrap_or_default().trim();
        if entry.is_empty() {
            continue;
        }
        let network = entry
            .parse::<IpNet>()
            .ok()
            .or_else(|| entry.parse::<IpAddr>().ok().map(IpNet::from));
        let wrong = || {
            fault(
                number,
                format!("{entry:?} is neither an address nor a network (CIDR)"),
            )
        };
        networks.push(network.ok_or_else(wrong)?.trunc());
    }
    let missing = |what: &str| fault(0, format!("its head does not say \"# {what}: ...\""));
    let name = name.ok_or_else(|| missing("name"))?;
    let kind = kind.ok_or_else(|| missing("kind"))?;
    let (build_date, build_epoch) = date.ok_or_else(|| missing("date"))?;
    let description = DatabaseDescription {
        name,
        database_type: format!("ranges of kind {}", kind.name()),
        build_date,
        path: Some(path.to_owned()),
        format: "list",
        attribution: "supplied by the user".to_owned(),
        is_default: false,
        build_epoch,
    };
    let is_tor = kind == NetworkKind::Tor;
    Ok(List {
        description: Arc::new(description),
        kind,
        networks: if is_tor { networks.clone() } else { Vec::new() },
        ranges: table(networks).map_err(|what| fault(0, what))?,
    })
}

/// The networks without those that lie in others: of two networks that share an address, one holds the other.
fn table(mut networks: Vec<IpNet>) -> Result<RangeTable<()>, String> {
    networks.sort_by_key(|network| (network.network(), network.prefix_len()));
    let mut outer: Vec<IpNet> = Vec::new();
    for network in networks {
        if outer.last().is_none_or(|last| !last.contains(&network)) {
            outer.push(network);
        }
    }
    let rows = outer
        .iter()
        .map(|network| (network.network(), network.broadcast(), ()));
    RangeTable::new(rows).map_err(|overlap| overlap.to_string())
}

fn kind_of(word: &str) -> Result<NetworkKind, String> {
    let found = NetworkKind::ALL.into_iter().find(|kind| kind.name() == word);
    found.ok_or_else(|| {
        let words = NetworkKind::ALL.map(NetworkKind::name);
        format!(
            "{word:?} is no kind of network{}",
            did_you_mean(word, words.iter().copied())
        )
    })
}

/// Reads a file that is a list; nothing when it is none.
pub(super) fn open(path: &Path) -> Option<Result<List, GeoError>> {
    let is_database = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("mmdb"));
    if is_database {
        return None;
    }
    let bytes = fs::read(path).ok()?;
    is_text(&bytes).then(|| read(path, &bytes))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEAD: &str = "# name: Example\n# kind: vpn\n# date: 2026-08-01\n";

    fn parse(text: &str) -> Result<List, String> {
        read(Path::new("exits.cidr"), text.as_bytes()).map_err(|error| error.to_string())
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_list_is_read_with_its_head_remarks_and_networks_in_others() {
        let text = format!("{HEAD}# a remark\n198.51.100.0/24 # exits\n\n198.51.100.7\n2001:db8:7::/48\n");
        let list = parse(&text).unwrap();
        assert_eq!(
            (list.kind, list.description.build_date.as_str()),
            (NetworkKind::Vpn, "2026-08-01")
        );
        assert!(list.holds(ip("198.51.100.200")) && list.holds(ip("2001:db8:7::1")));
        assert!(!list.holds(ip("198.51.101.0")) && !list.holds(ip("2001:db8:8::1")));
    }

    #[test]
    fn ranges_as_providers_publish_them_are_read_by_their_networks() {
        let text = "# name: relays\n# kind: privacy-relay\n# date: 2026-11-01\n192.0.2.64/27,US,US-AZ,Phoenix,\n2001:db8:26f7::/64,GB,,,\n";
        let list = parse(text).unwrap();
        assert_eq!(list.kind, NetworkKind::PrivacyRelay);
        assert!(list.holds(ip("192.0.2.70")) && list.holds(ip("2001:db8:26f7::9")));
        assert!(!list.holds(ip("192.0.2.96")));
        let wrong = parse(&text.replace("192.0.2.64/27", "prefix")).err().unwrap();
        assert!(wrong.starts_with("exits.cidr:4: \"prefix\""), "{wrong}");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_line() {
        let wrong = |text: &str| parse(text).err().unwrap();
        assert_eq!(
            wrong(&format!("{HEAD}198.51.100.0/33\n")),
            "exits.cidr:4: \"198.51.100.0/33\" is neither an address nor a network (CIDR)"
        );
        assert_eq!(
            wrong("# name: x\n# kind: vnp\n"),
            "exits.cidr:2: \"vnp\" is no kind of network (did you mean \"vpn\"?)"
        );
        assert_eq!(
            wrong("# name: x\n# kind: vpn\n192.0.2.1\n"),
            "exits.cidr: its head does not say \"# date: ...\""
        );
        assert_eq!(
            wrong("# date: August\n"),
            "exits.cidr:1: \"August\" is not a day such as 2026-08-01"
        );
    }

    proptest! {
        #[test]
        fn a_list_holds_what_its_lines_hold(networks in prop::collection::vec((any::<u32>(), 8..=32_u8), 0..40), asked: u32, near in 0..40_usize) {
            let nets: Vec<ipnet::Ipv4Net> = networks.iter().map(|(bits, length)| ipnet::Ipv4Net::new((*bits).into(), *length).unwrap()).collect();
            let text = nets.iter().fold(HEAD.to_owned(), |text, net| format!("{text}{net}\n"));
            let list = parse(&text).unwrap();
            let inside = nets.get(near).map(ipnet::Ipv4Net::broadcast);
            for asked in [Some(asked.into()), inside].into_iter().flatten() {
                prop_assert_eq!(list.holds(IpAddr::V4(asked)), nets.iter().any(|net| net.contains(&asked)));
            }
        }

        #[test]
        fn any_bytes_give_a_list_or_a_refusal(bytes: Vec<u8>) {
            let _ = read(Path::new("x"), &bytes);
        }
    }
}
