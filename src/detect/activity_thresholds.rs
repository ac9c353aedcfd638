//! Thresholds of the state machine by tool: read from `activity_state.tsv`, which says what they were chosen on.

use std::collections::BTreeMap;
use std::sync::LazyLock;

/// The table.
const TABLE: &str = include_str!("activity_state.tsv");

/// What stands for all tools that have no line.
const ANY: &str = "*";

/// What a tool's name ends in where its far end drives who opened the connection.
const REVERSED: &str = "/reversed";

/// What is taken for which state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Octets of screen in a window below which it stands still.
    pub quiet: u64,
    /// Octets of screen in a window that answer somebody who drives.
    pub answered: u64,
    /// Packets of input in a window that a person causes.
    pub inputs: u32,
    /// Percent of the input-sized packets that must be input.
    pub share: u32,
    /// Octets of screen for each input-sized packet, up to which the screen only echoes what is typed.
    pub echo: u64,
    /// Whether it carries a shell or other protocols, several messages in a packet.
    pub carries: bool,
    /// Whether what is carried is a shell and no screen.
    pub is_shell: bool,
}

impl Default for Thresholds {
    /// The starting values of DETECTION 4.1.2.
    fn default() -> Self {
        Self {
            quiet: 4 << 10,
            answered: 8 << 10,
            inputs: 3,
            share: 15,
            echo: 0,
            carries: false,
            is_shell: false,
        }
    }
}

impl Thresholds {
    /// Of a tool of the catalogue.
    #[must_use]
    pub fn of(tool: &str) -> Self {
        let found = BY_NAME.get(tool).or_else(|| BY_NAME.get(ANY));
        found.copied().unwrap_or_default()
    }

    /// Of a tool whose far end may drive who opened the connection, when it does.
    #[must_use]
    pub fn reversed(tool: &str) -> Option<Self> {
        BY_NAME_REVERSED.get(tool).copied()
    }
}

/// The lines of tools, and of all others.
static BY_NAME: LazyLock<BTreeMap<&str, Thresholds>> = LazyLock::new(|| {
    lines()
        .filter_map(|(name, fields)| Some((name, read(fields)?)))
        .collect()
});

/// The lines of tools whose far end may drive who opened the connection.
static BY_NAME_REVERSED: LazyLock<BTreeMap<&str, Thresholds>> = LazyLock::new(|| {
    let reversed = lines().filter_map(|(name, fields)| Some((name.strip_suffix(REVERSED)?, read(fields)?)));
    reversed.collect()
});

/// Tools with their fields.
fn lines() -> impl Iterator<Item = (&'static str, &'static str)> {
    TABLE
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('\t'))
}

fn read(fields: &str) -> Option<Thresholds> {
    let mut numbers = fields.split('\t').map(str::parse::<u32>);
    let mut next = || numbers.next()?.ok();
    let mut thresholds = Thresholds {
        quiet: u64::from(next()?),
        answered: u64::from(next()?),
        inputs: next()?,
        share: next()?,
        echo: u64::from(next()?),
        ..Thresholds::default()
    };
    let carries = next()?;
    thresholds.carries = carries > 0;
    thresholds.is_shell = carries == 1;
    numbers.next().is_none().then_some(thresholds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signatures::Catalogue;

    #[test]
    fn every_line_is_read_and_names_a_tool() {
        let catalogue = Catalogue::embedded().unwrap();
        for (tool, fields) in lines() {
            assert!(read(fields).is_some(), "{tool}: {fields}");
            let tool = tool.strip_suffix(REVERSED).unwrap_or(tool);
            assert!(tool == ANY || catalogue.tool(tool).is_some(), "{tool}");
        }
        assert_eq!(lines().last().map(|(tool, _)| tool), Some(ANY));
        assert!(Thresholds::of("ssh").carries);
        assert!(Thresholds::reversed("ssh").is_some());
        assert!(Thresholds::reversed("vnc").is_none());
        assert_eq!(Thresholds::of("no such tool"), Thresholds::default());
    }
}
