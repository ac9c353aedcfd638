use super::*;
use crate::model::observation::ServerName;

const LOCAL: LocalIndex = LocalIndex(2);

/// A connection of these bins, each of so many octets in.
fn flow(numbers: std::ops::Range<u32>, octets: u32) -> FlowRecord {
    let bins = numbers.map(|number| ActivityBin {
        number,
        bytes: [octets / 4, octets - octets / 4],
        ..ActivityBin::default()
    });
    let mut flow = FlowRecord {
        activity: bins.collect(),
        ..FlowRecord::default()
    };
    flow.server.address = Address::from_v4([198, 51, 100, 1]);
    flow.payload_bytes = [0, u64::from(octets) * u64::try_from(flow.activity.len()).unwrap()];
    flow
}

/// The minutes that a connection hides.
fn hidden(flow: &FlowRecord, server_name: Option<ServerName>) -> usize {
    let mut unseen = Unseen::default();
    unseen.flow(
        &Observation {
            flow,
            locals: [Some(LOCAL), None],
            server_name,
        },
        &[],
    );
    unseen.by_local.get(&LOCAL).map_or(0, |one| one.opaque.len())
}

#[test]
fn a_long_unnamed_connection_that_carries_much_hides_what_it_carries() {
    assert_eq!(hidden(&flow(600..960, 20_000), None), 60);
    let named = ServerName {
        name: "backup.example.com".into(),
        source: crate::model::observation::NameSource::Sni,
        frame: crate::model::frame::FrameRef::default(),
        at: crate::model::time::Timestamp::default(),
        lifetime: None,
    };
    assert_eq!(hidden(&flow(600..960, 20_000), Some(named)), 0, "it has a name");
    assert_eq!(hidden(&flow(600..640, 200_000), None), 0, "it is short");
    assert_eq!(hidden(&flow(600..20_600, 60), None), 0, "nothing but keep-alives");
    let mut readable = flow(600..960, 20_000);
    readable.app_proto = Some("smtp");
    assert_eq!(hidden(&readable, None), 0, "what it speaks is known");
}

#[test]
fn keep_alives_carry_nothing() {
    let keep_alives = (0..600).map(|bin| (bin, 120));
    assert_eq!(carrying(keep_alives), Minutes::new());
    assert_eq!(
        carrying([(60, 1_000), (65, 1_500), (66, 1_500)].into_iter()),
        [10]
    );
}
