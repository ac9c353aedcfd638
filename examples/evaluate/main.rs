//! `make evaluate`: every scenario of the laboratory over many seeds, through the analyser, against the truth; writes EVALUATION.md.
//!
//! Arguments: number of seeds (50) or a range of them (`51..60`, both ends meant), and names of scenarios if not all are wanted; with
//! names or a range that leaves out the first, the page goes to standard output, with the reasons of each run.
//! `mixed` among them is the analysis of many sites at once, and tells why groups hold more than one farm; `dose` is dose and response.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    clippy::indexing_slicing,
    reason = "a program of its own, over its own data"
)]

mod analysis;
mod dose;
mod forge;
mod measure;
mod mixed;
mod report;
mod runs;

use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use analysis::Analyst;
use runs::Outcome;

/// Seeds of the analyses of all sites at once: they take as long as everything else of a seed.
const MIXED: u64 = 2;
/// Even seeds of each dose.
const DOSED: u64 = 3;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = arguments.first().map_or("50", String::as_str);
    let (first, seeds): (u64, u64) = match wanted.split_once("..") {
        Some((first, last)) => (first.parse()?, last.parse()?),
        None => (1, wanted.parse()?),
    };
    let names = arguments.get(1..).unwrap_or_default();
    let folder = tempfile::tempdir()?;
    let analyst = Analyst::new()?;
    let jobs: Vec<_> = runs::scenarios()
        .filter(|scenario| names.is_empty() || names.iter().any(|name| name == scenario.name))
        .flat_map(|scenario| (first..=seeds).map(move |seed| (scenario, seed)))
        .collect();
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, anyhow::Result<Outcome>)>> = Mutex::new(Vec::new());
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some((scenario, seed)) = jobs.get(place) else {
                        break;
                    };
                    let outcome = runs::run(&analyst, scenario, *seed, folder.path());
                    eprint!("\r{} of {}", place + 1, jobs.len());
                    if let Ok(mut done) = done.lock() {
                        done.push((place, outcome));
                    }
                }
            });
        }
    });
    eprintln!();
    let mut done = done.into_inner().unwrap_or_default();
    done.sort_by_key(|(place, _)| *place);
    let outcomes: Vec<Outcome> = done
        .into_iter()
        .map(|(_, outcome)| outcome)
        .collect::<anyhow::Result<_>>()?;
    let hash = &analyst.weights().hash;
    // Even seeds: those that are judged.
    let is_mixed = names.is_empty() || names.iter().any(|name| name == "mixed");
    let mixed: Vec<mixed::Mixed> = (1..=seeds / 2)
        .take(if is_mixed { usize::try_from(MIXED)? } else { 0 })
        .map(|half| mixed::run(&analyst, half * 2, folder.path()))
        .collect::<anyhow::Result<_>>()?;
    let responses = if names.is_empty() || names.iter().any(|name| name == "dose") {
        dose::responses(&analyst, DOSED.min(seeds / 2), folder.path())?
    } else {
        Vec::new()
    };
    let page = report::page(&outcomes, &mixed, &responses, seeds, hash);
    if !names.is_empty() || first != 1 {
        println!("{page}");
        for one in &outcomes {
            println!("{} seed {}: {}", one.scenario, one.seed, one.told);
        }
        for one in mixed.iter().flat_map(|mixed| &mixed.strange) {
            println!("{one}");
        }
        return Ok(());
    }
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("EVALUATION.md");
    std::fs::write(path, page)?;
    Ok(())
}
