//! What each stage costs, on a capture that the bench makes itself, beside a bare libpcap loop over the same file in the
//! same run. Take the ratios that are printed at the end: neighbours on a shared machine move seconds, hardly ratios.
//!
//! `cargo bench --bench stages`. The mixture: names asked and answered, TLS hellos, bulk over TCP, many short flows.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufWriter};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput};
use etherparse::PacketBuilder;

use farmhawk::capture::inputs::Input;
use farmhawk::capture::writer::PcapWriter;
use farmhawk::capture::{self, Reading, Source};
use farmhawk::decode::Decoder;
use farmhawk::model::block::Block;
use farmhawk::model::frame::LinkType;
use farmhawk::model::time::{SECOND, Timestamp};
use farmhawk::pipeline;
use farmhawk::pipeline::front::Reader;
use farmhawk::pipeline::schedule::Back;
use farmhawk::pipeline::shard::Output;
use farmhawk::settings::limits::Limits;

/// Conversations in the capture; a hundred thousand packets or so.
const CONVERSATIONS: u32 = 6_000;

/// The seed of the flow table's hash: the same in every run.
const SEED: u64 = 7;

/// Numbers that look random and are the same everywhere (xorshift, Marsaglia 2003).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        u32::try_from(self.0 >> 33).unwrap_or(0) % bound.max(1)
    }
}

/// Writes the capture packet by packet.
struct Scene {
    out: PcapWriter<BufWriter<File>>,
    at: Timestamp,
    packets: u64,
}

/// Both ends of a conversation.
#[derive(Clone, Copy)]
struct Ends {
    client: ([u8; 4], u16),
    server: ([u8; 4], u16),
}

impl Ends {
    const fn turned(self) -> Self {
        Self {
            client: self.server,
            server: self.client,
        }
    }
}

impl Scene {
    fn write(&mut self, packet: &[u8]) -> io::Result<()> {
        self.at = self.at.plus(SECOND / 5_000);
        self.packets += 1;
        self.out
            .frame(self.at, packet, u32::try_from(packet.len()).unwrap_or(0))
    }

    fn udp(&mut self, ends: Ends, payload: &[u8]) -> io::Result<()> {
        let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
            .ipv4(ends.client.0, ends.server.0, 64)
            .udp(ends.client.1, ends.server.1);
        let mut packet = Vec::new();
        builder.write(&mut packet, payload).map_err(io::Error::other)?;
        self.write(&packet)
    }

    /// One segment; `flags` are those of the TCP header.
    fn tcp(&mut self, ends: Ends, flags: u8, numbers: (u32, u32), payload: &[u8]) -> io::Result<()> {
        let mut builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2])
            .ipv4(ends.client.0, ends.server.0, 64)
            .tcp(ends.client.1, ends.server.1, numbers.0, 64_000);
        if flags & 0x02 != 0 {
            builder = builder.syn();
        }
        if flags & 0x10 != 0 {
            builder = builder.ack(numbers.1);
        }
        if flags & 0x01 != 0 {
            builder = builder.fin();
        }
        let mut packet = Vec::new();
        builder.write(&mut packet, payload).map_err(io::Error::other)?;
        self.write(&packet)
    }

    /// A question for a name, and its answer.
    fn names(&mut self, ends: Ends, number: u32) -> io::Result<()> {
        let name = format!("host{number}.example.com");
        let mut question = vec![0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
        for label in name.split('.') {
            question.push(u8::try_from(label.len()).unwrap_or(0));
            question.extend_from_slice(label.as_bytes());
        }
        question.extend_from_slice(&[0, 0, 1, 0, 1]);
        self.udp(ends, &question)?;
        let mut answer = question;
        for (place, octet) in answer.iter_mut().zip([0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1]) {
            *place = octet;
        }
        answer.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 198, 51, 100, 7]);
        self.udp(ends.turned(), &answer)
    }

    /// Handshake, a request, `segments` full segments of answer, the end.
    fn stream(&mut self, ends: Ends, request: &[u8], segments: u32) -> io::Result<()> {
        let bulk = [0x17; 1_400];
        let asked = u32::try_from(request.len()).unwrap_or(0) + 1_001;
        self.tcp(ends, 0x02, (1_000, 0), &[])?;
        self.tcp(ends.turned(), 0x12, (5_000, 1_001), &[])?;
        self.tcp(ends, 0x10, (1_001, 5_001), request)?;
        let mut sent = 5_001;
        for number in 0..segments {
            self.tcp(ends.turned(), 0x10, (sent, asked), &bulk)?;
            sent += 1_400;
            if number % 2 == 1 {
                self.tcp(ends, 0x10, (asked, sent), &[])?;
            }
        }
        self.tcp(ends, 0x11, (asked, sent), &[])?;
        self.tcp(ends.turned(), 0x11, (sent, asked + 1), &[])
    }
}

/// A TLS 1.2 hello that asks for a name (RFC 5246, 7.4.1.2; RFC 6066, 3).
fn hello(name: &str) -> Vec<u8> {
    let double = |length: usize| u16::try_from(length).unwrap_or(0).to_be_bytes();
    let mut names = vec![0];
    names.extend_from_slice(&double(name.len()));
    names.extend_from_slice(name.as_bytes());
    let mut extension = vec![0, 0];
    extension.extend_from_slice(&double(names.len() + 2));
    extension.extend_from_slice(&double(names.len()));
    extension.extend_from_slice(&names);
    let mut body = vec![3, 3];
    body.extend_from_slice(&[0xab; 32]);
    body.extend_from_slice(&[0, 0, 6, 0x13, 1, 0xc0, 0x2b, 0xc0, 0x2f, 1, 0]);
    body.extend_from_slice(&double(extension.len()));
    body.extend_from_slice(&extension);
    let mut handshake = vec![1, 0];
    handshake.extend_from_slice(&double(body.len()));
    handshake.extend_from_slice(&body);
    let mut record = vec![22, 3, 1];
    record.extend_from_slice(&double(handshake.len()));
    record.extend_from_slice(&handshake);
    record
}

