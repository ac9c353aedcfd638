//! Lists of Tor's relays that the user supplies, as an addition to the catalogue's entry of Tor.

use std::fmt::Write;
use std::path::PathBuf;

use ipnet::IpNet;

use super::load::WIDEST_NETWORK;
use super::overlay::Layer;

/// Decibans of a connection to an address on such a list: what else stands on the same machine looks the same.
const WEIGHT: i64 = 30;

/// The lists as a signature file; nothing where there is none. Networks wider than entries may name are no relays.
pub(super) fn layer(lists: &[(String, Vec<IpNet>)]) -> Option<Layer> {
    let mut text = String::new();
    for (source, networks) in lists {
        let named: Vec<String> = networks
            .iter()
            .filter(|network| network.prefix_len() >= WIDEST_NETWORK)
            .map(|network| format!("\"{network}\""))
            .collect();
        if named.is_empty() {
            continue;
        }
        let source = toml::Value::String(source.clone());
        let _ = write!(
            text,
            "[[tool]]\nextends = \"tor\"\n[[tool.indicator]]\nfield = \"ip.server\"\nnetwork = [{}]\nweight = {WEIGHT}\nalone = true\n\
             role = \"session\"\nsource = {source}\nnote = \"a relay by the user's list; a service of another kind on the same machine looks the \
             same, and lists age within days\"\n",
            named.join(", ")
        );
    }
    (!text.is_empty()).then(|| Layer {
        path: PathBuf::from("lists of kind tor"),
        text,
    })
}

#[cfg(test)]
mod tests {
    use crate::signatures::Catalogue;

    #[test]
    fn a_list_of_relays_adds_to_the_entry_of_tor_and_to_nothing_else() {
        let networks = ["192.0.2.7/32", "2001:db8:7::9/128", "0.0.0.0/0"].map(|text| text.parse().unwrap());
        let lists = [("relays of \"somebody\" 2026-11-20".to_owned(), networks.to_vec())];
        let catalogue = Catalogue::with_overlays_and(&[], &lists).unwrap();
        let at = |text: &str| {
            let address = crate::model::address::Address::from(text.parse::<std::net::IpAddr>().unwrap());
            let found = catalogue.matches("ip.server", &address.0).next()?;
            Some((found.tool.id.clone(), found.indicator.source.clone()))
        };
        let expected = Some(("tor".to_owned(), "relays of \"somebody\" 2026-11-20".to_owned()));
        assert_eq!(
            [at("192.0.2.7"), at("2001:db8:7::9")],
            [expected.clone(), expected]
        );
        assert_eq!(at("192.0.2.8"), None);
        let without = Catalogue::with_overlays_and(&[], &[]).unwrap();
        assert_eq!(without.version(), Catalogue::embedded().unwrap().version());
        assert_ne!(without.version(), catalogue.version());
    }
}
