//! `farmhawk sensor`: a live interface.

use std::sync::Arc;
use std::time::Duration;

use super::analysis;
use super::arguments::{Arguments, Sensor};
use super::progress;
use super::{Outcome, Usage};
use crate::capture::live::{Live, Opening};

/// Runs the command until Ctrl-C or the end of `--duration`: what the kernel holds by then is still taken.
pub fn run(sensor: &Sensor, arguments: &Arguments) -> anyhow::Result<Outcome> {
    let loaded = analysis::prepare(&sensor.common, arguments.quiet)?;
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
