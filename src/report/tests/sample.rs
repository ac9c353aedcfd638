//! A hand-made case with something in every field, at documentation addresses (RFC 5737, RFC 3849), and a hostile one.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::model::address::{Address, MacAddress};
use crate::model::case::Case;
use crate::model::evidence::{Decibans, Evidence, Family, State};
use crate::model::farm::{Counterfactual, Farm, FarmMember, Reason, Shared};
use crate::model::finding::{
    Activity, Confidence, Controller, Finding, FindingKind, GeoMismatch, PlaceRecord, Role,
};
use crate::model::host::{
    AssetRecord, Explanations, HostName, HostReason, HostRecord, HostTool, TenantRecord, Verdict,
};
use crate::model::identity::ContentId;
use crate::model::summary::{
    CaptureRecord, CommentRecord, DamageRecord, DatabaseRecord, PacketCounts, Summary, VantageRecord,
};
use crate::model::time::{SECOND, Timestamp};
use crate::model::vantage::Vantage;

/// Text that does harm wherever it is shown as it is: clears a screen, forges a line, turns text, ends a tag, calls
/// a function of a spreadsheet.
pub(super) const HOSTILE: &str = "=cmd|'/c calc'!A1\u{1b}[2J\u{1b}]0;x\u{7}\nVERDICT none\u{202e}gnp\u{9b}31m</style><script>alert(1)</script>\"'&";

/// Monday, 2 March 2026, 13:00 UTC, and so many minutes later.
pub(super) fn at(minutes: i64) -> Timestamp {
    Timestamp((1_772_456_400 + minutes * 60) * SECOND)
}

