//! What a reverse name says of an address: the kind of its network, by the words that providers put into generic names.
//!
//! Whoever holds an address writes its reverse name, truly or not; so it is a lead, behind every database of the user. Words count as
//! whole labels or parts between hyphens, never inside of words, and not in the domain itself (`mobile.example.net`, not
//! `host.mobile-shop.example`).

use std::sync::OnceLock;

use super::kinds::NetworkKind;

/// What a row of the table stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// The kind of the network.
    Kind(NetworkKind),
    /// Many customers share the address (RFC 6888).
    Shared,
}

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// A domain (with all below it), or a word.
    pub text: &'static str,
    /// What it says.
    pub says: Says,
    /// Where the row comes from.
    pub source: &'static str,
    /// When it was taken from there, `YYYY-MM-DD`.
    pub read: &'static str,
    is_domain: bool,
}

fn table() -> &'static [Word] {
    static TABLE: OnceLock<Vec<Word>> = OnceLock::new();
    TABLE.get_or_init(|| {
        include_str!("reverse.tsv")
            .lines()
            .skip(1)
            .filter_map(row)
            .collect()
    })
}

fn row(line: &'static str) -> Option<Word> {
    let mut columns = line.split('\t');
    let is_domain = match columns.next()? {
        "suffix" => true,
        "label" => false,
        _ => return None,
    };
    let text = columns.next()?;
    let says = match columns.next()? {
        "shared" => Says::Shared,
        kind => Says::Kind(NetworkKind::ALL.into_iter().find(|known| known.name() == kind)?),
    };
    let (source, read) = (columns.next()?, columns.next()?);
    let is_whole = columns.next().is_none();
    is_whole.then_some(Word {
        text,
        says,
        source,
        read,
        is_domain,
    })
}

/// What a name says, in lower case and without a final dot: the first row of the table that fits.
#[must_use]
pub fn word(name: &str) -> Option<&'static Word> {
    // The last two labels are somebody's domain: what he calls it says nothing of the line.
    let own = name
        .rmatch_indices('.')
        .nth(1)
        .and_then(|(at, _)| name.get(..at))
        .unwrap_or_default();
    table().iter().find(|word| {
        if word.is_domain {
            return name
                .strip_suffix(word.text)
                .is_some_and(|rest| rest.ends_with('.'));
        }
        own.split('.')
            .any(|label| label == word.text || label.split('-').any(|part| part == word.text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_reads_and_has_a_source_and_a_day() {
        let lines = include_str!("reverse.tsv").lines().skip(1);
        assert_eq!(lines.count(), table().len());
        for word in table() {
            assert!(!word.source.is_empty() && !word.text.is_empty(), "{word:?}");
            assert!(crate::geo::build::epoch_of(word.read).is_some(), "{word:?}");
            assert_eq!(word.text, word.text.to_ascii_lowercase());
        }
    }

    #[test]
    fn generic_names_say_what_the_line_is() {
        let says = |name: &str| word(name).map(|word| word.says);
        for (name, kind) in [
            ("ec2-203-0-113-25.compute-1.amazonaws.com", NetworkKind::Hosting),
            ("25.113.0.203.bc.googleusercontent.com", NetworkKind::Hosting),
            ("203-0-113-25.dsl.dyn.provider.example", NetworkKind::Residential),
            ("cable-203-0-113-25.provider.example", NetworkKind::Residential),
            ("203-0-113-25.mobile.provider.example", NetworkKind::Mobile),
            ("tor-exit.nobody.example", NetworkKind::Tor),
            ("dorm7.school.edu", NetworkKind::Education),
        ] {
            assert_eq!(says(name), Some(Says::Kind(kind)), "{name}");
        }
        assert_eq!(says("cgnat-203-0-113-25.provider.example"), Some(Says::Shared));
    }

    #[test]
    fn words_inside_of_words_and_in_domains_say_nothing() {
        for name in [
            "www.mobile.example",
            "immobile.provider.example",
            "dynamo.provider.example",
            "compute-1.amazonaws.com.example.net",
            "bc.googleusercontent.com",
            "host.provider.example",
            "edu",
            "",
        ] {
            assert_eq!(word(name), None, "{name}");
        }
    }
}