/// Writes the capture to `path`; gives the number of packets.
fn make(path: &Path) -> io::Result<u64> {
    let out = PcapWriter::new(BufWriter::new(File::create(path)?), LinkType::ETHERNET, true)?;
    let mut scene = Scene {
        out,
        at: Timestamp(1_700_000_000 * SECOND),
        packets: 0,
    };
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for number in 0..CONVERSATIONS {
        let host = u8::try_from(numbers.below(200)).unwrap_or(0);
        let port = u16::try_from(1_024 + numbers.below(60_000)).unwrap_or(0);
        let server = Ipv4Addr::from(0xc633_6400 + numbers.below(250)).octets();
        let ends = |port_of_server| Ends {
            client: ([192, 168, 7, host], port),
            server: (server, port_of_server),
        };
        match numbers.below(10) {
            0..=3 => scene.names(ends(53), number)?,
            4..=6 => scene.stream(ends(443), &hello(&format!("site{number}.example.org")), 6)?,
            7 => scene.stream(ends(443), &hello("download.example.net"), 120)?,
            _ => scene.stream(ends(8_000), b"\x00\x01short", 1)?,
        }
    }
    scene.out.finish()?;
    Ok(scene.packets)
}

/// The yardstick: libpcap reads the file, nothing is looked at but each packet's first octet.
fn libpcap(path: &Path) -> u64 {
    let Ok(mut capture) = pcap::Capture::from_file(path) else {
        return 0;
    };
    let mut sum = 0;
    while let Ok(packet) = capture.next_packet() {
        sum += u64::from(packet.data.first().copied().unwrap_or(0));
    }
    sum
}

fn source(path: &Path) -> Option<Box<dyn Source>> {
    capture::open(&[Input::File(path.to_owned())], &Reading::default()).ok()
}

fn reading(path: &Path) -> u64 {
    let Some(mut source) = source(path) else { return 0 };
    let mut block = Block::default();
    let mut frames = 0;
    while source.fill(&mut block).unwrap_or(false) {
        frames += block.frames.len() as u64;
    }
    frames
}

fn decoding(path: &Path) -> u64 {
    let Some(mut source) = source(path) else { return 0 };
    let mut decoder = Decoder::new(&Limits::default());
    let mut block = Block::default();
    let mut segments = Vec::new();
    let mut count = 0;
    while source.fill(&mut block).unwrap_or(false) {
        decoder.decode(&mut block, &mut segments);
        count += segments.len() as u64;
        segments.clear();
    }
    count
}

/// Takes what the packet side gives, and looks at none of it.
struct Nothing(u64);

impl Back for Nothing {
    type Notes = ();

    fn conclude(&mut self, outputs: &[Output], (): &mut ()) {
        for output in outputs {
            self.0 += output.flows.len() as u64;
        }
    }
}

/// Reading, decoding, flows and dissection, on one thread.
fn flows(path: &Path) -> u64 {
    let Some(source) = source(path) else { return 0 };
    let limits = Limits::default();
    let stop = Arc::new(AtomicBool::new(false));
    let reader = Reader::new(source, &limits, SEED, None, stop);
    pipeline::run(1, reader, &limits, Nothing(0), ()).map_or(0, |(_, _, back, ())| back.0)
}

/// A stage: its name and what runs it.
type Stage = (&'static str, fn(&Path) -> u64);

/// Each includes the ones before it; the first is what they are measured by.
const STAGES: [Stage; 4] = [
    ("libpcap loop", libpcap),
    ("reading", reading),
    ("reading, decoding", decoding),
    ("reading, decoding, flows, dissection", flows),
];

/// Median of the seconds that criterion wrote down for a stage.
fn median(name: &str) -> Option<f64> {
    let folder = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| PathBuf::from("target"), PathBuf::from);
    let name = name.replace(['/', '?', '"', '\\', '*', '<', '>', ':', '|', '^'], "_");
    let path = folder
        .join("criterion/stages")
        .join(name)
        .join("new/estimates.json");
    let text = std::fs::read_to_string(path).ok()?;
    let estimates: serde_json::Value = serde_json::from_str(&text).ok()?;
    estimates.get("median")?.get("point_estimate")?.as_f64()
}

#[expect(
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a bench exists to print its figures"
)]
fn main() -> io::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("stages.pcap");
    let packets = make(&path)?;
    let bytes = std::fs::metadata(&path)?.len();
    let mut criterion = Criterion::default()
        .sample_size(20)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(4))
        .configure_from_args();
    let mut group = criterion.benchmark_group("stages");
    group.throughput(Throughput::Elements(packets));
    for (name, run) in STAGES {
        group.bench_with_input(BenchmarkId::from_parameter(name), &path, |bencher, path| {
            bencher.iter(|| black_box(run(path)));
        });
    }
    group.finish();
    println!("\n{packets} packets, {bytes} bytes; each line includes the stages before it");
    let Some(yardstick) = STAGES.first().and_then(|(name, _)| median(name)) else {
        return Ok(());
    };
    for (name, _) in STAGES {
        if let Some(time) = median(name) {
            let each = time / packets as f64;
            let ratio = time / yardstick;
            println!("{name:<40} {each:>7.0} ns/packet   {ratio:>5.2} x libpcap loop");
        }
    }
    Ok(())
}
