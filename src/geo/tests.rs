use std::collections::BTreeMap;

use mmdb_writer::{Value, Writer};
use tempfile::TempDir;

use super::*;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn map(entries: &[(&str, Value)]) -> Value {
    Value::Map(
        entries
            .iter()
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect::<BTreeMap<_, _>>(),
    )
}

fn names(name: &str) -> Value {
    map(&[("names", map(&[("en", name.into()), ("de", "anders".into())]))])
}

/// Writes a database in which 203.0.113.0/24 has this record.
fn database(folder: &TempDir, file: &str, database_type: &str, date: &str, record: Value) -> PathBuf {
    let epoch = std::time::UNIX_EPOCH + std::time::Duration::from_secs(build::epoch_of(date).unwrap());
    let mut writer = Writer::builder(database_type).build_epoch(epoch).build();
    writer
        .insert_value("203.0.113.0/24".parse::<ipnet::IpNet>().unwrap(), record)
        .unwrap();
    let path = folder.path().join(file);
    fs::write(&path, writer.to_bytes().unwrap()).unwrap();
    path
}

fn only(path: &Path) -> Geo {
    let (geo, errors) = Geo::open(&[path.to_owned()]);
    assert!(errors.is_empty(), "{errors:?}");
    geo.without_default()
}

fn maxmind_city() -> Value {
    map(&[
        (
            "country",
            map(&[
                ("iso_code", "KP".into()),
                ("names", map(&[("en", "North Korea".into())])),
            ]),
        ),
        ("city", names("Pyongyang")),
        (
            "subdivisions",
            Value::array([names("Pyongyang Directly Governed City")]),
        ),
        (
            "location",
            map(&[
                ("latitude", Value::Double(39.02)),
                ("longitude", Value::Double(125.75)),
                ("accuracy_radius", Value::U16(50)),
            ]),
        ),
    ])
}

#[test]
fn maxminds_city_database_is_read() {
    let folder = TempDir::new().unwrap();
    let geo = only(&database(
        &folder,
        "c.mmdb",
        "GeoLite2-City",
        "2026-11-01",
        maxmind_city(),
    ));
    let place = geo.place(ip("203.0.113.9")).unwrap();
    assert_eq!(place.country, CountryCode::parse("KP"));
    assert_eq!(place.city.as_deref(), Some("Pyongyang"));
    assert_eq!(place.region.as_deref(), Some("Pyongyang Directly Governed City"));
    assert_eq!(place.coordinates, Coordinates::new(39.02, 125.75));
    assert_eq!(place.accuracy_radius_km, Some(50));
    assert_eq!(place.sources[0].database.build_date, "2026-11-01");
    assert_eq!(place.sources[0].database.format, "nested");
    assert!(!place.country_is_default());
}

#[test]
fn maxminds_as_and_anonymity_databases_are_read() {
    let folder = TempDir::new().unwrap();
    let asn = map(&[
        ("autonomous_system_number", Value::U32(64_500)),
        ("autonomous_system_organization", "Example".into()),
    ]);
    let anonymous = map(&[
        ("is_anonymous", Value::Bool(true)),
        ("is_anonymous_vpn", Value::Bool(true)),
        ("is_hosting_provider", Value::Bool(true)),
    ]);
    database(&folder, "a.mmdb", "GeoLite2-ASN", "2026-11-01", asn);
    database(&folder, "b.mmdb", "GeoIP2-Anonymous-IP", "2026-11-01", anonymous);
    let geo = only(folder.path());
    let place = geo.place(ip("203.0.113.9")).unwrap();
    assert_eq!(
        (place.asn, place.as_org.as_deref()),
        (Some(64_500), Some("Example"))
    );
    assert_eq!(place.kind, Some(NetworkKind::Vpn));
    assert_eq!(place.sources.len(), 2);
}

