use proptest::prelude::*;

use super::*;

const TOOLS: [&str; 3] = ["anydesk", "rdp", "wireguard"];

fn parse(text: &str) -> Inventory {
    Inventory::parse(Path::new("assets.csv"), text.as_bytes(), &TOOLS, false).unwrap()
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

const WHOLE: &str = "\
mac,ip,cidr,hostname,asset,assignee,country,region,latitude,longitude,timezone,site,work_hours,employer,allowed_tools,allowed_egress,shift
00:1A:2B:3C:4D:5E;00-1a-2b-3c-4d-5f,192.0.2.5,,LT-1.corp.example,A1,Ann,us,TN,36.16,-86.78,America/Chicago,,09:00-17:00,Acme,anydesk; rdp,198.51.100.0/24,day
,,192.0.2.0/24,,A2,,,,,,,Leeds,,,,,
,,192.0.2.128/25,,A3,,,,,,,,22:00-06:00,,,,
,,,lt-4,A4,,,,,,,,,,,,
";

#[test]
fn a_whole_row_is_read() {
    let inventory = parse(WHOLE);
    assert_eq!(inventory.faults(), []);
    assert_eq!(inventory.unknown_columns().collect::<Vec<_>>(), ["shift"]);
    let asset = &inventory.assets()[0];
    assert_eq!((asset.line, asset.macs.len()), (2, 2));
    assert_eq!(asset.country.as_deref(), Some("US"));
    assert_eq!(asset.coordinates, Some((36.16, -86.78)));
    assert_eq!(
        asset.timezone.as_ref().unwrap().iana_name(),
        Some("America/Chicago")
    );
    assert_eq!(
        asset.work_hours,
        Some(WorkHours {
            start: 540,
            end: 1_020
        })
    );
    assert_eq!(asset.allowed_tools, ["anydesk", "rdp"]);
    assert_eq!(asset.other["shift"], "day");
}

#[test]
fn a_machine_that_changed_hands_has_a_row_for_each_and_an_address_of_several_machines_finds_none() {
    let inventory = parse(
        "mac,ip,assignee,valid_from,valid_until\n\
         00:00:5e:00:53:01,,Ann,,2026-03-10\n\
         00:00:5e:00:53:01,,Ben,2026-03-11,\n\
         ,192.0.2.5,Eve,,\n",
    );
    assert_eq!(inventory.faults(), []);
    let who = |mac, shared: &[IpAddr], days| -> Vec<&str> {
        let rows = inventory.find(mac, &[ip("192.0.2.5")], shared, &[], days);
        let (rows, _) = rows.unwrap_or((Vec::new(), MatchedBy::Ip));
        rows.iter().filter_map(|row| row.assignee.as_deref()).collect()
    };
    let mac = Some(MacAddress([0, 0, 0x5e, 0, 0x53, 1]));
    let day = |text| validity::day(text).unwrap();
    let (before, last, after) = (day("2026-03-01"), day("2026-03-10"), day("2026-03-20"));
    assert_eq!(who(mac, &[], (before, last)), ["Ann"]);
    assert_eq!(who(mac, &[], (before, after)), ["Ann", "Ben"]);
    assert_eq!(who(mac, &[], (after, after)), ["Ben"]);
    assert_eq!(who(None, &[], (before, after)), ["Eve"]);
    assert!(who(None, &[ip("192.0.2.5")], (before, after)).is_empty());
}

#[test]
fn hosts_are_matched_by_mac_then_ip_then_narrowest_network_then_name() {
    let inventory = parse(WHOLE);
    let found = |mac: Option<MacAddress>, ips: &[&str], names: &[&str]| {
        let ips: Vec<IpAddr> = ips.iter().map(|text| ip(text)).collect();
        let (rows, how) = inventory.find(mac, &ips, &[], names, (20_000, 20_001))?;
        Some((rows[0].asset.clone().unwrap(), how.name()))
    };
    let known = Some(MacAddress([0, 0x1a, 0x2b, 0x3c, 0x4d, 0x5f]));
    let a = |asset: &str, how| Some((asset.to_owned(), how));
    assert_eq!(found(known, &["192.0.2.200"], &["lt-4"]), a("A1", "mac"));
    assert_eq!(
        found(Some(MacAddress([2; 6])), &["192.0.2.200", "192.0.2.5"], &["lt-4"]),
        a("A1", "ip")
    );
    assert_eq!(
        found(None, &["192.0.2.6", "192.0.2.200"], &["lt-4"]),
        a("A3", "cidr")
    );
    assert_eq!(found(None, &["192.0.2.6"], &["lt-4"]), a("A2", "cidr"));
    assert_eq!(
        found(None, &["203.0.113.1"], &["LT-4.home.local."]),
        a("A4", "hostname")
    );
    assert_eq!(found(None, &[], &["lt-1.corp.example"]), a("A1", "hostname"));
    assert_eq!(found(None, &[], &["lt-1"]), None);
    assert_eq!(found(None, &[], &[]), None);
}

#[test]
fn bad_rows_and_cells_are_named_with_line_and_cause_and_the_others_stay() {
    let text = "\
ip,mac,country,timezone,work_hours,latitude,allowed_tools
192.0.2.1,,UK,,,,
192.0.2.300,xx,,Mars/Base,9-5,99,anydesl
,,US,,,,
192.0.2.4,,,,,5,
192.0.2.5,,US,,,,,,
192.0.2.6,ff:ff:ff:ff:ff:ff,,,,,
192.0.2.7,,US,,,,
192.0.2.7,,CN,,,,
";
    let inventory = parse(text);
    let lines: Vec<usize> = inventory.assets().iter().map(|asset| asset.line).collect();
    assert_eq!(lines, [2, 5, 7, 8]);
    let said = |faults: &[Fault]| faults.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        said(inventory.cell_faults()),
        [
            "assets.csv:2: country: \"UK\" is not a country code of two letters (ISO 3166-1); United Kingdom has GB",
            "assets.csv:5: latitude: latitude and longitude only together",
            "assets.csv:7: mac: \"ff:ff:ff:ff:ff:ff\" is not a link address such as 00:1a:2b:3c:4d:5e",
        ]
    );
    assert_eq!(
        said(inventory.faults()),
        [
            "assets.csv:3: latitude: \"99\" is not degrees from -90 to 90",
            "assets.csv:3: mac: \"xx\" is not a link address such as 00:1a:2b:3c:4d:5e",
            "assets.csv:3: ip: \"192.0.2.300\" is not an address",
            "assets.csv:3: timezone: \"Mars/Base\" is not a time zone of the IANA list",
            "assets.csv:3: work_hours: \"9-5\" is not hours such as 09:00-17:00",
            "assets.csv:3: allowed_tools: unknown tool \"anydesl\" (did you mean \"anydesk\"?)",
            "assets.csv:4: no mac, ip, cidr or hostname: nothing to match it by",
            "assets.csv:6: 9 columns where the header names 7",
            "assets.csv:9: 192.0.2.7 already stands in line 8",
        ]
    );
    let strict = Inventory::parse(Path::new("assets.csv"), text.as_bytes(), &TOOLS, true);
    assert_eq!(strict.unwrap_err().0.len(), 12);
}

