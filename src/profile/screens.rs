//! Screens of which nobody knows whose they are: IP KVMs that somebody was at and that fit no machine, and stations that nobody uses and that
//! send all the same, as an IP KVM does whose announcements were not captured.
//!
//! Of a machine beside such a screen it cannot be said that nobody controls it.

use std::collections::{BTreeMap, BTreeSet};

use super::kvms::{Place, places, shows_screens};
use super::{Sight, name_of};
use crate::model::finding::{Activity, Finding, FindingKind, Role, UNKNOWN_INTERACTIVE};
use crate::model::identity::ContentId;
use crate::model::minutes::minutes;
use crate::model::vantage::Vantage;
use crate::settings::rules::ActivityRules;

/// Screens at one place that are kept: more than any house has.
const MOST: usize = 64;

/// A minute in this many may look like somebody's use of a station that nobody uses, beside what it calls when it begins to send.
const STRAY: usize = 20;

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Screen {
    /// An IP KVM by what it says of itself, or a station that may be one.
    is_kvm: bool,
    name: String,
    host: ContentId,
}

/// Screens by the place where they stand.
pub(super) type ByPlace = BTreeMap<Place, BTreeSet<Screen>>;

/// Screens by place; none from an employer's network, where nothing of the kind shows.
pub(super) fn by_place(
    sights: &[Sight],
    findings: &[Finding],
    vantage: Vantage,
    rules: &ActivityRules,
) -> ByPlace {
    let mut list = ByPlace::new();
    if vantage == Vantage::Employer {
        return list;
    }
    let known: BTreeSet<ContentId> = findings
        .iter()
        .filter(|one| shows_screens(one))
        .map(|one| one.host)
        .collect();
    let paired: BTreeSet<ContentId> = sights
        .iter()
        .flat_map(|sight| sight.driven_by.list())
        .map(|kvm| kvm.host)
        .collect();
    let watched: BTreeSet<ContentId> = findings
        .iter()
        .filter(|one| shows_screens(one) && one.role == Role::Controlled && is_live(one))
        .map(|one| one.host)
        .collect();
    let mut unknown: BTreeMap<ContentId, Vec<&Finding>> = BTreeMap::new();
    for finding in findings.iter().filter(|one| is_unnamed_session(one)) {
        unknown.entry(finding.host).or_default().push(finding);
    }
    for sight in sights {
        let is_kvm = known.contains(&sight.host);
        let own = unknown.get(&sight.host).map(Vec::as_slice).unwrap_or_default();
        let is_screen = if is_kvm {
            watched.contains(&sight.host) && !paired.contains(&sight.host)
        } else {
            is_station(sight, own, rules)
        };
        if !is_screen {
            continue;
        }
        for place in places(sight, vantage) {
            let at = list.entry(place).or_default();
            if at.len() < MOST {
                at.insert(Screen {
                    is_kvm,
                    name: name_of(sight).unwrap_or_else(|| sight.host.to_string()),
                    host: sight.host,
                });
            }
        }
    }
    list
}

/// Whether somebody looked.
fn is_live(finding: &Finding) -> bool {
    let states = finding.intervals.iter().map(|(_, _, state)| *state);
    states
        .into_iter()
        .any(|state| matches!(state, Activity::Viewed | Activity::Driven))
}

/// Whether a finding is a session of which only the form is known.
fn is_unnamed_session(finding: &Finding) -> bool {
    finding.kind == FindingKind::RemoteAccess
        && finding.tool == UNKNOWN_INTERACTIVE
        && finding.role == Role::Controlled
}

/// Whether a machine sends for an hour what nothing names, shows no organisation, and is used by nobody.
fn is_station(sight: &Sight, sessions: &[&Finding], rules: &ActivityRules) -> bool {
    if sight.is_entered || !sight.tenants.is_empty() {
        return false;
    }
    let of_sessions = minutes(
        sessions
            .iter()
            .flat_map(|one| &one.intervals)
            .filter(|(_, _, state)| matches!(state, Activity::Viewed | Activity::Driven))
            .map(|(start, end, _)| (*start, *end)),
    );
    let sent: BTreeSet<u32> = sight
        .unseen
        .shown
        .iter()
        .chain(&sight.unseen.formed)
        .chain(&of_sessions)
        .copied()
        .collect();
    let used = &sight.active.minutes;
    let apart = used.iter().filter(|minute| !sent.contains(minute)).count();
    sent.len() >= rules.least_minutes.max(1)
        && apart.saturating_mul(STRAY) <= sent.len()
        && used.len().saturating_mul(2) <= sent.len()
}

