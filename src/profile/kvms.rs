//! IP KVMs behind the routers of machines: one list for everybody at a place.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use super::{SessionSight, Sight, name_of, remote_session};
use crate::model::address::Address;
use crate::model::finding::{Confidence, Finding, FindingKind, Role};
use crate::model::identity::ContentId;
use crate::model::observable::Observable;
use crate::model::profile::{KvmEvidence, KvmSeen, RemoteSession, Shows};
use crate::model::router::Router;
use crate::model::vantage::Vantage;

/// IP KVMs behind one router that are kept: more than any house has, so that whoever announces thousands costs nothing.
const MOST_KVMS: usize = 64;

/// Where a machine stands, as far as captures show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// Behind this router.
    Router(Router),
    /// In this IPv4 network: captures without link addresses show no router.
    Network(Address),
}

/// The places of a machine.
pub(super) fn places(sight: &Sight, vantage: Vantage) -> impl Iterator<Item = Place> {
    let network = network(sight, vantage).map(Place::Network);
    sight
        .gateways
        .keys()
        .map(|router| Place::Router(*router))
        .chain(network)
}

/// The private IPv4 network (/24) in which a machine was seen, where no router's link address was: then nothing says better where it stands.
/// An employer's networks hold who dials in, wherever that is.
pub(super) fn network(sight: &Sight, vantage: Vantage) -> Option<Address> {
    if vantage == Vantage::Employer || !sight.gateways.is_empty() {
        return None;
    }
    sight.ips.iter().find_map(|ip| match ip.to_ip() {
        IpAddr::V4(v4) if v4.is_private() => {
            let [a, b, c, _] = v4.octets();
            Some(Address::from_v4([a, b, c, 0]))
        }
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    })
}

/// IP KVMs by the place where they stand.
pub(super) type ByPlace = BTreeMap<Place, Arc<[KvmSeen]>>;

/// Whether a finding says that its host is an IP KVM, in use or not: who looks at one's picture is none, and a lead alone makes none.
pub(super) fn shows_screens(finding: &Finding) -> bool {
    finding.kind == FindingKind::IpKvm
        && finding.confidence > Confidence::Low
        && !matches!(finding.role, Role::Controller | Role::Client)
}

/// IP KVMs by place. A lead alone (the maker's prefix on a card, a name that others may have) is none.
pub(super) fn by_place(sights: &[Sight], findings: &[Finding], vantage: Vantage) -> ByPlace {
    let by_host: BTreeMap<ContentId, &Sight> = sights.iter().map(|sight| (sight.host, sight)).collect();
    let driven = sights.iter().flat_map(|sight| sight.driven_by.list());
    let shown: BTreeMap<ContentId, Shows> = driven.map(|kvm| (kvm.host, kvm.shows)).collect();
    let mut list: BTreeMap<Place, BTreeSet<KvmSeen>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| shows_screens(finding)) {
        let Some(sight) = by_host.get(&finding.host) else {
            continue;
        };
        for place in places(sight, vantage) {
            let known = list.entry(place).or_default();
            if known.len() < MOST_KVMS {
                known.insert(KvmSeen {
                    host: finding.host,
                    shows: match shown.get(&finding.host) {
                        Some(shows) => *shows,
                        None if sight.is_watched_kvm => Shows::Nobody,
                        None => Shows::Unknown,
                    },
                    name: name_of(sight).unwrap_or_else(|| finding.tool.clone()),
                    finding: finding.id,
                });
            }
        }
    }
    list.into_iter()
        .map(|(place, kvms)| (place, kvms.into_iter().collect()))
        .collect()
}

/// IP KVMs at the same places.
pub(super) fn near(sight: &Sight, kvms: &ByPlace, vantage: Vantage) -> Observable<Arc<[KvmSeen]>> {
    if places(sight, vantage).next().is_none() {
        return Observable::hidden("no router was seen behind which the machine stands");
    }
    let mut lists = places(sight, vantage).filter_map(|place| kvms.get(&place));
    match (lists.next(), lists.next()) {
        (None, _) => Observable::Absent,
        (Some(one), None) => Observable::Observed(Arc::clone(one)),
        (Some(one), Some(other)) => {
            let all: BTreeSet<&KvmSeen> = one
                .iter()
                .chain(other.iter())
                .chain(lists.flat_map(|list| list.iter()))
                .collect();
            Observable::Observed(all.into_iter().take(MOST_KVMS).cloned().collect())
        }
    }
}

/// The KVMs that drive a machine. That none does can be said only beside one that was watched: what somebody watches at another place
/// shows nothing of this one.
pub(super) fn driving(sight: &Sight, near: &Observable<Arc<[KvmSeen]>>) -> Observable<Vec<KvmSeen>> {
    if sight.driven_by != Observable::Absent {
        return sight.driven_by.clone();
    }
    match near.list() {
        [] => Observable::hidden("no IP KVM was seen whose picture could be compared"),
        kvms if kvms.iter().any(|kvm| kvm.shows != Shows::Unknown) => Observable::Absent,
        _ => Observable::hidden("no IP KVM was seen being watched for half an hour"),
    }
}

/// Sessions through IP KVMs, by the KVM.
pub(super) fn sessions(
    findings: &[Finding],
    by_finding: &BTreeMap<usize, &SessionSight>,
) -> BTreeMap<ContentId, Vec<RemoteSession>> {
    let mut sessions: BTreeMap<ContentId, Vec<RemoteSession>> = BTreeMap::new();
    for (index, finding) in findings.iter().enumerate() {
        if shows_screens(finding) && finding.role == Role::Controlled {
            let session = remote_session(finding, by_finding.get(&index).copied());
            sessions.entry(finding.host).or_default().push(session);
        }
    }
    sessions
}

