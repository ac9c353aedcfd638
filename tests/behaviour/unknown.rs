//! Remote control by its form alone: recorded sessions with their names taken away, and what looks like them.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use farmhawk::capture::{self, Reading, inputs};
use farmhawk::detect::unknown_interactive::{Shape, shape, windows};
use farmhawk::geo::Geo;
use farmhawk::model::address::Address;
use farmhawk::model::flow::ActivityBin;
use farmhawk::model::segment::Layer;
use farmhawk::model::time::Timestamp;
use farmhawk::pipeline;
use farmhawk::pipeline::analysis::Analysis;
use farmhawk::pipeline::front::Reader;
use farmhawk::pipeline::rows::Rows;
use farmhawk::settings::limits::Limits;
use farmhawk::settings::policy::Heuristics;
use farmhawk::signatures::Catalogue;

use crate::program::{fixture, real_captures};

/// The controlled machine of the recordings.
pub(crate) const LAPTOP: [u8; 4] = [192, 168, 77, 21];

/// Driven sessions whose form is not told, and why.
const NOT_TOLD: [(&str, &str); 4] = [
    (
        "ssh-160",
        "a shell sends hardly more than it gets: nothing is shown",
    ),
    (
        "ssh-2",
        "a shell sends hardly more than it gets: nothing is shown",
    ),
    (
        "ssh-40",
        "a shell sends hardly more than it gets: nothing is shown",
    ),
    (
        "ssh-tunnel-160",
        "at this round trip the tunnel gathers several events into one packet, each an answer",
    ),
];

/// Real captures with connections of a minute and more that are something else: files, shells, mail, messages, meetings, coins,
/// files among peers, measuring instruments, tunnels. No other capture but those of remote tools holds such a connection over TCP.
const LOOK_ALIKES: [&str; 25] = [
    "ar-modbus.pcap",
    "j4-ssh-r.pcap",
    "me-ftp.pcap",
    "me-openvpn-tcp-multi.pcap",
    "me-tls-sgt.pcap",
    "ml-telnet.pcap",
    "nd-bitcoin.pcap",
    "nd-gnutella.pcap",
    "nd-googledns-android10.pcap",
    "nd-hislip.pcap",
    "nd-jabber.pcapng",
    "nd-mining.pcapng",
    "nd-nntp.pcap",
    "nd-openvpn.pcapng",
    "nd-ssh.pcapng",
    "nd-tls-appdata.pcap",
    "nd-webex.pcap",
    "nd-wechat.pcap",
    "nf-openvpn.pcap",
    "nf-ssh.pcap",
    "nf-zcash.pcap",
    "pp-650httpresponses.pcap",
    "pp-ldap.pcapng",
    "ps-tcp-ecn-sample.pcap",
    "so-tor.pcap",
];

/// What is left of a connection without its names.
pub(crate) struct Nameless {
    client: Address,
    start: Timestamp,
    bins: Vec<ActivityBin>,
}

impl Nameless {
    /// Windows of ten seconds in which something moved.
    pub(crate) fn windows(&self) -> usize {
        self.bins.len()
    }

    pub(crate) fn shape(&self, host_is_client: bool) -> Option<Shape> {
        shape(&windows(&self.bins, self.start, host_is_client))
    }
}

pub(crate) fn connections(capture: &Path) -> Vec<Nameless> {
    let (catalogue, geo, limits) = (Catalogue::embedded().unwrap(), Geo::embedded(), Limits::default());
    let list = inputs::expand(&[capture.to_owned()]).unwrap();
    let source = capture::open(&list.captures, &Reading::default()).unwrap();
    let reader = Reader::new(source, &limits, 1, None, Arc::new(AtomicBool::new(false)));
    let kept = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&kept);
    let sink = Box::new(move |row: &farmhawk::report::flow::FlowRow<'_>| {
        let flow = row.flow;
        if flow.layer == Layer::Tcp {
            seen.lock().unwrap().push(Nameless {
                client: flow.client.address,
                start: flow.start,
                bins: flow.activity.clone(),
            });
        }
        Ok(())
    });
    let analysis = Analysis::new(&limits, &[], &catalogue, Heuristics::default(), true);
    pipeline::run(1, reader, &limits, analysis, Rows::new(&geo, sink)).unwrap();
    Arc::into_inner(kept).unwrap().into_inner().unwrap()
}

#[test]
fn driven_sessions_without_names_are_told_by_their_form() {
    let mut folders: Vec<_> = fs::read_dir(fixture("states"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    folders.sort();
    let mut table = String::new();
    let mut wrong = Vec::new();
    for folder in &folders {
        let name = folder.file_name().unwrap().to_str().unwrap();
        let mut found = None;
        for one in connections(&folder.join("capture.pcap.zst")) {
            let is_laptops = one.client == Address::from_v4(LAPTOP);
            found = found.or_else(|| one.shape(is_laptops));
            if one.shape(!is_laptops).is_some() {
                wrong.push(format!("{name}: who drives is taken for who is driven"));
            }
        }
        let known = NOT_TOLD.iter().find(|(known, _)| *known == name);
        match (&found, known) {
            (Some(_), Some(_)) => wrong.push(format!("{name}: told now: no exception any more")),
            (None, None) => wrong.push(format!("{name}: not told")),
            _ => {}
        }
        writeln!(table, "{name:16} {found:?}").unwrap();
    }
    println!("{table}");
    assert_eq!(folders.len(), 21);
    assert!(wrong.is_empty(), "{}\n{table}", wrong.join("\n"));
}

#[test]
fn nothing_that_looks_like_it_has_the_form() {
    let Some(folder) = real_captures() else {
        return;
    };
    let mut long = 0;
    for name in LOOK_ALIKES {
        for one in connections(&folder.join(name)) {
            long += usize::from(one.bins.len() >= 6);
            for host_is_client in [true, false] {
                assert_eq!(one.shape(host_is_client), None, "{name}");
            }
        }
    }
    assert!(long >= 38, "only {long} connections of six windows and more");
}
