//! The sentence of a session's finding, for a ticket: what was seen of which machine, for how long, in how many flows.
//!
//! It says what traffic is consistent with, never who somebody is or what he wants.

use std::fmt::Write as _;

use crate::model::finding::{Activity, Role};
use crate::model::quantity::{counted, span};
use crate::model::time::Nanoseconds;

/// What is said of an agent that only reports.
pub(super) const NO_SESSION: &str = "; no session was seen";

/// What is said where nothing but names was called.
const NO_USE: &str = "; nothing of its use was seen";

/// What gave a tool away, as far as the sentence depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum By {
    /// Its protocol, or whatever else.
    Any,
    /// Nothing but names: its servers were called, and whether a tunnel of it carries anything was not seen.
    NamesAlone,
    /// Names that its agents call, and its console in a browser, too.
    SharedNames,
}

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
    /// What gave the tool away.
    pub(super) by: By,
    /// Whether such a tool shows a screen: a shell does not.
    pub(super) has_screen: bool,
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
    let names = [who.len(), tool.len(), told.peer.map_or(0, str::len), ROOM];
    let mut text = String::with_capacity(names.into_iter().fold(0, usize::saturating_add));
    text.push_str(who);
    text.push_str(": ");
    doing(&mut text, told);
    if !told.is_answered && told.is_refused {
        text.push_str("; it was refused, as who tries many servers is");
    } else if !told.is_answered {
        text.push_str("; one side alone was seen to send data: an attempt, or a capture of one direction");
    }
    text.push_str("; ");
    text.push_str(&counted(*flows, "flow"));
    if let Some(peer) = told.peer {
        text.push_str(" with ");
        text.push_str(peer);
        let more = told.peers.saturating_sub(1);
        if more > 0 {
            let _ = write!(text, " and {more} more");
        }
    }
    text
}

/// Octets of a sentence beside the names in it, in most cases.
const ROOM: usize = 112;

/// Adds what the machine does, in words that follow its name. Piece by piece: a sentence stands in every finding.
fn doing(text: &mut String, told: &Told<'_>) {
    let Told {
        tool, driven, viewed, ..
    } = *told;
    let mut say = |parts: &[&str]| parts.iter().for_each(|part| text.push_str(part));
    let [shows, on_it, watching] = if told.has_screen {
        ["showing its screen", " on its screen", "watching"]
    } else {
        ["showing its output", "", "reading the output of"]
    };
    if told.role == Role::Client && told.by != By::Any {
        say(&[
            "called servers of ",
            tool,
            " by name, which is consistent with its program and with a visit to its pages",
            NO_USE,
        ]);
        return;
    }
    say(&["traffic consistent with "]);
    match (told.role, told.activity) {
        (Role::Controlled, Activity::Driven) => {
            say(&[tool, " controlling it for ", &span(driven)]);
            if viewed > 0 {
                say(&[" and ", shows, " for another ", &span(viewed)]);
            }
        }
        (Role::Controlled, Activity::Viewed) => {
            say(&[tool, " ", shows, " for ", &span(viewed), ", without input"]);
        }
        (Role::Controlled, Activity::Bulk) => say(&[tool, " moving files, without a session", on_it]),
        (Role::Controlled, Activity::Idle) => {
            say(&["offering ", tool, "; nothing of a session", on_it, " was seen"]);
        }
        (Role::Controlled, Activity::Unknown) => say(&["offering ", tool]),
        (Role::Controller, Activity::Driven) => {
            say(&[
                "controlling another machine through ",
                tool,
                " for ",
                &span(driven),
            ]);
            if viewed > 0 {
                say(&[" and ", watching, " it for another ", &span(viewed)]);
            }
        }
        (Role::Controller, Activity::Viewed) => {
            say(&[
                watching,
                " another machine through ",
                tool,
                " for ",
                &span(viewed),
            ]);
        }
        (Role::Controller, Activity::Bulk) => {
            say(&["moving files from or to another machine through ", tool]);
        }
        (Role::Controller, Activity::Idle | Activity::Unknown) => {
            say(&["a connection to another machine through ", tool]);
        }
        (Role::Agent, _) => say(&["an installed ", tool, " that reports to its servers", NO_SESSION]),
        (Role::Client, _) => say(&[tool, ", used from here"]),
        (Role::Server, _) => say(&[tool, ", offered here"]),
        (Role::Unknown, Activity::Driven | Activity::Viewed) => say(&[
            "a session of ",
            tool,
            " for ",
            &span(driven.saturating_add(viewed)),
            "; which side is controlled could not be told",
        ]),
        (Role::Unknown, Activity::Idle | Activity::Bulk | Activity::Unknown)
            if told.by == By::SharedNames =>
        {
            say(&[
                tool,
                ": an installed agent, or its web console in a browser, which calls the same servers",
                NO_SESSION,
            ]);
        }
        (Role::Unknown, Activity::Idle | Activity::Bulk | Activity::Unknown) => say(&[tool]),
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
            by: By::Any,
            has_screen: true,
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
    fn a_shell_has_no_screen() {
        for role in [Role::Controlled, Role::Controller] {
            for activity in [
                Activity::Idle,
                Activity::Viewed,
                Activity::Driven,
                Activity::Bulk,
                Activity::Unknown,
            ] {
                let shell = sentence(&Told {
                    tool: "SSH",
                    has_screen: false,
                    viewed: 30 * SECOND,
                    ..told(role, activity)
                });
                assert!(!shell.contains("screen") && !shell.contains("watch"), "{shell}");
            }
        }
        let idle = Told {
            tool: "SSH",
            has_screen: false,
            ..told(Role::Controlled, Activity::Idle)
        };
        assert_eq!(
            sentence(&idle),
            "192.0.2.5 (LT-1): traffic consistent with offering SSH; nothing of a session was seen; \
             1 flow with relay.example (198.51.100.9)"
        );
    }

    #[test]
    fn an_agent_and_a_console_at_the_same_servers_are_not_told_apart_in_words_either() {
        let shared = Told {
            by: By::SharedNames,
            ..told(Role::Unknown, Activity::Idle)
        };
        assert_eq!(
            sentence(&shared),
            "192.0.2.5 (LT-1): traffic consistent with AnyDesk: an installed agent, or its web console in a browser, which calls the \
             same servers; no session was seen; 1 flow with relay.example (198.51.100.9)"
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
            by: By::NamesAlone,
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