/// Why it cannot be said of a machine that nobody controls it, where screens stand beside it, in words.
pub(super) fn beside(sight: &Sight, screens: &ByPlace, vantage: Vantage) -> Option<String> {
    let all: BTreeSet<&Screen> = places(sight, vantage)
        .filter_map(|place| screens.get(&place))
        .flatten()
        .collect();
    // Who is one is no machine that another one shows.
    if all.iter().any(|screen| screen.host == sight.host) {
        return None;
    }
    let named = |is_kvm: bool| -> Option<(String, bool)> {
        let mut names = all.iter().filter(|screen| screen.is_kvm == is_kvm);
        let first = &names.next()?.name;
        Some(match names.count() {
            0 => (first.clone(), false),
            more => (format!("{first} and {more} more"), true),
        })
    };
    let kvms = named(true).map(|(names, is_several)| {
        if is_several {
            format!("somebody was at the IP KVMs {names} on the network, and whose screens they show cannot be told")
        } else {
            format!("somebody was at the IP KVM {names} on the network, and whose screen it shows cannot be told")
        }
    });
    let stations = named(false).map(|(names, is_several)| {
        let (send, them, kvm, are) = if is_several {
            ("send", "them", "IP KVMs do", "they are")
        } else {
            ("sends", "it", "an IP KVM does", "it is")
        };
        format!(
            "{names} on the network {send} what nothing names while nobody uses {them}, as {kvm}: what {are} cannot be told"
        )
    });
    let causes: Vec<String> = kvms.into_iter().chain(stations).collect();
    (!causes.is_empty()).then(|| causes.join(", and "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::{AddressSpace, MacAddress};
    use crate::model::finding::Confidence;
    use crate::model::observable::Observable;
    use crate::model::profile::{KvmSeen, Shows};
    use crate::model::router::Router;
    use crate::model::tenancy::Tenant;
    use crate::model::time::{SECOND, Timestamp};
    use crate::model::unseen::Unseen;
    use crate::settings::rules::Rules;

    const ROUTER: Router = Router {
        mac: MacAddress([2, 0, 0, 0, 0, 1]),
        space: AddressSpace(0),
        capture: None,
    };

    fn sight(number: u64, sends: u32, used: u32) -> Sight {
        Sight {
            host: ContentId(number),
            ips: vec![crate::model::address::Address::from_v4([192, 0, 2, 9])],
            gateways: [(ROUTER, BTreeSet::from([1]))].into_iter().collect(),
            unseen: Unseen {
                shown: (0..sends).collect(),
                ..Unseen::default()
            },
            active: crate::model::profile::PersonalMinutes {
                minutes: (0..used).collect(),
                ..Default::default()
            },
            ..Sight::default()
        }
    }

    fn kvm(number: u64, activity: Activity) -> Finding {
        Finding {
            host: ContentId(number),
            kind: FindingKind::IpKvm,
            role: Role::Controlled,
            confidence: Confidence::High,
            intervals: vec![(Timestamp(0), Timestamp(600 * SECOND), activity)],
            ..Finding::default()
        }
    }

    fn told(sights: &[Sight], findings: &[Finding], vantage: Vantage) -> Option<String> {
        let screens = by_place(sights, findings, vantage, &Rules::shipped().activity);
        beside(&sight(99, 0, 300), &screens, vantage)
    }

    #[test]
    fn who_sends_without_being_used_may_be_a_kvm_and_who_is_used_is_none() {
        let stations = [sight(1, 120, 3), sight(2, 120, 0)];
        assert_eq!(
            told(&stations, &[], Vantage::Home).as_deref(),
            Some(
                "192.0.2.9 and 1 more on the network send what nothing names while nobody uses them, as IP KVMs do: what they are cannot be told"
            )
        );
        assert_eq!(told(&stations, &[], Vantage::Employer), None);
        assert_eq!(
            told(&[sight(1, 120, 100)], &[], Vantage::Home),
            None,
            "a person's"
        );
        let mut apart = sight(1, 120, 0);
        apart.active.minutes = (500..520).collect();
        assert_eq!(
            told(&[apart], &[], Vantage::Home),
            None,
            "a person's, at other times"
        );
        assert_eq!(told(&[sight(1, 20, 0)], &[], Vantage::Home), None, "a short call");
        let mut with_tenant = sight(1, 120, 0);
        with_tenant.tenants = vec![Tenant::on("acme@okta.com", &[1])];
        assert_eq!(told(&[with_tenant], &[], Vantage::Home), None);
        let screens = by_place(&stations, &[], Vantage::Home, &Rules::shipped().activity);
        assert_eq!(beside(&stations[0], &screens, Vantage::Home), None, "one itself");
    }

    #[test]
    fn a_kvm_that_somebody_was_at_shows_somebody_unless_it_is_known_whom() {
        let sights = [sight(1, 0, 0)];
        let driven = [kvm(1, Activity::Driven)];
        let said = told(&sights, &driven, Vantage::Home).unwrap();
        assert!(said.contains("somebody was at the IP KVM 192.0.2.9"), "{said}");
        assert_eq!(told(&sights, &[kvm(1, Activity::Idle)], Vantage::Home), None);
        let mut other = sight(2, 0, 300);
        other.driven_by = Observable::Observed(vec![KvmSeen {
            host: ContentId(1),
            shows: Shows::Machine(ContentId(2)),
            ..KvmSeen::default()
        }]);
        assert_eq!(
            told(&[sights[0].clone(), other], &driven, Vantage::Home),
            None,
            "the other one's"
        );
    }
}
