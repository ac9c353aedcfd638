//! Zones of services in which organisations are customers, and which label of a name is the customer's.
//!
//! `zones.tsv` has the zones, `labels.tsv` what stands in front of them beside customers' names, both with their sources. A name that the
//! service itself has, or every customer, tells nothing about a machine: taken for an organisation it would make one out of several.

use std::collections::{BTreeMap, HashSet};

/// The zones, with their sources.
const ZONES: &str = include_str!("zones.tsv");

/// The labels, with their sources.
const LABELS: &str = include_str!("labels.tsv");

/// Kinds of services at which who works for an organisation signs in, or whose machines it manages; others have guests, too.
const SIGN_IN: &[&str] = &["identity", "access", "management"];

/// What a label in front of a zone is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The service's own.
    Own,
    /// It stands between the customer's name and the zone.
    Between,
    /// It stands in one label before the customer's name.
    Prefix,
    /// It stands in one label behind the customer's name.
    Suffix,
    /// It and what follows is not the name.
    Cut,
    /// The customers' labels look like this.
    Only,
}

impl Form {
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "own" => Self::Own,
            "between" => Self::Between,
            "prefix" => Self::Prefix,
            "suffix" => Self::Suffix,
            "cut" => Self::Cut,
            "only" => Self::Only,
            _ => return None,
        })
    }
}

/// One zone.
#[derive(Debug)]
struct Zone {
    suffix: &'static str,
    signs_in: bool,
    labels: Vec<(Form, &'static str)>,
}

impl Zone {
    fn has(&self, form: Form, label: &str) -> bool {
        self.labels
            .iter()
            .any(|(one, pattern)| *one == form && matches(pattern, label))
    }

    fn parts(&self, form: Form) -> impl Iterator<Item = &'static str> + '_ {
        self.labels
            .iter()
            .filter(move |(one, _)| *one == form)
            .map(|(_, part)| *part)
    }

    /// The customer's name in what stands in front of the zone.
    fn customer<'a>(&self, front: &'a str) -> Option<&'a str> {
        let label = front.rsplit('.').find(|label| !self.has(Form::Between, label))?;
        let mut only = self.parts(Form::Only).peekable();
        if only.peek().is_some() && !only.any(|pattern| matches(pattern, label)) {
            return None;
        }
        if self.has(Form::Own, label) {
            return None;
        }
        let mut name = label;
        for part in self.parts(Form::Cut) {
            name = name.split_once(part).map_or(name, |(before, _)| before);
        }
        let longest = |parts: &mut dyn Iterator<Item = &'static str>| parts.max_by_key(|part| part.len());
        if let Some(part) = longest(&mut self.parts(Form::Suffix).filter(|part| name.ends_with(part))) {
            name = name.strip_suffix(part).unwrap_or(name);
        }
        if let Some(part) = longest(&mut self.parts(Form::Prefix).filter(|part| name.starts_with(part))) {
            name = name.strip_prefix(part).unwrap_or(name);
        }
        let is_name = name.len() >= 2
            && name
                .bytes()
                .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
            && !self.has(Form::Own, name);
        is_name.then_some(name)
    }
}

/// Who is meant by a name in a zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Customer<'a> {
    /// The customer's name at the service.
    pub(super) name: &'a str,
    /// The service's zone.
    pub(super) zone: &'static str,
    /// Whether people sign in there for whom they work, or are managed by them.
    pub(super) signs_in: bool,
}

/// All zones.
#[derive(Debug)]
pub(super) struct Zones {
    by_suffix: BTreeMap<&'static str, Zone>,
    /// The last two labels of each, by which nearly every name is told to be none of them.
    roots: HashSet<&'static str, rapidhash::fast::RandomState>,
}

impl Default for Zones {
    fn default() -> Self {
        let labels: Vec<(&str, Form, &str)> = rows(LABELS)
            .filter_map(|mut columns| Some((columns.next()?, Form::of(columns.next()?)?, columns.next()?)))
            .collect();
        let zone = |suffix: &'static str, kind: &str| Zone {
            suffix,
            signs_in: SIGN_IN.contains(&kind),
            labels: labels
                .iter()
                .filter(|(zone, ..)| *zone == suffix || *zone == "*")
                .map(|(_, form, label)| (*form, *label))
                .collect(),
        };
        let by_suffix: BTreeMap<&'static str, Zone> = rows(ZONES)
            .filter_map(|mut columns| {
                let suffix = columns.next()?;
                Some((suffix, zone(suffix, columns.next()?)))
            })
            .collect();
        Self {
            roots: by_suffix.keys().map(|suffix| root(suffix)).collect(),
            by_suffix,
        }
    }
}

impl Zones {
    /// The customer whom a name is of.
    #[must_use]
    pub(super) fn customer<'a>(&self, name: &'a str) -> Option<Customer<'a>> {
        if !self.roots.contains(root(name)) {
            return None;
        }
        let zone = name
            .match_indices('.')
            .filter_map(|(dot, _)| name.get(dot.saturating_add(1)..))
            .find_map(|behind| self.by_suffix.get(behind))?;
        let front = name.strip_suffix(zone.suffix)?.strip_suffix('.')?;
        Some(Customer {
            name: zone.customer(front)?,
            zone: zone.suffix,
            signs_in: zone.signs_in,
        })
    }

    /// Whether people sign in at a zone for whom they work.
    #[must_use]
    pub(super) fn signs_in(&self, zone: &str) -> bool {
        self.by_suffix.get(zone).is_some_and(|zone| zone.signs_in)
    }
}

/// The rows of a table, by columns.
fn rows(table: &'static str) -> impl Iterator<Item = std::str::Split<'static, char>> {
    table
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split('\t'))
}

