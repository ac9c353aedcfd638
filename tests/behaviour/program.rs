//! How tests run the program and read what it says.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use assert_cmd::Command;
use serde_json::Value;

/// What one run may take: hundreds of times what the largest capture needs, so that only a hang meets it.
const LONGEST: Duration = Duration::from_mins(1);

/// What a run gave.
pub(crate) struct Run {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    /// The records of a run with `--format jsonl`.
    pub(crate) fn records(&self) -> Vec<Value> {
        let lines = self.stdout.lines();
        lines.map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The records of one kind.
    pub(crate) fn of(&self, event_type: &str) -> Vec<Value> {
        let mut records = self.records();
        records.retain(|record| record["event_type"] == event_type);
        records
    }

    /// The last record.
    pub(crate) fn summary(&self) -> Value {
        self.records().pop().unwrap()
    }
}

/// The program, without what the caller's environment would change.
pub(crate) fn farmhawk() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_farmhawk"));
    command.env_remove("NO_COLOR").env_remove("FARMHAWK_GEOIP");
    command.timeout(LONGEST);
    command
}

/// Runs the program. Its end by a signal, or by the time limit, is a failed test.
pub(crate) fn run<A: AsRef<std::ffi::OsStr>>(arguments: impl IntoIterator<Item = A>) -> Run {
    finish(farmhawk().args(arguments))
}

/// Runs a prepared command.
pub(crate) fn finish(command: &mut Command) -> Run {
    let output = command.output().unwrap();
    Run {
        code: output
            .status
            .code()
            .unwrap_or_else(|| panic!("{command:?} ended by {}", output.status)),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// An analysis that prints every record, on one thread; the capture is still to be named.
pub(crate) fn every_record() -> Command {
    let mut command = farmhawk();
    command.args(["analyze", "--format", "jsonl", "--flows", "--all", "-j", "1"]);
    command
}

/// Analyses one capture: every record, one thread.
pub(crate) fn every_record_of(capture: &Path) -> Run {
    finish(every_record().arg(capture))
}

pub(crate) fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(name)
}

/// The folder of real captures, where this machine has one.
pub(crate) fn real_captures() -> Option<PathBuf> {
    let folder = std::env::var_os("FARMHAWK_CAPTURES").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/captures"),
        PathBuf::from,
    );
    if folder.join("LABELS.tsv").is_file() {
        Some(folder)
    } else {
        println!("skipped: {} holds no captures", folder.display());
        None
    }
}

/// A row of the captures' LABELS.tsv.
pub(crate) struct Labelled {
    pub(crate) path: PathBuf,
    pub(crate) name: String,
    pub(crate) labels: Vec<String>,
}

impl Labelled {
    pub(crate) fn has(&self, label: &str) -> bool {
        self.labels.iter().any(|one| one == label)
    }
}

/// Every labelled capture.
pub(crate) fn labelled_captures() -> Option<Vec<Labelled>> {
    let folder = real_captures()?;
    let table = fs::read_to_string(folder.join("LABELS.tsv")).unwrap();
    let rows = table.lines().skip(1).map(|line| {
        let columns: Vec<&str> = line.split('\t').collect();
        Labelled {
            path: folder.join(columns[0]),
            name: columns[0].to_owned(),
            labels: columns[4].split(';').map(str::to_owned).collect(),
        }
    });
    Some(rows.collect())
}

/// Applies a function to every item, two at a time; results stand in the order of the items.
pub(crate) fn two_at_a_time<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((place, item)) = {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    items.get(place).map(|item| (place, item))
                } {
                    let result = work(item);
                    results.lock().unwrap().push((place, result));
                }
            });
        }
    });
    let mut results = results.into_inner().unwrap();
    results.sort_by_key(|(place, _)| *place);
    results.into_iter().map(|(_, result)| result).collect()
}
