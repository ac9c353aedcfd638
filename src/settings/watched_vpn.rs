//! VPN services that matter to the user beside those that the catalogue marks (DETECTION 1.3): the policy's tables `[[watched_vpn]]`.

use std::net::IpAddr;

use ipnet::IpNet;

use super::policy::networks;
use crate::document::Table;

/// A VPN service from whose exits control of a machine would matter, or whose use on one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WatchedVpn {
    /// Its name, or its identifier in the catalogue.
    pub provider: String,
    /// Its exits, as far as the user knows them; none where the catalogue's indicators are to serve.
    pub networks: Vec<IpNet>,
    /// The day of which the exits are known, as written: a list of exits ages within weeks.
    pub date: String,
}

impl WatchedVpn {
    /// Reads a table; `tools` are the catalogue's identifiers.
    pub(super) fn read(table: &Table<'_>, tools: &[&str]) -> Self {
        let watched = Self {
            provider: table.required_text("provider").unwrap_or_default().to_owned(),
            networks: networks(table, "networks"),
            date: table.text("date").unwrap_or_default().to_owned(),
        };
        if !table.has("networks") && !tools.contains(&watched.provider.as_str()) {
            table.fault(
                "networks",
                "missing: a provider that the catalogue does not know is told by its networks alone",
            );
        }
        if table.has("networks") && watched.date.is_empty() {
            table.fault(
                "date",
                "missing: a list of exits without a date cannot be called old",
            );
        }
        table.refuse_unknown();
        watched
    }

    /// The service of which `ip` is an exit: the one with the longest prefix.
    #[must_use]
    pub fn at(list: &[Self], ip: IpAddr) -> Option<&Self> {
        let length = |vpn: &&Self| {
            let networks = vpn.networks.iter().filter(|net| net.contains(&ip));
            networks.map(IpNet::prefix_len).max()
        };
        list.iter()
            .filter(|vpn| length(vpn).is_some())
            .max_by_key(|vpn| length(vpn))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::settings::policy::Policy;

    fn policy(text: &str) -> Result<Policy, String> {
        Policy::parse(Path::new("policy.toml"), text, &["anydesk", "astrill"])
            .map_err(|faults| faults.to_string())
    }

    #[test]
    fn a_listed_exit_is_that_of_the_closest_network() {
        let read = policy(
            "[[watched_vpn]]\nprovider = \"Wide\"\nnetworks = [\"203.0.113.0/24\"]\ndate = \"2026-09-01\"\n\
             [[watched_vpn]]\nprovider = \"Narrow\"\nnetworks = [\"203.0.113.8\"]\ndate = \"2026-09-01\"\n\
             [[watched_vpn]]\nprovider = \"astrill\"\n",
        )
        .unwrap();
        let at = |ip: &str| {
            WatchedVpn::at(&read.watched_vpns, ip.parse().unwrap()).map(|vpn| vpn.provider.as_str())
        };
        assert_eq!(at("203.0.113.8"), Some("Narrow"));
        assert_eq!(at("203.0.113.9"), Some("Wide"));
        assert_eq!(at("198.51.100.9"), None);
    }

    #[test]
    fn a_list_needs_a_date_and_an_unknown_provider_a_list() {
        let unknown = policy("[[watched_vpn]]\nprovider = \"Somebody\"\n").unwrap_err();
        assert!(unknown.contains("watched_vpn.networks: missing"), "{unknown}");
        let undated =
            policy("[[watched_vpn]]\nprovider = \"astrill\"\nnetworks = [\"203.0.113.8\"]\n").unwrap_err();
        assert!(undated.contains("watched_vpn.date: missing"), "{undated}");
    }
}
