//! Writes small databases of places of every shape that is read: `places FOLDER`. What they say is made up.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, UNIX_EPOCH};
use std::{env, fs};

use mmdb_writer::{Value, Writer};

/// 2026-11-01.
const BUILT: u64 = 1_793_491_200;

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    let entries = entries.map(|(key, value)| (key.to_owned(), value));
    Value::Map(BTreeMap::from(entries))
}

fn named(name: &str) -> Value {
    map([("names", map([("en", name.into())]))])
}

fn main() {
    let folder = PathBuf::from(env::args_os().nth(1).expect("usage: places FOLDER"));
    let city = map([
        ("country", map([("iso_code", "NL".into())])),
        ("city", named("Example City")),
        ("subdivisions", Value::array([named("Example Region")])),
        (
            "location",
            map([
                ("latitude", Value::Double(52.4)),
                ("longitude", Value::Double(4.9)),
                ("accuracy_radius", Value::U16(50)),
            ]),
        ),
    ]);
    let traits = map([(
        "traits",
        map([
            ("autonomous_system_number", Value::U32(64_500)),
            ("autonomous_system_organization", "Example Net".into()),
            ("user_type", "residential".into()),
        ]),
    )]);
    let anonymous = map([("is_anonymous", true.into()), ("is_tor_exit_node", true.into())]);
    let flat = map([
        ("country_code", "US".into()),
        ("asn", "AS64501".into()),
        ("as_name", "Example Org".into()),
        ("latitude", "36.16".into()),
        ("longitude", "-86.78".into()),
    ]);
    for (file, kind, record) in [
        ("nested-city", "GeoLite2-City", city),
        ("nested-traits", "GeoIP2-Enterprise", traits),
        ("nested-flags", "GeoIP2-Anonymous-IP", anonymous),
        ("flat", "ipinfo example_lite.mmdb", flat),
        ("foreign", "Example-Thing", map([("speed", Value::U16(7))])),
    ] {
        let built = UNIX_EPOCH + Duration::from_secs(BUILT);
        let mut writer = Writer::builder(kind).build_epoch(built).build();
        for network in ["203.0.113.0/24", "2001:db8::/32"] {
            let network: ipnet::IpNet = network.parse().expect("a network");
            writer.insert_value(network, record.clone()).expect("a record");
        }
        let bytes = writer.to_bytes().expect("a database");
        if file == "nested-city" {
            let cut = &bytes[bytes.len() / 3..];
            fs::write(folder.join("without-its-tree"), cut).expect("a file");
        }
        fs::write(folder.join(file), bytes).expect("a file");
    }
}
