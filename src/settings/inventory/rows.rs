//! Rows of an inventory as columns and texts, from CSV or JSON, each with its line.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::Value;

use super::{COLUMNS, refusal};
use crate::document::{Fault, Faults};

/// One row: its line, what stands in its columns, and what is wrong with cells that cannot be read. Empty cells are left out.
pub(super) struct Row {
    pub(super) line: usize,
    pub(super) cells: BTreeMap<String, String>,
    pub(super) faults: Vec<Fault>,
}

/// Columns by which a host can be matched.
pub(super) const KEYS: [&str; 4] = ["mac", "ip", "cidr", "hostname"];

/// The rows of a CSV file with a header. A row that cannot be read is a fault in its place.
pub(super) fn of_csv(path: &Path, bytes: &[u8]) -> Result<Vec<Result<Row, Faults>>, Faults> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .from_reader(bytes);
    let header = reader
        .headers()
        .map_err(|cause| refusal(path, 1, cause.to_string()))?;
    let header: Vec<String> = header.iter().map(str::to_ascii_lowercase).collect();
    if !header.iter().any(|column| KEYS.contains(&column.as_str())) {
        return Err(refusal(
            path,
            1,
            format!("the header names none of {}", KEYS.join(", ")),
        ));
    }
    let twice = header
        .iter()
        .enumerate()
        .find(|(at, column)| header.iter().take(*at).any(|earlier| earlier == *column));
    if let Some((_, column)) = twice {
        return Err(refusal(path, 1, format!("the header names {column:?} twice")));
    }
    let mut rows = Vec::new();
    let is_open = memchr::memchr_iter(b'"', bytes).count() % 2 == 1;
    let mut records = reader.records().peekable();
    while let Some(record) = records.next() {
        // What is opened and never closed ends with the file, and so does its row.
        let is_cut = is_open && records.peek().is_none();
        rows.push(match record {
            Ok(record) if runs_on(&header, &record, is_cut) => Err(refusal(
                path,
                line_of(&record),
                "a cell goes over several lines: the quotation mark that opens it is not closed where the cell ends",
            )),
            Ok(record) => csv_row(path, &header, &record),
            Err(cause) => {
                let line = cause.position().map_or(0, csv::Position::line);
                Err(refusal(
                    path,
                    usize::try_from(line).unwrap_or_default(),
                    describe(&cause),
                ))
            }
        });
    }
    Ok(rows)
}

/// What the reader says, without its own account of the position.
fn describe(cause: &csv::Error) -> String {
    if matches!(cause.kind(), csv::ErrorKind::Utf8 { .. }) {
        return "not UTF-8".to_owned();
    }
    cause.to_string()
}

fn line_of(record: &csv::StringRecord) -> usize {
    usize::try_from(record.position().map_or(0, csv::Position::line)).unwrap_or_default()
}

/// Whether a quotation mark swallowed rows: nothing that is understood goes over several lines, and a remark of somebody's may, if it ends.
fn runs_on(header: &[String], record: &csv::StringRecord, is_cut: bool) -> bool {
    let mut cells = header.iter().zip(record);
    cells
        .any(|(column, value)| value.contains(['\n', '\r']) && (is_cut || COLUMNS.contains(&column.as_str())))
}

fn csv_row(path: &Path, header: &[String], record: &csv::StringRecord) -> Result<Row, Faults> {
    let line = line_of(record);
    if record.len() > header.len() {
        let (found, wanted) = (record.len(), header.len());
        return Err(refusal(
            path,
            line,
            format!("{found} columns where the header names {wanted}"),
        ));
    }
    let cells = header.iter().zip(record).filter(|(_, value)| !value.is_empty());
    Ok(Row {
        line,
        cells: cells
            .map(|(column, value)| (column.clone(), value.to_owned()))
            .collect(),
        faults: Vec::new(),
    })
}

