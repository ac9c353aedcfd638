//! For tests: what the dissectors say of real captures, beside what tshark says.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use super::capture_walk::{Account, captures, walk};

/// Captures of each label that are compared; tshark needs half a second for one.
const CAPTURES_PER_LABEL: usize = 4;

/// Its one attribute claims 65,535 octets; tshark reads an address in it all the same, we do not.
const REFUSED: &str = "cl-stun-attribute-length-ffff.pcap";

/// Fields that tshark is asked for.
const COLUMNS: [&str; 9] = [
    "frame.number",
    "frame.protocols",
    "dns.flags.response",
    "dns.qry.name",
    "dns.a",
    "dns.aaaa",
    "dhcp.option.hostname",
    "http.host",
    "stun.att.ipv4",
];

/// The captures on Ethernet that LABELS.tsv gives a label.
fn labelled(folder: &Path, label: &str) -> Vec<String> {
    let table = std::fs::read_to_string(folder.join("LABELS.tsv")).unwrap_or_default();
    let rows = table.lines().map(|line| line.split('\t').collect::<Vec<_>>());
    rows.filter(|row| row.len() > 4 && row[3] == "EN10MB" && row[4].split(';').any(|has| has == label))
        .map(|row| row[0].to_owned())
        .collect()
}

/// tshark's rows for frames without tunnels, fragments or several messages of one kind in one frame.
fn oracle(path: &Path) -> Option<Vec<Vec<String>>> {
    let mut command = Command::new("tshark");
    command.args([
        "-n",
        "-T",
        "fields",
        "-E",
        "occurrence=a",
        "-E",
        "aggregator=|",
        "-r",
    ]);
    command.arg(path);
    for column in COLUMNS {
        command.args(["-e", column]);
    }
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = text
        .lines()
        .map(|line| line.split('\t').map(str::to_owned).collect::<Vec<_>>());
    let plain = |row: &Vec<String>| {
        let protocols = row.get(1).map_or("", String::as_str);
        let networks = protocols.split(':').filter(|name| matches!(*name, "ip" | "ipv6"));
        row.len() == COLUMNS.len() && networks.count() == 1 && !protocols.contains("tcp:dns")
    };
    Some(rows.filter(plain).collect())
}

type Said = BTreeSet<(String, String)>;

/// Values of one column, with their frame numbers, of rows that carry a protocol.
fn column(rows: &[Vec<String>], protocol: &str, place: usize, keep: impl Fn(&[String]) -> bool) -> Said {
    rows.iter()
        .filter(|row| row[1].split(':').any(|name| name == protocol) && keep(row))
        .flat_map(|row| {
            row[place]
                .split('|')
                .map(|value| (row[0].clone(), value.to_owned()))
        })
        .filter(|(_, value)| !value.is_empty())
        .map(|(frame, value)| (frame, value.to_lowercase().replace("<root>", ".")))
        .collect()
}

/// What we said of one field, in the same form; `part` chooses the word of the value, from its end.
fn ours(account: &Account, rows: &[Vec<String>], field: &str, part: Option<usize>) -> Said {
    let known: BTreeSet<&str> = rows.iter().map(|row| row[0].as_str()).collect();
    let said = account.said.iter().filter_map(|(frame, fact)| {
        let (name, value) = fact.split_once('=')?;
        let word = match part {
            Some(place) => value.rsplit(' ').nth(place)?,
            None => value,
        };
        (name == field).then(|| (frame.to_string(), word.to_lowercase()))
    });
    said.filter(|(frame, _)| known.contains(frame.as_str())).collect()
}

/// Compares the captures of a label; says which were skipped.
fn compare(label: &str, check: impl Fn(&str, &Account, &[Vec<String>])) {
    let Some(folder) = captures() else {
        println!("skipped: no folder of captures");
        return;
    };
    let files = labelled(&folder, label);
    for file in files.iter().take(CAPTURES_PER_LABEL) {
        let path = folder.join(file);
        let Some(rows) = oracle(&path) else {
            println!("skipped: tshark not found");
            return;
        };
        check(file, &walk(&path), &rows);
    }
}

fn is_query(row: &[String]) -> bool {
    matches!(row[2].split('|').next(), Some("0" | "False"))
}

#[test]
fn names_asked_for_are_those_that_tshark_reads() {
    compare("proto:dns", |file, account, rows| {
        let queries: Vec<_> = rows.iter().filter(|row| is_query(row)).cloned().collect();
        let theirs = column(&queries, "dns", 3, |_| true);
        assert_eq!(ours(account, &queries, "dns.query", None), theirs, "{file}");
    });
}

#[test]
fn every_address_answered_is_one_that_tshark_reads() {
    compare("proto:dns", |file, account, rows| {
        let mut theirs = column(rows, "dns", 4, |_| true);
        theirs.extend(column(rows, "dns", 5, |_| true));
        let answered = ours(account, rows, "dns.answer", Some(1));
        assert!(
            answered.is_subset(&theirs),
            "{file}: {answered:?} beside {theirs:?}"
        );
    });
}

#[test]
fn names_in_leases_are_those_that_tshark_reads() {
    compare("proto:dhcp", |file, account, rows| {
        let theirs = column(rows, "dhcp", 6, |_| true);
        assert_eq!(ours(account, rows, "dhcp.host_name", None), theirs, "{file}");
    });
}

#[test]
fn hosts_of_requests_are_those_that_tshark_reads() {
    let values = |said: Said| said.into_iter().map(|(_, value)| value).collect::<BTreeSet<_>>();
    compare("proto:http", |file, account, rows| {
        let theirs = values(column(rows, "http", 7, |_| true));
        assert_eq!(values(ours(account, rows, "http.host", None)), theirs, "{file}");
    });
}

#[test]
fn addresses_in_stun_are_among_those_that_tshark_reads() {
    let values = |said: Said| said.into_iter().map(|(_, value)| value).collect::<BTreeSet<_>>();
    compare("proto:stun", |file, account, rows| {
        // Theirs hold the servers' own other addresses too.
        let theirs = values(column(rows, "stun", 8, |_| true));
        let mut mine = BTreeSet::new();
        for field in ["stun.mapped", "stun.peer", "stun.relayed", "stun.alternate"] {
            mine.extend(values(ours(account, rows, field, Some(1))));
        }
        mine.retain(|address| !address.contains(':'));
        assert!(mine.is_subset(&theirs), "{file}: {mine:?} beside {theirs:?}");
        if file != REFUSED {
            assert_eq!(mine.is_empty(), theirs.is_empty(), "{file}");
        }
    });
}

/// Captures in which who opened the connection is SSH's server, or the proxy; in all others of their label it is not.
const REVERSED: [(&str, &str, &str); 2] = [
    ("proto:ssh", "ssh.reversed=1", "zk-reverse-ssh.pcap"),
    ("tunnel:socks", "socks.reversed=1", "ar-socks5-reverse.pcap"),
];

#[test]
fn only_reversed_sessions_are_called_so() {
    let Some(folder) = captures() else {
        println!("skipped: no captures");
        return;
    };
    for (label, fact, expected) in REVERSED {
        let mut found = labelled(&folder, label);
        assert!(found.len() > 5, "{label}: {found:?}");
        found.retain(|name| {
            let account = walk(&folder.join(name));
            account.said.iter().any(|(_, said)| said == fact)
        });
        assert_eq!(found, [expected], "{label}");
    }
}
