//! What is taken for data in questions, and what is not.

use super::zone::MOST_DISTINCT;
use super::*;
use crate::detect::Detectors;
use crate::geo::Geo;
use crate::model::fact::{FactLog, Field, Stamp};
use crate::model::finding::Confidence;
use crate::model::threads::Threads;
use crate::settings::policy::{Heuristics, Policy};
use crate::signatures::Catalogue;

const LOCAL: LocalIndex = LocalIndex(1);

/// What questions of one type lead to.
fn found(names: impl Iterator<Item = String>, kind: u64) -> Vec<Finding> {
    concluded(questions(names, kind, |_| 40_000))
}

/// Questions of one type, the n-th from this port.
fn questions(names: impl Iterator<Item = String>, kind: u64, port: impl Fn(u16) -> u16) -> Questions {
    let mut questions = Questions::new(10);
    for (name, number) in names.zip(0..) {
        let mut header = EventHeader::default();
        header.from.port = port(number);
        questions.asked(name.as_bytes());
        questions.of_type(LOCAL, kind, &header);
    }
    questions
}

fn concluded(questions: Questions) -> Vec<Finding> {
    let host = HostView {
        locals: vec![LOCAL],
        ..HostView::default()
    };
    let (catalogue, geo, policy) = (Catalogue::embedded().unwrap(), Geo::embedded(), Policy::default());
    let knowledge = Knowledge {
        catalogue: &catalogue,
        geo: &geo,
        policy: &policy,
        rules: crate::settings::rules::Rules::shipped(),
        reverse_names: None,
        at: None,
    };
    questions.found(&ByLocal::new(std::slice::from_ref(&host)), &knowledge)
}

/// So many names with data that never repeats, below a zone.
fn data(count: u64, zone: &str) -> impl Iterator<Item = String> {
    (0..count).map(move |number| {
        let mut state = number;
        let label: String = (0..60)
            .map(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                char::from(b"abcdefghijklmnopqrstuvwxyz234567"[usize::try_from(state >> 59).unwrap()])
            })
            .collect();
        format!("{label}.{zone}")
    })
}

#[test]
fn many_names_of_data_are_a_tunnel_and_few_are_not() {
    let tunnel = found(data(200, "t.example"), 1);
    assert_eq!((tunnel.len(), tunnel[0].confidence), (1, Confidence::Medium));
    assert_eq!(tunnel[0].peer_name.as_deref(), Some("t.example"));
    assert_eq!(found(data(30, "t.example"), 1)[0].confidence, Confidence::Low);
    assert!(found(data(19, "t.example"), 1).is_empty());
}

#[test]
fn a_type_that_no_host_asks_for_makes_it_sure() {
    assert_eq!(found(data(30, "t.example"), 10)[0].confidence, Confidence::High);
}

#[test]
fn a_name_that_is_asked_again_and_again_carries_nothing() {
    let name = data(1, "contents.example").next().unwrap();
    assert!(found(std::iter::repeat_n(name, 500), 1).is_empty());
}

#[test]
fn reverse_names_and_known_services_are_asked_in_long_names() {
    for zone in ["8.b.d.0.1.0.0.2.ip6.arpa", "avqs.mcafee.com"] {
        assert!(found(data(500, zone), 1).is_empty(), "{zone}");
    }
}

#[test]
fn the_long_names_of_printers_and_of_other_scripts_are_no_tunnel() {
    let printers = (0..10).map(|number| {
        format!("B\u{fc}ro Empfang = HP Color LaserJet MFP (4C5E0{number})._ipp._tcp.office.example")
    });
    assert!(found(printers, 1).is_empty());
    let umlauts = (0..10).map(|number| format!("{}{number}.shop.example", "\u{e4}\u{f6}".repeat(12)));
    assert!(found(umlauts, 1).is_empty());
    let odd = data(1, "t.example").map(|name| format!("+{name}"));
    assert_eq!(found(odd, 1)[0].confidence, Confidence::Low);
}

