//! Whether a VPN that is not the employer's is in use on a machine or on the router in front of it, or merely installed.

use super::{EgressSight, SessionSight, Sight};
use crate::model::finding::{Confidence, Finding, FindingKind};
use crate::model::observable::Observable;
use crate::model::profile::{NetworkKind, VpnPlace, VpnUse};
use crate::model::vantage::Vantage;
use crate::settings::rules::ActivityRules;

/// Use of a VPN service on the machine that nobody sanctioned. A client that is installed and calls home is none, nor is another
/// product of the same vendor or a visit to his pages; then it cannot be told.
pub(super) fn judge(own: &[(&Finding, Option<&SessionSight>)], rules: &ActivityRules) -> Observable<VpnUse> {
    let is_used = |finding: &Finding, session: &SessionSight| {
        let octets = finding
            .tunnel
            .as_ref()
            .map_or(0, |tunnel| tunnel.bytes_out.saturating_add(tunnel.bytes_in));
        session.is_in_use && finding.confidence > Confidence::Low && octets >= rules.tunnelled_octets
    };
    let services: Vec<(&Finding, &SessionSight)> = own
        .iter()
        .filter_map(|(finding, session)| Some((*finding, (*session)?)))
        .filter(|(finding, session)| {
            finding.kind == FindingKind::Vpn
                && finding.flow_count > 0
                && finding.sanctioned != Some(true)
                && (session.is_consumer_vpn || session.is_watched_vpn)
        })
        .collect();
    let used = services
        .iter()
        .filter(|(finding, session)| is_used(finding, session));
    // Of several the one that matters most, else the first.
    match used.min_by_key(|(_, session)| !session.is_watched_vpn) {
        Some((finding, session)) => Observable::Observed(VpnUse {
            place: VpnPlace::Machine,
            product: finding.tool.clone(),
            is_watched: session.is_watched_vpn,
            finding: finding.id,
        }),
        None if services.is_empty() => Observable::Absent,
        None => Observable::hidden(
            "a VPN's client or its vendor's pages were called, which does not show whether a VPN is in use",
        ),
    }
}

/// The same of an address that is a router's itself: the VPN is everybody's behind it.
pub(super) fn at(sight: &Sight, vpn: Observable<VpnUse>) -> Observable<VpnUse> {
    let is_own = sight.router_vpn.as_ref().is_some_and(|router| router.is_own);
    match vpn.seen() {
        Some(used) if is_own => Observable::Observed(VpnUse {
            place: VpnPlace::Router,
            ..used.clone()
        }),
        _ => vpn,
    }
}

/// A VPN on the router in front of a machine. Nothing but the machine's public address shows that there is none: only a line of a
/// household or company, by somebody's own database, is no VPN's exit.
pub(super) fn on_router(sight: &Sight, vantage: Vantage) -> Observable<VpnUse> {
    if let Some(router) = &sight.router_vpn {
        return match (router.is_own, vantage, router.is_service) {
            (true, ..) => Observable::hidden("the address is the router's own"),
            (false, Vantage::Employer, _) => {
                Observable::hidden("the way out behind an employer's router is the employer's")
            }
            (false, Vantage::Home, false) => Observable::hidden(
                "the machines behind the router go out through a network that may be a VPN's exit or the place itself",
            ),
            (false, Vantage::Home, true) => Observable::Observed(VpnUse {
                place: VpnPlace::Router,
                product: router.product.clone(),
                is_watched: router.is_watched,
                finding: router.finding,
            }),
        };
    }
    if sight.egress.is_empty() {
        return Observable::hidden("nothing told the public address behind which the machine stands");
    }
    if sight.egress.iter().all(is_line) {
        Observable::Absent
    } else {
        Observable::hidden(
            "no database but the built-in one says what kind of network the machine's public address belongs to",
        )
    }
}

