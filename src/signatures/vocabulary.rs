//! Reads the vocabulary: the classes and fields that entries may use, and the names that nobody owns alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::entry::{Class, FieldKind, FieldRule, Pattern, Suspicion};
use crate::document::{Document, Faults};

/// The words that entries may use: `catalogue/vocabulary.toml`.
#[derive(Clone, Debug, Default)]
pub struct Vocabulary {
    /// Classes by their word.
    pub(super) classes: BTreeMap<String, Arc<Class>>,
    /// Fields by their name.
    pub(super) fields: BTreeMap<String, FieldRule>,
    /// Fields by the name of their group.
    pub(super) groups: BTreeMap<String, Vec<String>>,
    /// Names under which unrelated products live side by side.
    pub(super) shared: BTreeSet<String>,
}

impl Vocabulary {
    /// Reads a vocabulary.
    pub fn parse(path: &Path, text: &str) -> Result<Self, Faults> {
        let document = Document::parse(path, text)?;
        let mut vocabulary = Self::default();
        let root = document.root();
        for table in root.tables("class") {
            let class = Class {
                id: table.required_text("id").unwrap_or_default().to_owned(),
                finding: table.text("finding").map(str::to_owned),
                suspicion: match table.text("suspicion") {
                    Some("low") => Suspicion::Low,
                    Some("high") => Suspicion::High,
                    Some("normal") | None => Suspicion::Normal,
                    Some(_) => {
                        table.fault("suspicion", "expected low, normal or high");
                        Suspicion::Normal
                    }
                },
                has_screen: table.flag("screen").unwrap_or(true),
                benign: table.required_text("benign").unwrap_or_default().to_owned(),
            };
            table.refuse_unknown();
            if vocabulary
                .classes
                .insert(class.id.clone(), Arc::new(class))
                .is_some()
            {
                table.fault("id", "stands twice");
            }
        }
        for table in root.tables("field") {
            let kind = match table.required_text("kind") {
                Some("domain") => FieldKind::Domain,
                Some("text") | None => FieldKind::Text,
                Some("caseless") => FieldKind::Caseless,
                Some("payload") => FieldKind::Payload,
                Some("lengths") => FieldKind::Lengths,
                Some("port") => FieldKind::Port,
                Some("address") => FieldKind::Address,
                Some(_) => {
                    table.fault(
                        "kind",
                        "expected domain, text, caseless, payload, lengths, port or address",
                    );
                    FieldKind::Text
                }
            };
            let groups: Vec<String> = table
                .texts("group")
                .iter()
                .map(|item| item.text.to_owned())
                .collect();
            for item in table.texts("name") {
                let rule = FieldRule {
                    name: item.text.to_owned(),
                    kind,
                    groups: groups.clone(),
                };
                for group in &groups {
                    vocabulary
                        .groups
                        .entry(group.clone())
                        .or_default()
                        .push(rule.name.clone());
                }
                if vocabulary.fields.insert(rule.name.clone(), rule).is_some() {
                    table.fault_in("name", item, format!("{:?} stands twice", item.text));
                }
            }
            table.refuse_unknown();
        }
        vocabulary.shared = root
            .texts("shared")
            .iter()
            .map(|item| item.text.to_owned())
            .collect();
        root.refuse_unknown();
        drop(root);
        document.finish(vocabulary)
    }

    /// The fields that `name` stands for: itself, or those of its group.
    pub(super) fn fields_of(&self, name: &str) -> Option<(Vec<String>, FieldKind)> {
        if let Some(rule) = self.fields.get(name) {
            return Some((vec![rule.name.clone()], rule.kind));
        }
        let members = self.groups.get(name)?;
        let kind = self.fields.get(members.first()?)?.kind;
        Some((members.clone(), kind))
    }

    /// All names of fields and groups.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.fields.keys().chain(self.groups.keys()).map(String::as_str)
    }

    /// The first shared name that one of the patterns is, or lies below.
    pub(super) fn shared_by(&self, patterns: &[Pattern]) -> Option<Shared<'_>> {
        patterns.iter().find_map(|pattern| {
            let (name, is_whole) = match pattern {
                Pattern::Suffix(name) => (name, true),
                Pattern::Exact(name) | Pattern::Label(name) => (name, false),
                Pattern::Prefix(_)
                | Pattern::Contains(_)
                | Pattern::Shape(_)
                | Pattern::Attribute(_)
                | Pattern::Bytes(_)
                | Pattern::Lengths(_)
                | Pattern::Ports(..)
                | Pattern::Network(_) => return None,
            };
            if is_whole && let Some(shared) = self.shared.get(name) {
                return Some(Shared::Itself(shared));
            }
            let is_above = |shared: &&String| {
                name.strip_suffix(shared.as_str())
                    .is_some_and(|head| head.ends_with('.'))
            };
            self.shared
                .iter()
                .find(is_above)
                .map(|shared| Shared::Below(shared))
        })
    }
}

/// How a pattern stands to a name under which unrelated products live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shared<'v> {
    /// It is everything below that name.
    Itself(&'v str),
    /// It lies below that name.
    Below(&'v str),
}
