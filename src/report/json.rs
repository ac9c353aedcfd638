//! JSON: one object, or a record a line (INTERFACE, options `--format` and `--flows`).
//!
//! Question: how does one object hold millions of flows in bounded memory? It is written piece by piece: the flows come
//! first, as they end, and everything else behind them. JSON gives no meaning to the order of keys.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::ser::{Formatter, Serializer};

use crate::model::case::{Case, Event};

use super::escape::is_unsafe;
use super::flow::{Clock, FlowRow};
use super::output::{AT_ONCE, Output, Waiting};
use super::shown::Shown;
use crate::model::threads::Threads;

/// Compact JSON in which characters that could steer a terminal or turn text are written as `\uXXXX`.
///
/// Parsers read the same text as ever; a person who pages through the file sees what is there.
#[derive(Clone, Copy, Debug, Default)]
struct SafeFormatter;

impl Formatter for SafeFormatter {
    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        // The serializer itself escapes what is below U+0020; delete and most of ASCII's successors are left to us.
        // Without leaving early, so that it is done for many octets at once.
        let unsafe_ones = fragment
            .bytes()
            .fold(0, |sum, byte| sum | byte & 0x80 | u8::from(byte == 0x7f));
        if unsafe_ones == 0 {
            return writer.write_all(fragment.as_bytes());
        }
        let mut units = [0; 2];
        let mut octets = [0; 4];
        for character in fragment.chars() {
            if is_unsafe(character) {
                for unit in character.encode_utf16(&mut units) {
                    write!(writer, "\\u{unit:04x}")?;
                }
            } else {
                writer.write_all(character.encode_utf8(&mut octets).as_bytes())?;
            }
        }
        Ok(())
    }
}

/// Writes one value in compact form.
pub fn write_value<W: Write + ?Sized, T: Serialize + ?Sized>(to: &mut W, value: &T) -> io::Result<()> {
    let mut serializer = Serializer::with_formatter(to, SafeFormatter);
    value.serialize(&mut serializer).map_err(io::Error::from)
}

/// Writes one record as a line.
pub fn write_line<W: Write + ?Sized, T: Serialize + ?Sized>(to: &mut W, value: &T) -> io::Result<()> {
    write_value(to, value)?;
    to.write_all(b"\n")
}

/// Records whose bytes are made at once by one thread, and portions of so many that are held.
const PORTION: usize = 256;
const PORTIONS: usize = 8;

/// A record with its kind.
fn event<'a, T>(event_type: &'static str, record: &'a T) -> Event<'a, T> {
    Event { event_type, record }
}

/// `farms.jsonl`: every group, shown or not.
pub fn farms(case: &Case, to: &mut dyn Write) -> io::Result<()> {
    (case.farms.iter()).try_for_each(|farm| write_line(to, &event("farm", farm)))
}

/// `hosts.jsonl`: every host.
pub fn hosts(case: &Case, to: &mut dyn Write) -> io::Result<()> {
    (case.hosts.iter()).try_for_each(|host| write_line(to, &event("host", host)))
}

/// `findings.jsonl`: every finding.
pub fn findings(case: &Case, to: &mut dyn Write) -> io::Result<()> {
    (case.findings.iter()).try_for_each(|finding| write_line(to, &event("finding", finding)))
}

/// `summary.json`: the summary without the time that the analysis took, which only the manifest may hold.
pub fn summary(case: &Case, to: &mut dyn Write) -> io::Result<()> {
    let mut summary = case.summary.clone();
    summary.wall_seconds = None;
    write_line(to, &event("summary", &summary))
}

/// `--format jsonl`: flows as they end, then farms, hosts, findings, and the summary last.
pub struct JsonLines<W: Write> {
    to: Waiting<W>,
    shown: Shown,
    has_flows: bool,
    threads: Threads,
    clock: Clock,
}

impl<W: Write + Send> JsonLines<W> {
    /// Lines of what is shown; of flows only with `has_flows` (`--flows`).
    pub fn new(to: W, shown: Shown, has_flows: bool, threads: Threads) -> Self {
        Self {
            to: Waiting::new(to),
            shown,
            has_flows,
            threads,
            clock: Clock::default(),
        }
    }
}

impl<W: Write + Send> Output<W> for JsonLines<W> {
    fn flow(&mut self, row: &FlowRow<'_>) -> io::Result<()> {
        if !self.has_flows {
            return Ok(());
        }
        row.append_json(&mut self.to.bytes, &mut self.clock);
        self.to.bytes.push(b'\n');
        self.to.pass()
    }

    fn finish(self: Box<Self>, case: &Case) -> io::Result<W> {
        let mut to = self.to.into_inner()?;
        records(&mut to, self.threads, b"", "farm", self.shown.farms(case))?;
        records(&mut to, self.threads, b"", "host", self.shown.hosts(case))?;
        records(&mut to, self.threads, b"", "finding", self.shown.findings(case))?;
        write_line(&mut to, &event("summary", &case.summary))?;
        Ok(to)
    }
}

/// `--format json`: one object with `summary`, `farms`, `hosts`, `findings`, and `flows` with `--flows`.
pub struct JsonObject<W: Write> {
    to: Waiting<W>,
    shown: Shown,
    has_flows: bool,
    threads: Threads,
    is_open: bool,
    rows: u64,
    clock: Clock,
}

