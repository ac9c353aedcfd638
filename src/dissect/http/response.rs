//! Heads of HTTP/1 responses (RFC 9112, 4).

use std::borrow::Cow;
use std::mem::MaybeUninit;

use super::body::Body;
use super::{
    AUTHENTICATE, Asked, CONTENT_TYPE, LOCATION, LastSaid, Led, MOST_HEADERS, Reading, SERVER, STATUS,
    SUBPROTOCOL, VIA, finished, opaque, secret,
};
use crate::dissect::Probe;
use crate::model::fact::{Facts, Field};

/// Whether a stream begins with a status line.
pub(super) fn recognise(stream: &[u8]) -> Probe {
    const LINE: &[u8] = b"HTTP/1.";
    let there = stream.len().min(LINE.len());
    if stream.get(..there) != LINE.get(..there) || stream.is_empty() {
        return Probe::No;
    }
    match stream.get(LINE.len()..12) {
        Some([b'0' | b'1', b' ', code @ ..]) if code.iter().all(u8::is_ascii_digit) => Probe::Yes,
        Some(_) => Probe::No,
        None => Probe::Wait,
    }
}

/// Reads a head and says what it holds, and whether it says why its body looks like chance; `said` counts the headers that were said before the end was there.
pub(super) fn read(
    bytes: &[u8],
    asked: Asked,
    said: &mut Option<usize>,
    last: &mut LastSaid,
    facts: &mut Facts<'_>,
) -> Reading<(Led, Body, bool)> {
    let reading = read_finished(bytes, asked, said, last, facts);
    if reading == Reading::Partial
        && said.is_none()
        && let Some(head) = finished(bytes)
    {
        read_finished(&head, asked, said, last, facts);
    }
    reading
}

fn read_finished(
    bytes: &[u8],
    asked: Asked,
    said: &mut Option<usize>,
    last: &mut LastSaid,
    facts: &mut Facts<'_>,
) -> Reading<(Led, Body, bool)> {
    let mut headers = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut response = httparse::Response::new(&mut []);
    let parsed = httparse::ParserConfig::default()
        .ignore_invalid_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .parse_response_with_uninit_headers(&mut response, bytes, &mut headers);
    let length = match parsed {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Reading::Partial,
        Err(_) => return Reading::Broken,
    };
    let status = response.code.unwrap_or(0);
    if said.is_none() {
        facts.number(&STATUS, u64::from(status));
    }
    for header in response.headers.iter().skip(said.unwrap_or(0)) {
        say_header(header.name, header.value, last, facts);
    }
    *said = Some(response.headers.len());
    let led = match (status, asked) {
        (101, _) => Led::To(upgraded(response.headers)),
        (100..=199, _) => Led::Interim,
        // Nothing is known of what speaks within the tunnel: an empty name asks for recognition from here on.
        (200..=299, Asked::Connect) => Led::To(""),
        _ => Led::On,
    };
    let is_explained = asked == Asked::Data
        && response
            .headers
            .iter()
            .any(|header| opaque::explains(header.name, header.value));
    Reading::Whole((led, body(status, asked, response.headers), is_explained), length)
}

/// The registered name of the protocol that the server changes to; empty where it must be recognised.
fn upgraded(headers: &[httparse::Header<'_>]) -> &'static str {
    let to = headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case("upgrade"))
        .map_or(&[][..], |header| header.value);
    if to.eq_ignore_ascii_case(b"websocket") {
        "websocket"
    } else if to.eq_ignore_ascii_case(b"h2c") {
        "http2"
    } else {
        ""
    }
}

fn say_header(name: &str, value: &[u8], last: &mut LastSaid, facts: &mut Facts<'_>) {
    const TEXTS: [(&str, &Field); 6] = [
        ("server", &SERVER),
        ("content-type", &CONTENT_TYPE),
        ("location", &LOCATION),
        ("www-authenticate", &AUTHENTICATE),
        ("via", &VIA),
        ("sec-websocket-protocol", &SUBPROTOCOL),
    ];
    for (place, (wanted, field)) in TEXTS.iter().enumerate() {
        if name.eq_ignore_ascii_case(wanted) {
            let text = match *wanted {
                "sec-websocket-protocol" => secret::without_tokens_among_protocols(value),
                "location" => secret::without(value),
                _ => Cow::Borrowed(value),
            };
            last.text(place, field, &text, facts);
        }
    }
}

/// Length of the body (RFC 9112, 6.3).
fn body(status: u16, asked: Asked, headers: &[httparse::Header<'_>]) -> Body {
    if matches!(status, 100..=199 | 204 | 304) || asked == Asked::Head {
        return Body::None;
    }
    let value = |name: &str| {
        headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .map(|header| header.value)
    };
    if value("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().ends_with(b"chunked")) {
        return Body::Chunked;
    }
    value("content-length")
        .and_then(|value| std::str::from_utf8(value).ok()?.trim().parse().ok())
        .map_or(Body::UntilClose, Body::of_length)
}
