//! The sentence of a session's finding, for a ticket: what was seen of which machine, for how long, in how many flows.
//!
//! It says what traffic is consistent with, never who somebody is or what he wants.

use crate::model::finding::{Activity, Role};
use crate::model::quantity::{counted, span};
use crate::model::time::Nanoseconds;

/// What is said of an agent that only reports.
pub(super) const NO_SESSION: &str = "; no session was seen";

/// What is said where nothing but names was called.
const NO_USE: &str = "; nothing of its use was seen";

/// What the sentence is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Told<'a> {
    /// The machine.
    pub(super) who: &'a str,
    /// The tool's name.
    pub(super) tool: &'a str,
    /// What the machine does in it.
    pub(super) role: Role,
    /// What went on at the end.
    pub(super) activity: Activity,
    /// Nothing but names gave it away: its servers were called, and whether a tunnel of it carries anything was not seen.
    pub(super) is_named_only: bool,
    /// How long somebody was at the controls.
    pub(super) driven: Nanoseconds,
    /// How long the screen was sent without input.
    pub(super) viewed: Nanoseconds,
    /// Flows; none where names alone were asked for.
    pub(super) flows: u64,
    /// Whether both sides sent data.
    pub(super) is_answered: bool,
    /// Whether, where not, the other side refused.
    pub(super) is_refused: bool,
    /// The other end, as far as known.
    pub(super) peer: Option<&'a str>,
    /// Other ends.
    pub(super) peers: usize,
}

/// The sentence.
#[must_use]
pub(super) fn sentence(told: &Told<'_>) -> String {
    let Told { who, tool, flows, .. } = told;
    if *flows == 0 {
        return format!("{who}: asked for names of {tool}'s servers; no connection was seen");
    }
    let mut text = format!("{who}: {}", doing(told));
    if !told.is_answered && told.is_refused {
        text.push_str("; it was refused, as who tries many servers is");
    } else if !told.is_answered {
        text.push_str("; one side alone was seen to send data: an attempt, or a capture of one direction");
    }
    text = format!("{text}; {}", counted(*flows, "flow"));
    if let Some(peer) = told.peer {
        text = format!("{text} with {peer}");
        let more = told.peers.saturating_sub(1);
        if more > 0 {
            text = format!("{text} and {more} more");
        }
    }
    text
}

