//! Whether a VPN that is not the employer's is in use on a machine, or merely installed.

use super::SessionSight;
use crate::model::finding::{Confidence, Finding, FindingKind};
use crate::model::observable::Observable;
use crate::model::profile::{VpnPlace, VpnUse};
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

#[cfg(test)]
mod tests {
    use super::*;
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
