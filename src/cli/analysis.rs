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
use crate::explain::Circumstances;
use crate::flow::table::draw_seed;
use crate::model::case::Case;
use crate::model::host::Verdict;
use crate::model::loss::Losses;
use crate::model::vantage::Vantage as Place;
use crate::pipeline::analysis::Analysis;
use crate::pipeline::conclude::{self, Ending};
use crate::pipeline::front::{Reader, Watch};
use crate::pipeline::{self};
use crate::report::json::{JsonLines, JsonObject};
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
        Format::Json => Box::new(JsonObject::new(to, shown, common.flows)),
        Format::Jsonl => Box::new(JsonLines::new(to, shown, common.flows)),
        Format::Text => Box::new(Text::new(to, shown, styles)),
    };
    let wants_flows = common.flows || common.out.is_some();
    let (reader, counters, analysis) = {
        let sink: Option<pipeline::analysis::FlowSink<'_>> = if wants_flows {
            Some(Box::new(|row| output.flow(row)))
        } else {
            None
        };
        let analysis = Analysis::new(
            &loaded.limits,
            &common.local,
            &loaded.catalogue,
            &loaded.geo,
            sink,
        );
        let (reader, counters, analysis) = pipeline::run(threads, reader, &loaded.limits, analysis)
            .context("a stage of the pipeline was lost")?;
        (reader, counters, analysis.finish())
    };
    if let Some(error) = analysis.error {
        return Err(error).context("standard output");
    }
    if let Some(error) = reader.error {
        return Err(error.into());
    }
    for damage in &reader.damage {
        tracing::warn!("{}", crate::report::escape::escape(&damage.to_string()));
    }
    let mut losses = Losses::default();
    let ending = Ending {
        knowledge: Knowledge {
            catalogue: &loaded.catalogue,
            geo: &loaded.geo,
            policy: &loaded.policy,
        },
        inventory: loaded.inventory.as_ref(),
        weights: &loaded.weights,
        circumstances: Circumstances {
            vantage: place(common.vantage),
            is_incident: false,
            damage: None,
        },
        span: summary::span(&reader),
    };
    let mut case = conclude::conclude(&analysis.observers, analysis.detectors, &ending, &mut losses);
    case.summary.remarks.extend(remarks);
    summary::fill(&mut case, &reader, counters, analysis.flows, &losses, loaded);
    let mut to = output.finish(&case).context("standard output")?;
    to.flush().context("standard output")?;
    if stop.load(Ordering::Relaxed) {
        return Ok(Outcome::Stopped);
    }
    Ok(if is_met(common.fail_on, &case) {
        Outcome::LevelMet
    } else {
        Outcome::Done
    })
}

/// What a vantage of the command line means; `auto` is a house until the traffic says otherwise.
fn place(vantage: Vantage) -> Place {
    match vantage {
        Vantage::Home | Vantage::Auto => Place::Home,
        Vantage::Employer => Place::Employer,
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
