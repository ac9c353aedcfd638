//! What an IP KVM sends while it is watched, and when the machines beside it open connections: kept from the first sight of
//! a KVM on, so that it costs nothing where there is none.

use super::Concluded;
use super::watcher::{Ended, Watcher};
use crate::settings::limits::Limits;
use std::collections::{BTreeMap, BTreeSet};

use super::HostView;
use super::kvm_pairing::{Changes, Fit, own};
use super::recognise::Recognised;
use crate::model::address::MacAddress;
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::fact::{Fact, FieldId};
use crate::model::finding::{Confidence, Finding, FindingKind, Role};
use crate::model::identity::ContentId;
use crate::model::observable::Observable;
use crate::model::observation::{EventHeader, LocalIndex, Observation};
use crate::model::profile::{KvmSeen, Shows};
use crate::model::time::{SECOND, Timestamp};
use crate::signatures::Catalogue;

/// What the catalogue's class of IP KVMs leads to.
const KVM: &str = "ip_kvm";

/// Seconds with new connections, and steps of pictures, that are remembered of all machines together: 16 MB.
const MOST: usize = 2_000_000;

/// KVMs whose pictures are remembered.
const MOST_BOARDS: usize = 256;

/// Further addresses of one of them that are noticed by its link address: IPv6 gives a station several at a time, and new ones every day.
const MOST_ADDRESSES: usize = 64;

/// What a device says of itself when it joins a network or is looked for.
const ANNOUNCED: [(FieldId, &str); 5] = [
    (FieldId::of("mdns.host"), "mdns.host"),
    (FieldId::of("mdns.service"), "mdns.service"),
    (FieldId::of("mdns.instance"), "mdns.instance"),
    (FieldId::of("dhcp.host_name"), "dhcp.host_name"),
    (FieldId::of("dhcp.vendor_class"), "dhcp.vendor_class"),
];

/// The memory.
#[derive(Debug, Default)]
pub(super) struct Watch {
    /// Octets that a KVM sent in each ten seconds, by the address by which it was noticed.
    pictures: BTreeMap<LocalIndex, BTreeMap<u32, u64>>,
    /// Seconds since 1970 in which an address opened connections, as the flows ended.
    seconds: Vec<Vec<u32>>,
    held: usize,
    /// What the bounds kept out: then nothing is said to be absent.
    refused: u64,
    /// Link addresses of boards, with how many addresses were noticed by each: who is known by one address is watched by another as well.
    links: BTreeMap<MacAddress, usize>,
}

/// Which KVM drives which machine.
#[derive(Clone, Debug, Default)]
pub struct Drives {
    /// By the machine that is driven.
    driven: BTreeMap<ContentId, Vec<KvmSeen>>,
    /// Minutes since 1970 in which these KVMs were watched, in order, by the same.
    minutes: BTreeMap<ContentId, Vec<u32>>,
    /// KVMs that were watched for long enough to be paired.
    watched: BTreeSet<ContentId>,
    /// Whether all of that was remembered.
    is_whole: bool,
}

impl Drives {
    /// Minutes in which somebody watched a machine through the KVMs that drive it.
    #[must_use]
    pub fn minutes(&self, host: ContentId) -> Vec<u32> {
        self.minutes.get(&host).cloned().unwrap_or_default()
    }

    /// The KVMs that drive a machine; why that is not known. Where none does, it takes one that was watched beside the machine for that to
    /// mean anything ([`Drives::was_watched`]): this looks behind no router.
    #[must_use]
    pub fn of(&self, host: ContentId) -> Observable<Vec<KvmSeen>> {
        match self.driven.get(&host) {
            Some(kvms) => Observable::Observed(kvms.clone()),
            None if !self.is_whole => {
                Observable::hidden("more pictures and connections were seen than are remembered")
            }
            None => Observable::Absent,
        }
    }

    /// Whether a KVM was watched for long enough to tell which machine it drives.
    #[must_use]
    pub fn was_watched(&self, kvm: ContentId) -> bool {
        self.is_whole && self.watched.contains(&kvm)
    }
}

