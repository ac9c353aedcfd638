//! The authority of an address (RFC 3986, 3.2): `host`, `host:port`, `[2001:db8::1]:port`.

/// The host of an authority: without its port, and without the brackets of an IPv6 address.
///
/// A colon that no decimal port follows is left alone, and so is an IPv6 address without brackets: its last group is no port.
#[must_use]
pub fn host_of(authority: &[u8]) -> &[u8] {
    if let Some(bracketed) = authority.strip_prefix(b"[") {
        return bracketed.split(|octet| *octet == b']').next().unwrap_or_default();
    }
    // Nearly all are names alone: what ends in a letter has no port.
    if !authority
        .last()
        .is_some_and(|last| last.is_ascii_digit() || *last == b':')
    {
        return authority;
    }
    let mut parts = authority.split(|octet| *octet == b':');
    match (parts.next(), parts.next(), parts.next()) {
        (Some(host), Some(port), None) if port.iter().all(u8::is_ascii_digit) => host,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_and_brackets_are_taken_off_and_nothing_else() {
        for (authority, host) in [
            ("relay.example", "relay.example"),
            ("relay.example:443", "relay.example"),
            ("relay.example:", "relay.example"),
            ("192.0.2.1:8080", "192.0.2.1"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("[2001:db8::1", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("relay.example:https", "relay.example:https"),
            (":443", ""),
            ("", ""),
        ] {
            assert_eq!(host_of(authority.as_bytes()), host.as_bytes(), "{authority}");
        }
    }
}
