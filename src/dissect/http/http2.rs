//! HTTP/2 without encryption: recognised by its connection preface (RFC 9113, 3.4). Its headers are compressed with state
//! and stay unread.

use crate::dissect::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// What a client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// HTTP/2 in clear text, with prior knowledge or after an upgrade.
#[derive(Clone, Copy, Debug)]
pub struct Http2;

impl Dissector for Http2 {
    fn name(&self) -> &'static str {
        "http2"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        if head.to_server.starts_with(PREFACE) {
            Probe::Yes
        } else if !head.to_server.is_empty() && PREFACE.starts_with(head.to_server) {
            Probe::Wait
        } else {
            Probe::No
        }
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Recognised)
    }
}

struct Recognised;

impl Dissection for Recognised {
    fn feed(&mut self, _: &Input<'_>, _: &mut Facts<'_>) -> Next {
        Next::Done
    }
}
