//! What speaks against a name: traffic that no remote control has (DETECTION 4.1.1: a name or a port is less sure than what the bytes say).
//!
//! In remote control one direction carries a screen, and the other input and receipts, which are small, whoever drives and whoever
//! watches; files go one way at a time. Where both directions carry many packets larger than input for minutes on end, a call or a
//! stream of both sides goes there, whatever the server's name is: a vendor has other services on his hosts, a host has several names.
//!
//! Only names, addresses, ports and fingerprints of hellos are doubted. A protocol that was seen to be spoken, a certificate, or first bytes that
//! nothing else has are what they are; and what carries other things by its purpose (a shell, a tunnel) has no form of its own.

use super::activity_state::{Way, Windows};
use super::group::{ASKED, Group};
use super::session_finding::believed;
use super::thresholds::{ShapeAgainst, THRESHOLDS};
use crate::model::evidence::{Decibans, Evidence, Family};
use crate::model::finding::Confidence;
use crate::settings::rules::FindingRules;
use crate::signatures::entry::Tool;

/// What is judgement here.
fn own() -> &'static ShapeAgainst {
    &THRESHOLDS.shape_against
}

/// Evidence of which a form says nothing: what was told by names and numbers alone.
const DOUBTED: [&str; 5] = ["name", ASKED, "port", "address", "fingerprint"];

/// Windows in which both directions carry more than input, where these are nearly all.
fn both_ways(windows: &Windows) -> Option<usize> {
    let moving = windows.values().filter(|window| {
        !window.is_opening && window.out.bytes.saturating_add(window.inward.bytes) >= own().moves_octets
    });
    let is_large = |way: Way| {
        way.packets >= own().packets && way.bytes > u64::from(way.packets).saturating_mul(own().input_octets)
    };
    let (mut all, mut both) = (0usize, 0usize);
    for window in moving {
        all = all.saturating_add(1);
        both = both.saturating_add(usize::from(is_large(window.out) && is_large(window.inward)));
    }
    (both >= own().windows && both.saturating_mul(10) >= all.saturating_mul(own().most_of)).then_some(both)
}

/// The confidence that is left of a name, with the reason.
pub(super) fn lowered(
    confidence: Confidence,
    score: i32,
    is_remote: bool,
    tool: &Tool,
    group: &Group,
    rules: &FindingRules,
) -> Option<(Confidence, Evidence)> {
    let may_lose = confidence > Confidence::Low
        && is_remote
        && tool.class.id != "remote-login"
        && group.items.iter().all(|(kind, _)| DOUBTED.contains(kind));
    let windows = both_ways(&group.windows).filter(|_| may_lose)?;
    let what = format!(
        "both directions carried packets larger than input for {} s: a call or a stream of both sides, which remote control is not",
        windows.saturating_mul(10),
    );
    let mut item = Evidence::observed(
        Family::Rc,
        what,
        Decibans(f64::from(-rules.less)),
        &[],
        group.first,
    );
    item.measure = Some("shape_against".to_owned());
    item.note = Some("the name alone says the tool; the vendor may have other services there".into());
    Some((
        believed(score.saturating_sub(rules.less), rules).min(confidence),
        item,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::detect::activity_state::Window;
    use crate::signatures::Catalogue;

    fn way(packets: u32, size: u64) -> Way {
        Way {
            bytes: u64::from(packets) * size,
            packets,
            ..Way::default()
        }
    }

    /// A group that was told by these kinds of evidence, with so many windows of a call and of a session.
    fn group(kinds: &[&'static str], call: u32, session: u32) -> Group {
        let mut group = Group {
            is_answered: true,
            flows: 1,
            ..Group::default()
        };
        for kind in kinds {
            group.items.or_insert_with(kind, || crate::detect::group::Item {
                field: "tls.sni".into(),
                what: String::new(),
                weight: 30,
                note: None,
                role: None,
                at: None,
                value: 0,
                frames: Vec::new(),
                times: 1,
                others: 0,
            });
        }
        for number in 0..call + session {
            let (out, inward) = if number < call {
                (way(1_500, 900), way(1_400, 800))
            } else {
                (way(1_500, 1_200), way(600, 48))
            };
            group.windows.insert(
                number,
                Window {
                    out,
                    inward,
                    is_opening: false,
                },
            );
        }
        group
    }

    #[test]
    fn a_name_is_less_sure_where_a_call_goes_and_nothing_else_is() {
        let catalogue = Catalogue::embedded().unwrap();
        let [anydesk, ssh] = ["anydesk", "ssh"].map(|id| catalogue.tool(id).unwrap());
        let of = |tool, group: &Group, confidence, score| {
            lowered(
                confidence,
                score,
                true,
                tool,
                group,
                &crate::settings::rules::Rules::shipped().findings,
            )
            .map(|(left, _)| left)
        };
        let call = group(&["name", "port"], 20, 2);
        assert_eq!(of(anydesk, &call, Confidence::High, 40), Some(Confidence::Medium));
        assert_eq!(of(anydesk, &call, Confidence::Medium, 30), Some(Confidence::Low));
        assert_eq!(of(anydesk, &call, Confidence::Low, 10), None);
        assert_eq!(of(ssh, &call, Confidence::High, 40), None, "it carries anything");
        let session = group(&["name"], 0, 30);
        assert_eq!(of(anydesk, &session, Confidence::High, 40), None);
        let mixed = group(&["name"], 14, 16);
        assert_eq!(of(anydesk, &mixed, Confidence::High, 40), None);
        let spoken = group(&["name", "protocol"], 30, 0);
        assert_eq!(of(anydesk, &spoken, Confidence::High, 60), None);
        let short = group(&["name"], 11, 0);
        assert_eq!(of(anydesk, &short, Confidence::High, 40), None);
    }
}
