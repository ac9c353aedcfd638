//! Names that an indicator does not stand for although its suffix covers them.
//!
//! Many vendors keep their pages in the zone of their servers: `suffix` would take who reads about a tool for who uses it. Such pages are
//! named in `except`, and an indicator of less weight has them.

use super::entry::Pattern;
use crate::document::Table;

/// The excepted names, in lower case; each must lie at or below a suffix of the same indicator, or it excepts nothing.
pub(super) fn read(table: &Table<'_>, patterns: &[Pattern]) -> Vec<String> {
    let mut names = Vec::new();
    for item in table.texts("except") {
        let name = item.text.to_ascii_lowercase();
        let is_covered = patterns
            .iter()
            .any(|pattern| matches!(pattern, Pattern::Suffix(suffix) if is_at_or_below(&name, suffix)));
        if is_covered {
            names.push(name);
        } else {
            let what = format!("{:?} lies below no suffix of this indicator", item.text);
            table.fault_in("except", item, what);
        }
    }
    names
}

fn is_at_or_below(name: &str, suffix: &str) -> bool {
    let head = name.strip_suffix(suffix);
    head.is_some_and(|head| head.is_empty() || head.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::signatures::Catalogue;

    fn catalogue(except: &str) -> Result<Catalogue, String> {
        let text = format!(
            "[[tool]]\nid = \"one\"\nclass = \"vpn-service\"\n[[tool.indicator]]\nfield = \"host.name\"\nsuffix = \"one.example\"\n\
             except = {except}\nweight = 30\nalone = true\nsource = \"x\"\n"
        );
        Catalogue::of_file(Path::new("own.toml"), &text).map_err(|faults| faults.to_string())
    }

    #[test]
    fn a_page_of_the_vendor_is_no_server_of_his() {
        let catalogue = catalogue("[\"one.example\", \"WWW.one.example\"]").unwrap();
        let is_found = |name: &str| catalogue.matches("tls.sni", name.as_bytes()).next().is_some();
        for server in ["us4.one.example", "a.www.one.example", "wwww.one.example"] {
            assert!(is_found(server), "{server}");
        }
        for page in [
            "one.example",
            "www.one.example",
            "WWW.One.Example.",
            "www.one.example:443",
        ] {
            assert!(!is_found(page), "{page}");
        }
    }

    #[test]
    fn a_name_that_no_suffix_covers_excepts_nothing_and_is_refused() {
        for wrong in ["[\"www.other.example\"]", "[\"wwwone.example\"]"] {
            let faults = catalogue(wrong).unwrap_err();
            assert!(faults.contains("own.toml:7: indicator.except: "), "{faults}");
        }
    }
}
