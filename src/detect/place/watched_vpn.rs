//! Addresses that are exits of a VPN service which public reports on such cases name (DETECTION 1.3), or which the policy lists.
//!
//! Told by the policy's list of exits, or by the catalogue's indicators of a marked service in what databases say of the address. Most
//! users of such a service have nothing to do with anything: it is one cue beside others, and no finding by itself.

use crate::detect::Knowledge;
use crate::geo::Place;
use crate::model::address::Address;
use crate::settings::watched_vpn::WatchedVpn;
use crate::signatures::entry::{Tool, VpnService};

/// The service behind an address and who says so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Name of the service.
    pub provider: String,
    /// Which list or database says so.
    pub source: String,
    /// Nothing but the embedded default database says so; then it must not raise anything.
    pub is_default_database_only: bool,
}

/// The watched service of which an address is an exit; `place` is what databases say of the address.
#[must_use]
pub fn exit(address: Address, place: Option<&Place>, knowledge: &Knowledge<'_>) -> Option<Exit> {
    let policy = knowledge.policy;
    if let Some(listed) = WatchedVpn::at(&policy.watched_vpns, address.to_ip()) {
        let named = knowledge.catalogue.tool(&listed.provider);
        return Some(Exit {
            provider: named.map_or(&listed.provider, |tool| &tool.name).clone(),
            source: format!("the policy's list of {}", listed.date),
            is_default_database_only: false,
        });
    }
    let place = place?;
    let number = place.asn.map(|number| number.to_string());
    let said = [
        ("geo.as_org", place.as_org.as_deref()),
        ("geo.asn", number.as_deref()),
    ];
    let tool = said
        .into_iter()
        .filter_map(|(field, value)| Some((field, value?)))
        .flat_map(|(field, value)| knowledge.catalogue.matches(field, value.as_bytes()))
        .filter(|found| found.indicator.alone && is_watched(found.tool, knowledge))
        .map(|found| found.tool)
        .min_by(|one, other| one.id.cmp(&other.id))?;
    Some(Exit {
        provider: tool.name.clone(),
        source: super::source(place),
        is_default_database_only: place.network_is_default(),
    })
}

/// Whether a tool of the catalogue is a watched service, by its own mark or by the policy.
#[must_use]
pub fn is_watched(tool: &Tool, knowledge: &Knowledge<'_>) -> bool {
    tool.vpn_service == VpnService::Watched
        || knowledge
            .policy
            .watched_vpns
            .iter()
            .any(|listed| listed.provider == tool.id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::place::samples::{World, address};
    use crate::geo::Geo;
    use crate::settings::policy::Policy;
    use crate::signatures::Catalogue;

    fn place(organisation: &str) -> Place {
        Place {
            as_org: Some(organisation.to_owned()),
            ..Place::default()
        }
    }

    fn provider(policy: &Policy, place: Option<&Place>) -> Option<String> {
        let (catalogue, geo) = (Catalogue::embedded().unwrap(), Geo::embedded());
        let knowledge = Knowledge {
            catalogue: &catalogue,
            geo: &geo,
            policy,
            rules: crate::settings::rules::Rules::shipped(),
            reverse_names: None,
            at: None,
        };
        exit(address("203.0.113.70"), place, &knowledge).map(|exit| exit.provider)
    }

    fn listed(provider: &str, network: Option<&str>) -> Policy {
        Policy {
            watched_vpns: vec![WatchedVpn {
                provider: provider.to_owned(),
                networks: network.into_iter().map(|text| text.parse().unwrap()).collect(),
                date: "2026-09-01".to_owned(),
            }],
            ..Policy::default()
        }
    }

    #[test]
    fn a_marked_service_is_told_by_its_network_and_another_only_where_the_policy_lists_it() {
        let nothing = Policy::default();
        assert_eq!(
            provider(&nothing, Some(&place("Astrill Systems"))).as_deref(),
            Some("Astrill VPN")
        );
        let other = Place {
            asn: Some(207_137),
            ..Place::default()
        };
        assert_eq!(provider(&nothing, Some(&other)), None);
        assert_eq!(
            provider(&listed("nordvpn", None), Some(&other)).as_deref(),
            Some("NordVPN")
        );
        assert_eq!(provider(&nothing, Some(&place("A Hosting Company"))), None);
        assert_eq!(provider(&nothing, None), None);
    }

    #[test]
    fn an_exit_on_the_policys_list_needs_no_database() {
        let policy = listed("Somebody's VPN", Some("203.0.113.64/26"));
        assert_eq!(provider(&policy, None).as_deref(), Some("Somebody's VPN"));
        assert_eq!(
            provider(&listed("Somebody's VPN", Some("203.0.113.0/26")), None),
            None
        );
    }

    #[test]
    fn an_ordinary_vpn_is_no_watched_one() {
        let world = World::new();
        let place = world.place("203.0.113.70").unwrap();
        assert!(place.kind.is_some() && provider(&Policy::default(), Some(&place)).is_none());
    }
}
