//! `farmhawk sensor`: a live interface.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::analysis;
use super::arguments::{Arguments, Sensor};
use super::progress;
use super::{Outcome, Usage};
use crate::capture::live::{Live, Opening};

/// Runs the command until Ctrl-C or the end of `--duration`.
pub fn run(sensor: &Sensor, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let loaded = analysis::prepare(&sensor.common)?;
    let stop = analysis::stop_on_signals()?;
    let opening = Opening {
        filter: sensor.common.filter.clone(),
        limits: loaded.limits.clone(),
        ..Opening::default()
    };
    let live = Live::open(&sensor.interface, &opening, Arc::clone(&stop)).map_err(|error| {
        if error.is_usage() {
            anyhow::Error::new(Usage(error.to_string()))
        } else {
            anyhow::Error::new(error)
        }
    })?;
    tracing::info!(interface = sensor.interface, "capturing");
    if let Some(seconds) = sensor.duration {
        let stop = Arc::clone(&stop);
        std::thread::spawn(move || {
            std::thread::sleep(Duration::from_secs(seconds));
            stop.store(true, Ordering::Relaxed);
        });
    }
    let watch = progress::watch(arguments.quiet);
    let outcome = analysis::run(
        Box::new(live),
        &sensor.common,
        &loaded,
        &stop,
        watch,
        Vec::new(),
        super::styles(arguments.color),
    )?;
    // A sensor that was given its end has finished; one that was interrupted has been stopped.
    Ok(if sensor.duration.is_some() && outcome == Outcome::Stopped {
        Outcome::Done
    } else {
        outcome
    })
}
