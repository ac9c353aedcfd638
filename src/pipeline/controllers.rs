//! What sessions add to profiles: above all where their controllers sit in relation to the machines.

use super::conclude::network_kind;
use crate::detect::place::{driven_from, watched_vpn};
use crate::detect::sessions::Session;
use crate::detect::{ById, HostView, Knowledge, place_record};
use crate::geo::kinds::NetworkKind as GeoKind;
use crate::model::address::Address;
use crate::model::finding::Finding;
use crate::model::observable::Observable;
use crate::model::profile::{ControllerPlace, ControllerPlaceKind, NetworkKind};
use crate::profile::SessionSight;
use crate::signatures::entry::VpnService;

/// Why a controller's address says nothing.
const UNPLACED: &str = "the controllers' addresses are known, but no database places them";

/// What the profile wants of each session.
pub(super) fn session_sights(
    views: &[HostView],
    sessions: Vec<Session>,
    findings: &[Finding],
    knowledge: &Knowledge<'_>,
) -> Vec<SessionSight> {
    let by_id: ById<'_> = views.iter().map(|view| (view.id, view)).collect();
    sessions
        .into_iter()
        .map(|session| {
            let finding = findings.get(session.finding);
            let host = by_id.get(&session.host).copied();
            let tool = finding.and_then(|finding| knowledge.catalogue.tool(&finding.tool));
            SessionSight {
                finding: session.finding,
                relays: session.relays,
                instance: session.instance.map(|name| (name, session.is_private_server)),
                controller_place: finding
                    .zip(host)
                    .map_or_else(Observable::default, |(finding, host)| {
                        controller_place(finding, host, knowledge)
                    }),
                control_excess_ms: Some(session.control_excess_ms),
                transport_ms: session.transport_ms,
                is_consumer_vpn: tool.is_some_and(|tool| tool.vpn_service > VpnService::No),
                is_watched_vpn: tool.is_some_and(|tool| watched_vpn::is_watched(tool, knowledge)),
                is_in_use: session.is_in_use,
                through: None,
            }
        })
        .collect()
}

/// Where a controller sits in relation to the machine: behind a VPN service that reports name, on the same network, in a data centre, in another country than the one in
/// which the inventory has its person on the days of the control. Nothing of sanctioned exits and declared sites, behind which
/// whoever uses them may be anywhere.
fn controller_place(
    finding: &Finding,
    host: &HostView,
    knowledge: &Knowledge<'_>,
) -> Observable<ControllerPlace> {
    let Some(controller) = finding.controller.as_ref() else {
        return Observable::hidden("nothing told who sat at the other end");
    };
    let ip = controller.address.to_ip();
    if driven_from::is_declared(host, controller.address, knowledge) {
        return Observable::hidden("controllers come through a sanctioned exit or from a declared site");
    }
    let place = knowledge.geo.place(ip);
    if let Some(exit) = watched_vpn::exit(controller.address, place.as_deref(), knowledge) {
        return Observable::Observed(ControllerPlace {
            kind: ControllerPlaceKind::WatchedVpn,
            country: place
                .and_then(|place| place.country)
                .map(|country| country.to_string()),
            organisation: Some(exit.provider),
            hides_origin: true,
            source: exit.source,
            is_default_database_only: exit.is_default_database_only,
        });
    }
    let Some(place) = place else {
        if views_local(controller.address, host) {
            return Observable::Observed(ControllerPlace {
                kind: ControllerPlaceKind::SameRegion,
                country: None,
                organisation: None,
                hides_origin: false,
                source: "the address itself: the same private network".to_owned(),
                is_default_database_only: false,
            });
        }
        return Observable::hidden(UNPLACED);
    };
    let record = place_record(&place);
    let is_rented = place
        .kind
        .and_then(network_kind)
        .is_some_and(|kind| matches!(kind, NetworkKind::Vpn | NetworkKind::Hosting));
    let (kind, is_default) = if is_rented {
        (ControllerPlaceKind::Hosting, place.network_is_default())
    } else {
        let claimed = driven_from::claimed_country(host, finding);
        match (claimed, &record.country) {
            (Some((claimed, _)), Some(country)) if !claimed.eq_ignore_ascii_case(country) => {
                (ControllerPlaceKind::Foreign, place.country_is_default())
            }
            (Some(_), Some(_)) => (ControllerPlaceKind::SameRegion, place.country_is_default()),
            (None, Some(_)) => (ControllerPlaceKind::Unclaimed, place.country_is_default()),
            (_, None) => return Observable::hidden(UNPLACED),
        }
    };
    Observable::Observed(ControllerPlace {
        kind,
        country: record.country.clone(),
        organisation: record.as_org.clone(),
        hides_origin: place.kind.is_some_and(GeoKind::hides_origin),
        source: record.source.clone().unwrap_or_default(),
        is_default_database_only: is_default,
    })
}

