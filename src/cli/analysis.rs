//! What `analyze` and `sensor` have in common: a source through the pipeline to the outputs.

use std::io::{self, BufWriter, Stdout, Write as _};
use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::arguments::{Common, Format, Level, Vantage};
use super::load::{self, Loaded};
use super::{Outcome, Usage, log, summary};
use crate::capture::Source;
pub use crate::capture::patient::Stop;
use crate::detect::Knowledge;
use crate::document;
use crate::flow::table::draw_seed;
use crate::model::case::Case;
use crate::model::host::Verdict;
use crate::model::loss::Losses;
use crate::model::sphere::CapturePoint;
use crate::model::threads::Threads;
use crate::model::time::Timestamp;
use crate::model::vantage::Vantage as Place;
use crate::pipeline::analysis::Analysis;
use crate::pipeline::conclude::{self, Ending};
use crate::pipeline::front::{Reader, Watch};
use crate::pipeline::rows::{FlowSink, Rows};
use crate::pipeline::{self, received};
use crate::report::case::CaseFolder;
use crate::report::escape::escape;
use crate::report::json::{JsonLines, JsonObject};
use crate::report::manifest::{FileRecord, Provenance, seconds};
use crate::report::output::Output;
use crate::report::shown::Shown;
use crate::report::subject;
use crate::report::text::{Ledger, Styles, Text};

type Out = BufWriter<Stdout>;

/// Identifiers that are named when one is not known.
const NEAREST: usize = 3;

/// What follows a first Ctrl-C within this time is the same one: `timeout` and terminals send it to a process and to its group.
const SAME_SIGNAL: Duration = Duration::from_millis(200);

/// Sets a flag on the first Ctrl-C; the second ends the program at once, and says so.
pub fn stop_on_signals() -> anyhow::Result<Stop> {
    let stop = Arc::new(AtomicBool::new(false));
    let told = Arc::clone(&stop);
    let mut signals = Signals::new([SIGINT, SIGTERM]).context("cannot watch for signals")?;
    std::thread::spawn(move || {
        if signals.forever().next().is_none() {
            return;
        }
        told.store(true, Ordering::Relaxed);
        tracing::info!("stopping: what is known is being written; once more ends at once");
        std::thread::sleep(SAME_SIGNAL);
        let _ = signals.pending().count();
        if signals.forever().next().is_some() {
            tracing::warn!("ended at once: not everything that was known has been written");
            std::process::exit(130);
        }
    });
    Ok(stop)
}

/// What is known of the input before it is read.
#[derive(Clone, Debug, Default)]
pub struct Notes {
    /// For the summary.
    pub remarks: Vec<String>,
    /// Files and folders that should have been read and could not be.
    pub captures_unread: u64,
    /// The beginning of the time that was asked for: what lies before it was not watched.
    pub since: Option<Timestamp>,
    /// Its end.
    pub until: Option<Timestamp>,
}

/// What standard output gets.
fn output(common: &Common, styles: Styles, threads: Threads) -> Box<dyn Output<Out>> {
    let shown = Shown {
        all: common.all || common.explain.is_some(),
    };
    // Records come in larger pieces, which pass it by.
    let to = BufWriter::with_capacity(1 << 16, io::stdout());
    match common.format {
        Format::Json => Box::new(JsonObject::new(to, shown, common.flows, threads)),
        Format::Jsonl => Box::new(JsonLines::new(to, shown, common.flows, threads)),
        Format::Text if common.explain.is_some() => Box::new(Ledger::new(to, styles)),
        Format::Text => Box::new(Text::new(to, shown, styles)),
    }
}

/// Prints a case, or the part of it that `--explain` asks for.
fn print(output: Box<dyn Output<Out>>, case: &Case, explain: Option<&str>) -> anyhow::Result<()> {
    let asked = explain.map(|wanted| explained(case, wanted)).transpose()?;
    let mut to = output
        .finish(asked.as_ref().unwrap_or(case))
        .context("standard output")?;
    to.flush().context("standard output")
}

/// The part of a case that `--explain` asks for; an identifier that is none is refused with the nearest ones.
fn explained(case: &Case, wanted: &str) -> anyhow::Result<Case> {
    subject::of(case, wanted).ok_or_else(|| {
        let known = subject::known(case);
        let nearest = document::nearest(wanted, known.iter().map(String::as_str), NEAREST);
        let hint = if nearest.is_empty() {
            "there is none at all".to_owned()
        } else {
            format!("the nearest are {}", nearest.join(", "))
        };
        Usage(format!(
            "--explain {wanted}: no such group, host or finding; {hint}"
        ))
        .into()
    })
}

