//! Machines and databases for tests: the databases are written by the tests themselves.
//!
//! 203.0.113.0/25 is Lisbon, of which .64/26 are a VPN's exits; 203.0.113.128/26 are lines there, .192/26 a mobile network;
//! 192.0.2.0/25 is Phoenix, 192.0.2.128/25 lines there; 198.51.100.0/24 is Nashville.

use std::collections::BTreeMap;

use mmdb_writer::{Value, Writer};
use tempfile::TempDir;

use crate::detect::{Concluded, Conclusion, Ended, HostView, Knowledge, Watcher};
use crate::geo::Geo;
use crate::model::address::Address;
use crate::model::egress::{OwnAddress, Sightings};
use crate::model::finding::Finding;
use crate::model::frame::FrameRef;
use crate::model::host::AssetRecord;
use crate::model::identity::ContentId;
use crate::model::profile::Asset;
use crate::model::reverse_name::ReverseNames;
use crate::model::time::Timestamp;
use crate::settings::policy::Policy;
use crate::signatures::Catalogue;

/// Phoenix, where the sample machines are said to be.
const PHOENIX: (f64, f64) = (33.45, -112.07);

/// Databases, policy and catalogue.
pub(in crate::detect) struct World {
    _folder: Option<TempDir>,
    geo: Geo,
    catalogue: Catalogue,
    pub(in crate::detect) policy: Policy,
    pub(in crate::detect) reverse_names: ReverseNames,
}

fn map(entries: &[(&str, Value)]) -> Value {
    let entries = entries
        .iter()
        .map(|(key, value)| ((*key).to_owned(), value.clone()));
    Value::Map(entries.collect::<BTreeMap<_, _>>())
}

fn city(country: &str, (latitude, longitude): (f64, f64)) -> Value {
    map(&[
        ("country", map(&[("iso_code", country.into())])),
        (
            "location",
            map(&[
                ("latitude", Value::Double(latitude)),
                ("longitude", Value::Double(longitude)),
                ("accuracy_radius", Value::U16(50)),
            ]),
        ),
    ])
}

fn write(folder: &TempDir, name: &str, kind: &str, rows: &[(&str, Value)]) {
    let seconds = crate::geo::build::epoch_of("2026-11-01").unwrap();
    let epoch = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
    let mut writer = Writer::builder(kind).build_epoch(epoch).build();
    for (network, record) in rows {
        writer
            .insert_value(network.parse::<ipnet::IpNet>().unwrap(), record.clone())
            .unwrap();
    }
    std::fs::write(folder.path().join(name), writer.to_bytes().unwrap()).unwrap();
}

impl World {
    pub(in crate::detect) fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let lisbon = (38.72, -9.14);
        write(
            &folder,
            "city.mmdb",
            "GeoLite2-City",
            &[
                ("203.0.113.0/24", city("PT", lisbon)),
                ("192.0.2.0/24", city("US", PHOENIX)),
                ("198.51.100.0/24", city("US", (36.16, -86.78))),
            ],
        );
        let kind = |kind: &str| map(&[("traits", map(&[("user_type", kind.into())]))]);
        let exit = map(&[("is_anonymous_vpn", Value::Bool(true))]);
        write(
            &folder,
            "kinds.mmdb",
            "GeoIP2-Anonymous-IP",
            &[
                ("203.0.113.64/26", exit),
                ("203.0.113.128/26", kind("residential")),
                ("203.0.113.192/26", kind("cellular")),
                ("192.0.2.128/25", kind("residential")),
            ],
        );
        let (geo, errors) = Geo::open(&[folder.path().to_owned()]);
        assert!(errors.is_empty(), "{errors:?}");
        Self {
            geo: geo.without_default(),
            _folder: Some(folder),
            catalogue: Catalogue::embedded().unwrap(),
            policy: Policy::default(),
            reverse_names: ReverseNames::default(),
        }
    }

    pub(in crate::detect) fn with_default_only() -> Self {
        Self {
            geo: Geo::embedded(),
            _folder: None,
            catalogue: Catalogue::embedded().unwrap(),
            policy: Policy::default(),
            reverse_names: ReverseNames::default(),
        }
    }

    pub(in crate::detect) fn place(&self, text: &str) -> Option<std::sync::Arc<crate::geo::Place>> {
        self.geo.place(address(text).to_ip())
    }

    pub(in crate::detect) fn conclude(
        &self,
        conclusion: &dyn Conclusion,
        hosts: &[HostView],
    ) -> Vec<Finding> {
        self.conclude_with(conclusion, hosts, &[])
    }

    /// Has a watcher conclude.
    pub(in crate::detect) fn watch(
        &self,
        watcher: &mut dyn Watcher,
        hosts: &[HostView],
        concluded: &mut Concluded,
    ) {
        watcher.conclude(&Ended::new(hosts, &self.knowledge()), concluded);
    }

    fn knowledge(&self) -> Knowledge<'_> {
        Knowledge {
            catalogue: &self.catalogue,
            geo: &self.geo,
            policy: &self.policy,
            rules: crate::settings::rules::Rules::shipped(),
            reverse_names: Some(&self.reverse_names),
            at: None,
        }
    }

    pub(in crate::detect) fn conclude_with(
        &self,
        conclusion: &dyn Conclusion,
        hosts: &[HostView],
        findings: &[Finding],
    ) -> Vec<Finding> {
        conclusion.conclude(hosts, findings, &self.knowledge())
    }
}

pub(in crate::detect) fn address(text: &str) -> Address {
    Address::from(text.parse::<std::net::IpAddr>().unwrap())
}

/// So many hours after noon of a day since 1970.
pub(in crate::detect) fn at(day: u32, hours: i64) -> Timestamp {
    Timestamp::from_parts(i64::from(day) * 86_400 + (12 + hours) * 3_600, 0)
}

/// A machine to be.
pub(in crate::detect) struct Sample(HostView);

impl Sample {
    /// Of somebody in Phoenix, or without coordinates in another country.
    pub(in crate::detect) fn of(country: &str) -> Self {
        Self(HostView {
            id: ContentId::of(&[country.as_bytes()]),
            asset: Some(Asset {
                record: AssetRecord {
                    country: Some(country.to_owned()),
                    assignee: Some("A".to_owned()),
                    ..AssetRecord::default()
                },
                coordinates: (country == "US").then_some(PHOENIX),
                ..Asset::default()
            }),
            ..HostView::default()
        })
    }

    /// Of somebody else, elsewhere in the same country.
    pub(in crate::detect) fn assigned(mut self, name: &str, coordinates: (f64, f64)) -> Self {
        self.0.id = ContentId::of(&[name.as_bytes()]);
        if let Some(asset) = &mut self.0.asset {
            asset.record.assignee = Some(name.to_owned());
            asset.coordinates = Some(coordinates);
        }
        self
    }

    pub(in crate::detect) fn goes_out(self, text: &str, days: &[u32]) -> Self {
        let times: Vec<Timestamp> = days.iter().map(|day| at(*day, 0)).collect();
        self.goes_out_at(text, &times)
    }

    pub(in crate::detect) fn goes_out_at(mut self, text: &str, times: &[Timestamp]) -> Self {
        let frame = FrameRef {
            capture: 0,
            number: 7,
        };
        let mut seen = Sightings::first(frame, times[0]);
        for time in times {
            seen.add(*time);
        }
        self.0.public.push(OwnAddress {
            address: address(text),
            how: "stun",
            seen,
        });
        self
    }

    pub(in crate::detect) fn host(self) -> HostView {
        self.0
    }
}
