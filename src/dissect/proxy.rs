//! HTTP proxies that open tunnels (RFC 9110, 9.3.6): CONNECT, and what speaks within.
//!
//! The connection is read as HTTP; after a success the tunnel's content is recognised anew ([`Next::Become`] with an empty
//! name), and its protocol becomes that of the flow. Requests with whole addresses are `http` with a proxy target.
//!
//! [`Next::Become`]: super::Next::Become

use super::http::Connection;
use super::{Dissection, Dissector, Head, Probe};
use crate::model::fact::Field;
use crate::model::segment::Layer;

/// A connection that begins with CONNECT. Its facts are those of HTTP.
#[derive(Clone, Copy, Debug)]
pub struct HttpConnect;

impl Dissector for HttpConnect {
    fn name(&self) -> &'static str {
        "http-connect"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        const METHOD: &[u8] = b"CONNECT ";
        if !head.to_server.starts_with(METHOD) {
            // Too short to tell from other requests: the method of all methods that begins with CON.
            let begins = head.to_server.len() < METHOD.len() && METHOD.starts_with(head.to_server);
            return if begins && head.to_server.len() > 1 {
                Probe::Wait
            } else {
                Probe::No
            };
        }
        let target = head.to_server.get(METHOD.len()..).unwrap_or_default();
        // Who asks for a path is a client of AnyConnect, and asks the server itself (draft-mavrogiannopoulos-openconnect-04, 2.2).
        if target.starts_with(b"/") {
            return Probe::No;
        }
        let line = target.split(|&octet| octet == b'\n').next().unwrap_or_default();
        let is_version = |version: &[u8]| line.trim_ascii_end().ends_with(version);
        if is_version(b" HTTP/1.1") || is_version(b" HTTP/1.0") {
            Probe::Yes
        } else if line.len() == target.len() && line.len() < 512 {
            Probe::Wait
        } else {
            Probe::No
        }
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::<Connection>::default()
    }

    fn is_carrier(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::Next;
    use crate::dissect::rehearsal::{every_cut_is_harmless, played, probe_stream};
    use crate::model::fact::Side::{Client, Server};

    const REQUEST: &[u8] = b"CONNECT relay.example:443 HTTP/1.1\r\nHost: relay.example:443\r\n\
        Proxy-Authorization: Basic c2VjcmV0\r\n\r\n";

    #[test]
    fn a_tunnel_names_its_target_and_is_recognised_anew_behind_the_answer() {
        let answer = b"HTTP/1.1 200 Connection established\r\n\r\n\x16\x03\x01";
        let (said, next) = played(&HttpConnect, &[(Client, REQUEST), (Server, answer)]);
        assert_eq!(
            said,
            [
                "http.method=CONNECT",
                "http.proxy_target=relay.example:443",
                "http.host=relay.example:443",
                "http.proxy_authorization=Basic [redacted sha256:1c11]",
                "http.status=200",
            ]
        );
        assert_eq!(next, Next::Become("", answer.len() - 3));
    }

    #[test]
    fn a_refusal_is_followed_by_another_attempt() {
        let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 3\r\n\r\nno\n";
        let (said, next) = played(
            &HttpConnect,
            &[
                (Client, REQUEST),
                (Server, refusal),
                (Client, REQUEST),
                (Server, b"HTTP/1.0 200 OK\r\n\r\n"),
            ],
        );
        assert_eq!(
            said.iter().filter(|fact| fact.starts_with("http.status")).count(),
            2
        );
        assert_eq!(next, Next::Become("", 19));
    }

    #[test]
    fn only_a_connect_line_with_its_version_is_taken() {
        assert_eq!(probe_stream(&HttpConnect, 8_080, REQUEST, &[]), Probe::Yes);
        assert_eq!(
            probe_stream(&HttpConnect, 8_080, b"CONNECT relay.ex", &[]),
            Probe::Wait
        );
        assert_eq!(
            probe_stream(&HttpConnect, 80, b"GET / HTTP/1.1\r\n\r\n", &[]),
            Probe::No
        );
        assert_eq!(
            probe_stream(&HttpConnect, 61_613, b"CONNECT\naccept-version:1.2\n\n\0", &[]),
            Probe::No
        );
    }

    #[test]
    fn every_cut_is_harmless_here() {
        every_cut_is_harmless(&HttpConnect, REQUEST);
    }
}
