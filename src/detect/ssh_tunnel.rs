//! What a host's SSH connections with one peer are used for, where the sizes of their packets showed it
//! ([`crate::flow::ssh_channels`]): sessions, tunnels outward (`-L`, `-D`), or reverse tunnels through which the other end comes in (`-R`).
//!
//! A reverse tunnel turns the roles round: who called is who is reached. That holds whatever goes through it, also when the
//! screen is only watched, which looks like an upload otherwise.

use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::flow::FlowRecord;
use crate::model::quantity::counted;
use crate::model::ssh_channels::{FirstChannel, SshChannels};

/// Connections of one group by what they are used for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Uses {
    sessions: u64,
    outward: u64,
    has_several_places: bool,
    /// Reverse tunnels of the host, through which the peer comes in.
    into_host: u64,
    /// Reverse tunnels of the peer, through which the host goes in.
    into_peer: u64,
    /// Connections that came back through either.
    came: u64,
}

/// The channels of a flow, where they were told.
fn channels(flow: &FlowRecord) -> Option<SshChannels> {
    flow.latency.as_ref()?.channels.filter(|_| flow.speaks("ssh"))
}

/// Whether the end that was called comes in through who called: it was let in, and the caller asked for nothing else.
pub(super) fn is_inward(flow: &FlowRecord) -> bool {
    channels(flow).is_some_and(|channels| is_let_in(&channels))
}

fn is_let_in(channels: &SshChannels) -> bool {
    match channels.first {
        Some(first) => first == FirstChannel::Inward,
        None => channels.is_listening_asked,
    }
}

impl Uses {
    /// Adds a flow.
    pub(super) fn add(&mut self, flow: &FlowRecord, local_is_client: bool) {
        let Some(channels) = channels(flow) else {
            return;
        };
        if is_let_in(&channels) {
            let tunnels = if local_is_client {
                &mut self.into_host
            } else {
                &mut self.into_peer
            };
            *tunnels = tunnels.saturating_add(1);
            self.came = self.came.saturating_add(channels.opened.into());
            return;
        }
        match channels.first {
            Some(FirstChannel::Session) => self.sessions = self.sessions.saturating_add(1),
            Some(FirstChannel::Outward) => {
                self.outward = self.outward.saturating_add(1);
                self.has_several_places |= channels.has_several_places();
            }
            Some(FirstChannel::Inward) | None => {}
        }
    }

    /// Adds another group's.
    pub(super) fn merge(&mut self, other: Self) {
        self.sessions = self.sessions.saturating_add(other.sessions);
        self.outward = self.outward.saturating_add(other.outward);
        self.has_several_places |= other.has_several_places;
        self.into_host = self.into_host.saturating_add(other.into_host);
        self.into_peer = self.into_peer.saturating_add(other.into_peer);
        self.came = self.came.saturating_add(other.came);
    }

    /// Whether somebody is let into the host.
    pub(super) const fn lets_in(&self) -> bool {
        self.into_host > 0
    }

    /// Whether any connection is a reverse tunnel.
    pub(super) const fn is_tunnel(&self) -> bool {
        self.into_host > 0 || self.into_peer > 0
    }

    /// The item that says so; nothing where nothing was told.
    pub(super) fn evidence(&self) -> Option<Evidence> {
        let mut parts = Vec::new();
        let tunnels = self.into_host.saturating_add(self.into_peer);
        if tunnels > 0 {
            let came = match self.came {
                0 => "through which nobody came".to_owned(),
                came => format!(
                    "through which the other end opened {}",
                    counted(came, "connection")
                ),
            };
            parts.push(format!(
                "{} (as ssh -R), {came}",
                counted(tunnels, "reverse tunnel")
            ));
        }
        if self.outward > 0 {
            let places = if self.has_several_places {
                "to several places (as ssh -D)"
            } else {
                "to one place (as ssh -L)"
            };
            parts.push(format!("{} {places}", counted(self.outward, "forward tunnel")));
        }
        if self.sessions > 0 {
            parts.push(format!(
                "{} of commands or files",
                counted(self.sessions, "session")
            ));
        }
        if parts.is_empty() {
            return None;
        }
        let what = format!(
            "channels inside, by the sizes of their requests: {}",
            parts.join("; ")
        );
        let mut item = Evidence::observed(Family::Rc, what, Decibans(0.0), &[], None);
        item.measure = Some("ssh_channels".to_owned());
        item.note =
            Some("a connection that begins with a session may carry tunnels, too: these are not told".into());
        Some(item)
    }
}