#[test]
fn ipinfos_and_other_flat_databases_are_read() {
    let folder = TempDir::new().unwrap();
    let ipinfo = map(&[
        ("country", "US".into()),
        ("city", "Nashville".into()),
        ("region", "Tennessee".into()),
        ("lat", "36.1659".into()),
        ("lng", "-86.7844".into()),
        ("asn", "AS64501".into()),
        ("as_name", "Example Carrier".into()),
        ("as_type", "isp".into()),
    ]);
    let place = only(&database(
        &folder,
        "i.mmdb",
        "ipinfo standard_location.mmdb",
        "2026-11-01",
        ipinfo,
    ))
    .place(ip("203.0.113.9"))
    .unwrap();
    assert_eq!(place.country, CountryCode::parse("US"));
    assert_eq!(place.coordinates, Coordinates::new(36.1659, -86.7844));
    assert_eq!(
        (place.asn, place.kind),
        (Some(64_501), Some(NetworkKind::Residential))
    );

    let lite = map(&[
        ("country", "United States".into()),
        ("country_code", "US".into()),
        ("asn", "AS1".into()),
    ]);
    let place = only(&database(
        &folder,
        "l.mmdb",
        "ipinfo bundle_lite.mmdb",
        "2026-11-01",
        lite,
    ))
    .place(ip("203.0.113.9"))
    .unwrap();
    assert_eq!((place.country, place.asn), (CountryCode::parse("US"), Some(1)));

    let privacy = map(&[
        ("vpn", "true".into()),
        ("hosting", "true".into()),
        ("tor", "".into()),
    ]);
    let place = only(&database(
        &folder,
        "p.mmdb",
        "ipinfo privacy.mmdb",
        "2026-11-01",
        privacy,
    ))
    .place(ip("203.0.113.9"))
    .unwrap();
    assert_eq!(place.kind, Some(NetworkKind::Vpn));

    let table = map(&[
        ("country_code", "DE".into()),
        ("state1", "Hesse".into()),
        ("city", "Frankfurt".into()),
        ("latitude", Value::Float(50.11)),
        ("longitude", Value::Float(8.68)),
    ]);
    let place = only(&database(
        &folder,
        "t.mmdb",
        "ip-location-db",
        "2026-11-01",
        table,
    ))
    .place(ip("203.0.113.9"))
    .unwrap();
    assert_eq!(
        (place.region.as_deref(), place.city.as_deref()),
        (Some("Hesse"), Some("Frankfurt"))
    );
}

#[test]
fn dbips_nested_lite_database_is_read() {
    let folder = TempDir::new().unwrap();
    let path = database(&folder, "d.mmdb", "DBIP-City-Lite", "2026-11-01", maxmind_city());
    let geo = only(&path);
    assert_eq!(
        geo.place(ip("203.0.113.9")).unwrap().city.as_deref(),
        Some("Pyongyang")
    );
    assert!(geo.databases().next().unwrap().attribution.contains("DB-IP"));
}

#[test]
fn broken_and_foreign_databases_are_refused_by_name_and_the_others_stay() {
    let folder = TempDir::new().unwrap();
    let good = database(
        &folder,
        "b-good.mmdb",
        "GeoLite2-City",
        "2026-11-01",
        maxmind_city(),
    );
    database(
        &folder,
        "c-foreign.mmdb",
        "Recipes",
        "2026-11-01",
        map(&[("soup", "tomato".into())]),
    );
    fs::write(folder.path().join("a-broken.mmdb"), b"not a database").unwrap();
    let whole = fs::read(good).unwrap();
    fs::write(folder.path().join("d-cut.mmdb"), &whole[..whole.len() / 2]).unwrap();
    fs::write(folder.path().join("readme.txt"), b"ignored").unwrap();
    let (geo, errors) = Geo::open(&[folder.path().to_owned(), folder.path().join("absent.mmdb")]);
    let errors: Vec<String> = errors.iter().map(ToString::to_string).collect();
    assert_eq!(errors.len(), 4, "{errors:?}");
    assert!(errors[0].contains("a-broken.mmdb: not a readable .mmdb database"));
    assert!(errors[1].contains("c-foreign.mmdb: database of type \"Recipes\" holds no country"));
    assert!(errors[2].contains("d-cut.mmdb"));
    assert!(errors[3].contains("absent.mmdb"));
    assert!(geo.place(ip("203.0.113.9")).is_some());
    assert_eq!(geo.databases().count(), 2);
}