fn texts(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn place(country: &str, city: &str, asn: u32, organisation: &str, kind: &str) -> PlaceRecord {
    PlaceRecord {
        country: Some(country.to_owned()),
        city: Some(city.to_owned()),
        asn: Some(asn),
        as_org: Some(organisation.to_owned()),
        kind: Some(kind.to_owned()),
        kind_source: Some("example-kinds 2026-02-01".to_owned()),
        source: Some("example-city 2026-02-01".to_owned()),
    }
}

fn host(number: u8, verdict: Verdict, findings: Vec<ContentId>) -> HostRecord {
    HostRecord {
        host: ContentId(u64::from(number)),
        timestamp: at(0),
        ips: vec![format!("192.0.2.{number}"), format!("2001:db8::{number:x}")],
        mac: Some(MacAddress([0x02, 0, 0x5e, 0, 0, number])),
        vendor: Some("Example Computers".to_owned()),
        names: vec![HostName {
            name: format!("lt-{number:02}"),
            source: "dhcp".to_owned(),
        }],
        os: Some("Windows 11".to_owned()),
        roles: texts(&["controlled"]),
        first_seen: at(0),
        last_seen: at(480),
        bytes_in: 1_200_000,
        bytes_out: 98_000_000,
        asset: Some(AssetRecord {
            asset: Some(format!("A-{number}")),
            assignee: Some(format!("assignee {number}")),
            country: Some("US".to_owned()),
            site: Some("home office".to_owned()),
            employer: Some("Example Corp".to_owned()),
            matched_by: "mac".to_owned(),
        }),
        tools: vec![HostTool {
            tool: "anydesk".to_owned(),
            role: Role::Controlled,
            activity: Activity::Driven,
            sanctioned: Some(false),
            session_seconds: 14_400,
            driven_seconds: 12_000,
        }],
        vpn: texts(&["wireguard"]),
        tenants: vec![TenantRecord {
            name: "corp.example".to_owned(),
            days: texts(&["2026-03-02"]),
            shared: false,
        }],
        public_ips: texts(&["198.51.100.7"]),
        public: Vec::new(),
        devices_behind: None,
        verdict,
        explanations: explanations(),
        tally: None,
        reasons: vec![HostReason {
            reason: "sess".to_owned(),
            what: "driven 3 h 20 min of 8 h in view".to_owned(),
            weight: Decibans(7.5),
            cell: None,
        }],
        not_observable: vec!["site: the kind of line is not known".into()],
        next_question: "What kind of line is this?".to_owned(),
        summary: format!(
            "lt-0{number}: {}; consistent with one machine worked from elsewhere",
            verdict.name()
        ),
        findings,
    }
}

fn explanations() -> Explanations {
    Explanations {
        farm: 0.941_2,
        solo: 0.008,
        msp: 0.040_3,
        vdi: 0.007,
        shared: 0.002,
        travel: 0.000_5,
        own: 0.000_9,
        normal: 0.000_1,
    }
}

fn controller() -> Controller {
    Controller {
        address: Address::from_v4([203, 0, 113, 9]),
        how: "direct".to_owned(),
        geo: Some(place("NL", "Amsterdam", 64_496, "Example Hosting", "hosting").into()),
    }
}

fn session(id: u64, number: u8) -> Finding {
    Finding {
        id: ContentId(id),
        timestamp: at(2),
        last_seen: at(475),
        kind: FindingKind::RemoteAccess,
        tool: "anydesk".to_owned(),
        protocol: Some("tls".to_owned()),
        role: Role::Controlled,
        activity: Activity::Driven,
        intervals: vec![
            (at(2), at(130), Activity::Driven),
            (at(130), at(180), Activity::Viewed),
            (at(200), at(210), Activity::Bulk),
            (at(300), at(475), Activity::Driven),
        ],
        controller: Some(Box::new(controller())),
        host: ContentId(u64::from(number)),
        host_ip: format!("192.0.2.{number}"),
        peer: Some("203.0.113.9".to_owned()),
        peer_name: Some("relay-9.example.net".to_owned()),
        peer_port: Some(7_070),
        proto: Some("TCP".to_owned()),
        community_id: Some("1:2mSHKrwQLOp0vRZYZb4BsnNmTxQ=".to_owned()),
        flow_ids: vec![ContentId(0xf1), ContentId(0xf2)],
        flow_count: 2,
        confidence: Confidence::High,
        score: Decibans(32.0),
        sanctioned: Some(false),
        summary: format!(
            "192.0.2.{number} was driven through AnyDesk from 203.0.113.9 (NL) for 5 h 03 min on 2026-03-02"
        ),
        benign: texts(&["IT support working on this machine by arrangement"]),
        evidence: vec![
            Evidence {
                signature: Some("anydesk-certificate".to_owned()),
                measure: None,
                what: "server certificate subject \"AnyDesk Client\"".to_owned(),
                note: Some("visible up to TLS 1.2 only".into()),
                weight: Decibans(20.0),
                state: State::Observed,
                family: Family::Tool,
                capture: Some(0),
                frames: vec![17, 18, 19, 20, 2_048],
                at: Some(at(2)),
            },
            Evidence {
                signature: None,
                measure: Some("small_inputs".to_owned()),
                what: "312 input-sized packets a minute towards the host".to_owned(),
                note: None,
                weight: Decibans(12.0),
                state: State::Observed,
                family: Family::Rc,
                capture: Some(1),
                frames: vec![5],
                at: Some(at(10)),
            },
            Evidence {
                signature: None,
                measure: Some("kvm".to_owned()),
                what: "no IP KVM announces itself".to_owned(),
                note: None,
                weight: Decibans(-1.5),
                state: State::Absent,
                family: Family::Tool,
                capture: None,
                frames: Vec::new(),
                at: None,
            },
            Evidence {
                signature: None,
                measure: Some("rtt".to_owned()),
                what: "delay of the hidden leg: too few bursts".to_owned(),
                note: None,
                weight: Decibans(0.0),
                state: State::NotObservable,
                family: Family::Lat,
                capture: None,
                frames: Vec::new(),
                at: None,
            },
        ],
        peer_geo: Some(Arc::new(place(
            "NL",
            "Amsterdam",
            64_496,
            "Example Hosting",
            "hosting",
        ))),
        geo: Some(Box::new(GeoMismatch {
            claimed_country: "US".to_owned(),
            seen: place("NL", "Amsterdam", 64_496, "Example Hosting", "hosting").into(),
            address: "203.0.113.9".to_owned(),
            gap_km: Some(7_600.0),
            days: [1, 1],
        })),
        ..Finding::default()
    }
}

fn farm() -> Farm {
    let reason = |reason: &str, what: &str, weight: f64, state| Reason {
        reason: reason.to_owned(),
        what: what.to_owned(),
        weight: Decibans(weight),
        cell: None,
        state,
        hosts: vec![ContentId(1), ContentId(2)],
        findings: vec![ContentId(0xa1)],
    };
    let member = |host, label: &str, membership| FarmMember {
        host: ContentId(host),
        label: label.to_owned(),
        membership,
        is_kvm: false,
    };
    Farm {
        id: ContentId(0xfa),
        timestamp: at(0),
        hosts: vec![
            member(1, "lt-01 (192.0.2.1)", 1.0),
            member(2, "lt-02 (192.0.2.2)", 0.87),
        ],
        verdict: Verdict::Likely,
        explanations: explanations(),
        runner_up: "msp".to_owned(),
        reasons: vec![
            reason("n_rc", "2 of 2 machines are remote-controlled", 12.3, State::Observed),
            reason(
                "ctrl_conc",
                "one controller, 203.0.113.9, drives both machines, never at the same minute",
                9.8,
                State::Observed,
            ),
            reason("kvm", "no IP KVM on this network", -1.5, State::Absent),
            reason("xrtt", "delay of the hidden leg: too few bursts", 0.0, State::NotObservable),
        ],
        shared: Shared {
            controllers: texts(&["203.0.113.9"]),
            relays: texts(&["relay-9.example.net"]),
            tools: texts(&["anydesk"]),
            egress: texts(&["198.51.100.7"]),
            kvms: texts(&["kvm-1"]),
            operator_hours: vec![13, 14, 15, 18, 19, 20],
        },
        tally: None,
        second_opinion: None,
        operation: None,
        not_observable: texts(&["xrtt: too few bursts", "assignees: no inventory row for one of the machines"]),
        next_question: "Who are the assignees of these machines, and were they at work on 2026-03-02?".to_owned(),
        counterfactuals: vec![Counterfactual {
            change: "if the controller were the employer's own support".to_owned(),
            farm: 0.113,
            verdict: Verdict::Note,
        }],
        summary: "2 machines (lt-01, lt-02): likely; consistent with a laptop farm (posterior .9412); the best other \
                  explanation is a managed site (.0403)"
            .to_owned(),
    }
}

fn summary() -> Summary {
    let mut packets = PacketCounts {
        read: 41_000,
        decoded: 40_950,
        duplicates: 120,
        filtered: 3,
        ..PacketCounts::default()
    };
    packets.skipped.add("unknown link type", 40);
    packets.damaged.add("cut IPv4 header", 10);
    Summary {
        timestamp: at(480),
        captures_unread: 0,
        captures: vec![
            CaptureRecord {
                path: "evidence/home.pcapng".to_owned(),
                sha256: Some("ab".repeat(32)),
                bytes: 31_415_926,
                packets: 40_000,
                link_types: texts(&["EN10MB"]),
                first: Some(at(0)),
                last: Some(at(480)),
                damage: vec![DamageRecord {
                    offset: 31_400_000,
                    cause: "the last packet is cut short".to_owned(),
                }],
                comments: vec![CommentRecord::new(17, "first \u{1b}[31mcontact")],
                comments_not_kept: 3,
                kernel_dropped: Some(12),
                clock: None,
                clock_offset: None,
            },
            CaptureRecord {
                path: "evidence/second.pcap".to_owned(),
                bytes: 65_000,
                packets: 1_000,
                link_types: texts(&["EN10MB"]),
                first: Some(at(5)),
                last: Some(at(20)),
                ..CaptureRecord::default()
            },
        ],
        packets,
        flows: 310,
        flows_peak: 44,
        flows_evicted: 2,
        hosts: 3,
        findings: BTreeMap::from([(
            "remote_access".to_owned(),
            BTreeMap::from([("high".to_owned(), 2)]),
        )]),
        farms: BTreeMap::from([("likely".to_owned(), 1)]),
        little: None,
        vantage: Some(VantageRecord {
            name: Vantage::Home,
            judged_by: "as it was given".to_owned(),
            is_assumed: false,
        }),
        time_span: Some([at(0), at(480)]),
        wall_seconds: Some(1.25),
        version: "0.1.0".to_owned(),
        signatures: "2026-02-20 (3f2a)".to_owned(),
        weights: "9c1d".to_owned(),
        geo: vec![DatabaseRecord {
            name: "example-city".to_owned(),
            built: "2026-02-01".to_owned(),
            source: "geoip/example.mmdb".to_owned(),
            attribution: "places by Example Places, CC BY 4.0".to_owned(),
        }],
        remarks: texts(&["example-city is 29 days older than the capture"]),
    }
}

/// The case: a group of two, a third host without findings, a weak finding, a group below review.
pub(super) fn case() -> Case {
    let weak = Finding {
        id: ContentId(0xb0),
        tool: "wireguard".to_owned(),
        kind: FindingKind::Vpn,
        role: Role::Client,
        activity: Activity::Unknown,
        intervals: Vec::new(),
        controller: None,
        confidence: Confidence::Low,
        score: Decibans(3.0),
        sanctioned: None,
        protocol: None,
        geo: None,
        tunnel: None,
        summary: "192.0.2.2 keeps a WireGuard tunnel to 203.0.113.77".to_owned(),
        peer: Some("203.0.113.77".to_owned()),
        peer_name: None,
        peer_port: Some(51_820),
        proto: Some("UDP".to_owned()),
        ..session(0xb0, 2)
    };
    let unsupported = Finding {
        score: Decibans(-4.0),
        confidence: Confidence::Low,
        summary: "not supported by its evidence".to_owned(),
        ..session(0xc0, 1)
    };
    let below = Farm {
        id: ContentId(0xfb),
        verdict: Verdict::Note,
        summary: "a group below review".to_owned(),
        ..farm()
    };
    Case {
        unlisted_hosts: 0,
        summary: summary(),
        farms: vec![farm(), below],
        hosts: vec![
            host(1, Verdict::Likely, vec![ContentId(0xa1), ContentId(0xc0)]),
            host(2, Verdict::Review, vec![ContentId(0xa2), ContentId(0xb0)]),
            host(3, Verdict::None, Vec::new()),
        ],
        findings: vec![session(0xa1, 1), session(0xa2, 2), weak, unsupported],
    }
}

/// The same case with hostile text in every text that could come from a packet, a file name or an inventory.
pub(super) fn hostile() -> Case {
    let mut case = case();
    spoil_farms(&mut case);
    spoil_hosts(&mut case);
    spoil_findings(&mut case);
    spoil_summary(&mut case.summary);
    case
}

fn bad() -> String {
    HOSTILE.to_owned()
}

fn spoil_farms(case: &mut Case) {
    for farm in &mut case.farms {
        farm.summary = bad();
        farm.next_question = bad();
        farm.runner_up = bad();
        farm.not_observable = vec![bad()];
        for member in &mut farm.hosts {
            member.label = bad();
        }
        for reason in &mut farm.reasons {
            reason.reason = bad();
            reason.what = bad();
        }
        for counterfactual in &mut farm.counterfactuals {
            counterfactual.change = bad();
        }
        let shared = &mut farm.shared;
        for list in [
            &mut shared.controllers,
            &mut shared.relays,
            &mut shared.tools,
            &mut shared.egress,
            &mut shared.kvms,
        ] {
            *list = vec![bad()];
        }
    }
}

fn spoil_hosts(case: &mut Case) {
    for host in &mut case.hosts {
        host.names = vec![HostName {
            name: bad(),
            source: bad(),
        }];
        host.ips.push(bad());
        host.vendor = Some(bad());
        host.os = Some(bad());
        host.roles = vec![bad()];
        host.vpn = vec![bad()];
        host.tenants = vec![TenantRecord {
            name: bad(),
            days: vec![bad()],
            shared: true,
        }];
        host.not_observable = vec![bad().into()];
        host.next_question = bad();
        host.summary = bad();
        host.public_ips = vec![bad()];
        host.asset = Some(AssetRecord {
            asset: Some(bad()),
            assignee: Some(bad()),
            country: Some(bad()),
            site: Some(bad()),
            employer: Some(bad()),
            matched_by: bad(),
        });
        for tool in &mut host.tools {
            tool.tool = bad();
        }
        for reason in &mut host.reasons {
            reason.reason = bad();
            reason.what = bad();
        }
    }
}

fn spoil_findings(case: &mut Case) {
    let bad_place = PlaceRecord {
        country: Some(bad()),
        city: Some(bad()),
        as_org: Some(bad()),
        kind: Some(bad()),
        kind_source: Some(bad()),
        source: Some(bad()),
        asn: None,
    };
    for finding in &mut case.findings {
        finding.tool = bad();
        finding.protocol = Some(bad());
        finding.summary = bad();
        finding.benign = vec![bad()];
        finding.peer = Some(bad());
        finding.peer_name = Some(bad());
        finding.host_ip = bad();
        finding.proto = Some(bad());
        finding.community_id = Some(bad());
        finding.peer_geo = Some(Arc::new(bad_place.clone()));
        if let Some(controller) = &mut finding.controller {
            controller.how = bad();
            controller.geo = Some(Arc::new(bad_place.clone()));
        }
        if let Some(geo) = &mut finding.geo {
            geo.claimed_country = bad();
            geo.address = bad();
            geo.seen = Arc::new(bad_place.clone());
        }
        for evidence in &mut finding.evidence {
            evidence.what = bad();
            evidence.note = Some(bad().into());
            evidence.signature = Some(bad());
        }
    }
}

fn spoil_summary(summary: &mut Summary) {
    for capture in &mut summary.captures {
        capture.path = bad();
        capture.link_types = vec![bad()];
        for damage in &mut capture.damage {
            damage.cause = bad();
        }
    }
    for database in &mut summary.geo {
        database.name = bad();
        database.built = bad();
        database.source = bad();
        database.attribution = bad();
    }
    summary.version = bad();
    summary.signatures = bad();
    summary.weights = bad();
    summary.remarks = vec![bad()];
}
