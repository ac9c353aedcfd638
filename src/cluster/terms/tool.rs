//! Tool and instance: the strongest thing that the live sessions of both have in common.

use crate::cluster::pairs::Scale;
use crate::model::group::Term;
use crate::model::profile::{HostProfile, InstanceKind, RemoteSession};

use super::Entry;

pub(super) const ENTRY: Entry = Entry {
    name: "tool",
    log_odds,
};

fn log_odds(one: &HostProfile, other: &HostProfile, scale: &Scale<'_>) -> Option<Term> {
    if one.live_sessions().next().is_none() || other.live_sessions().next().is_none() {
        return None;
    }
    let weights = &scale.weights.tool;
    let mut said: Option<Term> = None;
    for mine in one.live_sessions() {
        for yours in other.live_sessions().filter(|yours| yours.tool == mine.tool) {
            let Some((nats, what)) = judge(mine, yours, weights) else {
                continue;
            };
            if said.as_ref().is_none_or(|before| nats.abs() > before.nats.abs()) {
                said = Some(Term { nats, what });
            }
        }
    }
    Some(said.unwrap_or_else(|| Term {
        nats: 0.0,
        what: "different tools".to_owned(),
    }))
}

/// What two sessions of one tool say.
fn judge(
    mine: &RemoteSession,
    yours: &RemoteSession,
    weights: &crate::settings::pair_weights::Tool,
) -> Option<(f64, String)> {
    let instance = mine
        .instance
        .as_ref()
        .filter(|mine| yours.instance.as_ref() == Some(*mine));
    match (mine.sanctioned, yours.sanctioned) {
        (Some(true), Some(true)) if mine.instance == yours.instance => Some((
            weights.same_sanctioned,
            format!("the same sanctioned {}", mine.tool),
        )),
        (Some(true), _) | (_, Some(true)) => None,
        _ => match instance {
            Some(instance) if instance.kind == InstanceKind::PrivateServer => Some((
                weights.same_private_server,
                format!("{} through the same private server {}", mine.tool, instance.name),
            )),
            _ => Some((
                weights.same_unlisted,
                format!("both under {}, which no policy or inventory sanctions", mine.tool),
            )),
        },
    }
}