#[test]
fn every_cut_of_a_database_is_refused_or_answers_without_panic() {
    let folder = TempDir::new().unwrap();
    let path = database(&folder, "x.mmdb", "GeoLite2-City", "2026-11-01", maxmind_city());
    let whole = fs::read(&path).unwrap();
    for length in (0..whole.len()).step_by(7) {
        fs::write(&path, &whole[..length]).unwrap();
        let (geo, _) = Geo::open(std::slice::from_ref(&path));
        let _ = geo.without_default().place(ip("203.0.113.9"));
    }
}

#[test]
fn the_finer_and_newer_database_wins_field_by_field() {
    let folder = TempDir::new().unwrap();
    let country = |code: &str| map(&[("country", map(&[("iso_code", code.into())]))]);
    database(&folder, "a.mmdb", "GeoLite2-Country", "2026-11-20", country("CN"));
    database(&folder, "b.mmdb", "GeoLite2-City", "2025-01-01", maxmind_city());
    database(&folder, "c.mmdb", "GeoLite2-Country", "2026-01-01", country("RU"));
    let geo = only(folder.path());
    let order: Vec<&str> = geo.databases().map(|database| database.name.as_str()).collect();
    assert_eq!(order, ["b", "a", "c"]);
    let place = geo.place(ip("203.0.113.9")).unwrap();
    assert_eq!(place.country, CountryCode::parse("KP"));
    assert_eq!(place.sources.len(), 1);
}

#[test]
fn coordinates_never_come_from_a_database_that_names_another_country() {
    let folder = TempDir::new().unwrap();
    let wrong = map(&[
        ("country_code", "US".into()),
        ("latitude", Value::Double(38.0)),
        ("longitude", Value::Double(-97.0)),
    ]);
    let country = map(&[("country", map(&[("iso_code", "CN".into())]))]);
    database(&folder, "a.mmdb", "GeoIP2-Country", "2026-11-01", country);
    database(&folder, "b.mmdb", "mine", "2026-11-01", wrong);
    let place = only(folder.path()).place(ip("203.0.113.9")).unwrap();
    assert_eq!(
        (place.country, place.coordinates),
        (CountryCode::parse("CN"), None)
    );
}

#[test]
fn private_and_reserved_addresses_have_no_place() {
    let geo = Geo::embedded();
    for text in [
        "10.0.0.1",
        "192.168.1.1",
        "100.64.0.1",
        "127.0.0.1",
        "fe80::1",
        "fd00::1",
        "::1",
        "224.0.0.1",
        "203.0.113.1",
    ] {
        assert!(geo.place(ip(text)).is_none(), "{text}");
    }
    assert!(status::lookup_text(&geo, ip("10.0.0.1")).contains("private or reserved"));
}

#[test]
fn the_default_knows_country_and_network_and_says_that_it_is_the_default() {
    let geo = Geo::embedded();
    let place = geo.place(ip("8.8.8.8")).unwrap();
    assert_eq!(
        (place.country, place.asn),
        (CountryCode::parse("US"), Some(15_169))
    );
    assert!(place.country_is_default() && place.network_is_default());
    assert_eq!(geo.place(ip("64:ff9b::808:808")).unwrap().asn, Some(15_169));
    assert_eq!(geo.place(ip("2001:4860:4860::8888")).unwrap().asn, Some(15_169));
    assert_eq!(
        geo.place(ip("95.216.0.1")).unwrap().kind,
        Some(NetworkKind::Hosting)
    );
    let record = serde_json::to_value(&place).unwrap();
    assert_eq!(record["country"], "US");
    assert_eq!(
        record["sources"][0]["database"],
        format!("embedded {}", embedded::date())
    );
}

