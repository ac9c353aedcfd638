//! Whose a machine is: captures in which machines ask for names of several organisations' services.

use std::fs;
use std::path::{Path, PathBuf};

use farmhawk::capture::writer::PcapWriter;
use farmhawk::model::frame::LinkType;
use farmhawk::model::time::Timestamp;
use serde_json::Value;

use crate::program::{every_record, finish};
use crate::runs::{scenarios, write};

/// An odd seed: one of those that the evaluation does not judge by.
const SEED: u64 = 3;

/// Monday 14 September 2026, 14:00 UTC.
const START: i64 = 1_789_344_000 + 14 * 3_600;

/// A machine, or the router that is its resolver.
#[derive(Clone, Copy)]
struct End {
    mac: [u8; 6],
    ip: [u8; 4],
}

/// Questions on some days since [`START`].
struct Questions {
    writer: PcapWriter<fs::File>,
    asked: Vec<(Timestamp, Vec<u8>)>,
    path: PathBuf,
    resolver: End,
}

impl Questions {
    fn new(path: PathBuf, resolver: End) -> Self {
        let file = fs::File::create(&path).unwrap();
        Self {
            writer: PcapWriter::new(file, LinkType::ETHERNET, false).unwrap(),
            asked: Vec::new(),
            path,
            resolver,
        }
    }

    /// A machine asks for a name every half hour of a morning.
    fn ask(&mut self, from: End, day: i64, name: &str) {
        for turn in 0..6 {
            let after = day * 86_400 + turn * 1_800 + i64::from(from.ip[3]);
            let at = Timestamp::from_parts(START + after, 0);
            self.asked.push((at, question(from, self.resolver, name)));
        }
    }

    fn write(mut self) -> PathBuf {
        self.asked.sort();
        for (at, frame) in self.asked {
            let length = u32::try_from(frame.len()).unwrap();
            self.writer.frame(at, &frame, length).unwrap();
        }
        self.writer.finish().unwrap();
        self.path
    }
}

fn question(from: End, to: End, name: &str) -> Vec<u8> {
    let mut message = vec![0, 7, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(u8::try_from(label.len()).unwrap());
        message.extend(label.bytes());
    }
    message.extend([0, 0, 1, 0, 1]);
    let length = u16::try_from(message.len()).unwrap() + 8;
    let ports = [41_000_u16, 53, length, 0].map(u16::to_be_bytes).concat();
    let [high, low] = (length + 20).to_be_bytes();
    let header = [0x45, 0, high, low, 0, 0, 0, 0, 64, 17, 0, 0];
    let link = [to.mac.as_slice(), &from.mac, &[8, 0]].concat();
    [link.as_slice(), &header, &from.ip, &to.ip, &ports, &message].concat()
}

fn analysed(captures: &[&Path]) -> Vec<Value> {
    let run = finish(every_record().args(captures));
    assert!(run.code < 2, "{}", run.stderr);
    run.records()
}

fn of<'a>(records: &'a [Value], kind: &str) -> Vec<&'a Value> {
    let is_such = |record: &&Value| record["event_type"] == kind;
    records.iter().filter(is_such).collect()
}

/// The host with an address.
fn host<'a>(records: &'a [Value], ip: &str) -> &'a Value {
    let has = |host: &&&Value| host["ips"].as_array().unwrap().contains(&Value::from(ip));
    let hosts = of(records, "host");
    hosts.iter().find(has).unwrap_or_else(|| panic!("no {ip}"))
}

/// Address and link address of a host, by an address of its.
fn end(records: &[Value], ip: &str) -> End {
    let mac: Vec<u8> = host(records, ip)["mac"]
        .as_str()
        .unwrap()
        .split(':')
        .map(|octet| u8::from_str_radix(octet, 16).unwrap())
        .collect();
    End {
        mac: mac.try_into().unwrap(),
        ip: ip.parse::<std::net::Ipv4Addr>().unwrap().octets(),
    }
}

