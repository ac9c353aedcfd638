//! Secrets in heads: tokens, passwords and names before hosts are not said, only a hash by which the same one is told again.
//!
//! A token is drawn by chance, so 64 bits of its SHA-256 betray nothing. What people choose is found by trying words: of a
//! password only 16 bits are said, which thousands of words share.

use std::borrow::Cow;
use std::fmt::Write as _;

use sha2::{Digest, Sha256};

/// Parameters whose values are credentials: tokens by RFC 6749, RFC 6750 and RFC 7519, sessions, keys, and signed addresses.
const TOKENS: [&[u8]; 26] = [
    b"access_token",
    b"accesstoken",
    b"api_key",
    b"apikey",
    b"api-key",
    b"auth",
    b"auth_token",
    b"authorization",
    b"authtoken",
    b"bearer",
    b"client_secret",
    b"code",
    b"id_token",
    b"jsessionid",
    b"jwt",
    b"phpsessid",
    b"refresh_token",
    b"secret",
    b"session",
    b"session_id",
    b"sessionid",
    b"sig",
    b"signature",
    b"ticket",
    b"token",
    b"x-amz-security-token",
];

/// Parameters whose values people choose.
const PASSWORDS: [&[u8]; 5] = [b"pass", b"passwd", b"password", b"passphrase", b"pwd"];

/// Schemes whose credentials are a new answer to each challenge (RFC 7616, RFC 4559): nothing is told again by them.
const ANSWERS: [&[u8]; 3] = [b"digest", b"negotiate", b"ntlm"];

/// Shortest token that follows the word `bearer`: words behind it are prose.
const SHORTEST_BEARER: usize = 8;

/// Shortest text after `eyJ`, which is `{"` in base64url, that makes a web token of it (RFC 7519, 3.1).
const SHORTEST_WEB_TOKEN: usize = 16;

/// Longest name of a protocol in a WebSocket's head that has letters and digits mixed; those of the IANA registry are shorter.
const LONGEST_SUBPROTOCOL: usize = 32;

/// `://` in percent-encoding (RFC 3986, 2.1).
const ENCODED: &[u8] = b"%3A%2F%2F";

/// Octets of an encoded address in which its user is looked for: names have at most 253.
const LONGEST_AUTHORITY: usize = 512;

/// Hexadecimal digits that are said of a token's hash, and of a password's.
const DIGITS: [usize; 2] = [16, 4];

/// What kind of secret it is: how much of its hash may be said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Secret {
    Token,
    Password,
}

/// Puts a secret's mark behind what was taken so far.
fn mark(text: &mut Vec<u8>, secret: &[u8], kind: Secret) {
    let [token, password] = DIGITS;
    let digits = if kind == Secret::Token { token } else { password };
    let mut hash = String::with_capacity(64);
    for octet in Sha256::digest(secret) {
        let _ = write!(hash, "{octet:02x}");
    }
    text.extend_from_slice(b"[redacted sha256:");
    text.extend_from_slice(hash.get(..digits).unwrap_or_default().as_bytes());
    text.push(b']');
}

/// The letters of tokens (RFC 9110, 11.2: token68).
const fn is_of_token(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~' | b'+' | b'/' | b'=')
}

fn run(bytes: &[u8], belongs: impl Fn(u8) -> bool) -> usize {
    bytes
        .iter()
        .position(|&octet| !belongs(octet))
        .unwrap_or(bytes.len())
}