#[test]
fn the_defaults_date_in_its_metadata_is_the_date_of_its_newest_table() {
    let reader = embedded::open().unwrap();
    assert_eq!(date_of(reader.metadata().build_epoch), embedded::date());
    assert_eq!(reader.metadata().database_type, build::DATABASE_TYPE);
    for source in embedded::sources() {
        assert!(
            !source.licence.is_empty() && !source.attribution.is_empty(),
            "{}",
            source.package
        );
        assert!(
            reader.metadata().description["en"].contains(source.version),
            "{}",
            source.package
        );
    }
}

#[test]
fn the_status_names_dates_ages_and_thanks() {
    let geo = Geo::embedded();
    let now = Timestamp::from_parts(
        i64::try_from(build::epoch_of(embedded::date()).unwrap()).unwrap(),
        0,
    );
    let fresh = status::status_text(&geo, now);
    assert!(fresh.contains("(0 days ago)"), "{fresh}");
    for word in [
        "nro.net",
        "routeviews.org",
        "db-ip.com",
        "CC BY 4.0",
        "low confidence",
    ] {
        assert!(fresh.contains(word), "{word} in {fresh}");
    }
    let later = now.plus(200 * 86_400 * crate::model::time::SECOND);
    assert!(status::status_text(&geo, later).contains("(200 days ago, old)"));
}

#[test]
fn a_disc_is_the_point_or_the_whole_country() {
    let mut place = Place {
        country: CountryCode::parse("US"),
        ..Place::default()
    };
    assert!(
        place.disc().unwrap().1 > 6_000.0,
        "Hawaii and Alaska belong to it"
    );
    place.coordinates = Coordinates::new(36.17, -86.78);
    place.accuracy_radius_km = Some(20);
    assert!((place.disc().unwrap().1 - 20.0).abs() < f64::EPSILON);
}

#[test]
fn a_list_of_ranges_says_the_kind_before_any_database_and_is_called_old() {
    let folder = TempDir::new().unwrap();
    let traits = map(&[("traits", map(&[("user_type", "residential".into())]))]);
    database(&folder, "e.mmdb", "GeoIP2-Enterprise", "2026-11-01", traits);
    let text = "# name: Example exits\n# kind: vpn\n# date: 2026-06-01\n203.0.113.0/28\n";
    fs::write(folder.path().join("exits.cidr"), text).unwrap();
    fs::write(folder.path().join("README.txt"), "no list").unwrap();
    let geo = only(folder.path());
    let place = geo.place(ip("203.0.113.9")).unwrap();
    assert_eq!(place.kind, Some(NetworkKind::Vpn));
    assert_eq!(place.kind_source.as_deref(), Some("Example exits 2026-06-01"));
    assert!(!place.kind_is_default());
    let beside = geo.place(ip("203.0.113.99")).unwrap();
    assert_eq!(beside.kind, Some(NetworkKind::Residential));
    assert_ne!(geo.position(ip("203.0.113.9")), geo.position(ip("203.0.113.99")));
    let at = |date: &str| Timestamp::from_parts(i64::try_from(build::epoch_of(date).unwrap()).unwrap(), 0);
    let old = |date: &str| status::old_at(&geo, at(date));
    assert_eq!(
        old("2026-10-20"),
        ["Example exits of 2026-06-01 is 141 days older than the capture: addresses change hands"]
    );
    assert!(old("2026-07-01").is_empty());
    let later = old("2027-12-01");
    let is_shipped =
        |remark: &String| remark.contains("rows of the shipped table of networks are more than 120 days");
    assert!(later.iter().any(is_shipped), "{later:?}");
    let with_default = status::old_at(&Geo::embedded(), at("2027-12-01"));
    assert!(
        with_default
            .iter()
            .any(|remark| remark.starts_with("the shipped database of 2026-")),
        "{with_default:?}"
    );
    fs::write(folder.path().join("exits.cidr"), "198.51.100.0/24\n").unwrap();
    let (_, errors) = Geo::open(&[folder.path().join("exits.cidr")]);
    assert!(
        errors[0]
            .to_string()
            .ends_with("exits.cidr: its head does not say \"# name: ...\""),
        "{errors:?}"
    );
}
