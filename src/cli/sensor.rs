//! `farmhawk sensor`: a live interface. On SIGHUP it reads its signature files again; while anything is wrong with them, it goes on
//! with what it had.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use ipnet::IpNet;

use super::analysis;
use super::arguments::{Arguments, Sensor};
use super::progress;
use super::{Outcome, Usage};
use crate::capture::live::{Live, Opening};
use crate::document::Faults;
use crate::signatures::Catalogue;
use crate::signatures::renewal::Renewal;

/// Pause between two looks for a signal.
const LOOK: Duration = Duration::from_millis(100);

/// The user's lists of Tor's relays, each with its name and day.
type Relays = Vec<(String, Vec<IpNet>)>;

/// Runs the command until Ctrl-C or the end of `--duration`: what the kernel holds by then is still taken.
pub fn run(sensor: &Sensor, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let mut loaded = analysis::prepare(&sensor.common, arguments.quiet)?;
    let stop = analysis::stop_on_signals()?;
    let opening = Opening {
        filter: sensor.common.filter.clone(),
        limits: loaded.limits.clone(),
        duration: sensor.duration.map(Duration::from_secs),
        ..Opening::default()
    };
    let live = Live::open(&sensor.interface, &opening, Arc::clone(&stop)).map_err(|error| {
        if error.is_usage() {
            anyhow::Error::new(Usage(error.to_string()))
        } else {
            anyhow::Error::new(error)
        }
    })?;
    // Without files of the user's own there is nothing to read again, and the signal means what it always does.
    if !sensor.common.signatures.is_empty() {
        // What is read later may ask for lengths, too.
        loaded.limits.counts_lengths = true;
        let relays = loaded.geo.tor_lists();
        loaded.renewal = Some(read_again_on_signal(sensor.common.signatures.clone(), relays)?);
    }
    tracing::info!(interface = sensor.interface, "capturing");
    let watch = progress::watch(arguments.quiet);
    analysis::run(
        Box::new(live),
        &sensor.common,
        &loaded,
        &stop,
        watch,
        analysis::Notes::default(),
        super::styles(arguments.color),
    )
}

/// Reads the user's signature files again on each SIGHUP, for as long as the process lives.
fn read_again_on_signal(paths: Vec<PathBuf>, relays: Relays) -> anyhow::Result<Arc<Renewal>> {
    let asked = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGHUP, Arc::clone(&asked))
        .context("cannot watch for signals")?;
    // A file is found again wherever the process stands by then.
    let paths: Vec<PathBuf> = paths
        .into_iter()
        .map(|path| std::path::absolute(&path).unwrap_or(path))
        .collect();
    let renewal = Arc::new(Renewal::default());
    let offered = Arc::clone(&renewal);
    std::thread::spawn(move || {
        loop {
            std::thread::sleep(LOOK);
            if asked.swap(false, Ordering::Relaxed) {
                tell(&paths, read_again(&paths, &relays, &offered));
            }
        }
    });
    Ok(renewal)
}

/// Offers what the files hold now, if nothing is wrong with any of them; says how many tools that makes.
fn read_again(
    paths: &[PathBuf],
    relays: &[(String, Vec<IpNet>)],
    renewal: &Renewal,
) -> Result<usize, Faults> {
    let catalogue = Catalogue::with_overlays_and(paths, relays)?;
    let tools = catalogue.tools().len();
    renewal.offer(catalogue);
    Ok(tools)
}

fn tell(paths: &[PathBuf], read: Result<usize, Faults>) {
    let shown = |path: &Path| crate::report::escape::escape(&path.display().to_string()).into_owned();
    match read {
        Ok(tools) => {
            let files: Vec<String> = paths.iter().map(|path| shown(path)).collect();
            tracing::warn!(tools, "signatures were read again: {}", files.join(", "));
        }
        Err(faults) => {
            for fault in &faults.0 {
                tracing::warn!("{}", crate::report::escape::escape(&fault.to_string()));
            }
            tracing::warn!("the signatures in use stay: what was read again is wrong");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_files_are_not_offered_and_right_ones_are() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.toml");
        let paths = [file.clone()];
        let renewal = Renewal::default();
        let entry = |weight: u32| {
            format!(
                "[[tool]]\nid = \"own-tool\"\nname = \"Own\"\nclass = \"remote-access\"\n[[tool.indicator]]\nfield = \"host.name\"\nsuffix = \"own.example\"\nweight = {weight}\nalone = true\nsource = \"us\"\n"
            )
        };
        std::fs::write(&file, entry(300)).unwrap();
        let faults = read_again(&paths, &[], &renewal).unwrap_err();
        assert!(
            faults.to_string().contains("own.toml:8: indicator.weight"),
            "{faults}"
        );
        assert!(renewal.take().is_none(), "a wrong file is not offered");
        std::fs::write(&file, entry(30)).unwrap();
        read_again(&paths, &[], &renewal).unwrap();
        assert!(renewal.take().unwrap().tool("own-tool").is_some());
        std::fs::remove_file(&file).unwrap();
        read_again(&paths, &[], &renewal).unwrap_err();
        assert!(renewal.take().is_none());
    }
}