impl Watch {
    fn notice(&mut self, local: LocalIndex) {
        if self.pictures.len() < MOST_BOARDS || self.pictures.contains_key(&local) {
            self.pictures.entry(local).or_default();
        } else {
            self.refused = self.refused.saturating_add(1);
        }
    }

    /// Notices further addresses of a board by its link address. That of a router stands before many: those are not all noticed, and whose
    /// picture each one's is, is told when machines are known.
    fn notice_by_link(&mut self, observation: &Observation<'_>) {
        for (local, mac) in observation.locals.into_iter().zip(observation.flow.macs) {
            let Some(local) = local.filter(|_| mac != MacAddress::default()) else {
                continue;
            };
            let is_known = self.pictures.contains_key(&local);
            if is_known && self.links.len() < MOST_BOARDS {
                self.links.entry(mac).or_default();
            } else if !is_known
                && let Some(noticed) = self
                    .links
                    .get_mut(&mac)
                    .filter(|noticed| **noticed < MOST_ADDRESSES)
            {
                *noticed = noticed.saturating_add(1);
                self.notice(local);
            }
        }
    }

    /// Takes what a device says of itself.
    fn announced(&mut self, local: LocalIndex, fact: &Fact<'_>, catalogue: &Catalogue) {
        let Some((_, field)) = ANNOUNCED.iter().find(|(field, _)| *field == fact.field) else {
            return;
        };
        let Some(text) = fact.value.as_text() else { return };
        let names = |text: &str| {
            catalogue
                .matches(field, text.as_bytes())
                .any(|found| found.tool.class.finding.as_deref() == Some(KVM))
        };
        let bare = text.trim_end_matches(".local");
        if names(text) || bare.len() < text.len() && names(bare) {
            self.notice(local);
        }
    }

    /// Takes any placed flow with the tools that it may belong to.
    fn add(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        let is_kvm = |one: &Recognised<'_>| one.tool.class.finding.as_deref() == Some(KVM);
        if recognised.iter().any(is_kvm) {
            for local in observation.locals.into_iter().flatten() {
                self.notice(local);
            }
        }
        if self.pictures.is_empty() {
            return;
        }
        let flow = observation.flow;
        self.notice_by_link(observation);
        for (way, local) in observation.locals.into_iter().enumerate() {
            let Some(picture) = local.and_then(|local| self.pictures.get_mut(&local)) else {
                continue;
            };
            for bin in &flow.activity {
                if self.held >= MOST {
                    self.refused = self.refused.saturating_add(1);
                    break;
                }
                let octets = picture.entry(bin.number).or_insert_with(|| {
                    self.held = self.held.saturating_add(1);
                    0
                });
                *octets = octets.saturating_add(bin.bytes.get(way).copied().unwrap_or(0).into());
            }
        }
        if let [Some(client), None] = observation.locals {
            self.opened(client, flow.start);
        }
    }

    fn opened(&mut self, local: LocalIndex, at: Timestamp) {
        let place = local.0 as usize;
        if self.seconds.len() <= place {
            self.seconds.resize_with(place.saturating_add(1), Vec::new);
        }
        let second = u32::try_from(at.0.div_euclid(SECOND)).unwrap_or(0);
        let seconds = self.seconds.get_mut(place);
        let Some(seconds) = seconds.filter(|seconds| seconds.last() != Some(&second)) else {
            return;
        };
        if self.held >= MOST {
            self.refused = self.refused.saturating_add(1);
            return;
        }
        seconds.push(second);
        self.held = self.held.saturating_add(1);
    }

    fn seconds_of(&self, host: &HostView) -> Vec<u32> {
        let own = host.locals.iter();
        let mut seconds: Vec<u32> = own
            .filter_map(|local| self.seconds.get(local.0 as usize))
            .flatten()
            .copied()
            .collect();
        seconds.sort_unstable();
        seconds.dedup();
        seconds
    }

