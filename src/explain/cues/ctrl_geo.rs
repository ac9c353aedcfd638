//! Where the controllers sit. A place that only the embedded default database knows says nothing here.

use crate::explain::subject::{Subject, control_findings, identifiers};
use crate::model::observable::Observable;
use crate::model::profile::{ControllerPlaceKind, HostProfile};

use super::{Cue, Reading, without_sessions};

/// Why a country says nothing by itself.
const UNCLAIMED: &str = "nothing says in which country the person was on the days of the sessions";

pub(super) const CUE: Cue = Cue {
    id: "ctrl_geo",
    levels: &[
        "same-region",
        "relay-only",
        "vpn/hosting",
        "foreign",
        "astrill-class",
    ],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    let controlled: Vec<&HostProfile> = subject
        .controlled()
        .into_iter()
        .filter(|one| one.sessions_at_it().next().is_some())
        .collect();
    if controlled.is_empty() {
        return without_sessions(subject);
    }
    // The level that most machines show; of equals the one that says least, which is the order of `levels`.
    let mut best: Option<(&'static str, Vec<&HostProfile>)> = None;
    for level in CUE.levels {
        let hosts: Vec<&HostProfile> = controlled
            .iter()
            .copied()
            .filter(|one| shows(one, level))
            .collect();
        if hosts.len() > best.as_ref().map_or(0, |(_, most)| most.len()) {
            best = Some((level, hosts));
        }
    }
    // Relays of a few machines say nothing of the others, whose controllers are known by addresses that nothing places.
    let unplaced: Vec<&str> = controlled
        .iter()
        .filter_map(|one| {
            let controllers = one.sessions_at_it().flat_map(|session| &session.controllers);
            let mut addresses = controllers.filter(|controller| controller.address.is_some());
            addresses.find_map(|controller| match controller.place.seen() {
                Some(place) if place.kind == ControllerPlaceKind::Unclaimed => Some(UNCLAIMED),
                _ => controller.place.reason(),
            })
        })
        .collect();
    let best = best.filter(|(level, hosts)| *level != "relay-only" || hosts.len() > unplaced.len());
    if best.is_none()
        && let Some(reason) = unplaced.first()
    {
        return Reading::hidden(reason);
    }
    let Some((level, hosts)) = best else {
        let rests_on_default = controlled
            .iter()
            .any(|one| places(one).any(|place| place.is_default_database_only));
        return Reading::hidden(if rests_on_default {
            "the controllers' place rests on the default geo database alone, which is not enough to raise anything"
        } else {
            "neither a controller's address nor a relay could be learnt"
        });
    };
    let mut named: Vec<String> = hosts
        .iter()
        .flat_map(|one| places(one))
        .filter(|place| !place.is_default_database_only)
        .map(|place| {
            let whose = place.organisation.as_deref().or(place.country.as_deref());
            whose.map_or_else(
                || place.source.clone(),
                |whose| format!("{whose} ({})", place.source),
            )
        })
        .collect();
    named.sort_unstable();
    named.dedup();
    let words = match level {
        "same-region" => "controllers sit in the same network or region",
        "relay-only" => "sessions run over relays, which show no controller's address",
        "vpn/hosting" => "controllers come from data centres or VPN exits",
        "foreign" => "controllers' addresses lie in another country than the one declared",
        _ => "controllers come from a VPN service that public reports on such cases name",
    };
    let what = if named.is_empty() {
        words.to_owned()
    } else {
        format!("{words}: {}", named.join(", "))
    };
    Reading::observed(level, what).shown_by(identifiers(&hosts), control_findings(&hosts))
}

/// Places of everybody who was seen at the other end.
fn places(profile: &HostProfile) -> impl Iterator<Item = &crate::model::profile::ControllerPlace> {
    profile
        .sessions_at_it()
        .flat_map(|session| &session.controllers)
        .filter_map(|controller| controller.place.seen())
}

/// Whether a machine shows a level.
fn shows(profile: &HostProfile, level: &str) -> bool {
    let wanted = match level {
        "same-region" => ControllerPlaceKind::SameRegion,
        "vpn/hosting" => ControllerPlaceKind::Hosting,
        "foreign" => ControllerPlaceKind::Foreign,
        "astrill-class" => ControllerPlaceKind::WatchedVpn,
        _ => {
            let mut sessions = profile.sessions_at_it();
            return sessions.any(|session| !session.relays.is_empty())
                && !profile.sessions_at_it().any(|session| {
                    session.controllers.iter().any(|one| {
                        one.address.is_some() || !matches!(one.place, Observable::NotObservable(_))
                    })
                });
        }
    };
    places(profile).any(|place| place.kind == wanted && !place.is_default_database_only)
}