/// The rows of a JSON array of objects.
pub(super) fn of_json(path: &Path, bytes: &[u8]) -> Result<Vec<Result<Row, Faults>>, Faults> {
    let values: Vec<Value> =
        serde_json::from_slice(bytes).map_err(|cause| refusal(path, cause.line(), cause.to_string()))?;
    let lines = element_lines(bytes).into_iter().chain(std::iter::repeat(0));
    let keys: Vec<Element> = serde_json::from_slice(bytes).unwrap_or_default();
    let keys = keys.into_iter().map(|element| match element {
        Element::Object(Keys(keys)) => keys,
        Element::Other(IgnoredAny) => Vec::new(),
    });
    let keys = keys.chain(std::iter::repeat(Vec::new()));
    Ok(values
        .iter()
        .zip(lines)
        .zip(keys)
        .map(|((value, line), keys)| json_row(path, line, value, &keys))
        .collect())
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Element {
    Object(Keys),
    Other(IgnoredAny),
}

/// Keys of an object as they stand there: a map of them would have one that stands twice once.
struct Keys(Vec<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfObject;
        impl<'de> Visitor<'de> for OfObject {
            type Value = Keys;

            fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Keys, A::Error> {
                let mut keys = Vec::new();
                while let Some((key, IgnoredAny)) = object.next_entry::<String, IgnoredAny>()? {
                    keys.push(key.to_ascii_lowercase());
                }
                Ok(Keys(keys))
            }
        }
        deserializer.deserialize_map(OfObject)
    }
}

fn json_row(path: &Path, line: usize, value: &Value, keys: &[String]) -> Result<Row, Faults> {
    let Value::Object(object) = value else {
        return Err(refusal(path, line, "not an object"));
    };
    let (mut cells, mut faults) = (BTreeMap::new(), Vec::new());
    for (key, value) in object {
        let key = key.to_ascii_lowercase();
        if keys.iter().filter(|known| **known == key).count() > 1 {
            if !faults.iter().any(|fault: &Fault| fault.field == key) {
                faults.push(Fault {
                    path: path.to_owned(),
                    line,
                    field: key,
                    what: "stands there twice: which of the two is meant cannot be told".to_owned(),
                });
            }
            continue;
        }
        let text = cell(value);
        let Some(text) = text.or_else(|| (!COLUMNS.contains(&key.as_str())).then(|| value.to_string()))
        else {
            faults.push(Fault {
                path: path.to_owned(),
                line,
                field: key,
                what: "a text, a number or a list of texts is wanted".to_owned(),
            });
            continue;
        };
        if !text.is_empty() {
            cells.insert(key, text);
        }
    }
    Ok(Row { line, cells, faults })
}

/// A value as a CSV cell would hold it; lists are joined by semicolons.
fn cell(value: &Value) -> Option<String> {
    match value {
        Value::Null => Some(String::new()),
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Array(values) => Some(
            values
                .iter()
                .map(Value::as_str)
                .collect::<Option<Vec<_>>>()?
                .join(";"),
        ),
        Value::Bool(_) | Value::Object(_) => None,
    }
}

/// Lines on which the elements of the outer array begin. The text is known to be valid JSON.
fn element_lines(bytes: &[u8]) -> Vec<usize> {
    let mut lines = Vec::new();
    let (mut line, mut depth) = (1_usize, 0_usize);
    let (mut is_text, mut is_escaped, mut is_awaited) = (false, false, false);
    for byte in bytes {
        if *byte == b'\n' {
            line = line.saturating_add(1);
        }
        if is_text {
            is_text = is_escaped || *byte != b'"';
            is_escaped = !is_escaped && *byte == b'\\';
            continue;
        }
        if is_awaited && !byte.is_ascii_whitespace() && *byte != b']' {
            lines.push(line);
            is_awaited = false;
        }
        match byte {
            b'"' => is_text = true,
            b'[' | b'{' => {
                depth = depth.saturating_add(1);
                is_awaited = depth == 1;
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' if depth == 1 => is_awaited = true,
            _ => {}
        }
    }
    lines
}
