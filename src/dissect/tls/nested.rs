//! A TLS connection that is read on behind its handshake, by the lengths of its records alone: whether another handshake takes
//! place inside is judged by [`super::inner_handshake`].
//!
//! Costs every connection more octets than its handshake, so it begins only where a run asks for it
//! ([`super::super::Dissector::start_closely`]).

use super::super::openvpn::lengths as openvpn;
use super::inner_handshake::Lengths;
use super::record::{self, Header};
use super::{TlsDissection, field};
use crate::dissect::{Dissection, Input, Next};
use crate::model::fact::{Facts, Side};

/// One connection.
#[derive(Debug)]
pub(super) struct Closely {
    /// Reads the handshake; nothing when that has ended.
    handshake: Option<TlsDissection>,
    walks: [Walk; 2],
    /// Octets at the front of each window that were walked and are still shown.
    walked: [usize; 2],
    lengths: Lengths,
    /// Likewise for OpenVPN inside.
    packets: openvpn::Lengths,
    has_begun: bool,
}

/// Where one direction stands between its records.
#[derive(Debug, Default)]
struct Walk {
    /// Octets of the record's body that are still to come.
    body_left: usize,
    header: [u8; record::HEADER],
    held: usize,
    has_changed_cipher: bool,
    /// Up to TLS 1.2 the end of the handshake travels in a record of the handshake's own type.
    has_finished: bool,
}

impl Walk {
    /// The next header that ends in `bytes`, and what is behind it; nothing when it is not all there. The error says that
    /// these are no records any more.
    fn next<'a>(&mut self, bytes: &mut &'a [u8]) -> Result<Option<Header>, ()> {
        let over = self.body_left.min(bytes.len());
        self.body_left = self.body_left.saturating_sub(over);
        *bytes = bytes.get(over..).unwrap_or_default();
        let wanted = record::HEADER.saturating_sub(self.held).min(bytes.len());
        let (part, rest): (&'a [u8], &'a [u8]) = bytes.split_at_checked(wanted).ok_or(())?;
        for (place, octet) in self.header.iter_mut().skip(self.held).zip(part) {
            *place = *octet;
        }
        self.held = self.held.saturating_add(wanted);
        *bytes = rest;
        if self.held < record::HEADER {
            return Ok(None);
        }
        self.held = 0;
        let header = Header::read(&self.header).ok_or(())?;
        self.body_left = usize::from(header.length);
        match header.kind {
            record::CHANGE_CIPHER_SPEC => self.has_changed_cipher = true,
            record::HANDSHAKE => self.has_finished |= self.has_changed_cipher,
            _ => {}
        }
        Ok(Some(header))
    }
}

impl Closely {
    pub(super) fn new() -> Self {
        Self {
            handshake: Some(TlsDissection::new()),
            walks: Default::default(),
            walked: [0; 2],
            lengths: Lengths::default(),
            packets: openvpn::Lengths::default(),
            has_begun: false,
        }
    }

    /// Whether lengths say nothing more.
    const fn are_over(&self) -> bool {
        self.lengths.are_over() && self.packets.are_over()
    }

    /// Takes octets that are new: false when nothing more is to be learnt.
    fn walk(&mut self, side: Side, mut bytes: &[u8], facts: &mut Facts<'_>) -> bool {
        while !bytes.is_empty() {
            let Some(walk) = self.walks.get_mut(side.index()) else {
                return false;
            };
            let header = match walk.next(&mut bytes) {
                Ok(Some(header)) => header,
                Ok(None) => return true,
                Err(()) => return false,
            };
            if header.kind != record::APPLICATION_DATA {
                continue;
            }
            if !self.has_begun {
                // Until the client is done, what the server sends belongs to the handshake of TLS 1.3, and so does the client's
                // own first record.
                if side == Side::Server {
                    continue;
                }
                self.has_begun = true;
                if !walk.has_finished {
                    continue;
                }
            }
            if let Some(inner) = self.lengths.push(side, header.length) {
                facts.text(&field::INNER_HANDSHAKE, inner.name().as_bytes());
                return false;
            }
            if self.packets.push(side, u32::from(header.length)) {
                facts.text(&openvpn::INSIDE, openvpn::BY_ACKNOWLEDGEMENTS);
            }
            if self.are_over() {
                return false;
            }
        }
        true
    }
}