#[test]
fn a_bad_cell_takes_nothing_else_from_its_row_and_tools_are_known_without_case() {
    let text = "\
ip,country,timezone,allowed_tools,valid_from
192.0.2.1,UK,Mars/Base,AnyDesk;RDP;anydesl,
192.0.2.2,GB,,rdp,yesterday
";
    let inventory = parse(text);
    let [asset] = inventory.assets() else {
        panic!("{:?}", inventory.assets());
    };
    assert_eq!(asset.allowed_tools, ["anydesk", "rdp"]);
    assert_eq!((&asset.country, &asset.timezone), (&None, &None));
    assert_eq!(inventory.cell_faults().len(), 3);
    // A row whose first day cannot be read would hold for days that nobody declared.
    let faults: Vec<String> = inventory.faults().iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        ["assets.csv:3: valid_from: \"yesterday\" is not a day such as 2026-03-01"]
    );
}

#[test]
fn json_is_read_as_csv_is_and_its_bad_rows_are_named_by_line() {
    let text = r#"[
  {"mac": "001a.2b3c.4d5e", "latitude": 36.5, "longitude": -86, "allowed_tools": ["rdp", "anydesk"], "note": {"a": [1]}},
  {"ip": "x, \"y\" [", "country": null},
  7,

  {"hostname": true}, {"hostname": "lt-9"},
  {"ip": "192.0.2.1", "assignee": "A", "Assignee": "B"}, {"ip": "192.0.2.2", "ip": "192.0.2.3"}
]"#;
    let inventory = parse(text);
    assert_eq!(inventory.assets().len(), 3);
    assert_eq!(inventory.assets()[2].assignee, None);
    assert_eq!(inventory.assets()[0].coordinates, Some((36.5, -86.0)));
    assert_eq!(inventory.assets()[0].allowed_tools, ["rdp", "anydesk"]);
    assert_eq!(inventory.assets()[0].other["note"], "{\"a\":[1]}");
    assert_eq!(inventory.assets()[1].line, 6);
    let faults: Vec<String> = inventory.faults().iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "assets.csv:3: ip: \"x, \\\"y\\\" [\" is not an address",
            "assets.csv:4: not an object",
            "assets.csv:6: hostname: a text, a number or a list of texts is wanted",
            "assets.csv:7: ip: stands there twice: which of the two is meant cannot be told",
        ]
    );
    let left_out: Vec<String> = inventory.cell_faults().iter().map(ToString::to_string).collect();
    assert_eq!(
        left_out,
        ["assets.csv:7: assignee: stands there twice: which of the two is meant cannot be told"]
    );
}

