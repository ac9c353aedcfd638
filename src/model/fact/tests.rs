//! Facts read back as they were written.

use super::*;

#[test]
fn every_kind_of_value_reads_back_as_it_was_written() {
    let field = Field::of_flow("test.field");
    let stamp = Stamp {
        at: Timestamp(-5),
        source: FrameRef {
            capture: 3,
            number: u64::MAX,
        },
        side: Side::Server,
    };
    let address = Address::from_v4([192, 0, 2, 1]);
    let values = [
        Value::Text {
            bytes: b"name",
            cut: false,
        },
        Value::Text {
            bytes: b"cut",
            cut: true,
        },
        Value::Bytes {
            bytes: &[0, 255],
            on_wire: 900,
        },
        Value::Number(u64::MAX),
        Value::Endpoint(address, 443),
        Value::Answer {
            name: b"host.example",
            address,
            lifetime: 300,
        },
    ];
    let mut log = FactLog::default();
    for value in &values {
        log.push(&field, stamp, value);
    }
    let read: Vec<_> = log.iter().map(|fact| fact.value).collect();
    assert_eq!(read, values);
    let last = log.iter().last().unwrap();
    assert_eq!(
        (last.at, last.source, last.side),
        (stamp.at, stamp.source, stamp.side)
    );
}

#[test]
fn facts_of_one_packet_share_its_stamp_and_a_stretch_has_its_own() {
    let field = Field::of_flow("test.field");
    let stamp = |number| Stamp {
        at: Timestamp(7),
        source: FrameRef { capture: 1, number },
        side: Side::Client,
    };
    let mut log = FactLog::default();
    log.push(&field, stamp(1), &Value::Number(1));
    let one = log.len();
    log.push(&field, stamp(1), &Value::Number(2));
    assert_eq!(log.len() - one, HEADER + 8);
    let from = log.begin();
    log.push(&field, stamp(1), &Value::Number(3));
    log.push(&field, stamp(2), &Value::Number(4));
    let read = |facts: FactIter<'_>| -> Vec<u64> { facts.map(|fact| fact.source.number).collect() };
    assert_eq!(read(log.range(from, log.len())), [1, 2]);
    let (mut kept, mut fields) = (KeptFacts::default(), KeptFields::default());
    kept.append(&mut fields, &log);
    kept.append(&mut fields, &log);
    let read_back = kept.into_log(fields);
    for fact in &log {
        assert!(read_back.find(fact.field).is_some());
    }
    assert_eq!(read(read_back.iter()), [1, 1, 1, 2, 1, 1, 1, 2]);
    assert!(read_back.iter().all(|fact| fact.at == Timestamp(7)));
}

#[test]
fn a_long_text_is_cut_and_says_so() {
    let mut log = FactLog::default();
    log.push(
        &Field::of_flow("x.y"),
        Stamp::default(),
        &Value::Text {
            bytes: &[b'a'; 4_000],
            cut: false,
        },
    );
    let fact = log.iter().next().unwrap();
    assert_eq!(
        fact.value,
        Value::Text {
            bytes: &[b'a'; LONGEST_VALUE],
            cut: true
        }
    );
}