/// A secret from the start of `rest`, where `before` is what stands before it: octets that are said, and octets that are not.
fn found(before: &[u8], rest: &[u8]) -> Option<(usize, usize, Secret)> {
    let follows_word = before
        .last()
        .is_some_and(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_'));
    match rest.first()? {
        b'e' if rest.starts_with(b"eyJ") && !follows_word => {
            let length = run(rest, |octet| is_of_token(octet) && octet != b'/');
            (length >= SHORTEST_WEB_TOKEN).then_some((0, length, Secret::Token))
        }
        b'b' | b'B' if rest.get(..6)?.eq_ignore_ascii_case(b"bearer") => {
            let behind = rest.get(6..)?;
            let between = if behind.starts_with(b"%20") {
                3
            } else {
                run(behind, |octet| matches!(octet, b' ' | b'.' | b':' | b'=' | b','))
            };
            let length = run(behind.get(between..)?, is_of_token);
            let is_token = between > 0 && length >= SHORTEST_BEARER;
            is_token.then_some((between.saturating_add(6), length, Secret::Token))
        }
        b':' if rest.starts_with(b"://") => {
            let authority = rest.get(3..)?;
            let authority = authority.get(
                ..run(authority, |octet| {
                    !matches!(octet, b'/' | b'?' | b'#' | b' ' | b',' | b'&')
                }),
            )?;
            let length = authority.iter().rposition(|&octet| octet == b'@')?;
            (length > 0).then_some((3, length, Secret::Password))
        }
        b'%' => encoded_userinfo(rest).map(|length| (ENCODED.len(), length, Secret::Password)),
        b'?' | b'&' | b';' | b'#' => parameter(rest.get(1..)?, rest.starts_with(b";"))
            .map(|(said, length, kind)| (said.saturating_add(1), length, kind)),
        _ => None,
    }
}

/// Length of name and password behind `://` where an address stands within another and is percent-encoded.
fn encoded_userinfo(rest: &[u8]) -> Option<usize> {
    let (colon, authority) = rest.split_at_checked(ENCODED.len())?;
    if !colon.eq_ignore_ascii_case(ENCODED) {
        return None;
    }
    let authority = authority.get(..LONGEST_AUTHORITY).unwrap_or(authority);
    let ends = |at: usize| {
        let here = authority.get(at..).unwrap_or_default();
        let is_encoded = |mark: &[u8]| {
            here.get(..3)
                .is_some_and(|three| three.eq_ignore_ascii_case(mark))
        };
        here.first()
            .is_some_and(|octet| matches!(octet, b'/' | b'?' | b'#' | b' ' | b'&'))
            || is_encoded(b"%2f")
    };
    let length = (0..authority.len())
        .find(|at| ends(*at))
        .unwrap_or(authority.len());
    let authority = authority.get(..length)?;
    let at = authority.windows(3).rposition(|three| three == b"%40");
    let sign = authority.iter().rposition(|&octet| octet == b'@');
    at.max(sign).filter(|length| *length > 0)
}

/// A parameter whose value is a secret, from its name on; one of the path ends where the query begins (RFC 3986, 3.3).
fn parameter(rest: &[u8], is_of_path: bool) -> Option<(usize, usize, Secret)> {
    let name_length = rest.iter().take(24).position(|&octet| octet == b'=')?;
    let name = rest.get(..name_length)?;
    let is_one = |names: &[&[u8]]| names.iter().any(|known| name.eq_ignore_ascii_case(known));
    let kind = if is_one(&TOKENS) {
        Secret::Token
    } else if is_one(&PASSWORDS) {
        Secret::Password
    } else {
        return None;
    };
    let said = name_length.saturating_add(1);
    let length = run(rest.get(said..)?, |octet| {
        !(matches!(octet, b'&' | b';' | b'#' | b' ' | b'"') || is_of_path && octet == b'?')
    });
    (length > 0).then_some((said, length, kind))
}

/// A header's value, or what a request asks for, without the secrets in it.
pub(super) fn without(value: &[u8]) -> Cow<'_, [u8]> {
    let mut clean: Option<Vec<u8>> = None;
    let (mut at, mut said_until) = (0_usize, 0_usize);
    while let Some((before, rest)) = value.split_at_checked(at).filter(|(_, rest)| !rest.is_empty()) {
        let Some((said, length, kind)) = found(before, rest) else {
            at = at.saturating_add(1);
            continue;
        };
        let begins = at.saturating_add(said);
        let ends = begins.saturating_add(length);
        let text = clean.get_or_insert_default();
        text.extend_from_slice(value.get(said_until..begins).unwrap_or_default());
        mark(text, value.get(begins..ends).unwrap_or_default(), kind);
        (at, said_until) = (ends, ends);
    }
    match clean {
        Some(mut text) => {
            text.extend_from_slice(value.get(said_until..).unwrap_or_default());
            Cow::Owned(text)
        }
        None => Cow::Borrowed(value),
    }
}

/// Host and port without name and password before them.
pub(super) fn without_userinfo(authority: &[u8]) -> Cow<'_, [u8]> {
    let Some(at) = authority.iter().rposition(|&octet| octet == b'@') else {
        return without(authority);
    };
    let (user, host) = authority.split_at_checked(at).unwrap_or((authority, &[]));
    let mut text = Vec::new();
    mark(&mut text, user, Secret::Password);
    text.extend_from_slice(host);
    Cow::Owned(text)
}

/// Protocols within a WebSocket: some clients hand over their token as if it were one, since browsers let pages set no other field.
pub(super) fn without_tokens_among_protocols(value: &[u8]) -> Cow<'_, [u8]> {
    let without = without(value);
    let is_token = |part: &[u8]| {
        part.len() > LONGEST_SUBPROTOCOL
            && !part.contains(&b'[')
            && part.iter().any(u8::is_ascii_digit)
            && part.iter().any(u8::is_ascii_alphabetic)
    };
    if !without
        .split(|&octet| octet == b',')
        .any(|part| is_token(part.trim_ascii()))
    {
        return without;
    }
    let mut text = Vec::new();
    for (at, part) in without.split(|&octet| octet == b',').enumerate() {
        if at > 0 {
            text.extend_from_slice(b", ");
        }
        match part.trim_ascii() {
            part if is_token(part) => mark(&mut text, part, Secret::Token),
            part => text.extend_from_slice(part),
        }
    }
    Cow::Owned(text)
}