    fn changes_of(&self, host: &HostView) -> Changes {
        let mut octets: BTreeMap<u32, u64> = BTreeMap::new();
        for picture in host.locals.iter().filter_map(|local| self.pictures.get(local)) {
            for (number, more) in picture {
                let sum = octets.entry(*number).or_default();
                *sum = sum.saturating_add(*more);
            }
        }
        Changes::of(octets)
    }

    /// Pairs KVMs with machines; what is found is said in the KVMs' findings.
    fn pairs(&self, hosts: &[HostView], findings: &mut [Finding]) -> Drives {
        let mut drives = Drives {
            is_whole: self.refused == 0,
            ..Drives::default()
        };
        let boards: BTreeSet<ContentId> = findings
            .iter()
            .filter(|one| shows(one))
            .map(|one| one.host)
            .collect();
        if boards.is_empty() {
            return drives;
        }
        let machines: Vec<(&HostView, Vec<u32>)> = hosts
            .iter()
            .filter(|host| !boards.contains(&host.id))
            .map(|host| (host, self.seconds_of(host)))
            .filter(|(_, seconds)| !seconds.is_empty())
            .collect();
        for board in hosts.iter().filter(|host| boards.contains(&host.id)) {
            let changes = self.changes_of(board);
            if changes.watched() < own().watched {
                continue;
            }
            drives.watched.insert(board.id);
            let Some((machine, fit)) = pair(&changes, &machines, board.id) else {
                continue;
            };
            let own = findings.iter_mut().find(|one| one.host == board.id && shows(one));
            if let Some(finding) = own {
                say(finding, board, machine, &changes, fit);
                let minutes = drives.minutes.entry(machine.id).or_default();
                minutes.extend(changes.minutes());
                minutes.sort_unstable();
                minutes.dedup();
                drives.driven.entry(machine.id).or_default().push(KvmSeen {
                    host: board.id,
                    shows: Shows::Machine(machine.id),
                    name: Some(board.name())
                        .filter(|name| !name.is_empty())
                        .unwrap_or_else(|| finding.tool.clone()),
                    finding: finding.id,
                });
            }
        }
        drives
    }
}

/// Whether a finding says that its host is a KVM: not who looks at one, and no lead alone.
fn shows(finding: &Finding) -> bool {
    finding.kind == FindingKind::IpKvm
        && finding.confidence > Confidence::Low
        && !matches!(finding.role, Role::Controller | Role::Client)
}

