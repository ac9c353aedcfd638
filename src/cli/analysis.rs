//! What `analyze` and `sensor` have in common: a source through the pipeline to the outputs.

use std::io::{self, BufWriter, Stdout, Write as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Context as _;

use super::arguments::{Common, Format, Level, Vantage};
use super::load::{self, Loaded};
use super::{Outcome, summary};
use crate::capture::Source;
use crate::detect::Knowledge;
use crate::flow::table::draw_seed;
use crate::geo::sphere::CapturePoint;
use crate::model::case::Case;
use crate::model::host::Verdict;
use crate::model::loss::Losses;
use crate::model::threads::Threads;
use crate::model::time::Timestamp;
use crate::model::vantage::Vantage as Place;
use crate::pipeline::analysis::Analysis;
use crate::pipeline::conclude::{self, Ending};
use crate::pipeline::front::{Reader, Watch};
use crate::pipeline::rows::{FlowSink, Rows};
use crate::pipeline::{self, received};
use crate::report::case::CaseFolder;
use crate::report::json::{JsonLines, JsonObject};
use crate::report::manifest::{FileRecord, Provenance};
use crate::report::output::Output;
use crate::report::shown::Shown;
use crate::report::text::Styles;
use crate::report::text::Text;

/// Frames that the reader takes after Ctrl-C: none; it ends at the next block.
pub type Stop = Arc<AtomicBool>;

type Out = BufWriter<Stdout>;

/// Sets a flag on the first Ctrl-C; the second ends the program at once.
pub fn stop_on_signals() -> anyhow::Result<Stop> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&stop))
            .context("cannot watch for signals")?;
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot watch for signals")?;
    }
    Ok(stop)
}

/// Runs a source through the whole pipeline and writes what was asked for.
pub fn run(
    source: Box<dyn Source>,
    common: &Common,
    loaded: &Loaded,
    stop: &Stop,
    watch: Option<Watch>,
    remarks: Vec<String>,
    styles: Styles,
) -> anyhow::Result<Outcome> {
    let threads = common.threads.map_or_else(
        || std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        std::num::NonZero::get,
    );
    let reader = Reader::new(source, &loaded.limits, draw_seed(), watch, Arc::clone(stop));
    let shown = Shown { all: common.all };
    let to = BufWriter::with_capacity(1 << 20, io::stdout());
    let mut output: Box<dyn Output<Out>> = match common.format {
        Format::Json => Box::new(JsonObject::new(to, shown, common.flows, Threads::new(threads))),
        Format::Jsonl => Box::new(JsonLines::new(to, shown, common.flows, Threads::new(threads))),
        Format::Text => Box::new(Text::new(to, shown, styles)),
    };
    let mut folder = common
        .out
        .as_deref()
        .map(|path| CaseFolder::create(path, common.force))
        .transpose()?;
    let started = folder.is_some().then(wall_clock);
    let wants_flows = common.flows || folder.is_some();
    let (reader, counters, analysis) = {
        let sink: FlowSink<'_> = Box::new(|row| {
            output.flow(row)?;
            folder
                .as_mut()
                .map_or(Ok(()), |folder| folder.flow(row).map_err(io::Error::other))
        });
        let rows = wants_flows.then(|| Rows::new(&loaded.geo, sink));
        let mut analysis = Analysis::new(
            &loaded.limits,
            &common.local,
            &loaded.catalogue,
            loaded.policy.heuristics,
            wants_flows,
        );
        if let Some(renewal) = &loaded.renewal {
            analysis = analysis.renewed_from(Arc::clone(renewal));
        }
        let (reader, counters, analysis, rows) =
            pipeline::run(threads, reader, &loaded.limits, analysis, rows)
                .context("a stage of the pipeline was lost")?;
        if let Some(error) = rows.and_then(|rows| rows.error) {
            return Err(error).context("an output");
        }
        (reader, counters, analysis.finish())
    };
    if let Some(error) = reader.error {
        return Err(error.into());
    }
    for damage in &reader.damage {
        tracing::warn!("{}", crate::report::escape::escape(&damage.to_string()));
    }
    let catalogue = analysis.newer.as_deref().unwrap_or(&loaded.catalogue);
    let mut losses = Losses::default();
    let ending = Ending {
        knowledge: Knowledge {
            catalogue,
            geo: &loaded.geo,
            policy: &loaded.policy,
            at: common.at.and_then(|at| CapturePoint::new(at, "--at")),
        },
        inventory: loaded.inventory.as_ref(),
        weights: &loaded.weights,
        vantage: place(common.vantage),
        is_incident: false,
        received: received::from_captures(&reader),
        spans: summary::spans(&reader),
        threads: Threads::new(threads),
        grain: reader.clocks.grain(),
        lists_all_hosts: common.all || folder.is_some(),
    };
    let mut case = conclude::conclude(&analysis.observers, analysis.detectors, &ending, &mut losses);
    case.summary.remarks.extend(remarks);
    summary::fill(&mut case, &reader, counters, analysis.flows, &losses, loaded);
    catalogue.version().clone_into(&mut case.summary.signatures);
    if let Some(folder) = folder {
        let run = started.map(|started| [started, wall_clock()]);
        folder.finish(
            &case,
            &Provenance {
                command_line: std::env::args().collect(),
                inputs: inputs(common)?,
                run,
            },
        )?;
    }
    let mut to = output.finish(&case).context("standard output")?;
    to.flush().context("standard output")?;
    let is_met = is_met(common.fail_on, &case);
    // The process ends with this: giving back the memory of each of a hundred thousand records would take a hundredth of the time.
    std::mem::forget(case);
    if stop.load(Ordering::Relaxed) {
        return Ok(Outcome::Stopped);
    }
    Ok(if is_met { Outcome::LevelMet } else { Outcome::Done })
}