/// Whether an address is private like the host's own.
fn views_local(address: Address, host: &HostView) -> bool {
    let is_private = |address: Address| match address.to_ip() {
        std::net::IpAddr::V4(ip) => ip.is_private() || ip.is_link_local(),
        std::net::IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    };
    is_private(address) && host.ips.iter().any(|ip| is_private(*ip))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::Geo;
    use crate::model::egress::Travel;
    use crate::model::finding::{Activity, Controller, Role};
    use crate::model::profile::Asset;
    use crate::model::time::Timestamp;
    use crate::settings::policy::Policy;
    use crate::signatures::Catalogue;

    fn address(text: &str) -> Address {
        text.parse::<std::net::IpAddr>().unwrap().into()
    }

    /// Where a controller at 8.8.8.8 (US by the default database) sits for a machine of somebody in DE who is driven on the tenth day.
    fn place(change: impl Fn(&mut Policy, &mut Asset)) -> Observable<ControllerPlace> {
        let (catalogue, geo) = (Catalogue::embedded().unwrap(), Geo::embedded());
        let mut policy = Policy::default();
        let mut asset = Asset::default();
        asset.record.country = Some("DE".to_owned());
        change(&mut policy, &mut asset);
        let host = HostView {
            asset: Some(asset),
            ips: vec![address("192.168.1.2")],
            ..HostView::default()
        };
        let at = |hour: i64| Timestamp::from_parts(10 * 86_400 + hour * 3_600, 0);
        let finding = Finding {
            role: Role::Controlled,
            timestamp: Timestamp::from_parts(0, 0),
            last_seen: at(12),
            intervals: vec![(at(8), at(12), Activity::Driven)],
            controller: Some(Box::new(Controller {
                address: address("8.8.8.8"),
                how: "direct".to_owned(),
                geo: None,
            })),
            ..Finding::default()
        };
        let knowledge = Knowledge {
            catalogue: &catalogue,
            geo: &geo,
            policy: &policy,
            reverse_names: None,
            at: None,
            rules: crate::settings::rules::Rules::shipped(),
        };
        controller_place(&finding, &host, &knowledge)
    }

    #[test]
    fn another_country_is_foreign_unless_exit_journey_or_row_say_otherwise() {
        let kind = place(|_, _| {}).seen().map(|place| place.kind);
        assert!(
            matches!(
                kind,
                Some(ControllerPlaceKind::Foreign | ControllerPlaceKind::Hosting)
            ),
            "{kind:?}"
        );
        let exit = place(|policy, _| policy.allowed_egress = vec!["8.8.8.0/24".parse().unwrap()]);
        assert!(exit.reason().unwrap().contains("sanctioned exit"));
        let on_row = place(|_, asset| asset.allowed_egress = vec!["8.8.8.8/32".to_owned()]);
        assert!(on_row.reason().is_some());
        if kind == Some(ControllerPlaceKind::Foreign) {
            let travelling = place(|_, asset| {
                asset.travel = vec![Travel {
                    days: (5, 15),
                    country: None,
                }];
            });
            // It held on the day of first sight, which is none of control.
            let ended = place(|_, asset| asset.valid = (None, Some(9)));
            let begun = place(|_, asset| asset.valid = (Some(11), None));
            for unclaimed in [travelling, ended, begun] {
                let seen = unclaimed.seen().unwrap();
                assert_eq!(seen.kind, ControllerPlaceKind::Unclaimed);
                assert_eq!(seen.country.as_deref(), Some("US"));
            }
        }
    }
}
