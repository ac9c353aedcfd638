//! What captures do not show of a machine: minutes inside of tunnels, and connections that nothing names.
//!
//! Neither is empty: whoever works there works inside (DETECTION 4: "absent" and "not observable" are never merged).

use super::profile::Minutes;
use super::quantity::counted;

/// What could not be seen of a machine, and what was seen of a hand at it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Unseen {
    /// Minutes in which a tunnel of the machine, or an unnamed connection that hides what it carries, had more than keep-alives.
    pub minutes: Minutes,
    /// What carried it: tools of the catalogue, sorted.
    pub carriers: Vec<String>,
    /// Minutes in which somebody at the machine drove something elsewhere, whatever its name.
    pub hand: Minutes,
    /// Connections whose beginning was not captured, that nothing names, and that may be sessions in which the machine is controlled.
    pub begun_before: u64,
    /// Remote tools of whose connections one direction alone was captured, sorted.
    pub one_sided: Vec<String>,
    /// Minutes in which datagrams that nothing names, or the inside of a tunnel, had the form of a hand that drives this machine, sorted.
    pub formed: Minutes,
    /// What carried them, sorted.
    pub formed_by: Vec<String>,
    /// Minutes in which datagrams or a connection that nothing names carried more out than in, as a picture does, sorted.
    pub shown: Minutes,
}

impl Unseen {
    /// Whether most of what is done at the machine, by the minutes in which somebody was `active` on it, is done while something shows a
    /// screen and is driven, of which nobody knows what it is; `least` minutes of it.
    ///
    /// A meeting in which a screen is shown has the same form, and is a part of a day: nobody shows all that he does.
    #[must_use]
    pub fn is_mostly_formed(&self, active: &[u32], least: usize) -> bool {
        let during = active
            .iter()
            .filter(|minute| self.formed.binary_search(minute).is_ok());
        self.formed.len() >= least.max(1) && during.count().saturating_mul(2) >= active.len()
    }

    /// Why the machine may be under remote control although no session was seen, in words. `is_formed` says whether what has the form of
    /// a session counts.
    #[must_use]
    pub fn hides_sessions(&self, is_formed: bool) -> Option<String> {
        let mut causes = Vec::new();
        if self.begun_before > 0 {
            causes.push(began_before(self.begun_before));
        }
        if !self.one_sided.is_empty() {
            causes.push(format!(
                "of its connections of {} one direction alone was captured",
                self.one_sided.join(", ")
            ));
        }
        if is_formed {
            causes.push(format!(
                "its traffic of {} has the form of a session in which somebody drives it: what that is cannot be told",
                listed(&self.formed_by)
            ));
        }
        (!causes.is_empty()).then(|| causes.join(", and "))
    }
}

/// How the text calls datagrams that nothing names.
pub const DATAGRAMS: &str = "datagrams without a name";

/// "a", "a and b", "a, b and c"; "tunnels" of nothing.
#[must_use]
pub fn listed(names: &[String]) -> String {
    match names {
        [] => "tunnels".to_owned(),
        [one] => one.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// "12 connections began before the capture: what they are cannot be told".
#[must_use]
pub fn began_before(connections: u64) -> String {
    let they = if connections == 1 { "it is" } else { "they are" };
    format!(
        "{} began before the capture: what {they} cannot be told",
        counted(connections, "connection")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_sessions_is_counted_and_named() {
        assert_eq!(Unseen::default().hides_sessions(false), None);
        let one = Unseen {
            begun_before: 1,
            ..Unseen::default()
        };
        assert_eq!(
            one.hides_sessions(false).as_deref(),
            Some("1 connection began before the capture: what it is cannot be told")
        );
        let both = Unseen {
            begun_before: 12,
            one_sided: vec!["anydesk".to_owned()],
            ..Unseen::default()
        };
        assert_eq!(
            both.hides_sessions(false).as_deref(),
            Some(
                "12 connections began before the capture: what they are cannot be told, and of its connections of anydesk one \
                 direction alone was captured"
            )
        );
    }

    #[test]
    fn what_has_the_form_of_a_session_hides_one_only_if_most_of_the_work_happens_meanwhile() {
        let unseen = |formed: std::ops::Range<u32>, by: &str| Unseen {
            formed: formed.collect(),
            formed_by: vec![by.to_owned()],
            ..Unseen::default()
        };
        let driven = unseen(100..200, "wireguard");
        let during: Minutes = (90..190).collect();
        assert!(driven.is_mostly_formed(&during, 60));
        assert!(driven.is_mostly_formed(&[], 60), "all went through the tunnel");
        assert!(!driven.is_mostly_formed(&during, 101), "it is short");
        let day: Minutes = (90..390).collect();
        assert!(!driven.is_mostly_formed(&day, 60), "a meeting");
        assert!(!Unseen::default().is_mostly_formed(&[], 0));
        assert_eq!(
            driven.hides_sessions(true).as_deref(),
            Some(
                "its traffic of wireguard has the form of a session in which somebody drives it: what that is cannot be told"
            )
        );
        assert_eq!(driven.hides_sessions(false), None);
        assert_eq!(
            unseen(0..99, DATAGRAMS).hides_sessions(true).as_deref(),
            Some(
                "its traffic of datagrams without a name has the form of a session in which somebody drives it: what that is cannot be told"
            )
        );
    }
}