/// Runs a source through the whole pipeline and writes what was asked for.
pub fn run(
    source: Box<dyn Source>,
    common: &Common,
    loaded: &Loaded,
    stop: &Stop,
    watch: Option<Watch>,
    notes: Notes,
    styles: Styles,
) -> anyhow::Result<Outcome> {
    let available = || std::thread::available_parallelism().map_or(1, NonZero::get);
    let threads = common.threads.map_or_else(available, NonZero::get);
    let reader =
        Reader::new(source, &loaded.limits, draw_seed(), watch, Arc::clone(stop)).with_local(&common.local);
    let mut output = output(common, styles, Threads::new(threads));
    let mut folder = common
        .out
        .as_deref()
        .map(|path| CaseFolder::create(path, common.force))
        .transpose()?;
    let started = wall_clock();
    let wants_flows = common.flows || folder.is_some();
    let (counters, analysis, reader) = {
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
        (counters, analysis.finish(reader.tunnel_ends()), reader)
    };
    if let Some(error) = reader.error {
        return Err(error.into());
    }
    for damage in &reader.damage {
        tracing::warn!("{}", escape(&damage.to_string()));
    }
    let catalogue = analysis.newer.as_deref().unwrap_or(&loaded.catalogue);
    let mut losses = Losses::default();
    let ending = Ending {
        knowledge: Knowledge {
            catalogue,
            geo: &loaded.geo,
            policy: &loaded.policy,
            rules: &loaded.weights.rules,
            reverse_names: None,
            at: common.at.and_then(|at| CapturePoint::new(at, "--at")),
        },
        inventory: loaded.inventory.as_ref(),
        weights: &loaded.weights,
        vantage: place(common.vantage),
        is_incident: false,
        received: received::from_captures(&reader),
        spans: summary::spans(&reader, notes.since, notes.until),
        threads: Threads::new(threads),
        grain: reader.clocks.grain(),
        lists_all_hosts: common.all || folder.is_some() || common.explain.is_some(),
        shows_cells: common.explain.is_some(),
    };
    let mut case = conclude::conclude(analysis.observers, analysis.detectors, &ending, &mut losses);
    case.summary.remarks.extend(notes.remarks);
    let alike = summary::alike(&reader);
    for remark in &alike {
        tracing::warn!("{}", escape(remark));
    }
    case.summary.remarks.extend(alike);
    summary::fill(&mut case, &reader, counters, analysis.flows, &losses, loaded);
    case.summary.captures_unread = notes.captures_unread;
    catalogue.version().clone_into(&mut case.summary.signatures);
    log::analysed(&case, &reader);
    let run = [started, wall_clock()];
    if common.stamp {
        case.summary.wall_seconds = Some(seconds(run[0], run[1]));
    }
    if let Some(folder) = folder {
        folder.finish(
            &case,
            &Provenance {
                command_line: std::env::args_os()
                    .map(|argument| argument.to_string_lossy().into_owned())
                    .collect(),
                inputs: inputs(common)?,
                run: Some(run),
            },
        )?;
    }
    print(output, &case, common.explain.as_deref())?;
    let is_met = is_met(common.fail_on, &case);
    // The process ends with this: giving back the memory of each of a hundred thousand records would take a hundredth of the time.
    std::mem::forget(case);
    if stop.load(Ordering::Relaxed) {
        return Ok(Outcome::Stopped);
    }
    Ok(if is_met { Outcome::LevelMet } else { Outcome::Done })
}

/// The clock on the wall, for the manifest and `--stamp` alone.
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
        .chain(&common.geoip)
        .filter(|path| !path.as_os_str().is_empty());
    paths
        .map(|path| {
            // A database that cannot be read was refused already, by name.
            let bytes = match std::fs::read(path) {
                Ok(bytes) => Some(bytes),
                Err(_) if path.is_dir() || common.geoip.contains(path) => None,
                Err(error) => return Err(error).context(path.display().to_string()),
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
pub fn prepare(common: &Common, quiet: bool) -> anyhow::Result<Loaded> {
    let loaded = load::load(common)?;
    log::loaded(&loaded);
    let remarks = loaded.remarks.iter().filter(|_| !quiet);
    for remark in loaded.lost.iter().chain(remarks) {
        tracing::warn!("{}", escape(remark));
    }
    Ok(loaded)
}
