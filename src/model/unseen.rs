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
}

impl Unseen {
    /// Why the machine may be under remote control although no session was seen, in words.
    #[must_use]
    pub fn hides_sessions(&self) -> Option<String> {
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
        (!causes.is_empty()).then(|| causes.join(", and "))
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
        assert_eq!(Unseen::default().hides_sessions(), None);
        let one = Unseen {
            begun_before: 1,
            ..Unseen::default()
        };
        assert_eq!(
            one.hides_sessions().as_deref(),
            Some("1 connection began before the capture: what it is cannot be told")
        );
        let both = Unseen {
            begun_before: 12,
            one_sided: vec!["anydesk".to_owned()],
            ..Unseen::default()
        };
        assert_eq!(
            both.hides_sessions().as_deref(),
            Some(
                "12 connections began before the capture: what they are cannot be told, and of its connections of anydesk one \
                 direction alone was captured"
            )
        );
    }
}