/// The scheme of credentials (RFC 9110, 11.4), and a hash of what follows it where that comes again; credentials without a
/// scheme are only hashed.
pub(super) fn scheme(value: &[u8]) -> Vec<u8> {
    let value = value.trim_ascii();
    let mut text = Vec::new();
    let space = value.iter().position(|&octet| octet == b' ');
    let (scheme, credentials) = space
        .and_then(|at| value.split_at_checked(at))
        .unwrap_or((value, &[]));
    let is_answer = ANSWERS.iter().any(|known| scheme.eq_ignore_ascii_case(known));
    let credentials = credentials.trim_ascii();
    if credentials.is_empty() {
        let is_bare =
            is_answer || scheme.eq_ignore_ascii_case(b"basic") || scheme.eq_ignore_ascii_case(b"bearer");
        if is_bare {
            text.extend_from_slice(scheme);
        } else if !scheme.is_empty() {
            mark(&mut text, scheme, Secret::Token);
        }
        return text;
    }
    text.extend_from_slice(scheme);
    if !is_answer {
        let is_basic = scheme.eq_ignore_ascii_case(b"basic");
        text.push(b' ');
        mark(
            &mut text,
            credentials,
            if is_basic { Secret::Password } else { Secret::Token },
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean(text: &str) -> String {
        String::from_utf8(without(text.as_bytes()).into_owned()).unwrap()
    }

    /// Header and claims of a web token without meaning, as RFC 7519 puts them together.
    const WEB_TOKEN: &str = "eyJhbGciOiJIUzI1NiJ9.eyJpZCI6ImV4YW1wbGUifQ.c2lnbmF0dXJlb2ZhbmV4YW1wbGU";

    #[test]
    fn tokens_and_passwords_go_wherever_they_stand_and_the_rest_stays() {
        for (before, secret, after) in [
            ("v1, authorization.bearer.", WEB_TOKEN, ""),
            (
                "base64url.bearer.",
                "authorization.k8s.io.c2VjcmV0",
                ", v4.channel.k8s.io",
            ),
            ("/ws/", WEB_TOKEN, "/desktop?width=3"),
            ("/a?b=c&access_token=", "q1w2e3r4", "&d=e"),
            ("/login?user=anna&Password=", "Sommer12", "#top"),
            ("/x;jsessionid=", "0A1B2C", "?y=z"),
            ("/fetch?url=http://", "anna:Sommer12", "@host.example/path"),
            ("https://", "anna", "@host.example"),
            (
                "/go?url=http%3a%2f%2f",
                "anna%3ASommer12",
                "%40host.example%2Fpath%40b",
            ),
            ("Bearer ", "abcdefgh.12345", ""),
        ] {
            let text = clean(&format!("{before}{secret}{after}"));
            assert!(!text.contains(secret), "{text}");
            assert!(text.starts_with(&format!("{before}[redacted sha256:")), "{text}");
            assert!(text.ends_with(&format!("]{after}")), "{text}");
        }
        for harmless in [
            "/kvm/?width=3&tokens=4",
            "chisel-v3, binary",
            "a bearer of news",
            "Bearer realm=\"a\"",
            "/eyJ/short",
            "https://host.example/@anna",
            "host.example:443",
            "/go?url=http%3A%2F%2Fhost.example%2F%40b",
        ] {
            assert_eq!(clean(harmless), harmless);
        }
    }

    #[test]
    fn the_same_secret_is_told_again_and_of_passwords_little_is_said() {
        let token = |text: &str| clean(&format!("/?token={text}"));
        assert_eq!(token("abc"), "/?token=[redacted sha256:ba7816bf8f01cfea]");
        assert_ne!(token("abc"), token("abd"));
        assert_eq!(clean("/?pwd=abc"), "/?pwd=[redacted sha256:ba78]");
    }

    #[test]
    fn credentials_leave_their_scheme() {
        for (value, said) in [
            ("Basic YWJj", "Basic [redacted sha256:"),
            ("NTLM TlRMTVNTUAAB", "NTLM"),
            ("Digest username=\"anna\"", "Digest"),
            ("secret-without-scheme", "[redacted sha256:"),
            ("Bearer abc", "Bearer [redacted sha256:ba7816bf8f01cfea]"),
            ("Negotiate", "Negotiate"),
        ] {
            let text = String::from_utf8(scheme(value.as_bytes())).unwrap();
            assert!(text.starts_with(said), "{text}");
            let tail = value.split_once(' ').map_or(value, |(_, tail)| tail);
            assert!(tail == said || !text.contains(tail), "{text}");
        }
    }

    #[test]
    fn hosts_lose_names_and_protocols_lose_tokens() {
        let host = without_userinfo(b"anna:Sommer12@proxy.example:3128").into_owned();
        let host = String::from_utf8(host).unwrap();
        assert!(
            host.starts_with("[redacted sha256:") && host.ends_with("]@proxy.example:3128"),
            "{host}"
        );
        assert_eq!(&*without_userinfo(b"a.example:443"), b"a.example:443");
        let offered = b"graphql-transport-ws, 0123456789abcdef0123456789abcdef01";
        let text = String::from_utf8(without_tokens_among_protocols(offered).into_owned()).unwrap();
        assert!(
            text.starts_with("graphql-transport-ws, [redacted sha256:"),
            "{text}"
        );
        assert!(!text.contains("0123456789abcdef0123"), "{text}");
    }
}
