//! What values of some fields look like on the wire, so that a signature file does not look for what never comes.

use super::entry::Pattern;

/// A value that its field never has: such an entry would be believed to look for something.
pub(super) fn malformed(field: &str, patterns: &[Pattern]) -> Option<(&'static str, String)> {
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    patterns.iter().find_map(|pattern| match (field, pattern) {
        ("tls.ja3" | "tls.ja3s", Pattern::Exact(text)) if !is_hex(text, 32) => Some((
            "exact",
            format!("{text:?}: a JA3 has 32 hex digits in lower case"),
        )),
        ("tls.ja4", Pattern::Exact(text)) => {
            let parts: Vec<&str> = text.split('_').collect();
            let is_whole =
                matches!(parts.as_slice(), [a, b, c] if a.len() == 10 && is_hex(b, 12) && is_hex(c, 12));
            (!is_whole).then(|| {
                let what =
                    format!("{text:?}: a JA4 has three parts of 10, 12 and 12 characters with _ between");
                ("exact", what)
            })
        }
        ("mac.oui", Pattern::Prefix(text)) => {
            let is_part = |part: &str| (1..=2).contains(&part.len()) && is_hex(part, part.len());
            (!text.split(':').all(is_part)).then(|| {
                let what = format!("{text:?}: pairs of hex digits with : between, as in 04:c9:8b");
                ("prefix", what)
            })
        }
        ("tls.lengths", Pattern::Lengths(pattern)) if pattern.transport.is_some() => Some((
            "lengths",
            format!("\"{pattern}\": of records inside TLS, so it begins with tls"),
        )),
        ("payload.lengths", Pattern::Lengths(pattern)) if pattern.transport.is_none() => Some((
            "lengths",
            format!("\"{pattern}\": of payloads, so it begins with tcp or udp"),
        )),
        _ => None,
    })
}
