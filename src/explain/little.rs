//! Whether so little was captured that what was not seen need not be absent: minutes of traffic, frames that the snap length cut, or one
//! direction of the connections.
//!
//! A tool that idles, a board that announces itself once an hour and a name that was resolved before are all missing from a few
//! minutes; in headers alone nothing has a name; half of a session shows neither hand nor screen. Of such captures only what was seen counts.

use serde::Deserialize;

use super::damage::{DamageRule, Received};
use crate::model::quantity::{counted, span};
use crate::model::time::{Nanoseconds, SECOND};
use crate::model::unseen::{began_before, listed};

/// When captures hold too little: `[little]` of the model.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LittleRule {
    /// Minutes that captures must have run for.
    minutes: f64,
    /// Share of conversations whose first words were cut.
    cut_share: f64,
}

/// Why what was not seen may well be there, in words; `None` where the captures hold enough. `watched` is how long they ran.
#[must_use]
pub fn why(
    received: &Received,
    watched: Nanoseconds,
    rule: &LittleRule,
    damage: &DamageRule,
) -> Option<String> {
    let mut causes = Vec::new();
    #[expect(
        clippy::cast_precision_loss,
        reason = "shares and minutes need no more than 52 bits"
    )]
    let (share, minutes) = (
        received.conversations_cut as f64 / received.conversations.max(1) as f64,
        watched as f64 / (60 * SECOND) as f64,
    );
    if received.packets > 0 && received.packets_kept == 0 {
        return Some(format!(
            "none of {} passes the filter or lies in the span of time that was asked for",
            counted(received.packets, "packet")
        ));
    }
    if received.packets > 0 && minutes < rule.minutes {
        causes.push(format!("only {} of traffic were captured", span(watched)));
    }
    if received.conversations_cut > 0 && share >= rule.cut_share {
        causes.push(format!(
            "{} of {} were cut before what names them",
            received.conversations_cut,
            counted(received.conversations, "conversation")
        ));
    }
    causes.extend(received.one_direction(damage));
    (!causes.is_empty()).then(|| causes.join(" and "))
}

/// What a summary remarks of connections that were joined in their middle and may be sessions; of so many machines.
#[must_use]
pub fn begun_before(connections: u64, machines: u64) -> Option<String> {
    let on = match machines {
        0 | 1 => String::new(),
        many => format!(" on {}", counted(many, "machine")),
    };
    (connections > 0).then(|| {
        let what = began_before(connections);
        what.replacen(" began", &format!("{on} began"), 1)
    })
}

/// What a summary remarks of machines whose tunnels or unnamed datagrams look like sessions; `carriers` are what carries them.
#[must_use]
pub fn formed(machines: u64, carriers: &[String]) -> Option<String> {
    let them = if machines == 1 { "it" } else { "them" };
    (machines > 0).then(|| {
        format!(
            "the traffic of {} on {} has the form of a session in which somebody drives {them}: what that is cannot be told",
            listed(carriers),
            counted(machines, "machine")
        )
    })
}

/// What a summary remarks of frames that were cut.
#[must_use]
pub fn remark(received: &Received) -> Option<String> {
    (received.packets_cut > 0).then(|| {
        format!(
            "{} of {} were cut by the snap length: what they carried behind it was not seen",
            received.packets_cut,
            counted(received.packets, "frame")
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::weights::Weights;

    const DAY: Nanoseconds = 86_400 * SECOND;

    fn of(received: Received, watched: Nanoseconds) -> Option<String> {
        let weights = Weights::embedded().unwrap();
        why(&received, watched, &weights.little, &weights.damage)
    }

    #[test]
    fn minutes_and_headers_are_little_and_a_few_long_frames_are_not() {
        let none_kept = Received {
            packets: 1_000,
            ..Received::default()
        };
        assert!(of(none_kept, 0).is_some_and(|why| why.starts_with("none of 1000 packets passes")));
        let whole = Received {
            packets: 1_000,
            packets_kept: 1_000,
            ..Received::default()
        };
        assert_eq!(of(whole, DAY), None);
        assert_eq!(
            of(whole, 185 * SECOND).as_deref(),
            Some("only 3 min 5 s of traffic were captured")
        );
        let headers = Received {
            packets_cut: 400,
            conversations: 100,
            conversations_cut: 80,
            ..whole
        };
        assert_eq!(
            of(headers, DAY).as_deref(),
            Some("80 of 100 conversations were cut before what names them")
        );
        let one_way = Received {
            connections: 100,
            connections_one_sided: 100,
            stream_bytes: 5_000_000,
            stream_bytes_one_sided: 5_000_000,
            ..whole
        };
        assert_eq!(
            of(one_way, DAY).as_deref(),
            Some("of 100 % of the TCP connections one direction alone was captured")
        );
        let long = Received {
            packets_cut: 400,
            conversations: 100,
            ..whole
        };
        assert_eq!(of(long, DAY), None, "what names them is there");
        assert!(remark(&long).unwrap().contains("400 of 1000 frames"));
        assert_eq!(remark(&whole), None);
    }

    #[test]
    fn connections_that_were_joined_in_their_middle_are_counted_with_their_machines() {
        assert_eq!(begun_before(0, 0), None);
        assert_eq!(
            begun_before(1, 1).as_deref(),
            Some("1 connection began before the capture: what it is cannot be told")
        );
        assert_eq!(
            begun_before(14, 12).as_deref(),
            Some("14 connections on 12 machines began before the capture: what they are cannot be told")
        );
    }

    #[test]
    fn machines_whose_tunnels_look_like_sessions_are_counted() {
        assert_eq!(formed(0, &[]), None);
        assert_eq!(
            formed(2, &["openvpn".to_owned(), "wireguard".to_owned()]).as_deref(),
            Some(
                "the traffic of openvpn and wireguard on 2 machines has the form of a session in which somebody drives them: what that is \
                 cannot be told"
            )
        );
    }
}
