//! `farmhawk signatures`: the catalogue.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;

use serde_json::{Value, json};

use super::arguments::{ListFormat, Signatures};
use super::{Outcome, Usage};
use crate::report::escape::escape;
use crate::signatures::Catalogue;
use crate::signatures::entry::Tool;

/// Runs the command.
pub fn run(action: &Signatures) -> anyhow::Result<Outcome> {
    match action {
        Signatures::List {
            signatures,
            format,
            json,
        } => list(signatures, if *json { ListFormat::Jsonl } else { *format }),
        Signatures::Show { id, signatures } => show(id, signatures),
        Signatures::Check { file } => check(file),
    }
}

fn catalogue(overlays: &[PathBuf]) -> anyhow::Result<Catalogue> {
    Ok(Catalogue::with_overlays(overlays).map_err(|faults| Usage(faults.to_string()))?)
}

fn list(overlays: &[PathBuf], format: ListFormat) -> anyhow::Result<Outcome> {
    let catalogue = catalogue(overlays)?;
    let mut out = io::stdout().lock();
    match format {
        ListFormat::Text => lines(&catalogue, &mut out)?,
        ListFormat::Json => {
            let entries: Vec<Value> = catalogue.tools().iter().map(record).collect();
            let indicators: usize = catalogue.tools().iter().map(|tool| tool.indicators.len()).sum();
            let whole = json!({
                "catalogue": catalogue.version(), "tools": entries.len(), "indicators": indicators, "entries": entries,
            });
            writeln!(out, "{whole:#}")?;
        }
        ListFormat::Jsonl => {
            for tool in catalogue.tools() {
                writeln!(out, "{}", record(tool))?;
            }
        }
        ListFormat::Markdown => write!(out, "{}", table(&catalogue))?,
    }
    Ok(Outcome::Done)
}

fn lines(catalogue: &Catalogue, out: &mut impl io::Write) -> io::Result<()> {
    for tool in catalogue.tools() {
        writeln!(
            out,
            "{:<29} {:<18} {:>3} indicators  {}",
            escape(&tool.id),
            escape(&tool.class.id),
            tool.indicators.len(),
            escape(&tool.name)
        )?;
    }
    writeln!(
        out,
        "{} tools, catalogue {}",
        catalogue.tools().len(),
        catalogue.version()
    )
}

/// One entry, with where its facts come from. What it does not have is left out.
fn record(tool: &Tool) -> Value {
    let alone = tool.indicators.iter().filter(|indicator| indicator.alone).count();
    let mut record = json!({
        "id": tool.id, "name": tool.name, "class": tool.class.id, "indicators": tool.indicators.len(), "alone": alone,
        "sources": tool.sources(),
    });
    let more = [
        ("aliases", (!tool.aliases.is_empty()).then(|| json!(tool.aliases))),
        ("protocol", tool.protocol.as_ref().map(|protocol| json!(protocol))),
        ("unseen", tool.unseen.as_ref().map(|unseen| json!(unseen.reason))),
    ];
    for (key, value) in more {
        if let (Some(object), Some(value)) = (record.as_object_mut(), value) {
            object.insert(key.to_owned(), value);
        }
    }
    record
}

/// Classes in order of the alphabet, each with its tools.
fn table(catalogue: &Catalogue) -> String {
    let mut classes: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for tool in catalogue.tools() {
        classes.entry(&tool.class.id).or_default().push(&tool.id);
    }
    let mut text = String::from("| class | tools |\n| --- | --- |\n");
    for (class, mut tools) in classes {
        tools.sort_unstable();
        let _ = writeln!(text, "| {class} ({}) | {} |", tools.len(), tools.join(", "));
    }
    text
}

fn show(id: &str, overlays: &[PathBuf]) -> anyhow::Result<Outcome> {
    let catalogue = catalogue(overlays)?;
    let Some(tool) = catalogue.tool(id) else {
        return Err(Usage(catalogue.unknown(id)).into());
    };
    entry(tool)?;
    Ok(Outcome::Done)
}

fn entry(tool: &Tool) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{}  {}  ({})",
        escape(&tool.id),
        escape(&tool.name),
        escape(&tool.class.id)
    )?;
    if let Some(note) = &tool.note {
        writeln!(out, "note: {}", escape(note))?;
    }
    writeln!(out, "innocent explanations: {}", escape(tool.benign()))?;
    if let Some(unseen) = &tool.unseen {
        writeln!(out, "not seen on the network: {}", escape(&unseen.reason))?;
        writeln!(out, "source: {}", escape(&unseen.source))?;
    }
    for indicator in &tool.indicators {
        let patterns: Vec<String> = indicator.patterns.iter().map(ToString::to_string).collect();
        writeln!(out)?;
        writeln!(
            out,
            "  {}  {}",
            escape(&indicator.fields.join(", ")),
            escape(&patterns.join(" | "))
        )?;
        if !indicator.except.is_empty() {
            writeln!(out, "    except: {}", escape(&indicator.except.join(", ")))?;
        }
        let alone = if indicator.alone {
            "names it alone"
        } else {
            "only beside others"
        };
        let role = indicator
            .role
            .map(|role| format!(", role {}", role.name()))
            .unwrap_or_default();
        writeln!(out, "    {} dB, {alone}{role}", indicator.weight)?;
        writeln!(out, "    source: {}", escape(&indicator.source))?;
        if let Some(note) = &indicator.note {
            writeln!(out, "    also shown by: {}", escape(note))?;
        }
    }
    Ok(())
}

fn check(file: &PathBuf) -> anyhow::Result<Outcome> {
    let own = catalogue(std::slice::from_ref(file))?;
    let tools = own.tools().len();
    let mut out = io::stdout().lock();
    writeln!(
        out,
        "{}: right; with it the catalogue holds {tools} tools",
        escape(&file.display().to_string())
    )?;
    Ok(Outcome::Done)
}