#[test]
fn beyond_the_bound_of_names_nothing_is_counted_twice() {
    let names = u64::try_from(MOST_DISTINCT).unwrap() + 500;
    let many: Vec<String> = data(names, "t.example").collect();
    let once = found(many.iter().cloned(), 1);
    let twice = found(many.iter().cloned().chain(many.iter().skip(1_200).cloned()), 1);
    assert!(
        once[0].evidence[0]
            .what
            .contains("1000 different long names, 60000 octets"),
        "{once:?}"
    );
    assert_eq!(once[0].evidence[0].what, twice[0].evidence[0].what);
}

#[test]
fn below_a_countrys_second_level_the_zone_has_three_labels() {
    let of = |name: &'static str| split(name.as_bytes()).map(|(_, zone)| zone);
    assert_eq!(of("a.b.shop.co.uk"), Some(&b"shop.co.uk"[..]));
    assert_eq!(of("a.b.shop.example"), Some(&b"shop.example"[..]));
    assert_eq!(of("co.uk"), None);
}

const A: u64 = 1;
const TXT: u64 = 16;

#[test]
fn the_domain_is_what_all_names_have_and_is_no_data() {
    let tunnel = found(data(30, "t.tunnel.example"), A);
    assert_eq!(tunnel[0].peer_name.as_deref(), Some("t.tunnel.example"));
    assert!(
        tunnel[0].summary.contains("30 names of 1800 octets"),
        "{}",
        tunnel[0].summary
    );
    assert_eq!(tunnel[0].tunnel.as_ref().unwrap().bytes_out, 1_800);
}

#[test]
fn a_download_has_short_names_and_one_port() {
    let names = || (0..60_u32).map(|number| format!("bhy{:06x}ba.t.tunnel.example", number * 70_001));
    let tunnel = concluded(questions(names(), TXT, |_| 40_000));
    assert_eq!(tunnel[0].confidence, Confidence::Medium);
    let measures: Vec<_> = tunnel[0]
        .evidence
        .iter()
        .filter_map(|one| one.measure.as_deref())
        .collect();
    assert!(
        measures.starts_with(&["volume", "question types"]),
        "{measures:?}"
    );
    // A host's resolver takes another port each time: a mail server that asks who may send for a domain's machines.
    assert!(concluded(questions(names(), TXT, |number| 40_000 + number)).is_empty());
    assert!(found(names(), A).is_empty());
}

#[test]
fn types_whose_answers_have_room_make_few_long_names_surer() {
    assert_eq!(
        found(data(30, "t.example"), TXT)[0].confidence,
        Confidence::Medium
    );
}

#[test]
fn addresses_written_backwards_are_looked_up_in_lists() {
    let v4 = |number: u32| {
        format!(
            "{}.{}.113.0.203.0123456789abcdef0123456789abcdef.black.list.example",
            number,
            number % 7
        )
    };
    assert!(found((0..250).map(v4), TXT).is_empty());
    let v6 = |number: u32| {
        format!("{number:08x}{:024x}", number * 77)
            .chars()
            .fold(String::new(), |name, one| name + &format!("{one}."))
    };
    assert!(found((0..250).map(|number| v6(number) + "list.example"), A).is_empty());
    let listed = |address: [u8; 4]| {
        let names: Vec<String> = data(250, "list.example").collect();
        let mut questions = questions(names.iter().cloned(), A, |number| 40_000 + number);
        for name in names.iter().take(3) {
            questions.answered(LOCAL, name.as_bytes(), Address::from_v4(address));
        }
        concluded(questions).len()
    };
    assert_eq!(
        [
            listed([127, 0, 0, 2]),
            listed([127, 0, 0, 1]),
            listed([203, 0, 113, 9])
        ],
        [0, 1, 1]
    );
}