/// Those in which a machine was looked at.
pub(super) fn of(
    kvm: &KvmEvidence,
    sessions: &BTreeMap<ContentId, Vec<RemoteSession>>,
) -> Vec<RemoteSession> {
    let driving = kvm.drives_this.list().iter();
    driving
        .filter_map(|kvm| sessions.get(&kvm.host))
        .flatten()
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::address::{AddressSpace, MacAddress};

    const ROUTER: Router = router(1);

    const fn router(last: u8) -> Router {
        Router {
            mac: MacAddress([2, 0, 0, 0, 0, last]),
            space: AddressSpace(0),
            capture: None,
        }
    }

    /// So many boards, each with a finding, behind these routers.
    fn boards(count: u64, routers: &[Router]) -> (Vec<Sight>, Vec<Finding>) {
        (1..=count)
            .map(|number| {
                let host = ContentId(number);
                let sight = Sight {
                    host,
                    gateways: routers
                        .iter()
                        .map(|router| (*router, BTreeSet::from([1])))
                        .collect(),
                    ..Sight::default()
                };
                let finding = Finding {
                    host,
                    kind: FindingKind::IpKvm,
                    role: Role::Server,
                    confidence: Confidence::High,
                    ..Finding::default()
                };
                (sight, finding)
            })
            .unzip()
    }

    #[test]
    fn whoever_announces_thousands_fills_one_list_and_no_more() {
        let (sights, findings) = boards(2_000, &[ROUTER]);
        let kvms = by_place(&sights, &findings, Vantage::Home);
        let lists: Vec<Observable<Arc<[KvmSeen]>>> = sights
            .iter()
            .map(|sight| near(sight, &kvms, Vantage::Home))
            .collect();
        let first = lists[0].seen().unwrap();
        assert_eq!(first.len(), MOST_KVMS);
        assert!(lists.iter().all(|list| Arc::ptr_eq(list.seen().unwrap(), first)));
    }

    #[test]
    fn a_board_is_called_what_its_own_record_calls_it() {
        let (mut sights, findings) = boards(1, &[ROUTER]);
        sights[0].ips = vec![Address::from_v4([192, 0, 2, 9])];
        let of = |sights: &[Sight]| {
            by_place(sights, &findings, Vantage::Home)[&Place::Router(ROUTER)][0]
                .name
                .clone()
        };
        assert_eq!(of(&sights), "192.0.2.9");
        sights[0].names = vec![crate::model::host::HostName {
            name: "pikvm-attic".to_owned(),
            source: "dhcp".to_owned(),
        }];
        assert_eq!(of(&sights), "pikvm-attic");
    }

    #[test]
    fn a_board_in_use_is_seen_and_who_looks_at_one_is_none() {
        let (sights, mut findings) = boards(3, &[ROUTER]);
        findings[0].role = Role::Controlled;
        findings[1].role = Role::Controller;
        let kvms = by_place(&sights, &findings, Vantage::Home);
        let seen: Vec<ContentId> = kvms[&Place::Router(ROUTER)].iter().map(|kvm| kvm.host).collect();
        assert_eq!(seen, [ContentId(1), ContentId(3)]);
    }

    #[test]
    fn what_is_watched_at_one_place_says_nothing_of_another() {
        let (here, there) = (router(1), router(2));
        let (mut sights, mut findings) = boards(1, &[here]);
        let (others, found) = boards(2, &[there]);
        sights.extend(others.into_iter().skip(1));
        findings.extend(found.into_iter().skip(1));
        sights[0].is_watched_kvm = true;
        let kvms = by_place(&sights, &findings, Vantage::Home);
        let machine = |router: Router| Sight {
            host: ContentId(9),
            gateways: [(router, BTreeSet::from([1]))].into_iter().collect(),
            driven_by: Observable::Absent,
            ..Sight::default()
        };
        let told = |sight: &Sight| driving(sight, &near(sight, &kvms, Vantage::Home));
        assert_eq!(told(&machine(here)), Observable::Absent);
        assert!(told(&machine(there)).reason().unwrap().contains("half an hour"));
        assert!(
            told(&machine(router(3)))
                .reason()
                .unwrap()
                .contains("could be compared")
        );
        let shown = |router| near(&machine(router), &kvms, Vantage::Home).list()[0].shows;
        assert_eq!((shown(here), shown(there)), (Shows::Nobody, Shows::Unknown));
        // Who is driven shows whose picture it is.
        let own = Sight {
            driven_by: Observable::Observed(vec![KvmSeen {
                host: ContentId(1),
                shows: Shows::Machine(ContentId(9)),
                ..KvmSeen::default()
            }]),
            ..machine(here)
        };
        sights.push(own);
        let kvms = by_place(&sights, &findings, Vantage::Home);
        assert_eq!(kvms[&Place::Router(here)][0].shows, Shows::Machine(ContentId(9)));
    }

    #[test]
    fn without_a_router_nobody_knows_what_stands_beside_a_machine() {
        let (sights, findings) = boards(3, &[]);
        let kvms = by_place(&sights, &findings, Vantage::Home);
        assert!(kvms.is_empty());
        assert!(matches!(
            near(&sights[0], &kvms, Vantage::Home),
            Observable::NotObservable(_)
        ));
        let behind_another = Sight {
            gateways: [(ROUTER, BTreeSet::from([1]))].into_iter().collect(),
            ..Sight::default()
        };
        assert_eq!(near(&behind_another, &kvms, Vantage::Home), Observable::Absent);
    }
}
