//! What clustering costs by the number of hosts: host records made up here, one in a hundred in a farm, straight into clustering.
//!
//! Arguments: numbers of hosts (1000 10000 100000). Prints a table for BENCHMARKS.md; processor time and peak memory are the kernel's
//! account of this process (Linux, proc(5)), so peak memory is meaningful for one number a run.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a program of its own, over its own data"
)]

use std::time::Instant;

use farmhawk::cluster;
use farmhawk::explain::weights::Weights;
use farmhawk::model::address::{Address, AddressSpace, MacAddress};
use farmhawk::model::finding::{Activity, Role};
use farmhawk::model::host::HostName;
use farmhawk::model::identity::ContentId;
use farmhawk::model::observable::Observable;
use farmhawk::model::profile::{
    ControllerSeen, Egress, Gateway, HostProfile, Instance, InstanceKind, RemoteSession,
};
use farmhawk::model::router::Router;
use farmhawk::model::tenancy::Tenant;
use farmhawk::model::time::{SECOND, Timestamp};
use farmhawk::model::watched::Stretches;

/// Days since 1970 of the first day.
const DAY: u32 = 20_000;
/// Days of each record.
const DAYS: u32 = 5;
/// Machines of a farm.
const FARM: usize = 10;

#[expect(
    clippy::disallowed_methods,
    reason = "it measures time; nothing that is analysed depends on it"
)]
fn main() -> anyhow::Result<()> {
    let weights = Weights::embedded()?.pairs;
    let numbers: Vec<usize> = std::env::args()
        .skip(1)
        .map(|text| text.parse())
        .collect::<Result<_, _>>()?;
    let numbers = if numbers.is_empty() {
        vec![1_000, 10_000, 100_000]
    } else {
        numbers
    };
    println!(
        "| hosts | in farms | pairs looked at | groups | farms found whole | CPU s | wall s | peak MiB |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |");
    for number in numbers {
        let hosts: Vec<HostProfile> = (0..number).map(|place| record(place, number)).collect();
        let in_farms = number / 100 / FARM * FARM;
        let (before, start) = (processor_seconds(), Instant::now());
        let found = cluster::cluster(&hosts, 0, &weights);
        let (cpu, wall) = (processor_seconds() - before, start.elapsed().as_secs_f64());
        let whole = (0..in_farms / FARM)
            .filter(|farm| {
                let mut members: Vec<ContentId> = (0..FARM).map(|one| name(farm * FARM + one)).collect();
                members.sort_unstable();
                found.groups.iter().any(|group| {
                    group.members.len() == FARM
                        && group
                            .members
                            .iter()
                            .map(|member| member.host)
                            .eq(members.iter().copied())
                })
            })
            .count();
        println!(
            "| {number} | {in_farms} | {} | {} | {whole} of {} | {cpu:.1} | {wall:.1} | {} |",
            found.pairs,
            found.groups.len(),
            in_farms / FARM,
            peak_mib()
        );
    }
    Ok(())
}

fn name(place: usize) -> ContentId {
    ContentId::of(&[b"scale", &place.to_le_bytes()])
}

/// A host: of a farm of ten, of a provider's office, of an employer's staff at home, or of a household.
fn record(place: usize, all: usize) -> HostProfile {
    let start = Timestamp::from_parts(i64::from(DAY) * 86_400, 0);
    let octets = u32::try_from(place).unwrap_or(0).to_be_bytes();
    let days: Vec<u32> = (DAY..DAY + DAYS).collect();
    let in_farms = all / 100 / FARM * FARM;
    // Houses of ten machines in farms, of four elsewhere, of thirty in an office.
    let (house, kind) = if place < in_farms {
        (place / FARM, 0)
    } else if place % 10 < 3 {
        (1_000_000 + place / 300, 1)
    } else if place % 10 < 6 {
        (2_000_000 + place, 2)
    } else {
        (3_000_000 + place / 8, 3)
    };
    let [_, b, c, d] = u32::try_from(house).unwrap_or(0).to_be_bytes();
    let (tool, controller, instance, tenant) = match kind {
        0 => (
            "rustdesk",
            format!("operator {}", house / 2),
            Some((format!("desk{house}.example"), InstanceKind::PrivateServer)),
            format!("firm {}", place * 7 % 5_000),
        ),
        1 => (
            "screenconnect",
            format!("provider {}", house % 40),
            Some((format!("instance-{}", house % 40), InstanceKind::Tenant)),
            format!("office {house}"),
        ),
        2 => (
            "anydesk",
            format!("relay {}", place % 97),
            None,
            format!("employer {}", place % 12),
        ),
        _ => ("", String::new(), None, format!("household {}", place % 3_000)),
    };
    let minutes: Vec<u32> = (0..DAYS)
        .flat_map(|day| (0..300).map(move |minute| (DAY + day) * 1_440 + 780 + minute))
        .filter(|minute| (minute / 6) as usize % 5 == place % 5)
        .collect();
    HostProfile {
        host: name(place),
        first_seen: start.plus(i64::from(octets[3]) * SECOND),
        last_seen: start.plus(i64::from(DAYS) * 86_400 * SECOND),
        watched: Stretches::of(vec![(start, start.plus(i64::from(DAYS) * 86_400 * SECOND))]),
        ips: vec![Address::from_v4([10, octets[1], octets[2], octets[3]])],
        names: vec![HostName {
            name: format!("host-{place}"),
            source: "dhcp".to_owned(),
        }],
        days: days.clone(),
        gateways: Observable::Observed(vec![Gateway {
            router: Router::new(MacAddress([2, 0, 0, b, c, d]), AddressSpace::default(), 0),
            days: days.clone(),
        }]),
        egress: Observable::Observed(vec![Egress {
            address: Address::from_v4([100, 64 | (b & 0x3f), c, d]),
            days,
            is_declared: false,
            kind: None,
            source: None,
            is_default_database_only: false,
        }]),
        tenants: Observable::Observed(vec![Tenant::on(&tenant, &[DAY])]),
        role: if kind == 3 {
            Role::Unknown
        } else {
            Role::Controlled
        },
        driven_minutes: if kind == 3 { Vec::new() } else { minutes },
        sessions: if kind == 3 {
            Observable::Absent
        } else {
            Observable::Observed(vec![RemoteSession {
                tool: tool.to_owned(),
                sanctioned: Some(false),
                instance: instance.map(|(name, kind)| Instance { name, kind }),
                relays: vec![format!("{tool} relay {}", place % 61)],
                controllers: vec![ControllerSeen {
                    id: controller,
                    address: None,
                    how: "relay_id".to_owned(),
                    place: Observable::hidden("relayed"),
                }],
                intervals: vec![(start, start.plus(3_600 * SECOND), Activity::Driven)],
                ..RemoteSession::default()
            }])
        },
        ..HostProfile::default()
    }
}

/// User and system time of this process so far, from /proc/self/stat in clock ticks of a hundredth of a second (proc(5)).
fn processor_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let behind = text.rsplit(')').next().unwrap_or_default();
    let fields: Vec<f64> = behind
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse().ok())
        .collect();
    fields.iter().sum::<f64>() / 100.0
}

fn peak_mib() -> u64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.unwrap_or(0) / 1_024
}
