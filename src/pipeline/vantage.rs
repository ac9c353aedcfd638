//! Where captures were taken, judged from what they hold when nobody says it.
//!
//! Behind the router of a house everybody goes out from its one line, or from two. A router behind which, on one day, several
//! machines go out each from a line of its own is none: there the traffic of many places comes together, as at an employer's
//! concentrator (DETECTION 2.1, 2.2). Neither how many machines there are nor what the inventory says of them tells the two
//! apart: a farm has many, and its inventory has them live far from each other.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::detect::HostView;
use crate::model::address::Address;
use crate::model::egress::line;
use crate::model::identity::ContentId;
use crate::model::router::Router;
use crate::model::summary::VantageRecord;
use crate::model::thresholds::THRESHOLDS;
use crate::model::vantage::Vantage;
use crate::observe::Observers;
use crate::observe::locals::LocalAddress;

/// From which lines machines went out.
type Exits = BTreeMap<ContentId, BTreeSet<Address>>;

/// Whether these are machines of many places. Whoever went out from several lines says nothing: a carrier that changes between
/// the addresses of its pool does so for every machine.
fn come_together(exits: &Exits) -> bool {
    let mut machines: BTreeMap<Address, usize> = BTreeMap::new();
    let mut steady: BTreeSet<Address> = BTreeSet::new();
    for lines in exits.values() {
        for line in lines {
            let count = machines.entry(*line).or_default();
            *count = count.saturating_add(1);
        }
        if lines.len() == 1 {
            steady.extend(lines);
        }
    }
    let most = machines.values().copied().max().unwrap_or(0);
    steady.len() >= THRESHOLDS.vantage.lines && most.saturating_mul(2) <= exits.len()
}

/// The vantage that was given, or the one that the machines speak for.
pub(super) fn judge(given: Option<Vantage>, views: &[HostView], observers: &Observers) -> VantageRecord {
    if let Some(name) = given {
        return VantageRecord {
            name,
            judged_by: "as it was given".to_owned(),
            is_assumed: false,
        };
    }
    let mut routers: BTreeMap<(Router, u32), Exits> = BTreeMap::new();
    let goes_out = |view: &&HostView| view.public.iter().any(|own| own.how != "own");
    let behind = |view: &HostView| {
        let locals: Vec<&LocalAddress> = (view.locals.iter())
            .filter_map(|index| observers.local(*index))
            .collect();
        locals.into_iter().flat_map(|local| local.gateways.iter())
    };
    // Nearly all routers have fewer behind them than tell anything.
    let mut machines: HashMap<Router, usize, rapidhash::fast::RandomState> = HashMap::default();
    for view in views.iter().filter(goes_out) {
        for (router, _) in behind(view) {
            let count = machines.entry(*router).or_default();
            *count = count.saturating_add(1);
        }
    }
    let is_telling = |router: &Router| {
        machines
            .get(router)
            .is_some_and(|count| *count >= THRESHOLDS.vantage.lines)
    };
    for view in views.iter().filter(goes_out) {
        for (router, days) in behind(view).filter(|(router, _)| is_telling(router)) {
            for own in view.public.iter().filter(|own| own.how != "own") {
                for day in own.seen.days.keys().filter(|day| days.contains_key(day)) {
                    let exits = routers.entry((*router, *day)).or_default();
                    exits.entry(view.id).or_default().insert(line(own.address));
                }
            }
        }
    }
    let together = routers.iter().find(|(_, exits)| come_together(exits));
    match together {
        Some(((router, _), exits)) => VantageRecord {
            name: Vantage::Employer,
            judged_by: format!(
                "behind the router {router} {} machines go out from different lines on one day, as at an employer's \
                 concentrator",
                exits.len()
            ),
            is_assumed: false,
        },
        None => VantageRecord {
            name: Vantage::Home,
            judged_by: "no router was seen behind which machines go out from different lines".to_owned(),
            is_assumed: true,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exits(of: &[&[&str]]) -> Exits {
        of.iter()
            .zip(1..)
            .map(|(addresses, host)| {
                let lines = addresses.iter().map(|text| {
                    let ip: std::net::IpAddr = text.parse().unwrap();
                    line(Address::from(ip))
                });
                (ContentId(host), lines.collect())
            })
            .collect()
    }

    #[test]
    fn one_line_two_lines_and_a_pool_are_a_house_and_many_lines_are_none() {
        let house = [
            &["192.0.2.9"][..],
            &["192.0.2.9"],
            &["192.0.2.9"],
            &["198.51.100.7"],
        ];
        assert!(!come_together(&exits(&house)));
        let pool = [
            &["192.0.2.9", "192.0.2.10"][..],
            &["192.0.2.11", "192.0.2.9"],
            &["192.0.2.10", "192.0.2.12"],
            &["192.0.2.13", "192.0.2.14"],
        ];
        assert!(!come_together(&exits(&pool)));
        let of_its_own = [
            &["2001:db8::1"][..],
            &["2001:db8::2"],
            &["2001:db8::3"],
            &["2001:db8::4"],
        ];
        assert!(!come_together(&exits(&of_its_own)), "one network of one line");
        let staff = [
            &["192.0.2.9"][..],
            &["198.51.100.7"],
            &["203.0.113.8"],
            &["203.0.113.9"],
        ];
        assert!(come_together(&exits(&staff)));
        assert!(!come_together(&exits(&staff[..3])));
        let farm: Vec<&[&str]> = [&["192.0.2.30"][..]; 3].into_iter().chain(staff).collect();
        assert!(come_together(&exits(&farm)), "some of the staff share a line");
        let mostly_one: Vec<&[&str]> = [&["192.0.2.30"][..]; 5].into_iter().chain(staff).collect();
        assert!(!come_together(&exits(&mostly_one)));
    }

    #[test]
    fn what_was_given_holds() {
        let observers = Observers::new(&crate::settings::limits::Limits::default(), &[]);
        let given = judge(Some(Vantage::Employer), &[], &observers);
        assert_eq!(given.name, Vantage::Employer);
        assert_eq!(judge(None, &[], &observers).name, Vantage::Home);
    }
}
