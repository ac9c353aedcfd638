//! What kind of network an address belongs to.
//!
//! A user's database says it for the address; where none does, the own table `kinds.tsv` says it for the AS number. The
//! table holds networks that rent out servers, networks of VPN companies and company web gateways, with the source
//! of each row; its confidence is about the network, never about the user of an address.

use std::sync::OnceLock;

use serde::Serialize;

/// Kind of a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NetworkKind {
    /// Exit of the Tor network.
    Tor,
    /// Egress of a VPN service.
    Vpn,
    /// Egress of a proxy service through somebody's home line.
    ResidentialProxy,
    /// Public proxy.
    PublicProxy,
    /// Relay of a privacy service of an operating system or browser.
    PrivacyRelay,
    /// Web gateway of a company or school: people at work.
    EnterpriseGateway,
    /// Rented servers and clouds.
    Hosting,
    /// Mobile network.
    Mobile,
    /// Lines over satellites: the address is that of a ground station.
    Satellite,
    /// Line of a household, or a provider that mostly serves them.
    Residential,
    /// Line of a company.
    Business,
    /// School or university.
    Education,
}

impl NetworkKind {
    /// Every kind.
    pub const ALL: [Self; 12] = [
        Self::Tor,
        Self::Vpn,
        Self::ResidentialProxy,
        Self::PublicProxy,
        Self::PrivacyRelay,
        Self::EnterpriseGateway,
        Self::Hosting,
        Self::Mobile,
        Self::Satellite,
        Self::Residential,
        Self::Business,
        Self::Education,
    ];

    /// The word that records and tables carry.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tor => "tor",
            Self::Vpn => "vpn",
            Self::ResidentialProxy => "residential-proxy",
            Self::PublicProxy => "public-proxy",
            Self::PrivacyRelay => "privacy-relay",
            Self::EnterpriseGateway => "enterprise-gateway",
            Self::Hosting => "hosting",
            Self::Mobile => "mobile",
            Self::Satellite => "satellite",
            Self::Residential => "residential",
            Self::Business => "business",
            Self::Education => "education",
        }
    }

    /// Whether such an address usually hides where its user is.
    #[must_use]
    pub const fn hides_origin(self) -> bool {
        match self {
            Self::Tor
            | Self::Vpn
            | Self::ResidentialProxy
            | Self::PublicProxy
            | Self::PrivacyRelay
            | Self::EnterpriseGateway
            | Self::Hosting => true,
            Self::Mobile | Self::Satellite | Self::Residential | Self::Business | Self::Education => false,
        }
    }
}

/// A row of the table: what is known of an AS number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownNetwork {
    /// Autonomous system number.
    pub asn: u32,
    /// Kind of network.
    pub kind: NetworkKind,
    /// Who it is, in the source's words.
    pub name: &'static str,
    /// `high`: its own address space; `medium`, `low`: also holds other customers.
    pub confidence: &'static str,
    /// Where the row comes from.
    pub source: &'static str,
    /// When this was so, `YYYY-MM-DD`: the day on which the source checked the row where it says one, else the day on which the row was
    /// looked up there, because most lists date none of theirs.
    pub read: &'static str,
}

/// What the table says of `asn`.
#[must_use]
pub fn known_network(asn: u32) -> Option<&'static KnownNetwork> {
    let table = table();
    let position = table.binary_search_by_key(&asn, |row| row.asn).ok()?;
    table.get(position)
}

/// How many rows of the table have a day that `is_old`, how many there are, and the oldest such day.
pub(super) fn rows_where(is_old: impl Fn(&str) -> bool) -> (usize, usize, Option<&'static str>) {
    let days = || table().iter().map(|row| row.read).filter(|read| is_old(read));
    // Days of this form are in the order of their letters.
    (days().count(), table().len(), days().min())
}

fn table() -> &'static [KnownNetwork] {
    static TABLE: OnceLock<Vec<KnownNetwork>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut rows: Vec<KnownNetwork> = include_str!("kinds.tsv")
            .lines()
            .skip(1)
            .filter_map(row)
            .collect();
        rows.sort_by_key(|row| row.asn);
        rows
    })
}

fn row(line: &'static str) -> Option<KnownNetwork> {
    let mut columns = line.split('\t');
    let asn = columns.next()?.parse().ok()?;
    let word = columns.next()?;
    let kind = NetworkKind::ALL.into_iter().find(|kind| kind.name() == word)?;
    let (name, confidence) = (columns.next()?, columns.next()?);
    let (source, read) = (columns.next()?, columns.next()?);
    Some(KnownNetwork {
        asn,
        kind,
        name,
        confidence,
        source,
        read,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_reads_once_and_has_a_source_and_a_date() {
        let lines = include_str!("kinds.tsv").lines().skip(1);
        assert_eq!(lines.count(), table().len());
        for pair in table().windows(2) {
            assert!(pair[0].asn < pair[1].asn, "AS{} stands twice", pair[1].asn);
        }
        for row in table() {
            assert!(!row.source.is_empty() && !row.name.is_empty(), "AS{}", row.asn);
            assert!(
                crate::geo::build::epoch_of(row.read).is_some(),
                "AS{}: {:?} is no day",
                row.asn,
                row.read
            );
            assert!(
                ["high", "medium", "low"].contains(&row.confidence),
                "AS{}",
                row.asn
            );
        }
    }

    #[test]
    fn well_known_networks_have_their_kind() {
        assert_eq!(known_network(24_940).unwrap().kind, NetworkKind::Hosting);
        assert_eq!(known_network(39_351).unwrap().kind, NetworkKind::Vpn);
        assert_eq!(known_network(14_593).unwrap().kind, NetworkKind::Satellite);
        // Akamai's part of iCloud Private Relay, and what it is not.
        assert_eq!(known_network(36_183).unwrap().kind, NetworkKind::PrivacyRelay);
        assert!(
            known_network(4_766).is_none(),
            "a national carrier is no hoster for one rented rack"
        );
    }
}
