//! Names of organisations in what leaves the house: hashed, so that who gets it can tell one from another and learns no name
//! (DETECTION 4.2). The hash takes in the captures' digests: names cannot be compared from one case to another.

use std::collections::BTreeSet;

use sha2::{Digest as _, Sha256};

use crate::model::case::Case;

/// The names of a case, and what stands for each.
#[derive(Clone, Debug, Default)]
pub(super) struct Organisations(Vec<(String, String)>);

impl Organisations {
    /// Those that hosts use services of, or work for by the inventory.
    pub(super) fn of(case: &Case) -> Self {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        for host in &case.hosts {
            names.extend(host.tenants.iter().map(|tenant| tenant.name.as_str()));
            names.extend(host.asset.as_ref().and_then(|asset| asset.employer.as_deref()));
        }
        let mut key = Sha256::new();
        for capture in &case.summary.captures {
            key.update(capture.sha256.as_deref().unwrap_or(&capture.path));
        }
        let mut list: Vec<(String, String)> = names
            .into_iter()
            .filter(|name| !name.is_empty())
            .map(|name| {
                let digest = key.clone().chain_update([0]).chain_update(name).finalize();
                let shown = digest
                    .iter()
                    .take(8)
                    .fold(0_u64, |shown, octet| (shown << 8) | u64::from(*octet));
                (name.to_owned(), format!("organisation-{shown:016x}"))
            })
            .collect();
        // A name may be part of a longer one.
        list.sort_by(|one, other| other.0.len().cmp(&one.0.len()).then(one.0.cmp(&other.0)));
        Self(list)
    }

    /// A text without the names.
    pub(super) fn hide(&self, text: &str) -> String {
        self.0
            .iter()
            .fold(text.to_owned(), |text, (name, shown)| text.replace(name, shown))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::host::{HostRecord, TenantRecord};

    #[test]
    fn names_are_gone_and_stay_apart() {
        let mut case = Case::default();
        case.hosts.push(HostRecord {
            tenants: ["acme@okta.com", "acme@okta.com.example", "zeta@slack.com"]
                .map(|name| TenantRecord {
                    name: name.to_owned(),
                    ..TenantRecord::default()
                })
                .to_vec(),
            ..HostRecord::default()
        });
        let organisations = Organisations::of(&case);
        let text =
            organisations.hide("3 organisations: acme@okta.com, acme@okta.com.example, zeta@slack.com");
        assert!(!text.contains("acme") && !text.contains("zeta"), "{text}");
        let shown: BTreeSet<&str> = text.split_whitespace().skip(2).collect();
        assert_eq!(shown.len(), 3, "{text}");
        assert_eq!(organisations.hide("nobody's"), "nobody's");
    }
}