/// The clock on the wall, for the manifest alone.
pub(super) fn wall_clock() -> Timestamp {
    let nanoseconds = jiff::Timestamp::now().as_nanosecond();
    Timestamp(i64::try_from(nanoseconds).unwrap_or(i64::MAX))
}

/// The files that were read beside the captures, with their digests. Folders are named without one.
fn inputs(common: &Common) -> anyhow::Result<Vec<FileRecord>> {
    use sha2::Digest as _;
    let paths = common
        .assets
        .iter()
        .chain(&common.policy)
        .chain(&common.signatures)
        .chain(&common.geoip);
    paths
        .map(|path| {
            let bytes = if path.is_dir() {
                None
            } else {
                Some(std::fs::read(path).with_context(|| path.display().to_string())?)
            };
            Ok(FileRecord {
                path: path.display().to_string(),
                sha256: bytes
                    .as_deref()
                    .map(|bytes| summary::hex(&sha2::Sha256::digest(bytes))),
                bytes: bytes.as_ref().map(|bytes| bytes.len() as u64),
            })
        })
        .collect()
}

/// What a vantage of the command line means; with `auto` it is judged from the captures.
fn place(vantage: Vantage) -> Option<Place> {
    match vantage {
        Vantage::Home => Some(Place::Home),
        Vantage::Employer => Some(Place::Employer),
        Vantage::Auto => None,
    }
}

fn is_met(level: Option<Level>, case: &Case) -> bool {
    let Some(level) = level else { return false };
    let wanted = match level {
        Level::Note => Verdict::Note,
        Level::Review => Verdict::Review,
        Level::Likely => Verdict::Likely,
        Level::Strong => Verdict::Strong,
    };
    let farms = case.farms.iter().map(|farm| farm.verdict);
    farms
        .chain(case.hosts.iter().map(|host| host.verdict))
        .any(|verdict| verdict >= wanted)
}

/// Loads what the options name and says what went wrong with it.
pub fn prepare(common: &Common) -> anyhow::Result<Loaded> {
    let loaded = load::load(common)?;
    for remark in &loaded.remarks {
        tracing::warn!("{}", crate::report::escape::escape(remark));
    }
    Ok(loaded)
}