/// The last two labels of a name.
fn root(name: &str) -> &str {
    let mut dots = name.bytes().enumerate().rev().filter(|(_, octet)| *octet == b'.');
    let second = dots.nth(1).map(|(dot, _)| dot.saturating_add(1));
    second.and_then(|start| name.get(start..)).unwrap_or(name)
}

/// Whether a label is like a pattern: `#` stands for digits, at least one, and `*`, at most once, for anything.
fn matches(pattern: &str, label: &str) -> bool {
    match pattern.split_once('*') {
        None => matches_digits(pattern, label),
        Some((before, behind)) => {
            label.len() >= before.len().saturating_add(behind.len())
                && label.starts_with(before)
                && label.ends_with(behind)
        }
    }
}

/// The same without `*`.
fn matches_digits(pattern: &str, label: &str) -> bool {
    let mut rest = label;
    for (place, part) in pattern.split('#').enumerate() {
        if place > 0 {
            let behind = rest.trim_start_matches(|letter: char| letter.is_ascii_digit());
            if behind.len() == rest.len() {
                return false;
            }
            rest = behind;
        }
        match rest.strip_prefix(part) {
            Some(behind) => rest = behind,
            None => return false,
        }
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn customer(name: &str) -> Option<String> {
        let zones = Zones::default();
        let found = zones.customer(name)?;
        Some(format!("{}@{}", found.name, found.zone))
    }

    #[test]
    fn every_row_is_of_a_zone_and_has_a_form_and_a_source() {
        let zones = Zones::default();
        for row in LABELS.lines().filter(|line| !line.starts_with('#')) {
            let columns: Vec<&str> = row.split('\t').collect();
            let [zone, form, label, source] = columns.as_slice() else {
                panic!("{row}");
            };
            assert!(*zone == "*" || zones.by_suffix.contains_key(zone), "{row}");
            assert!(Form::of(form).is_some() && !label.is_empty(), "{row}");
            assert!(label.matches('*').count() <= 1 && !source.is_empty(), "{row}");
        }
        // Each zone says what of it is the service's own.
        for zone in zones.by_suffix.values() {
            let own = LABELS.lines().any(|line| line.starts_with(zone.suffix));
            assert!(own, "{}", zone.suffix);
        }
    }

    #[test]
    fn what_a_service_calls_its_own_is_nobodys_in_any_zone() {
        let zones = Zones::default();
        for zone in zones.by_suffix.keys() {
            for label in [
                "www",
                "login",
                "us",
                "portal",
                "community",
                "support",
                "hooks",
                "my",
                "services",
            ] {
                assert_eq!(customer(&format!("{label}.{zone}")), None);
                assert_eq!(customer(&format!("use1-x.{label}.{zone}")), None);
            }
            assert_eq!(customer(&format!("eu.{zone}")), None);
            assert_eq!(customer(zone), None);
            assert_eq!(customer(&format!("not{zone}")), None);
        }
        for name in [
            "wss-mobile.slack.com",
            "files-origin.slack.com",
            "platform-tls-client.slack.com",
            "ok14static.okta.com",
            "westus2-1.pushnp.sharepoint.com",
            "ssl.my.salesforce.com",
            "sandbox.my.salesforce.com",
            "dev105877.service-now.com",
            "wd5.myworkday.com",
            "impl.workday.com",
            "gateway.zscalertwo.net",
            "us-east-g-acme.gpabc.gw.gpcloudservice.com",
            "gateway.npa.goskope.com",
            "eu.goskope.com",
            "www.duosecurity.com",
        ] {
            assert_eq!(customer(name), None, "{name}");
        }
    }

    #[test]
    fn what_a_service_adds_to_a_customers_name_is_no_other_customer() {
        for (name, wanted) in [
            ("acme.okta.com", "acme@okta.com"),
            ("acme-admin.okta.com", "acme@okta.com"),
            ("acme.kerberos.okta.com", "acme@okta.com"),
            ("files.acme.slack.com", "acme@slack.com"),
            ("acme.enterprise.slack.com", "acme@slack.com"),
            ("acme-my.sharepoint.com", "acme@sharepoint.com"),
            ("acme-admin.sharepoint.com", "acme@sharepoint.com"),
            ("acme.sharepoint.com", "acme@sharepoint.com"),
            ("acme--dev.sandbox.my.salesforce.com", "acme@my.salesforce.com"),
            ("acme--uat.my.salesforce.com", "acme@my.salesforce.com"),
            ("acme.protect.jamfcloud.com", "acme@jamfcloud.com"),
            ("acme.eu.goskope.com", "acme@goskope.com"),
            ("gateway-acme.goskope.com", "acme@goskope.com"),
            ("gateway-backup-acme.goskope.com", "acme@goskope.com"),
            ("download-acme.goskope.com", "acme@goskope.com"),
            ("addon-acme.eu.goskope.com", "acme@goskope.com"),
            ("api-1a2b3c4d.duosecurity.com", "1a2b3c4d@duosecurity.com"),
            ("sso-1a2b3c4d.sso.duosecurity.com", "1a2b3c4d@duosecurity.com"),
        ] {
            assert_eq!(customer(name).as_deref(), Some(wanted), "{name}");
        }
    }

    #[test]
    fn patterns_stand_for_digits_and_for_anything() {
        assert!(matches("ok#static", "ok12static") && !matches("ok#static", "okstatic"));
        assert!(matches("dev#", "dev1") && !matches("dev#", "dev1a") && !matches("dev#", "dev"));
        assert!(matches("wss-*", "wss-primary") && !matches("wss-*", "wss"));
        assert!(matches("*-jcds", "use1-jcds") && !matches("a*a", "a"));
    }
}