/// What the machine does, in words that follow its name.
fn doing(told: &Told<'_>) -> String {
    let Told {
        tool, driven, viewed, ..
    } = told;
    let (driven_for, viewed_for) = (span(*driven), span(*viewed));
    let and_viewed = |words: &str| {
        if *viewed > 0 {
            format!(" and {words} for another {viewed_for}")
        } else {
            String::new()
        }
    };
    match (told.role, told.activity) {
        (Role::Controlled, Activity::Driven) => format!(
            "traffic consistent with {tool} controlling it for {driven_for}{}",
            and_viewed("showing its screen")
        ),
        (Role::Controlled, Activity::Viewed) => {
            format!("traffic consistent with {tool} showing its screen for {viewed_for}, without input")
        }
        (Role::Controlled, Activity::Bulk) => {
            format!("traffic consistent with {tool} moving files, without a session on its screen")
        }
        (Role::Controlled, Activity::Idle) => {
            format!("traffic consistent with offering {tool}; nothing of a session on its screen was seen")
        }
        (Role::Controlled, Activity::Unknown) => format!("traffic consistent with offering {tool}"),
        (Role::Controller, Activity::Driven) => format!(
            "traffic consistent with controlling another machine through {tool} for {driven_for}{}",
            and_viewed("watching it")
        ),
        (Role::Controller, Activity::Viewed) => {
            format!("traffic consistent with watching another machine through {tool} for {viewed_for}")
        }
        (Role::Controller, Activity::Bulk) => {
            format!("traffic consistent with moving files from or to another machine through {tool}")
        }
        (Role::Controller, Activity::Idle | Activity::Unknown) => {
            format!("traffic consistent with a connection to another machine through {tool}")
        }
        (Role::Agent, _) => {
            format!("traffic consistent with an installed {tool} that reports to its servers{NO_SESSION}")
        }
        (Role::Client, _) if told.is_named_only => {
            format!(
                "called servers of {tool} by name, which is consistent with its program and with a visit to its pages{NO_USE}"
            )
        }
        (Role::Client, _) => format!("traffic consistent with {tool}, used from here"),
        (Role::Server, _) => format!("traffic consistent with {tool}, offered here"),
        (Role::Unknown, Activity::Driven | Activity::Viewed) => format!(
            "traffic consistent with a session of {tool} for {}; which side is controlled could not be told",
            span(driven.saturating_add(*viewed))
        ),
        (Role::Unknown, Activity::Idle | Activity::Bulk | Activity::Unknown) => {
            format!("traffic consistent with {tool}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::time::SECOND;

    fn told(role: Role, activity: Activity) -> Told<'static> {
        Told {
            who: "192.0.2.5 (LT-1)",
            tool: "AnyDesk",
            role,
            activity,
            is_named_only: false,
            driven: 520 * SECOND,
            viewed: 0,
            flows: 1,
            is_answered: true,
            is_refused: false,
            peer: Some("relay.example (198.51.100.9)"),
            peers: 1,
        }
    }

    #[test]
    fn one_flow_is_one_and_further_ends_are_counted() {
        let one = told(Role::Controlled, Activity::Driven);
        assert_eq!(
            sentence(&one),
            "192.0.2.5 (LT-1): traffic consistent with AnyDesk controlling it for 8 min 40 s; \
             1 flow with relay.example (198.51.100.9)"
        );
        let several = Told {
            viewed: 10 * SECOND,
            flows: 2,
            peers: 3,
            ..one
        };
        assert_eq!(
            sentence(&several),
            "192.0.2.5 (LT-1): traffic consistent with AnyDesk controlling it for 8 min 40 s and showing its \
             screen for another 10 s; 2 flows with relay.example (198.51.100.9) and 2 more"
        );
    }

    #[test]
    fn what_nobody_answered_and_what_was_only_asked_for_is_said() {
        let unanswered = Told {
            is_answered: false,
            peers: 1,
            ..told(Role::Client, Activity::Unknown)
        };
        assert_eq!(
            sentence(&unanswered),
            "192.0.2.5 (LT-1): traffic consistent with AnyDesk, used from here; one side alone was seen to send \
             data: an attempt, or a capture of one direction; 1 flow with relay.example (198.51.100.9)"
        );
        let refused = Told {
            is_refused: true,
            ..unanswered
        };
        assert!(
            sentence(&refused)
                .contains("used from here; it was refused, as who tries many servers is; 1 flow")
        );
        let called = Told {
            is_named_only: true,
            ..told(Role::Client, Activity::Unknown)
        };
        assert_eq!(
            sentence(&called),
            "192.0.2.5 (LT-1): called servers of AnyDesk by name, which is consistent with its program and with a visit to its \
             pages; nothing of its use was seen; 1 flow with relay.example (198.51.100.9)"
        );
        let asked = Told {
            flows: 0,
            peer: None,
            ..told(Role::Agent, Activity::Unknown)
        };
        assert_eq!(
            sentence(&asked),
            "192.0.2.5 (LT-1): asked for names of AnyDesk's servers; no connection was seen"
        );
    }

    #[test]
    fn every_role_and_activity_reads_as_a_sentence_without_a_claim_about_a_person() {
        for role in [
            Role::Controlled,
            Role::Controller,
            Role::Agent,
            Role::Client,
            Role::Server,
            Role::Unknown,
        ] {
            for activity in [
                Activity::Idle,
                Activity::Viewed,
                Activity::Driven,
                Activity::Bulk,
                Activity::Unknown,
            ] {
                let text = sentence(&Told {
                    viewed: 30 * SECOND,
                    ..told(role, activity)
                });
                let is_careful = ["consistent with", "accepts", "connects to"]
                    .iter()
                    .any(|words| text.contains(words));
                assert!(is_careful && text.contains("; 1 flow with"), "{text}");
                assert!(!text.contains("1 flows") && !text.contains(" 0 s"), "{text}");
            }
        }
    }
}