/// What the cue says, or why it says nothing.
fn said(judged: &Value) -> String {
    let reasons = judged["reasons"].as_array().unwrap();
    let cue = reasons.iter().find(|reason| reason["reason"] == "tenants");
    cue.map_or_else(
        || judged["not_observable"].to_string(),
        |cue| cue["what"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn names_that_all_customers_share_make_no_one_employer_out_of_several() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = scenarios().find(|one| one.name == "s25").unwrap();
    let (farm, _, truth) = write(scenario, SEED, folder.path()).unwrap();
    let before = analysed(&[&farm]);
    let group = of(&before, "farm")[0];
    let count = said(group).split(" on ").next().unwrap().to_owned();
    assert!(count.ends_with(" organisations"), "{count}");

    let router = truth.hosts.iter().find(|ip| ip.ends_with(".0.1")).unwrap();
    let mut questions = Questions::new(folder.path().join("shared.pcap"), end(&before, router));
    // Three that the tables have and two that they have not.
    let listed = ["files-origin.slack.com", "wd5.myworkday.com", "hooks.slack.com"];
    let unlisted = ["relay-x.slack.com", "dc7-zone.atlassian.net"];
    for laptop in &truth.farm {
        for day in 0..5 {
            for name in listed.iter().chain(&unlisted) {
                questions.ask(end(&before, laptop), day, name);
            }
        }
    }
    let shared = questions.write();
    let after = analysed(&[&farm, &shared]);
    let same = of(&after, "farm")[0];
    assert_eq!(same["verdict"], group["verdict"]);
    assert!(said(same).starts_with(&format!("{count} on ")), "{}", said(same));
    assert!(
        said(same).contains("not counted") && said(same).contains("relay-x@slack.com"),
        "{}",
        said(same)
    );
    for laptop in &truth.farm {
        let tenants = host(&after, laptop)["tenants"].as_array().unwrap();
        let with = |name: &str| tenants.iter().find(|tenant| tenant["name"] == name);
        assert_eq!(with("relay-x@slack.com").unwrap()["shared"], true);
        assert_eq!(with("dc7-zone@atlassian.net").unwrap()["shared"], true);
        assert!(with("files-origin@slack.com").is_none() && with("wd5@myworkday.com").is_none());
        assert!(
            tenants.iter().any(|tenant| tenant["shared"].is_null()),
            "{tenants:?}"
        );
    }
}

#[test]
fn every_organisation_of_a_machine_is_listed_with_its_days_and_turns_are_told_from_jobs() {
    let folder = tempfile::tempdir().unwrap();
    let machine = |last: u8| End {
        mac: [0, 0, 0x5e, 0, 0x53, last],
        ip: [192, 168, 1, last],
    };
    let [router, pool, jobs, clerk] = [1, 20, 21, 22].map(machine);
    let mut questions = Questions::new(folder.path().join("turns.pcap"), router);
    let all = ["acme", "borealis", "cresta"];
    for day in 0..5 {
        let by_turns = all[usize::try_from(day).unwrap() % all.len()];
        for service in ["okta.com", "slack.com"] {
            questions.ask(pool, day, &format!("{by_turns}.{service}"));
            questions.ask(clerk, day, &format!("dunlin.{service}"));
            for name in all {
                questions.ask(jobs, day, &format!("{name}.{service}"));
            }
        }
    }
    // A partner whom the clerk meets on one day, and does not work for.
    questions.ask(clerk, 2, "everett.okta.com");
    let capture = questions.write();
    let records = analysed(&[&capture]);

    let days = |ip: &str, name: &str| {
        let tenants = host(&records, ip)["tenants"].as_array().unwrap();
        let found = tenants.iter().find(|tenant| tenant["name"] == name).unwrap();
        found["days"].clone()
    };
    assert_eq!(
        days("192.168.1.20", "borealis@okta.com"),
        serde_json::json!(["2026-09-15", "2026-09-18"])
    );
    assert_eq!(
        days("192.168.1.21", "borealis@okta.com")
            .as_array()
            .unwrap()
            .len(),
        5
    );
    assert_eq!(
        days("192.168.1.22", "everett@okta.com"),
        serde_json::json!(["2026-09-16"])
    );
    let [pool, jobs, clerk] =
        ["192.168.1.20", "192.168.1.21", "192.168.1.22"].map(|ip| said(host(&records, ip)));
    assert!(pool.starts_with("3 organisations in turn"), "{pool}");
    assert!(pool.contains("borealis@okta.com on 2 days"), "{pool}");
    assert!(jobs.starts_with("3 organisations, by"), "{jobs}");
    assert!(clerk.starts_with("1 organisation, by"), "{clerk}");
    assert!(
        clerk.contains("not counted") && clerk.contains("everett@okta.com"),
        "{clerk}"
    );
}

#[test]
fn what_two_days_do_not_tell_is_no_number() {
    let folder = tempfile::tempdir().unwrap();
    let [router, laptop] = [1, 20].map(|last| End {
        mac: [0, 0, 0x5e, 0, 0x53, last],
        ip: [192, 168, 1, last],
    });
    let mut questions = Questions::new(folder.path().join("unclear.pcap"), router);
    questions.ask(laptop, 0, "acme.okta.com");
    questions.ask(laptop, 1, "borealis.okta.com");
    let capture = questions.write();
    let records = analysed(&[&capture]);
    let laptop = said(host(&records, "192.168.1.20"));
    assert!(
        laptop.contains("between 1 and 2 organisations: whose machine it is cannot be told"),
        "{laptop}"
    );
}
