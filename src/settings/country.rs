//! Country codes that a user may write: those of ISO 3166-1 alpha-2.
//!
//! `iso3166.tsv` lists the assigned codes, and beside them codes that people write and the standard does not have. A code that no
//! database of places ever gives would contradict every place: `UK` is not `GB`.

use std::sync::OnceLock;

/// A row of the table.
struct Row {
    code: &'static str,
    is_assigned: bool,
    /// The codes to write instead, in words; empty where there is none.
    instead: &'static str,
    name: &'static str,
}

fn table() -> &'static [Row] {
    static TABLE: OnceLock<Vec<Row>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let row = |line: &'static str| {
            let mut columns = line.split('\t');
            Some(Row {
                code: columns.next()?,
                is_assigned: columns.next()? == "assigned",
                instead: columns.next()?,
                name: columns.next()?,
            })
        };
        let lines = include_str!("iso3166.tsv").lines().skip(1);
        lines.filter_map(row).collect()
    })
}

/// An assigned country code, in upper case.
pub(super) fn code(text: &str) -> Option<String> {
    let code = text.to_ascii_uppercase();
    let is_assigned = table().iter().any(|row| row.is_assigned && row.code == code);
    is_assigned.then_some(code)
}

/// Words for a text that is no assigned country code: what is wrong with it, and what was meant as far as that is known.
pub(super) fn complaint(text: &str) -> String {
    let wrong = format!("{text:?} is not a country code of two letters (ISO 3166-1)");
    let known = |row: &&Row| {
        let is_code = !row.is_assigned && row.code.eq_ignore_ascii_case(text);
        is_code || row.name.eq_ignore_ascii_case(text)
    };
    match table().iter().find(known) {
        Some(row) if row.is_assigned => format!("{wrong}; {} has {}", row.name, row.code),
        Some(row) if !row.instead.is_empty() => format!("{wrong}; {} has {}", row.name, row.instead),
        Some(row) => format!("{wrong}; {} has none", row.name),
        None => wrong,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assigned_codes_are_read_in_any_case_and_no_others() {
        assert_eq!(code("gb").as_deref(), Some("GB"));
        assert_eq!(code("BV").as_deref(), Some("BV"));
        for wrong in ["", "U", "UK", "EU", "XX", "ZZ", "USA", "\u{e9}"] {
            assert_eq!(code(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_was_meant_is_said_where_it_is_known() {
        for (text, meant) in [
            ("uk", "(ISO 3166-1); United Kingdom has GB"),
            ("Germany", "(ISO 3166-1); Germany has DE"),
            ("EU", "(ISO 3166-1); European Union has none"),
            ("XX", "(ISO 3166-1)"),
        ] {
            assert!(complaint(text).ends_with(meant), "{}", complaint(text));
        }
    }

    #[test]
    fn every_row_is_whole_and_every_code_to_write_instead_is_assigned() {
        let lines = include_str!("iso3166.tsv").lines().skip(1);
        assert_eq!(lines.clone().count(), table().len());
        for line in lines {
            assert!(
                line.split('\t').nth(4).is_some_and(|source| !source.is_empty()),
                "{line}"
            );
        }
        assert!(table().is_sorted_by(|one, other| one.code < other.code));
        assert_eq!(table().iter().filter(|row| row.is_assigned).count(), 249 + 1);
        for row in table() {
            let codes = row
                .instead
                .split([',', ' '])
                .filter(|word| word.len() == 2 && *word != "or");
            for instead in codes {
                assert_eq!(code(instead).as_deref(), Some(instead));
            }
        }
    }
}