#[test]
fn digests_of_files_and_identifiers_of_devices_are_looked_up_too() {
    let digest = |number: u64| {
        format!(
            "{:032x}.files.av.example",
            u128::from(number) * 0x1234_5678_9abc_def0_1234_5678
        )
    };
    assert!(found((1..500).map(digest), TXT).is_empty());
    let two = |number: u64| {
        format!(
            "{:032x}.{:032x}.files.av.example",
            u128::from(number) << 64,
            u128::from(number) * 0x1234_5678_9abc_def0
        )
    };
    assert!(found((1..500).map(two), A).is_empty());
    let uuid = |number: u64| {
        format!(
            "{number:08x}-1111-4222-8333-{:012x}.events.example",
            number * 7_777
        )
    };
    assert!(found((1..500).map(uuid), A).is_empty());
}

#[test]
fn names_that_the_host_connects_to_are_hosts() {
    let names: Vec<String> = data(200, "contents.example").collect();
    let connected = |many: usize| {
        let mut questions = questions(names.iter().cloned(), A, |number| 40_000 + number);
        let flow = crate::model::flow::FlowRecord::default();
        for name in names.iter().take(many) {
            let server_name = crate::model::observation::ServerName {
                name: name.as_str().into(),
                source: crate::model::observation::NameSource::Sni,
                frame: crate::model::frame::FrameRef::default(),
                at: crate::model::time::Timestamp(1),
                lifetime: None,
            };
            let observation = Observation {
                flow: &flow,
                locals: [Some(LOCAL), None],
                server_name: Some(server_name),
            };
            Watcher::flow(&mut questions, &observation, &[]);
        }
        concluded(questions).len()
    };
    assert_eq!([connected(0), connected(39), connected(40)], [1, 1, 0]);
}

proptest::proptest! {
    #[test]
    fn any_names_are_counted_without_harm(names in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..90), 0..30), kind in 0_u64..30) {
        let mut questions = Questions::new(3);
        for name in &names {
            questions.asked(name);
            questions.of_type(LOCAL, kind, &EventHeader::default());
        }
        let weights = &crate::settings::rules::Rules::shipped().findings.tunnel;
        for zone in questions.zones.values().flat_map(BTreeMap::values) {
            let _ = (zone.reasons(weights), zone.domain(b"example"));
        }
    }
}

#[test]
fn detection_hands_on_questions_their_types_and_answers() {
    let (catalogue, geo, policy) = (Catalogue::embedded().unwrap(), Geo::embedded(), Policy::default());
    let knowledge = Knowledge {
        catalogue: &catalogue,
        geo: &geo,
        policy: &policy,
        rules: crate::settings::rules::Rules::shipped(),
        reverse_names: None,
        at: None,
    };
    let found = |address: [u8; 4]| {
        let mut detectors = Detectors::new(&catalogue, &Limits::default(), Heuristics::default());
        let mut log = FactLog::default();
        for name in data(250, "list.example") {
            let text = Value::Text {
                bytes: name.as_bytes(),
                cut: false,
            };
            let answer = Value::Answer {
                name: name.as_bytes(),
                address: Address::from_v4(address),
                lifetime: 60,
            };
            log.push(&Field::of_event("dns.query"), Stamp::default(), &text);
            log.push(&Field::of_event("dns.qtype"), Stamp::default(), &Value::Number(A));
            log.push(&Field::of_event("dns.answer"), Stamp::default(), &answer);
        }
        let mut header = EventHeader::default();
        header.from.port = 40_000;
        for fact in &log {
            detectors.event(Some(LOCAL), &header, &fact, &catalogue);
        }
        let host = HostView {
            locals: vec![LOCAL],
            ..HostView::default()
        };
        let concluded = detectors.conclude(&[host], &knowledge, Threads::default());
        concluded.findings.len()
    };
    assert_eq!([found([127, 0, 0, 2]), found([203, 0, 113, 9])], [0, 1]);
}
