//! Heads of HTTP/1 requests (RFC 9112, 3).

use std::borrow::Cow;
use std::mem::MaybeUninit;

use super::body::Body;
use super::own_address;
use super::{
    AUTHORIZATION, Asked, HOST, LastSaid, METHOD, MOST_HEADERS, ORIGIN, PATH, PROXY_AUTHORIZATION,
    PROXY_TARGET, Reading, SUBPROTOCOL, TARGET_FORM, UPGRADE, USER_AGENT, VIA, X_FORWARDED_FOR, finished,
    opaque, secret,
};
use crate::dissect::Probe;
use crate::model::fact::{Facts, Field};

/// Methods: RFC 9110, WebDAV (RFC 4918, RFC 3253), UPnP events, and those of Microsoft's gateways for RPC and Remote Desktop.
const METHODS: [&[u8]; 29] = [
    b"GET",
    b"POST",
    b"HEAD",
    b"PUT",
    b"DELETE",
    b"OPTIONS",
    b"PATCH",
    b"TRACE",
    b"CONNECT",
    b"PROPFIND",
    b"PROPPATCH",
    b"MKCOL",
    b"COPY",
    b"MOVE",
    b"LOCK",
    b"UNLOCK",
    b"SEARCH",
    b"REPORT",
    b"CHECKOUT",
    b"MERGE",
    b"NOTIFY",
    b"M-SEARCH",
    b"SUBSCRIBE",
    b"UNSUBSCRIBE",
    b"RPC_IN_DATA",
    b"RPC_OUT_DATA",
    b"RDG_IN_DATA",
    b"RDG_OUT_DATA",
    b"PURGE",
];

/// Longest request line that is waited for.
const LONGEST_LINE: usize = 16 << 10;

/// Whether a stream begins with a request: a known method, and the version at the end of the line.
/// Where the line's end was cut away, its beginning must do.
pub(super) fn recognise(stream: &[u8], cut: bool) -> Probe {
    let Some(&first) = stream.first() else {
        return Probe::No;
    };
    if !first.is_ascii_uppercase() {
        return Probe::No;
    }
    let method = stream.split(|&octet| octet == b' ').next().unwrap_or_default();
    if method.len() == stream.len() {
        let begins = METHODS.iter().any(|known| known.starts_with(method));
        return if begins { Probe::Wait } else { Probe::No };
    }
    if !METHODS.contains(&method) {
        return Probe::No;
    }
    let target = stream.get(method.len().saturating_add(1)..).unwrap_or_default();
    match target.iter().position(|&octet| octet == b'\n') {
        Some(end) => {
            let line = target.get(..end).unwrap_or_default().trim_ascii_end();
            Probe::when(line.ends_with(b" HTTP/1.1") || line.ends_with(b" HTTP/1.0"))
        }
        None if stream.len() > LONGEST_LINE => Probe::No,
        None if cut && (target.starts_with(b"/") || target.starts_with(b"http://")) => Probe::Yes,
        None => Probe::Wait,
    }
}

/// Reads a head and says what it holds; `said` counts the headers that were said before the end was there.
pub(super) fn read(
    bytes: &[u8],
    said: &mut Option<usize>,
    last: &mut LastSaid,
    facts: &mut Facts<'_>,
) -> Reading<(Asked, Body)> {
    let reading = read_finished(bytes, said, last, facts);
    if reading == Reading::Partial
        && said.is_none()
        && let Some(head) = finished(bytes)
    {
        read_finished(&head, said, last, facts);
    }
    reading
}

fn read_finished(
    bytes: &[u8],
    said: &mut Option<usize>,
    last: &mut LastSaid,
    facts: &mut Facts<'_>,
) -> Reading<(Asked, Body)> {
    let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .ignore_invalid_headers_in_requests(true)
        .parse_request_with_uninit_headers(&mut request, bytes, &mut headers);
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Reading::Partial,
        Err(_) => return Reading::Broken,
    };
    let method = request.method.unwrap_or_default();
    if said.is_none() {
        say_line(method, request.path.unwrap_or_default(), facts);
    }
    for header in request.headers.iter().skip(said.unwrap_or(0)) {
        say_header(header.name, header.value, last, facts);
    }
    *said = Some(request.headers.len());
    let asked = match method {
        "HEAD" => Asked::Head,
        "CONNECT" => Asked::Connect,
        "GET" if is_for_own_address(request.headers) => Asked::OwnAddress,
        "POST" | "PUT"
            if !request
                .headers
                .iter()
                .any(|header| opaque::explains(header.name, header.value)) =>
        {
            Asked::Data
        }
        _ => Asked::Other,
    };
    Reading::Whole((asked, body(request.headers)), length)
}

/// Whether a service is asked that names the caller's address.
fn is_for_own_address(headers: &[httparse::Header<'_>]) -> bool {
    headers
        .iter()
        .any(|header| header.name.eq_ignore_ascii_case("host") && own_address::is_service(header.value))
}

fn say_line(method: &str, target: &str, facts: &mut Facts<'_>) {
    facts.text(&METHOD, method.as_bytes());
    if method == "CONNECT" && !target.starts_with('/') {
        facts.text(&PROXY_TARGET, &secret::without_userinfo(target.as_bytes()));
        return;
    }
    // A whole address is what a proxy gets (RFC 9112, 3.2.2).
    let Some((_, address)) = target.split_once("://").filter(|_| !target.starts_with('/')) else {
        facts.text(&PATH, &secret::without(target.as_bytes()));
        return;
    };
    let path_at = address.find('/').unwrap_or(address.len());
    let (authority, path) = address.split_at_checked(path_at).unwrap_or((address, ""));
    // Names and passwords before the host are not kept.
    let host = authority.rsplit('@').next().unwrap_or_default();
    facts.text(&PROXY_TARGET, host.as_bytes());
    facts.text(&TARGET_FORM, b"absolute");
    facts.text(&PATH, &secret::without(path.as_bytes()));
}

fn say_header(name: &str, value: &[u8], last: &mut LastSaid, facts: &mut Facts<'_>) {
    const FIELDS: [(&str, &Field); 9] = [
        ("host", &HOST),
        ("user-agent", &USER_AGENT),
        ("x-forwarded-for", &X_FORWARDED_FOR),
        ("via", &VIA),
        ("origin", &ORIGIN),
        ("upgrade", &UPGRADE),
        ("sec-websocket-protocol", &SUBPROTOCOL),
        ("authorization", &AUTHORIZATION),
        ("proxy-authorization", &PROXY_AUTHORIZATION),
    ];
    for (place, (wanted, field)) in FIELDS.iter().enumerate() {
        if name.eq_ignore_ascii_case(wanted) {
            let text = match *wanted {
                "authorization" | "proxy-authorization" => Cow::Owned(secret::scheme(value)),
                "sec-websocket-protocol" => secret::without_tokens_among_protocols(value),
                "host" => secret::without_userinfo(value),
                _ => secret::without(value),
            };
            last.text(place, field, &text, facts);
        }
    }
}

/// A request has a body only if it says so (RFC 9112, 6.3).
fn body(headers: &[httparse::Header<'_>]) -> Body {
    for header in headers {
        if header.name.eq_ignore_ascii_case("transfer-encoding") {
            return Body::Chunked;
        }
    }
    let length = headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("content-length"))
        .and_then(|header| std::str::from_utf8(header.value).ok()?.trim().parse().ok());
    Body::of_length(length.unwrap_or(0))
}