/// The machine behind a KVM, where one stands out.
fn pair<'a>(
    changes: &Changes,
    machines: &[(&'a HostView, Vec<u32>)],
    board: ContentId,
) -> Option<(&'a HostView, Fit)> {
    let mut fits: Vec<(Fit, &(&HostView, Vec<u32>))> = machines
        .iter()
        .filter_map(|machine| changes.fit(&machine.1).map(|fit| (fit, machine)))
        .collect();
    fits.sort_by(|(a, one), (b, other)| {
        b.correlation
            .total_cmp(&a.correlation)
            .then(one.0.id.cmp(&other.0.id))
    });
    let (fit, (machine, seconds)) = fits.first().copied()?;
    let others = fits.get(1).map_or(0.0, |(fit, _)| fit.correlation);
    let seed = board.0 ^ machine.id.0;
    changes
        .is_of(seconds, fit, others, seed)
        .then_some((*machine, fit))
}

fn say(finding: &mut Finding, board: &HostView, machine: &HostView, changes: &Changes, fit: Fit) {
    let minutes = changes.watched() / 6;
    let what = format!(
        "KVM {} is consistent with driving host {}: its picture changes when that host opens connections (correlation {:.2} at {} s over {minutes} minutes of watching)",
        board.label(),
        machine.label(),
        fit.correlation,
        fit.lag,
    );
    let mut evidence = Evidence::observed(Family::Rc, what, Decibans(0.0), &[], None);
    evidence.measure = Some("kvm_pairing".to_owned());
    evidence.note = Some(
        "a person who watches a KVM and works beside it on another machine at the same time would look alike"
            .into(),
    );
    finding.evidence.push(evidence);
    finding.summary = format!(
        "{}; consistent with driving host {}",
        finding.summary,
        machine.label()
    );
}

/// Watches what KVMs send, and when the machines beside them speak.
pub(super) fn watch(_: &Limits) -> Box<dyn Watcher> {
    Box::<Watch>::default()
}

impl Watcher for Watch {
    fn flow(&mut self, observation: &Observation<'_>, recognised: &[Recognised<'_>]) {
        self.add(observation, recognised);
    }

    fn wants(&self, field: FieldId) -> bool {
        ANNOUNCED.iter().any(|(known, _)| *known == field)
    }

    fn fact(&mut self, about: LocalIndex, _: &EventHeader, fact: &Fact<'_>, catalogue: &Catalogue) {
        self.announced(about, fact, catalogue);
    }

    fn conclude(&mut self, ended: &Ended<'_>, concluded: &mut Concluded) {
        concluded.losses.add(
            "pictures of IP KVMs, and connections beside them, beyond what is remembered",
            self.refused,
        );
        concluded.drives = self.pairs(ended.hosts, &mut concluded.findings);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::fact::{FactLog, Field, Side, Stamp, Value};
    use crate::model::flow::{ActivityBin, FlowRecord};
    use crate::model::frame::FrameRef;

    const BOARD: LocalIndex = LocalIndex(0);
    const OWN: LocalIndex = LocalIndex(1);
    const OTHER: LocalIndex = LocalIndex(2);

    fn record(second: u32, octets: &[(u32, u32)]) -> FlowRecord {
        FlowRecord {
            start: Timestamp(i64::from(second) * SECOND),
            activity: octets
                .iter()
                .map(|(number, octets)| ActivityBin {
                    number: *number,
                    bytes: [*octets, 40],
                    ..ActivityBin::default()
                })
                .collect(),
            ..FlowRecord::default()
        }
    }

    fn see(watch: &mut Watch, local: LocalIndex, flow: &FlowRecord) {
        let observation = Observation {
            flow,
            locals: [Some(local), None],
            server_name: None,
        };
        watch.add(&observation, &[]);
    }

    fn add(watch: &mut Watch, local: LocalIndex, second: u32, octets: &[(u32, u32)]) {
        see(watch, local, &record(second, octets));
    }

    fn announce(watch: &mut Watch, service: &'static str) {
        let mut log = FactLog::default();
        let stamp = Stamp {
            at: Timestamp(1),
            source: FrameRef::default(),
            side: Side::Client,
        };
        let value = Value::Text {
            bytes: service.as_bytes(),
            cut: false,
        };
        log.push(&Field::of_event("mdns.service"), stamp, &value);
        let catalogue = Catalogue::embedded().unwrap();
        for fact in &log {
            watch.announced(BOARD, &fact, &catalogue);
        }
    }

    /// Seconds of connections, a minute apart and a little more each time, and the picture that follows them.
    fn hour(from: u32) -> (Vec<u32>, Vec<(u32, u32)>) {
        let seconds: Vec<u32> = (0..60)
            .map(|number| from + number * 47 + number * number % 13)
            .collect();
        let octets = (from / 10..from / 10 + 360).map(|step| {
            let changes = seconds.iter().filter(|second| (*second + 1) / 10 == step).count();
            (step, 9_000 + 80_000 * u32::try_from(changes).unwrap())
        });
        (seconds.clone(), octets.collect())
    }

    fn board_finding(role: Role) -> Finding {
        Finding {
            kind: FindingKind::IpKvm,
            tool: "pikvm".to_owned(),
            role,
            host: ContentId(10),
            confidence: Confidence::High,
            ..Finding::default()
        }
    }

    fn hosts() -> Vec<HostView> {
        [BOARD, OWN, OTHER]
            .into_iter()
            .map(|local| HostView {
                id: ContentId(10 + u64::from(local.0)),
                locals: vec![local],
                ..HostView::default()
            })
            .collect()
    }

    #[test]
    fn nothing_is_kept_before_a_kvm_is_noticed() {
        let mut watch = Watch::default();
        announce(&mut watch, "_http._tcp");
        add(&mut watch, OWN, 100, &[(10, 5_000)]);
        assert_eq!((watch.held, watch.seconds.len(), watch.pictures.len()), (0, 0, 0));
        announce(&mut watch, "_pikvm._tcp");
        add(&mut watch, OWN, 100, &[(10, 5_000)]);
        assert_eq!((watch.held, watch.pictures.len()), (1, 1));
    }

    #[test]
    fn the_machine_behind_a_kvm_is_named_in_its_finding_and_no_other() {
        let mut watch = Watch::default();
        announce(&mut watch, "_pikvm._tcp");
        let (seconds, octets) = hour(36_000);
        add(&mut watch, BOARD, 36_000, &octets);
        for second in &seconds {
            add(&mut watch, OWN, *second, &[]);
            add(&mut watch, OTHER, second + 17 + second % 29, &[]);
        }
        let mut findings = [board_finding(Role::Server)];
        let before = findings[0].evidence.len();
        let drives = watch.pairs(&hosts(), &mut findings);
        let [kvm] = drives.of(ContentId(11)).list().to_vec().try_into().unwrap();
        assert_eq!((kvm.host, kvm.name.as_str()), (ContentId(10), "pikvm"));
        assert!(drives.minutes(ContentId(11)).len() >= 55);
        assert_eq!(drives.of(ContentId(12)), Observable::Absent);
        let said = &findings[0].evidence[before];
        assert_eq!(said.measure.as_deref(), Some("kvm_pairing"));
        assert!(
            said.what.contains("is consistent with driving host"),
            "{}",
            said.what
        );
    }

    #[test]
    fn who_looks_at_a_kvm_has_no_picture_and_a_short_look_tells_nothing() {
        let mut watch = Watch::default();
        announce(&mut watch, "_pikvm._tcp");
        let (seconds, octets) = hour(36_000);
        add(&mut watch, BOARD, 36_000, &octets[..100]);
        for second in &seconds {
            add(&mut watch, OWN, *second, &[]);
        }
        let was_watched = |watch: &Watch, role| {
            let drives = watch.pairs(&hosts(), &mut [board_finding(role)]);
            drives.was_watched(ContentId(10))
        };
        assert!(!was_watched(&watch, Role::Server));
        add(&mut watch, BOARD, 36_000, &octets[100..]);
        assert!(was_watched(&watch, Role::Server) && !was_watched(&watch, Role::Controller));
    }

    #[test]
    fn the_picture_goes_out_from_another_address_of_the_board_as_well() {
        const SIXTH: LocalIndex = LocalIndex(3);
        let (seconds, octets) = hour(36_000);
        let watched = |mac: u8| {
            let mut watch = Watch::default();
            announce(&mut watch, "_pikvm._tcp");
            let mut flow = |local, mac, octets: &[(u32, u32)]| {
                let flow = FlowRecord {
                    macs: [MacAddress([2, 0, 0, 0, 0, mac]), MacAddress([2, 0, 0, 0, 0, 1])],
                    ..record(36_000, octets)
                };
                see(&mut watch, local, &flow);
            };
            flow(BOARD, 9, &[(3_600, 90)]);
            flow(SIXTH, mac, &octets);
            for second in &seconds {
                add(&mut watch, OWN, *second, &[]);
            }
            let mut hosts = hosts();
            hosts[0].locals.push(SIXTH);
            let drives = watch.pairs(&hosts, &mut [board_finding(Role::Server)]);
            drives.of(ContentId(11)).list().len()
        };
        assert_eq!((watched(9), watched(8)), (1, 0));
    }
}