impl<W: Write + Send> JsonObject<W> {
    /// An object of what is shown; of flows only with `has_flows` (`--flows`).
    pub fn new(to: W, shown: Shown, has_flows: bool, threads: Threads) -> Self {
        Self {
            to: Waiting::new(to),
            shown,
            has_flows,
            threads,
            is_open: false,
            rows: 0,
            clock: Clock::default(),
        }
    }

    fn open(&mut self) {
        if !self.is_open {
            self.is_open = true;
            let open: &[u8] = if self.has_flows { b"{\"flows\":[" } else { b"{" };
            self.to.bytes.extend_from_slice(open);
        }
    }
}

impl<W: Write + Send> Output<W> for JsonObject<W> {
    fn flow(&mut self, row: &FlowRow<'_>) -> io::Result<()> {
        if !self.has_flows {
            return Ok(());
        }
        self.open();
        let between: &[u8] = if self.rows == 0 { b"\n" } else { b",\n" };
        self.to.bytes.extend_from_slice(between);
        self.rows = self.rows.saturating_add(1);
        row.append_json(&mut self.to.bytes, &mut self.clock);
        self.to.pass()
    }

    fn finish(mut self: Box<Self>, case: &Case) -> io::Result<W> {
        self.open();
        let mut to = self.to.into_inner()?;
        if self.has_flows {
            to.write_all(b"\n],\n")?;
        }
        let shown = self.shown;
        to.write_all(b"\"summary\":")?;
        write_value(&mut to, &event("summary", &case.summary))?;
        let threads = self.threads;
        array(&mut to, threads, "farms", "farm", shown.farms(case))?;
        array(&mut to, threads, "hosts", "host", shown.hosts(case))?;
        array(&mut to, threads, "findings", "finding", shown.findings(case))?;
        to.write_all(b"}\n")?;
        Ok(to)
    }
}

fn array<'a, T: Serialize + Sync + 'a>(
    to: &mut dyn Write,
    threads: Threads,
    key: &str,
    event_type: &'static str,
    list: impl Iterator<Item = &'a T>,
) -> io::Result<()> {
    write!(to, ",\n\"{key}\":[")?;
    records(to, threads, b",", event_type, list)?;
    to.write_all(b"]")
}

/// Appends a record with its kind, as [`Event`] is written: serde writes what it flattens member by member through a table of its own.
fn append<T: Serialize>(bytes: &mut Vec<u8>, event_type: &'static str, record: &T) -> io::Result<()> {
    bytes.extend_from_slice(b"{\"event_type\":\"");
    bytes.extend_from_slice(event_type.as_bytes());
    bytes.push(b'"');
    let open = bytes.len();
    write_value(bytes, record)?;
    // The record's own brace is where the comma belongs; a record without members has none.
    match bytes.get_mut(open..) {
        Some([b'{', b'}']) => {
            bytes.truncate(open);
            bytes.push(b'}');
        }
        Some([brace, ..]) => *brace = b',',
        _ => {}
    }
    Ok(())
}

/// Writes records, a line each: without `comma` ended, with one begun by a line end and all but the first by the comma. Threads make
/// the bytes of several portions at once.
fn records<'a, T: Serialize + Sync + 'a>(
    to: &mut dyn Write,
    threads: Threads,
    comma: &'static [u8],
    event_type: &'static str,
    list: impl Iterator<Item = &'a T>,
) -> io::Result<()> {
    let list: Vec<&T> = list.collect();
    // Into a vector: each of a record's hundred small pieces is a copy there, and a call through a table elsewhere.
    let one = |bytes: &mut Vec<u8>, place: usize, record: &T| -> io::Result<()> {
        if comma.is_empty() {
            append(bytes, event_type, record)?;
            bytes.push(b'\n');
            return Ok(());
        }
        bytes.extend_from_slice(if place == 0 { b"" } else { comma });
        bytes.push(b'\n');
        append(bytes, event_type, record)
    };
    if threads.is_one() {
        let mut bytes = Vec::new();
        for (place, record) in list.iter().enumerate() {
            one(&mut bytes, place, record)?;
            if bytes.len() >= AT_ONCE {
                to.write_all(&bytes)?;
                bytes.clear();
            }
        }
        return to.write_all(&bytes);
    }
    for (round, several) in list.chunks(PORTION * PORTIONS).enumerate() {
        let portions: Vec<(usize, &[&T])> = several
            .chunks(PORTION)
            .enumerate()
            .map(|(number, portion)| ((round * PORTIONS + number) * PORTION, portion))
            .collect();
        let made = threads.each(portions, |(first, portion)| -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            for (place, record) in (first..).zip(portion) {
                one(&mut bytes, place, record)?;
            }
            Ok(bytes)
        });
        for bytes in made {
            to.write_all(&bytes?)?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_with_its_kind_is_what_serde_flattens() {
        #[derive(Serialize)]
        struct Nothing {}
        #[derive(Serialize)]
        struct Some<'a> {
            text: &'a str,
            number: u32,
        }
        let record = Some {
            text: "a \u{202e} \u{7f} \u{fc} \" b",
            number: 7,
        };
        let (mut own, mut flattened) = (Vec::new(), Vec::new());
        append(&mut own, "host", &record).unwrap();
        write_value(&mut flattened, &event("host", &record)).unwrap();
        assert_eq!(
            String::from_utf8(own).unwrap(),
            String::from_utf8(flattened).unwrap()
        );
        let mut own = Vec::new();
        append(&mut own, "host", &Nothing {}).unwrap();
        assert_eq!(own, br#"{"event_type":"host"}"#);
    }
}
