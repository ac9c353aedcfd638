//! What `-v` tells: what each stage did, on standard error. Once for a capture, a database or a stage, never for a packet.

use std::io;

use super::arguments::{Arguments, Color};
use super::load::Loaded;
use crate::capture::inputs::Inputs;
use crate::model::case::Case;
use crate::pipeline::front::Reader;
use crate::report::escape::escape;

/// Starts logging on standard error, as much of it as was asked for.
pub(super) fn start(arguments: &Arguments) {
    let level = match (arguments.quiet, arguments.verbose) {
        // Warnings say what is lost: nobody can want not to know.
        (true, _) | (false, 0) => tracing::Level::WARN,
        (false, 1) => tracing::Level::INFO,
        (false, 2) => tracing::Level::DEBUG,
        (false, _) => tracing::Level::TRACE,
    };
    // A second subscriber in one process is impossible here; if it were there, its choice would stand.
    let _ = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .with_target(false)
        .without_time()
        .with_ansi(arguments.color == Color::Always)
        .try_init();
}

/// What was read before the first packet.
pub(super) fn loaded(loaded: &Loaded) {
    tracing::info!(
        "catalogue {}: {} tools",
        loaded.catalogue.version(),
        loaded.catalogue.tools().len()
    );
    for database in loaded.geo.databases() {
        let path = database.path.as_ref();
        let from = path.map_or_else(|| "embedded".to_owned(), |path| path.display().to_string());
        tracing::info!(
            "database of places {} of {}, from {}",
            escape(&database.name),
            escape(&database.build_date),
            escape(&from)
        );
    }
    if let Some(inventory) = &loaded.inventory {
        tracing::info!(
            "inventory: {} rows taken, {} faults",
            inventory.assets().len(),
            inventory
                .faults()
                .len()
                .saturating_add(inventory.cell_faults().len())
        );
    }
    tracing::debug!("weights of the model {}", loaded.weights.hash);
    tracing::debug!("at most {} flows at once", loaded.limits.flows);
}

/// Which captures there are.
pub(super) fn found(inputs: &Inputs) {
    tracing::info!(
        "{} captures to read, {} other files passed over, {} not read, {} left out",
        inputs.captures.len(),
        inputs.passed_over,
        inputs.unread.len(),
        inputs.repeated.len()
    );
    for input in &inputs.captures {
        tracing::debug!("to read: {}", escape(&input.path().display().to_string()));
    }
}

/// What the stages did, after the last of them.
pub(super) fn analysed(case: &Case, reader: &Reader) {
    let summary = &case.summary;
    for (counted, record) in reader.source().captures().into_iter().zip(&summary.captures) {
        let layers: Vec<&str> = counted.compression.iter().map(|scheme| scheme.name()).collect();
        tracing::info!(
            "read {}: {:?}{}{}, {} bytes, {} packets, link types {}, {} places of damage",
            escape(&record.path),
            counted.format,
            if layers.is_empty() { "" } else { " in " },
            layers.join(" in "),
            record.bytes,
            record.packets,
            record.link_types.join(" "),
            counted.damaged
        );
        if let Some(clock) = record.clock {
            tracing::debug!("clock of {}: {clock:?}", escape(&record.path));
        }
    }
    let packets = &summary.packets;
    tracing::info!(
        "packets: {} read, {} decoded, {} copies, {} filtered away",
        packets.read,
        packets.decoded,
        packets.duplicates,
        packets.filtered
    );
    for (kind, losses) in [("skipped", &packets.skipped), ("damaged", &packets.damaged)] {
        for (cause, many) in losses.iter() {
            tracing::info!("{kind}: {many} {cause}");
        }
    }
    let (_, seen) = reader.decoding();
    tracing::debug!(
        "decoding: {} fragments, {} datagrams rebuilt of them, {} tunnel headers opened",
        seen.fragments,
        seen.reassembled,
        seen.opened_tunnels
    );
    tracing::info!(
        "flows: {}, at most {} at once, {} evicted because the table was full, the others closed, timed out or still open at the end",
        summary.flows,
        summary.flows_peak,
        summary.flows_evicted
    );
    let matched = case.hosts.iter().filter(|host| host.asset.is_some());
    tracing::info!(
        "hosts: {}, of those described {} match a row of the inventory",
        summary.hosts,
        matched.clone().count()
    );
    for host in matched {
        tracing::debug!("host {} is in the inventory", host.host);
    }
    for (kind, by_confidence) in &summary.findings {
        tracing::debug!("findings of {kind}: {by_confidence:?}");
    }
    tracing::info!("findings: {}, groups: {}", case.findings.len(), case.farms.len());
}