#[test]
fn files_that_are_no_inventory_are_refused() {
    let refused = |bytes: &[u8]| {
        Inventory::parse(Path::new("a"), bytes, &TOOLS, false)
            .unwrap_err()
            .to_string()
    };
    assert_eq!(
        refused(b"name,place\nx,y\n"),
        "a:1: the header names none of mac, ip, cidr, hostname"
    );
    assert_eq!(refused(b"ip,IP\n"), "a:1: the header names \"ip\" twice");
    assert!(refused(b"").contains("names none of"));
    assert!(refused(b"ip;assignee\n192.0.2.1;A\n").contains("separated by semicolons; commas are wanted"));
    assert!(refused(b"ip\tassignee\n").contains("separated by tabs"));
    assert!(refused(b"\xff\xfei\0p\0\n\0").contains("UTF-16"));
    assert!(refused(b"{\"assets\": []}").contains("a JSON object with the list \"assets\""));
    assert!(refused(b"[\n{]").starts_with("a:2: "));
    let error = Inventory::read(Path::new("/nonexistent/a.csv"), &TOOLS, false)
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("/nonexistent/a.csv: "), "{error}");
}

#[test]
fn a_row_that_is_not_utf8_is_left_out_and_the_next_is_read() {
    let inventory = Inventory::parse(
        Path::new("a"),
        b"\xef\xbb\xbfip,assignee\n192.0.2.1,\xff\n192.0.2.2,B\n",
        &TOOLS,
        false,
    )
    .unwrap();
    assert_eq!(inventory.assets().len(), 1);
    assert_eq!(inventory.faults()[0].to_string(), "a:2: not UTF-8");
}

#[test]
fn a_night_shift_goes_over_midnight() {
    let night = WorkHours::parse("22:00-06:00").unwrap();
    assert!(night.holds(23 * 60) && night.holds(0) && !night.holds(6 * 60) && !night.holds(12 * 60));
    let day = WorkHours::parse(" 9:00 - 24:00 ").unwrap();
    assert!(day.holds(9 * 60) && day.holds(1_439) && !day.holds(0));
    for wrong in [
        "",
        "9",
        "09:00",
        "25:00-26:00",
        "09:00-09:00",
        "09:60-10:00",
        "a:b-c:d",
    ] {
        assert!(WorkHours::parse(wrong).is_none(), "{wrong}");
    }
}

