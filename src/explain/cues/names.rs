//! Whether the controlled machines are named as servers. Other names say nothing, and so does their absence.

use crate::explain::subject::{Subject, identifiers};
use crate::model::profile::HostProfile;
use crate::model::quantity::counted;
use crate::settings::rules::ServerRules;

use super::{Cue, Reading, is_over};

pub(super) const CUE: Cue = Cue {
    id: "names",
    levels: &["servers", "some"],
    value,
};

fn value(subject: &Subject<'_>) -> Reading {
    let rules = &subject.rules.servers;
    let controlled = subject.controlled();
    let named: Vec<&HostProfile> = controlled
        .iter()
        .copied()
        .filter(|one| is_named_so(one, rules))
        .collect();
    if named.is_empty() {
        return Reading::unsaid();
    }
    let level = if is_over(subject.rules.most_share, named.len(), controlled.len()) {
        "servers"
    } else {
        "some"
    };
    let what = match controlled.len() {
        1 => "the machine is named as servers are".to_owned(),
        many => format!(
            "{} of {} are named as servers are",
            named.len(),
            counted(many, "machine")
        ),
    };
    Reading::observed(level, what).shown_by(identifiers(&named), Vec::new())
}

/// Whether a machine's names say that it is a server, and none that it is somebody's computer.
fn is_named_so(one: &HostProfile, rules: &ServerRules) -> bool {
    let mut is_server = false;
    for name in &one.names {
        let name = name.name.to_ascii_lowercase();
        let mut words = name.split(|letter: char| !letter.is_ascii_alphabetic());
        if words
            .clone()
            .any(|word| rules.personal.iter().any(|own| own == word))
        {
            return false;
        }
        is_server |= words.any(|word| rules.names.iter().any(|server| server == word));
    }
    is_server
}
