//! Files that look like an inventory in another form: what was found, and what is wanted.

use serde_json::Value;

use super::COLUMNS;

/// Octets that are looked at for an encoding.
const LOOKED_AT: usize = 64;

/// In what form a file is that cannot be read as an inventory, said for its reader; `None` where it may be one.
pub(super) fn form(bytes: &[u8]) -> Option<String> {
    let start = bytes.get(..LOOKED_AT).unwrap_or(bytes);
    // Text in Latin letters has a zero in every second octet of UTF-16.
    if start.starts_with(&[0xff, 0xfe]) || start.starts_with(&[0xfe, 0xff]) || start.contains(&0) {
        return Some(
            "the file is UTF-16 or no text; an inventory is UTF-8: save it as \u{201c}CSV UTF-8\u{201d}"
                .to_owned(),
        );
    }
    let text = bytes.trim_ascii_start();
    if text.first() == Some(&b'{') {
        return Some(object(text));
    }
    let header = text.split(|octet| matches!(octet, b'\n' | b'\r')).next()?;
    let header = String::from_utf8_lossy(header);
    let separators = [(';', "semicolons"), ('\t', "tabs"), ('|', "bars")];
    let (_, name) = separators.into_iter().find(|(separator, _)| {
        let columns = header
            .split(*separator)
            .map(|column| column.trim().trim_matches('"'));
        let known = columns.filter(|column| COLUMNS.contains(&column.to_ascii_lowercase().as_str()));
        header.contains(*separator) && !header.contains(',') && known.count() > 0
    })?;
    Some(format!(
        "the header's columns are separated by {name}; commas are wanted (semicolons stand between the values of one cell)"
    ))
}

/// What a JSON object at the top holds.
fn object(text: &[u8]) -> String {
    const WANTED: &str = "an array of objects is wanted, one for each machine: [{\"mac\": \"\u{2026}\"}]";
    let Ok(Value::Object(keys)) = serde_json::from_slice(text) else {
        return format!("the file begins like a JSON object and is none; {WANTED}");
    };
    let lists: Vec<&str> = keys
        .iter()
        .filter(|(_, value)| value.is_array())
        .map(|(key, _)| key.as_str())
        .collect();
    match lists.first() {
        Some(list) => {
            format!("a JSON object with the list {list:?}; {WANTED}: take the list out of the object")
        }
        None => format!("a single JSON object; {WANTED}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_forms_are_named_and_an_inventory_is_none_of_them() {
        for (bytes, said) in [
            (&b"ip;mac;assignee\n192.0.2.1;;A\n"[..], "semicolons"),
            (b"hostname\tassignee\nlt-1\tA\n", "tabs"),
            (b"\"IP\"|\"Assignee\"\n", "bars"),
            (b"\xff\xfei\0p\0,\0", "UTF-16"),
            (b"i\0p\0,\0m\0", "UTF-16"),
            (
                b"{\"assets\": [{\"ip\": \"192.0.2.1\"}]}",
                "with the list \"assets\"",
            ),
            (b" {\"ip\": \"192.0.2.1\"}", "a single JSON object"),
            (b"{\"ip\": ", "begins like a JSON object"),
        ] {
            let found = form(bytes).unwrap_or_default();
            assert!(found.contains(said), "{found:?} does not say {said}");
        }
        for inventory in [
            &b"ip,assignee\n192.0.2.1,A;B\n"[..],
            b"[{\"ip\": \"192.0.2.1\"}]",
            b"hostname\nlt-1\n",
            b"",
        ] {
            assert_eq!(form(inventory), None);
        }
    }
}
