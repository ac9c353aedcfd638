//! What is true of a capture: machines, sessions with their states over time, and what an analysis ought to say. And the
//! inventory that an owner of the machines would have. Several captures of one folder share both files.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::network::{Host, MINUTE, Micros, SECOND};
use super::random::Trait;

/// What happens on a remote screen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// The screen is sent, nobody gives input.
    Viewed,
    /// Somebody is at the controls.
    Driven,
}

impl State {
    const fn name(self) -> &'static str {
        match self {
            Self::Viewed => "viewed",
            Self::Driven => "driven",
        }
    }
}

/// A stretch of one state.
pub(super) type Stretch = (Micros, Micros, State);

/// One session or standing connection of a tool.
#[derive(Clone, Debug)]
pub(super) struct Session {
    /// The catalogue's identifier.
    pub(super) tool: &'static str,
    /// Address of the controlled machine.
    pub(super) controlled: String,
    /// Address of who controls it.
    pub(super) controller: String,
    /// How the capture tells the controller's address: `rendezvous`, `direct`, or `hidden` behind a relay.
    pub(super) controller_seen: &'static str,
    /// Address of the relay or server; empty where there is none.
    pub(super) relay: String,
    /// States over time.
    pub(super) stretches: Vec<Stretch>,
}

/// A row of the inventory.
#[derive(Clone, Debug, Default)]
pub(super) struct Asset {
    /// The cells, in the order of [`COLUMNS`].
    pub(super) cells: [String; COLUMNS.len()],
}

/// Columns of the inventory.
pub(super) const COLUMNS: [&str; 14] = [
    "ip",
    "hostname",
    "asset",
    "assignee",
    "country",
    "region",
    "latitude",
    "longitude",
    "timezone",
    "site",
    "work_hours",
    "employer",
    "allowed_tools",
    "allowed_egress",
];

/// Everything that is true of one capture.
#[derive(Clone, Debug, Default)]
pub(super) struct Truth {
    /// Lines in front: scenario, what happens, what to expect.
    pub(super) verdict: &'static str,
    /// What an analysis ought to say, in words.
    pub(super) expected: Vec<&'static str>,
    /// Addresses of the machines of a farm.
    pub(super) farm: Vec<String>,
    /// Machines: name, role, address.
    pub(super) hosts: Vec<(String, &'static str, String)>,
    /// Sessions.
    pub(super) sessions: Vec<Session>,
    /// The inventory.
    pub(super) assets: Vec<Asset>,
    /// What was drawn for the scenario as a whole, by name.
    pub(super) traits: BTreeMap<String, Trait>,
}

impl Truth {
    /// Notes a machine.
    pub(super) fn host(&mut self, host: &Host, role: &'static str) {
        self.hosts.push((host.name.clone(), role, host.ip.to_string()));
    }

    /// The capture's part of the truth file.
    pub(super) fn to_toml(&self, scenario: &str, about: &str, seed: u64, frames: usize) -> String {
        let mut text = String::from("[[capture]]\n");
        line(&mut text, "file", &format!("{scenario}.pcapng"));
        line(&mut text, "scenario", scenario);
        line(&mut text, "about", about);
        let _ = writeln!(text, "seed = {seed}\npackets = {frames}");
        line(&mut text, "verdict", self.verdict);
        strings(&mut text, "expected", self.expected.iter().copied());
        strings(&mut text, "farm", self.farm.iter().map(String::as_str));
        for (name, drawn) in &self.traits {
            text.push_str("\n[[capture.trait]]\n");
            line(&mut text, "name", name);
            for (key, range) in [("odd_seeds", &drawn.fitting), ("even_seeds", &drawn.judging)] {
                let _ = writeln!(text, "{key} = [{}, {}]", range.start(), range.end());
            }
            let _ = writeln!(text, "drawn = {:?}", drawn.drawn);
        }
        for (name, role, address) in &self.hosts {
            text.push_str("\n[[capture.host]]\n");
            line(&mut text, "name", name);
            line(&mut text, "role", role);
            line(&mut text, "address", address);
        }
        for session in &self.sessions {
            text.push_str("\n[[capture.session]]\n");
            line(&mut text, "tool", session.tool);
            line(&mut text, "controlled", &session.controlled);
            line(&mut text, "controller", &session.controller);
            line(&mut text, "controller_seen", session.controller_seen);
            if !session.relay.is_empty() {
                line(&mut text, "relay", &session.relay);
            }
            let stretches: Vec<String> = session
                .stretches
                .iter()
                .map(|(from, to, state)| {
                    format!("[{}, {}, \"{}\"]", seconds(*from), seconds(*to), state.name())
                })
                .collect();
            let _ = writeln!(text, "intervals = [{}]", stretches.join(", "));
        }
        text.push('\n');
        text
    }

    /// The capture's rows of the inventory, without the header.
    pub(super) fn to_csv(&self) -> String {
        self.assets.iter().fold(String::new(), |mut text, asset| {
            text.push_str(&asset.cells.join(","));
            text.push('\n');
            text
        })
    }
}

fn line(text: &mut String, key: &str, value: &str) {
    let _ = writeln!(text, "{key} = \"{value}\"");
}

fn strings<'a>(text: &mut String, key: &str, values: impl Iterator<Item = &'a str>) {
    let quoted: Vec<String> = values.map(|value| format!("\"{value}\"")).collect();
    let _ = writeln!(text, "{key} = [{}]", quoted.join(", "));
}

fn seconds(at: Micros) -> String {
    format!("{}.{:03}", at / SECOND, at % SECOND / 1_000)
}

/// Cuts a span in which somebody works into stretches: mostly at the controls, now and then reading what the screen shows.
pub(super) fn at_work(
    random: &mut super::random::Random,
    from: Micros,
    to: Micros,
    reading_percent: u64,
) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let mut at = from;
    while at < to {
        let reads = !stretches.is_empty() && random.percent(reading_percent);
        let (state, length) = if reads {
            (State::Viewed, random.within(20 * SECOND..=50 * SECOND))
        } else {
            (State::Driven, random.within(40 * SECOND..=2 * MINUTE))
        };
        // No stretch that is too short to be told.
        let end = if at + length + 20 * SECOND > to {
            to
        } else {
            at + length
        };
        match stretches.last_mut() {
            Some((_, last, before)) if *before == state => *last = end,
            _ => stretches.push((at, end, state)),
        }
        at = end;
    }
    stretches
}
