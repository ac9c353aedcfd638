//! Delays of the sessions in which a machine is controlled.

use super::{SessionSight, is_remote};
use crate::model::finding::{Finding, Role};
use crate::model::observable::Observable;

/// Median of what the sessions in which the host is controlled say of their loops.
pub(super) fn control_excess(own: &[(&Finding, Option<&SessionSight>)]) -> Observable<f64> {
    let mut known = Vec::new();
    let controlled = |(finding, _): &(&Finding, _)| is_remote(finding) && finding.role == Role::Controlled;
    let mut reason = if own.iter().any(controlled) {
        "of the sessions that were seen no delay could be measured"
    } else {
        "no session of a remote tool was seen"
    };
    for (finding, session) in own {
        let Some(measured) = session.and_then(|session| session.control_excess_ms) else {
            continue;
        };
        if !is_remote(finding) || finding.role != Role::Controlled {
            continue;
        }
        match measured {
            Ok(excess) => known.push(excess),
            Err(why) => reason = why,
        }
    }
    lower_median(known).map_or_else(|| Observable::hidden(reason), Observable::Observed)
}

/// Median round trip to the other end of the sessions in which the host is controlled, in milliseconds.
pub(super) fn transport(own: &[(&Finding, Option<&SessionSight>)]) -> Option<f64> {
    let controlled = own
        .iter()
        .filter(|(finding, _)| is_remote(finding) && finding.role == Role::Controlled);
    lower_median(
        controlled
            .filter_map(|(_, session)| session.and_then(|session| session.transport_ms))
            .collect(),
    )
}

fn lower_median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    values.get(values.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_without_a_delay_are_not_denied() {
        let finding = Finding {
            role: Role::Controlled,
            ..Finding::default()
        };
        let of = |own: &[(&Finding, Option<&SessionSight>)]| control_excess(own).reason().map(str::to_owned);
        assert_eq!(
            of(&[(&finding, None)]).as_deref(),
            Some("of the sessions that were seen no delay could be measured")
        );
        assert_eq!(of(&[]).as_deref(), Some("no session of a remote tool was seen"));
    }
}
