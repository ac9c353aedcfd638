//! Whether machines look let to customers: each has its own controller, who comes straight from a line of his own, in another country
//! than most of the others.
//!
//! Question: a room of rented machines has everything that a farm has. Many organisations, nobody at the machines, all work from
//! outside. What tells them apart? Answer: who rents a machine sits where customers sit, and has nothing to hide; the operators of a
//! farm sit together, or behind exits that hide where they are (DETECTION 1.3). So what hides an origin is no customer's line, nor is
//! that of an organisation whose addresses lie in several countries, nor one who comes from several countries: VPN services look so
//! where no database knows them. IP KVMs, relays of a tool, and assignees in the inventory say that the machines are somebody's.

use std::collections::{BTreeMap, BTreeSet};

use crate::explain::subject::Subject;
use crate::model::profile::{ControllerPlaceKind, ControllerSeen, HostProfile};
use crate::model::quantity::counted;
use crate::model::vantage::Vantage;

use super::{is_over, is_under};

/// Machines that look so.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Customers<'a> {
    /// The machines whose controllers come from lines of their own.
    pub(super) machines: Vec<&'a HostProfile>,
    /// The countries of those lines, sorted.
    pub(super) countries: Vec<&'a str>,
}

impl Customers<'_> {
    /// "the controllers of 5 of 6 machines come from lines of their own in 4 countries (AU, BR, DE, JP)".
    pub(super) fn described(&self, controlled: usize) -> String {
        format!(
            "the controllers of {} of {} come from lines of their own in {} countries ({})",
            self.machines.len(),
            counted(controlled, "machine"),
            self.countries.len(),
            self.countries.join(", ")
        )
    }
}

/// A machine's only controllers' country and the organisations of their lines.
struct Line<'a> {
    machine: &'a HostProfile,
    country: &'a str,
    organisations: BTreeSet<&'a str>,
}

/// The machines of a subject that look let, if most do.
pub(super) fn customers<'a>(subject: &Subject<'a>) -> Option<Customers<'a>> {
    let controlled = subject.controlled();
    let is_somebodys = |one: &&HostProfile| {
        one.asset
            .seen()
            .is_some_and(|asset| asset.record.assignee.is_some())
    };
    let has_kvm = |one: &&HostProfile| {
        one.is_kvm() || !one.kvm.on_gateway.list().is_empty() || !one.kvm.drives_this.list().is_empty()
    };
    if subject.vantage == Vantage::Employer
        || controlled.iter().any(is_somebodys)
        || subject.members.iter().any(has_kvm)
    {
        return None;
    }
    let mut reached: BTreeMap<&str, usize> = BTreeMap::new();
    for machine in &controlled {
        let ids: BTreeSet<&str> = controllers(machine).map(|one| one.id.as_str()).collect();
        for id in ids {
            let count = reached.entry(id).or_default();
            *count = count.saturating_add(1);
        }
    }
    if reached.values().any(|machines| *machines > 1) {
        return None;
    }
    let mut lines: Vec<Line<'a>> = controlled.iter().filter_map(|machine| line(machine)).collect();
    // A network that gives lines in several countries is a service, and no customer's provider.
    let mut at_home: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for line in &lines {
        for organisation in &line.organisations {
            at_home.entry(organisation).or_default().insert(line.country);
        }
    }
    lines.retain(|line| {
        let mut homes = line.organisations.iter().filter_map(|one| at_home.get(one));
        homes.all(|countries| countries.len() == 1)
    });
    let mut by_country: BTreeMap<&str, usize> = BTreeMap::new();
    for line in &lines {
        let count = by_country.entry(line.country).or_default();
        *count = count.saturating_add(1);
    }
    let most = subject.rules.most_share;
    let largest = by_country.values().copied().max().unwrap_or_default();
    let is_scattered = by_country.len() >= subject.rules.customers_countries
        && !is_over(most, largest, lines.len())
        && !is_under(most, lines.len(), controlled.len());
    is_scattered.then(|| Customers {
        machines: lines.iter().map(|line| line.machine).collect(),
        countries: by_country.keys().copied().collect(),
    })
}

fn controllers(machine: &HostProfile) -> impl Iterator<Item = &ControllerSeen> {
    machine.sessions_at_it().flat_map(|session| &session.controllers)
}

/// Where all who control a machine come from, if they come straight from one country and nothing says that it is not theirs.
fn line(machine: &HostProfile) -> Option<Line<'_>> {
    let mut sessions = machine.sessions_at_it().peekable();
    sessions.peek()?;
    if sessions.any(|session| !session.relays.is_empty() || session.controllers.is_empty()) {
        return None;
    }
    let mut country = None;
    let mut organisations = BTreeSet::new();
    for controller in controllers(machine) {
        let place = controller.place.seen()?;
        let is_plain = match place.kind {
            ControllerPlaceKind::SameRegion
            | ControllerPlaceKind::Foreign
            | ControllerPlaceKind::Unclaimed => !place.hides_origin,
            ControllerPlaceKind::Hosting | ControllerPlaceKind::WatchedVpn => false,
        };
        let here = place.country.as_deref()?;
        if !is_plain || country.is_some_and(|before| before != here) {
            return None;
        }
        country = Some(here);
        organisations.extend(place.organisation.as_deref());
    }
    Some(Line {
        machine,
        country: country?,
        organisations,
    })
}