proptest! {
    #[test]
    fn any_bytes_give_an_inventory_or_a_refusal(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Inventory::parse(Path::new("a"), &bytes, &TOOLS, false);
        let with_header = [b"mac,ip,work_hours\n".as_slice(), &bytes].concat();
        let _ = Inventory::parse(Path::new("a"), &with_header, &TOOLS, false);
    }

    #[test]
    fn every_link_address_reads_back(octets in any::<[u8; 6]>()) {
        let written = MacAddress(octets);
        let expected = (written.is_present() && !written.is_group()).then_some(written);
        prop_assert_eq!(mac(&written.to_string()), expected);
    }
}

#[test]
fn a_row_holds_for_its_days_alone_and_two_may_share_a_key_one_after_the_other() {
    let text = "\
ip,assignee,valid_from,valid_until,travel
192.0.2.1,A,2024-01-01,2024-12-31,2024-11-01/2024-11-10 PT; 2024-12-01/2024-12-02
192.0.2.1,B,2025-01-01,,
192.0.2.1,C,2025-06-01,2025-06-02,
192.0.2.2,D,2025-06-02,2025-06-01,2025-06-03/2025-06-01
";
    let inventory = parse(text);
    let holder = |day: u32| {
        let (rows, _) = inventory.find(None, &[ip("192.0.2.1")], &[], &[], (day, day))?;
        let [asset] = rows[..] else {
            panic!("one row a day: {rows:?}")
        };
        asset.assignee.clone()
    };
    // 2023-12-31, 2024-01-01, 2024-12-31 and 2025-01-01.
    assert_eq!(holder(19_722), None);
    assert_eq!(holder(19_723).as_deref(), Some("A"));
    assert_eq!(holder(20_088).as_deref(), Some("A"));
    assert_eq!(holder(20_089).as_deref(), Some("B"));
    let travel = &inventory.assets()[0].travel;
    assert_eq!((travel.len(), travel[0].country.as_deref()), (2, Some("PT")));
    let faults: Vec<String> = inventory.faults().iter().map(ToString::to_string).collect();
    assert_eq!(
        faults,
        [
            "assets.csv:4: 192.0.2.1 already stands in line 3",
            "assets.csv:5: travel: \"2025-06-03/2025-06-01\" is not a journey such as 2026-03-01/2026-03-14 or 2026-03-01/2026-03-14 PT (country code of ISO 3166-1)",
            "assets.csv:5: valid_until: before valid_from",
        ]
    );
}

#[test]
fn a_quotation_mark_that_swallows_rows_is_named_and_a_remark_of_several_lines_is_none() {
    let lines = |text: &str| -> (usize, Vec<usize>) {
        let inventory = parse(text);
        (
            inventory.assets().len(),
            inventory.faults().iter().map(|fault| fault.line).collect(),
        )
    };
    // Never closed.
    assert_eq!(
        lines("ip,hostname\n192.0.2.1,a\n192.0.2.2,\"b\n192.0.2.3,c\n"),
        (1, vec![3])
    );
    // Closed by the next one, rows later.
    assert_eq!(
        lines("ip,hostname\n192.0.2.1,\"a\n192.0.2.2,b\n192.0.2.3,c\"\n192.0.2.4,d\n"),
        (1, vec![2])
    );
    // In a column of somebody's own: fine while it ends.
    assert_eq!(
        lines("ip,remark\n192.0.2.1,\"lent\nout\"\n192.0.2.2,x\n"),
        (2, vec![])
    );
    assert_eq!(lines("ip,remark\n192.0.2.1,\"lent\n192.0.2.2,x\n"), (0, vec![2]));
    // A screen's size is no quotation.
    assert_eq!(
        lines("ip,remark\n192.0.2.1,24\" screen\n192.0.2.2,x\n"),
        (2, vec![])
    );
}
