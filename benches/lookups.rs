//! What a look-up in the catalogue costs with 100 added tools and with 10,000: the same, or the catalogue could not grow.
//!
//! `cargo bench --bench lookups`. The names, payloads and addresses are those of the tool that was added last, and of nobody.

use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::io;
use std::net::IpAddr;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion};

use farmhawk::model::address::Address;
use farmhawk::signatures::payload::Transport;
use farmhawk::signatures::{Catalogue, PayloadContext};

/// The embedded catalogue with so many tools on top, each with a name, a payload, a shape and a network of its own.
fn catalogue(tools: u32) -> io::Result<Catalogue> {
    let mut text = String::new();
    for number in 0..tools {
        let [_, _, high, low] = number.to_be_bytes();
        let _ = write!(
            text,
            "[[tool]]\nid = \"t{number}\"\nclass = \"vpn\"\n\
             [[tool.indicator]]\nfield = \"host.name\"\nsuffix = \"host{number}.example\"\nweight = 10\nsource = \"s\"\n\
             [[tool.indicator]]\nfield = \"payload.to_server\"\nbytes = \"tcp @0 = 7f {high:02x} {low:02x} 55\"\nweight = 10\nsource = \"s\"\n\
             [[tool.indicator]]\nfield = \"http.path\"\nshape = \"/own{number}/[0-9]{{4}}*\"\nweight = 10\nsource = \"s\"\n\
             [[tool.indicator]]\nfield = \"ip.address\"\nnetwork = \"11.{high}.{low}.0/24\"\nweight = 10\nsource = \"s\"\n"
        );
    }
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("many.toml");
    fs::write(&path, text)?;
    Catalogue::with_overlays(&[path]).map_err(|faults| io::Error::other(faults.to_string()))
}

/// A question that is put to the catalogue.
struct Question {
    name: &'static str,
    field: &'static str,
    value: Vec<u8>,
    /// Whether the last tool is the answer.
    is_known: bool,
}

fn questions(tools: u32) -> Vec<Question> {
    let last = tools.saturating_sub(1);
    let [_, _, high, low] = last.to_be_bytes();
    let address = |text: IpAddr| Address::from(text).0.to_vec();
    let question = |name, field, value: Vec<u8>, is_known| Question {
        name,
        field,
        value,
        is_known,
    };
    let padded = |head: &[u8]| [head, &[0; 60]].concat();
    vec![
        question(
            "name",
            "tls.sni",
            format!("edge7.host{last}.example").into_bytes(),
            true,
        ),
        question(
            "name of nobody",
            "tls.sni",
            b"www.shop.example.org".to_vec(),
            false,
        ),
        question(
            "payload",
            "payload.to_server",
            padded(&[0x7f, high, low, 0x55]),
            true,
        ),
        question(
            "payload of nobody",
            "payload.to_server",
            padded(b"\xaa\xbb\xcc\xdd"),
            false,
        ),
        question(
            "path",
            "http.path",
            format!("/own{last}/2024/x").into_bytes(),
            true,
        ),
        question("path of nobody", "http.path", b"/assets/site.css".to_vec(), false),
        question("address", "ip.address", address([11, high, low, 9].into()), true),
        question(
            "address of nobody",
            "ip.address",
            address([192, 0, 2, 1].into()),
            false,
        ),
    ]
}

fn main() -> io::Result<()> {
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_secs(1))
        .configure_from_args();
    let context = PayloadContext {
        transport: Some(Transport::Tcp),
        length_on_wire: Some(64),
    };
    for tools in [100, 10_000] {
        let catalogue = catalogue(tools)?;
        for question in questions(tools) {
            let found = catalogue
                .payload_matches(question.field, &question.value, context)
                .count();
            if (found > 0) != question.is_known {
                return Err(io::Error::other(format!("{}: {found} entries", question.name)));
            }
            let name = BenchmarkId::new(question.name, tools);
            criterion.bench_with_input(name, &question, |bencher, question| {
                bencher.iter(|| {
                    let matches =
                        catalogue.payload_matches(question.field, black_box(&question.value), context);
                    black_box(matches.count())
                });
            });
        }
    }
    criterion.final_summary();
    Ok(())
}
