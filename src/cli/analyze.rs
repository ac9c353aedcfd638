//! `farmhawk analyze`: saved captures.

use super::analysis::{self, Notes};
use super::arguments::{Analyze, Arguments, Digest};
use super::progress;
use super::{Outcome, Usage, log};
use crate::capture::inputs::{self, Input, Inputs};
use crate::capture::patient::Stop;
use crate::capture::{self, Reading};
use crate::model::time::Timestamp;
use crate::report::escape::escape;

/// Captures up to this size are hashed without being asked: it costs a twentieth of a second.
const SMALL: u64 = 64 << 20;

/// Files that the summary names because they were not read; standard error names all of them.
const MOST_NAMED: usize = 64;

/// Runs the command.
pub fn run(analyze: &Analyze, arguments: &Arguments) -> anyhow::Result<Outcome> {
    if let (Some(since), Some(until)) = (analyze.since, analyze.until)
        && until < since
    {
        return Err(Usage(format!(
            "--since {since} is later than --until {until}: no packet is between them"
        ))
        .into());
    }
    let loaded = analysis::prepare(&analyze.common, arguments.quiet)?;
    let inputs = inputs::expand(&analyze.captures)?;
    log::found(&inputs);
    let stop = analysis::stop_on_signals()?;
    let digest = match analyze.digest {
        Digest::Always => true,
        Digest::Never => false,
        Digest::Auto => {
            analyze.common.out.is_some() || inputs.captures.iter().map(size).sum::<u64>() <= SMALL
        }
    };
    let moment = |time: jiff::Timestamp| {
        let nanoseconds = time
            .as_nanosecond()
            .clamp(i128::from(i64::MIN), i128::from(i64::MAX));
        Timestamp(i64::try_from(nanoseconds).unwrap_or(0))
    };
    let reading = Reading {
        limits: loaded.limits.clone(),
        digest,
        filter: analyze.common.filter.clone(),
        since: analyze.since.map(moment),
        until: analyze.until.map(moment),
        stop: Stop::clone(&stop),
    };
    let source = capture::open(&inputs.captures, &reading).map_err(|error| {
        if error.is_usage() {
            anyhow::Error::new(Usage(error.to_string()))
        } else {
            anyhow::Error::new(error)
        }
    })?;
    let watch = progress::watch(arguments.quiet);
    analysis::run(
        source,
        &analyze.common,
        &loaded,
        &stop,
        watch,
        Notes {
            since: reading.since,
            until: reading.until,
            ..notes(&inputs)
        },
        super::styles(arguments.color),
    )
}

/// What is to be said of the list of captures; what of it is a loss is said at once.
fn notes(inputs: &Inputs) -> Notes {
    let unread = inputs
        .unread
        .iter()
        .map(|unread| format!("{}: not read: {}", unread.path.display(), unread.cause));
    let repeated = inputs.repeated.iter().map(|repeated| {
        format!(
            "{}: left out, it holds the same as {}",
            repeated.path.display(),
            repeated.same_as.display()
        )
    });
    let mut remarks: Vec<String> = unread.chain(repeated).collect();
    for remark in &remarks {
        tracing::warn!("{}", escape(remark));
    }
    if remarks.len() > MOST_NAMED {
        let more = remarks.len().saturating_sub(MOST_NAMED);
        remarks.truncate(MOST_NAMED);
        remarks.push(format!("{more} more files were not read or left out"));
    }
    if inputs.passed_over > 0 {
        remarks.push(format!(
            "{} files in the folders are no captures and were passed over",
            inputs.passed_over
        ));
    }
    Notes {
        remarks,
        captures_unread: inputs.unread.len() as u64,
        ..Notes::default()
    }
}

/// Size of a capture on disk; what has none counts as large.
fn size(input: &Input) -> u64 {
    std::fs::metadata(input.path()).map_or(u64::MAX / 65_536, |metadata| metadata.len())
}
