//! Dose and response: how far a farm is found as one thing about it, or about the capture, grows or shrinks, all else as the seed has it.

use std::fs;
use std::path::Path;

use farmhawk::lab;
use farmhawk::model::host::Verdict;
use farmhawk::model::time::{SECOND, Timestamp};

use crate::analysis::Analyst;
use crate::runs::{worst, write_with};

/// Monday 14 September 2026, 00:00 UTC: when the laboratory's days begin.
const START: i64 = 1_789_344_000;

/// What is varied.
#[derive(Clone, Copy)]
enum Dose {
    /// A trait of the scenario.
    Trait(&'static str),
    /// Hours from the first midnight at which the capture ends.
    Hours,
    /// One frame in so many is in the capture.
    Sampling,
}

/// One series: its words, its scenario, what is varied, and the values.
struct Series {
    title: &'static str,
    scenario: &'static str,
    dose: Dose,
    values: &'static [u64],
}

const SERIES: &[Series] = &[
    Series {
        title: "laptops (S10)",
        scenario: "s10",
        dose: Dose::Trait("size"),
        values: &[1, 2, 3, 4, 6, 10, 20, 30],
    },
    Series {
        title: "laptops, each of another employer (S25)",
        scenario: "s25",
        dose: Dose::Trait("size"),
        values: &[1, 2, 3, 4, 6, 10],
    },
    Series {
        title: "employers (S10)",
        scenario: "s10",
        dose: Dose::Trait("employers"),
        values: &[1, 2, 3, 4, 6],
    },
    Series {
        title: "laptops of one operator (S25)",
        scenario: "s25",
        dose: Dose::Trait("each"),
        values: &[1, 2, 3, 4],
    },
    Series {
        title: "jitter of the operators' circle, ms (S25)",
        scenario: "s25",
        dose: Dose::Trait("spread"),
        values: &[1, 50, 200, 600, 1_500],
    },
    Series {
        title: "frames lost, % (S25)",
        scenario: "s25",
        dose: Dose::Trait("loss"),
        values: &[0, 2, 5, 10, 20, 30, 45],
    },
    Series {
        title: "hours of capture (S25)",
        scenario: "s25",
        dose: Dose::Hours,
        values: &[16, 20, 24, 48, 72, 96, 120],
    },
    Series {
        title: "hours of capture (S01)",
        scenario: "s01",
        dose: Dose::Hours,
        values: &[16, 20, 24, 48, 72, 96, 120],
    },
    Series {
        title: "one frame in (S25)",
        scenario: "s25",
        dose: Dose::Sampling,
        values: &[1, 2, 5, 10, 100],
    },
];

/// What came of one dose.
pub(crate) struct Response {
    /// What was varied.
    pub(crate) title: &'static str,
    /// To what.
    pub(crate) value: u64,
    /// The worst verdict on a group, of each seed.
    pub(crate) verdicts: Vec<Verdict>,
}

/// All series with the first so many even seeds.
pub(crate) fn responses(analyst: &Analyst, seeds: u64, folder: &Path) -> anyhow::Result<Vec<Response>> {
    let mut all = Vec::new();
    for series in SERIES {
        for value in series.values {
            let verdicts = (1..=seeds)
                .map(|half| one(analyst, series, *value, half * 2, folder))
                .collect::<anyhow::Result<_>>()?;
            all.push(Response {
                title: series.title,
                value: *value,
                verdicts,
            });
        }
    }
    Ok(all)
}

fn one(analyst: &Analyst, series: &Series, value: u64, seed: u64, folder: &Path) -> anyhow::Result<Verdict> {
    let scenario = lab::scenario(series.scenario)?;
    let set = match series.dose {
        Dose::Trait(name) => vec![(name, value)],
        Dose::Hours | Dose::Sampling => Vec::new(),
    };
    let (path, inventory, _) = write_with(scenario, seed, &set, folder)?;
    let until = match series.dose {
        Dose::Hours => {
            let seconds = i64::try_from(value)? * 3_600;
            Some(Timestamp::from_parts(START, 0).plus(seconds * SECOND))
        }
        Dose::Trait(_) | Dose::Sampling => None,
    };
    if let Dose::Sampling = series.dose {
        let capture = fs::read(&path)?;
        fs::write(&path, sampled(&capture, value))?;
    }
    let captures = [path];
    let analysed = analyst.analyse_between(&captures, &inventory, scenario.policy, [None, until])?;
    let [path] = captures;
    fs::remove_file(path)?;
    Ok(worst(&analysed.case.farms))
}

/// Type of the block of a frame (draft-ietf-opsawg-pcapng, enhanced packet block).
const FRAME: u32 = 6;

/// A capture with every so many-th of its frames: what systematic sampling leaves (RFC 5475, 5.1).
fn sampled(capture: &[u8], one_in: u64) -> Vec<u8> {
    let mut kept = Vec::new();
    let mut frames = 0_u64;
    let mut rest = capture;
    while let Some((kind, length)) = block(rest) {
        let Some((own, after)) = rest.split_at_checked(length) else {
            break;
        };
        if kind != FRAME || frames.is_multiple_of(one_in) {
            kept.extend_from_slice(own);
        }
        frames += u64::from(kind == FRAME);
        rest = after;
    }
    kept
}

/// Type and length of the next block.
fn block(bytes: &[u8]) -> Option<(u32, usize)> {
    let word = |from: usize| Some(u32::from_le_bytes(bytes.get(from..from + 4)?.try_into().ok()?));
    let length = usize::try_from(word(4)?).ok()?;
    (length >= 12).then_some((word(0)?, length))
}