/// Whether an address is known to be a line, and no exit.
fn is_line(egress: &EgressSight) -> bool {
    matches!(
        egress.kind,
        Some(NetworkKind::Residential | NetworkKind::Business | NetworkKind::Shared)
    ) && !egress.is_default_database_only
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::Address;
    use crate::model::identity::ContentId;
    use crate::profile::RouterVpnSight;

    #[test]
    fn a_routers_vpn_is_absent_only_behind_a_known_line_and_else_cannot_be_told() {
        let with = |kind: Option<NetworkKind>, is_default_database_only: bool| Sight {
            egress: vec![EgressSight {
                address: Address::from_v4([203, 0, 113, 9]),
                days: vec![20_000],
                is_declared: false,
                kind,
                source: None,
                is_default_database_only,
            }],
            ..Sight::default()
        };
        let state = |sight: &Sight| on_router(sight, Vantage::Home).state();
        assert_eq!(state(&with(Some(NetworkKind::Residential), false)), State::Absent);
        for sight in [
            Sight::default(),
            with(None, false),
            with(Some(NetworkKind::Residential), true),
            with(Some(NetworkKind::Hosting), false),
            with(Some(NetworkKind::Vpn), false),
        ] {
            assert_eq!(state(&sight), State::NotObservable);
        }
    }

    #[test]
    fn a_routers_vpn_counts_in_a_house_and_where_it_is_a_service() {
        let sight = |is_service, is_own| Sight {
            router_vpn: Some(RouterVpnSight {
                product: "a VPN provider's network".to_owned(),
                is_watched: false,
                is_service,
                is_own,
                finding: ContentId(9),
            }),
            ..Sight::default()
        };
        let used = on_router(&sight(true, false), Vantage::Home);
        assert_eq!(
            used.seen().map(|used| (used.place, used.finding)),
            Some((VpnPlace::Router, ContentId(9)))
        );
        for (sight, vantage) in [
            (sight(false, false), Vantage::Home),
            (sight(true, false), Vantage::Employer),
            (sight(true, true), Vantage::Home),
        ] {
            assert_eq!(on_router(&sight, vantage).state(), State::NotObservable);
        }
        // What an address uses that is the router itself, everybody behind it uses.
        let own = Observable::Observed(VpnUse {
            place: VpnPlace::Machine,
            product: "nordvpn".to_owned(),
            is_watched: false,
            finding: ContentId(5),
        });
        let place = |sight: &Sight| at(sight, own.clone()).seen().map(|used| used.place);
        assert_eq!(place(&sight(true, true)), Some(VpnPlace::Router));
        assert_eq!(place(&sight(true, false)), Some(VpnPlace::Machine));
    }
    use crate::model::evidence::State;
    use crate::model::finding::TunnelUse;
    use crate::settings::rules::Rules;

    #[test]
    fn a_vpns_client_that_only_calls_home_is_no_use_of_a_vpn() {
        let rules = &Rules::shipped().activity;
        let finding = |confidence, octets: Option<u64>| Finding {
            kind: FindingKind::Vpn,
            flow_count: 3,
            confidence,
            tunnel: octets.map(|bytes_in| {
                Box::new(TunnelUse {
                    bytes_in,
                    ..TunnelUse::default()
                })
            }),
            ..Finding::default()
        };
        let of = |finding: &Finding, is_in_use: bool| {
            let session = SessionSight {
                is_consumer_vpn: true,
                is_in_use,
                ..SessionSight::default()
            };
            judge(&[(finding, Some(&session))], rules).state()
        };
        let tunnel = finding(Confidence::High, Some(50_000_000));
        assert_eq!(of(&tunnel, true), State::Observed);
        // Names that its client calls, however sure; a few pages; a call that nobody answered.
        assert_eq!(of(&tunnel, false), State::NotObservable);
        assert_eq!(
            of(&finding(Confidence::High, Some(30_000)), true),
            State::NotObservable
        );
        assert_eq!(of(&finding(Confidence::High, None), true), State::NotObservable);
        assert_eq!(
            of(&finding(Confidence::Low, Some(50_000_000)), true),
            State::NotObservable
        );
        assert_eq!(judge(&[], rules), Observable::Absent);
    }
}