impl Dissection for Closely {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let index = input.side.index();
        let seen = self.walked.get(index).copied().unwrap_or(0);
        let new = input.bytes.get(seen..).unwrap_or_default();
        // Behind a hole nobody knows where records begin.
        let goes_on = !input.after_gap && self.walk(input.side, new, facts);
        let mut next = Next::More(input.bytes.len());
        if let Some(handshake) = &mut self.handshake {
            next = handshake.feed(input, facts);
            if next == Next::Done {
                self.handshake = None;
                next = Next::More(input.bytes.len());
            }
        }
        if !goes_on {
            // The handshake may still have something to say.
            self.lengths.end();
            self.packets.end();
        }
        if self.are_over() && self.handshake.is_none() {
            return Next::Done;
        }
        if let (Next::More(consumed), Some(walked)) = (next, self.walked.get_mut(index)) {
            *walked = input.bytes.len().saturating_sub(consumed);
        }
        next
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::Dissector;
    use super::super::super::drive::Drive;
    use super::super::{Tls, sample};
    use super::*;

    struct Close;

    impl Dissector for Close {
        fn name(&self) -> &'static str {
            "tls"
        }
        fn fields(&self) -> &'static [&'static crate::model::fact::Field] {
            Tls.fields()
        }
        fn layers(&self) -> &'static [crate::model::segment::Layer] {
            Tls.layers()
        }
        fn probe(&self, head: &crate::dissect::Head<'_>) -> crate::dissect::Probe {
            Tls.probe(head)
        }
        fn start(&self) -> Box<dyn Dissection> {
            Tls.start_closely()
        }
    }

    /// TLS 1.3 from hello to hello, and in it a connection to a web server by TLS 1.2 behind an overhead of 17 octets a record.
    fn conversation(inner: &[(Side, usize)]) -> Vec<(Side, Vec<u8>)> {
        let mut all = vec![
            (
                Side::Client,
                sample::record(22, &sample::message(1, &sample::client_hello_body())),
            ),
            (
                Side::Server,
                [
                    sample::record(22, &sample::message(2, &sample::server_hello_body())),
                    vec![20, 3, 3, 0, 1, 1],
                    sample::record(23, &[7; 900]),
                ]
                .concat(),
            ),
            (
                Side::Client,
                [vec![20, 3, 3, 0, 1, 1], sample::record(23, &[7; 53])].concat(),
            ),
        ];
        for (side, length) in inner {
            all.push((*side, sample::record(23, &vec![7; *length + 17])));
        }
        all
    }

    const NESTED: [(Side, usize); 5] = [
        (Side::Client, 517),
        (Side::Server, 2_900),
        (Side::Client, 93),
        (Side::Server, 51),
        (Side::Client, 400),
    ];

    fn told(inner: &[(Side, usize)], piece: usize) -> Vec<String> {
        let mut drive = Drive::new(&Close);
        for (side, bytes) in conversation(inner) {
            for part in bytes.chunks(piece) {
                drive.stream(side, part);
            }
        }
        assert_eq!(drive.texts("tls.sni"), ["farm.example"]);
        drive.texts("tls.inner_handshake")
    }

    #[test]
    fn a_handshake_inside_is_told_however_the_segments_are_cut() {
        for piece in [1, 3, 5, 7, 100, 1_460, 100_000] {
            assert_eq!(told(&NESTED, piece), ["TLS 1.2"], "pieces of {piece}");
        }
    }

    #[test]
    fn without_its_end_nothing_is_told() {
        assert!(told(&NESTED[..3], 1_460).is_empty());
    }

    #[test]
    fn nothing_is_told_of_a_connection_that_is_not_read_closely() {
        let mut drive = Drive::new(&Tls);
        for (side, bytes) in conversation(&NESTED) {
            drive.stream(side, &bytes);
        }
        assert!(drive.texts("tls.inner_handshake").is_empty());
    }
}
