//! What was lost of the traffic, and when that is so much that the rest carries no more than a review (DETECTION 9.1, S29:
//! half the capture missing, 30 % drops, one direction only).
//!
//! What is missing looks like what did not happen: an idle session, an absent tool, a colleague who never came. Of many lost
//! packets no verdict above a review can be given, however the cues read. Flows that a full table gave up are no such
//! loss, nor are connections that somebody forges by the thousand with an octet each: a flood must not shield a farm (S30).

use serde::Deserialize;

/// Which shares are too much: `[damage]` of the model.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DamageRule {
    /// Share of packets, of bytes of TCP connections or of a capture's bytes that are missing.
    lost_share: f64,
    /// Share of TCP connections of which one direction alone was seen, and of the bytes that such connections carried.
    one_sided_share: f64,
    /// TCP connections with data from which the shares of connections count.
    connections: u64,
    /// Cues that such a capture does not answer.
    pub hides: Vec<String>,
}

/// How much of the traffic was received, and how much is known to be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// Packets in the captures.
    pub packets: u64,
    /// Those that the capture filter and the span of time left.
    pub packets_kept: u64,
    /// Packets that the snap length cut.
    pub packets_cut: u64,
    /// Conversations that carried something.
    pub conversations: u64,
    /// Those of which the snap length cut what names them, which is said first.
    pub conversations_cut: u64,
    /// Packets that kernel or interface dropped before they came into a capture, as they say themselves.
    pub packets_dropped: u64,
    /// Bytes of the captures that were read.
    pub capture_bytes: u64,
    /// Bytes of the captures that were passed over as damaged.
    pub capture_bytes_lost: u64,
    /// TCP connections with data.
    pub connections: u64,
    /// Those of which one direction alone was seen.
    pub connections_one_sided: u64,
    /// Payload bytes of these.
    pub stream_bytes_one_sided: u64,
    /// Payload bytes of TCP connections.
    pub stream_bytes: u64,
    /// Payload bytes missing in their midst.
    pub stream_bytes_lost: u64,
}

impl Received {
    /// Why nothing above a review can be said, in words that follow "because"; `None` where the capture is whole enough.
    #[must_use]
    pub fn damage(&self, rule: &DamageRule) -> Option<String> {
        let mut causes: Vec<String> = Vec::new();
        let mut lost = |lost: u64, kept: u64, words: &str| {
            if let Some(percent) = percent_above(lost, lost.saturating_add(kept), rule.lost_share) {
                causes.push(format!("{percent} % of {words}"));
            }
        };
        lost(
            self.packets_dropped,
            self.packets,
            "the packets were dropped before they reached the capture",
        );
        lost(
            self.capture_bytes_lost,
            self.capture_bytes,
            "the captures could not be read",
        );
        if self.connections >= rule.connections {
            lost(
                self.stream_bytes_lost,
                self.stream_bytes,
                "what the TCP connections carried is missing from the capture",
            );
            causes.extend(self.one_direction(rule));
        }
        (!causes.is_empty()).then(|| causes.join(" and "))
    }

    /// That one direction alone was captured, in words, where that is so of most of what TCP connections carried.
    #[must_use]
    pub fn one_direction(&self, rule: &DamageRule) -> Option<String> {
        if self.connections < rule.connections {
            return None;
        }
        percent_above(
            self.stream_bytes_one_sided,
            self.stream_bytes,
            rule.one_sided_share,
        )?;
        let percent = percent_above(self.connections_one_sided, self.connections, rule.one_sided_share)?;
        Some(format!(
            "of {percent} % of the TCP connections one direction alone was captured"
        ))
    }
}

/// `part` of `whole` in whole percent, where that share is at least `least`.
fn percent_above(part: u64, whole: u64, least: f64) -> Option<u64> {
    #[expect(
        clippy::cast_precision_loss,
        reason = "a share needs no more than 52 bits of either count"
    )]
    let share = part as f64 / whole.max(1) as f64;
    let percent = u128::from(part) * 100 / u128::from(whole.max(1));
    (part > 0 && share >= least).then(|| u64::try_from(percent).unwrap_or(100))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain::weights::Weights;

    fn damage(received: Received) -> Option<String> {
        received.damage(&Weights::embedded().unwrap().damage)
    }

    fn whole() -> Received {
        Received {
            packets: 10_000,
            capture_bytes: 5_000_000,
            connections: 200,
            stream_bytes: 4_000_000,
            ..Received::default()
        }
    }

    #[test]
    fn what_an_ordinary_tap_loses_is_no_obstacle() {
        let received = Received {
            packets_dropped: 200,
            capture_bytes_lost: 1_500,
            connections_one_sided: 5,
            stream_bytes_lost: 80_000,
            ..whole()
        };
        assert_eq!(damage(received), None);
        assert_eq!(damage(Received::default()), None);
    }

    #[test]
    fn each_kind_of_heavy_loss_is_one_and_is_named() {
        for (received, words) in [
            (
                Received {
                    packets_dropped: 4_286,
                    ..whole()
                },
                "30 % of the packets were dropped before they reached the capture",
            ),
            (
                Received {
                    capture_bytes_lost: 5_000_000,
                    ..whole()
                },
                "50 % of the captures could not be read",
            ),
            (
                Received {
                    stream_bytes_lost: 1_714_286,
                    ..whole()
                },
                "30 % of what the TCP connections carried is missing from the capture",
            ),
            (
                Received {
                    connections_one_sided: 190,
                    stream_bytes_one_sided: 3_900_000,
                    ..whole()
                },
                "of 95 % of the TCP connections one direction alone was captured",
            ),
        ] {
            assert_eq!(damage(received).as_deref(), Some(words));
        }
    }

    #[test]
    fn a_flood_of_forged_connections_is_no_loss() {
        let received = Received {
            connections: 20_200,
            connections_one_sided: 20_000,
            stream_bytes_one_sided: 20_000,
            stream_bytes: 4_020_000,
            ..whole()
        };
        assert_eq!(damage(received), None);
    }

    #[test]
    fn a_handful_of_connections_says_nothing_of_the_tap() {
        let received = Received {
            connections: 2,
            connections_one_sided: 2,
            ..Received::default()
        };
        assert_eq!(damage(received), None);
    }

    #[test]
    fn several_causes_are_all_named() {
        let received = Received {
            packets_dropped: 10_000,
            connections_one_sided: 200,
            stream_bytes_one_sided: 4_000_000,
            ..whole()
        };
        assert_eq!(
            damage(received).as_deref(),
            Some(
                "50 % of the packets were dropped before they reached the capture and of 100 % of the TCP connections \
                 one direction alone was captured"
            )
        );
    }
}
