//! `farmhawk signatures`: the catalogue.

use std::io::{self, Write as _};
use std::path::PathBuf;

use super::arguments::Signatures;
use super::{Outcome, Usage};
use crate::report::escape::escape;
use crate::signatures::Catalogue;
use crate::signatures::entry::Tool;

/// Runs the command.
pub fn run(action: &Signatures) -> anyhow::Result<Outcome> {
    match action {
        Signatures::List { signatures, json } => list(signatures, *json),
        Signatures::Show { id, signatures } => show(id, signatures),
        Signatures::Check { file } => check(file),
    }
}

fn catalogue(overlays: &[PathBuf]) -> anyhow::Result<Catalogue> {
    Ok(Catalogue::with_overlays(overlays).map_err(|faults| Usage(faults.to_string()))?)
}

fn list(overlays: &[PathBuf], json: bool) -> anyhow::Result<Outcome> {
    let catalogue = catalogue(overlays)?;
    let mut out = io::stdout().lock();
    for tool in catalogue.tools() {
        if json {
            let record = serde_json::json!({
                "id": tool.id, "name": tool.name, "class": tool.class.id, "aliases": tool.aliases,
                "protocol": tool.protocol, "indicators": tool.indicators.len(),
            });
            writeln!(out, "{record}")?;
        } else {
            writeln!(
                out,
                "{:<26} {:<18} {:>3} indicators  {}",
                escape(&tool.id),
                escape(&tool.class.id),
                tool.indicators.len(),
                escape(&tool.name)
            )?;
        }
    }
    if !json {
        writeln!(
            out,
            "{} tools, catalogue {}",
            catalogue.tools().len(),
            catalogue.version()
        )?;
    }
    Ok(Outcome::Done)
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
    for indicator in &tool.indicators {
        let patterns: Vec<String> = indicator.patterns.iter().map(ToString::to_string).collect();
        writeln!(out)?;
        writeln!(
            out,
            "  {}  {}",
            escape(&indicator.fields.join(", ")),
            escape(&patterns.join(" | "))
        )?;
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
