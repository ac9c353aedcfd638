//! RFB, the protocol of VNC (RFC 6143): versions, security types, and the desktop's name where it stays readable.
//!
//! The RFB server speaks first; it is not always who was called, because a listening viewer is called by the server
//! (`vnc.reverse`). Versions beyond the RFC: 3.889 of Apple, 4.x and 5.x of RealVNC, 0.0 of UltraVNC's repeater. A dialect: management
//! controllers of servers with a console made by ATEN (Supermicro, ASRock Rack) offer security type 16 alone, which is TightVNC's otherwise, send 24 octets
//! without meaning, and get name and password, or twice the session's number, in 24 octets each (kelleyk/noVNC bmc-support,
//! thefloweringash/chicken-aten-ikvm; read 2026-11-22). Only that both stand there is said.

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Version that the RFB server offers: `003.008`.
pub const SERVER_VERSION: Field = Field::of_flow("vnc.server_version");
/// Version that the viewer answers.
pub const CLIENT_VERSION: Field = Field::of_flow("vnc.client_version");
/// Security types on offer, in the server's order, separated by commas.
pub const SECURITY_TYPES: Field = Field::of_flow("vnc.security_types");
/// Security type in use.
pub const SECURITY: Field = Field::of_flow("vnc.security");
/// Result of the authentication: 0 is success.
pub const RESULT: Field = Field::of_flow("vnc.result");
/// Name of the desktop.
pub const DESKTOP: Field = Field::of_flow("vnc.desktop");
/// The RFB server opened the connection to a listening viewer.
pub const REVERSE: Field = Field::of_flow("vnc.reverse");
/// A maker's own way through RFB: `aten`.
pub const DIALECT: Field = Field::of_flow("vnc.dialect");
/// Identifier for a repeater: a number, or an address with its display.
pub const REPEATER_ID: Field = Field::of_flow("vnc.repeater_id");

const VERSION_LENGTH: usize = 12;
/// UltraVNC's repeater expects its identifier in so many octets, filled with zeros.
const REPEATER_LENGTH: usize = 250;
const LONGEST_NAME: u32 = 4 << 10;
const NO_AUTHENTICATION: u32 = 1;
const VNC_AUTHENTICATION: u32 = 2;
const TIGHT: u8 = 16;

/// What ATEN's server says first of its log-in, and each half of the answer.
const ATEN_LENGTH: usize = 24;

/// Recognises RFB.
pub struct Rfb;

impl Dissector for Rfb {
    fn name(&self) -> &'static str {
        "vnc"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[
            &SERVER_VERSION,
            &CLIENT_VERSION,
            &SECURITY_TYPES,
            &SECURITY,
            &RESULT,
            &DESKTOP,
            &REVERSE,
            &DIALECT,
            &REPEATER_ID,
        ]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let mut answer = Probe::No;
        for bytes in [head.to_client, head.to_server] {
            if version(bytes).is_some() {
                return Probe::Yes;
            }
            let is_beginning = bytes.len() < VERSION_LENGTH
                && b"RFB ".starts_with(bytes.get(..bytes.len().min(4)).unwrap_or_default());
            if is_beginning && !bytes.is_empty() {
                answer = Probe::Wait;
            }
        }
        match repeater_id(head.to_server) {
            Some(_) if head.to_server.len() >= REPEATER_LENGTH => Probe::Yes,
            Some(_) => Probe::Wait,
            None if b"ID:".starts_with(head.to_server) && !head.to_server.is_empty() => Probe::Wait,
            None => answer,
        }
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Handshake {
            step: Step::ServerVersion,
            server: None,
            is_old: false,
            has_result: false,
            is_tight_alone: false,
        })
    }
}

/// The seven characters of `RFB xxx.yyy` and a line feed.
fn version(bytes: &[u8]) -> Option<&[u8]> {
    let line = bytes.get(..VERSION_LENGTH)?.strip_prefix(b"RFB ")?;
    let number = line.strip_suffix(b"\n")?;
    let is_number = number.iter().enumerate().all(|(place, octet)| match place {
        3 => *octet == b'.',
        _ => octet.is_ascii_digit(),
    });
    is_number.then_some(number)
}

/// The identifier in front of a connection through a repeater: `ID:` and digits, or `address:display`, then zeros.
fn repeater_id(bytes: &[u8]) -> Option<&[u8]> {
    let window = bytes.get(..bytes.len().min(REPEATER_LENGTH))?;
    let text = window.split(|octet| *octet == 0).next()?;
    let number = text.strip_prefix(b"ID:")?;
    let is_filled = window.iter().skip(text.len()).all(|octet| *octet == 0);
    (is_filled && !number.is_empty() && number.len() <= 32 && number.iter().all(u8::is_ascii_digit))
        .then_some(number)
}

/// Whether these are a text and zeros.
fn is_padded(half: &[u8]) -> bool {
    let length = half.iter().position(|octet| *octet == 0).unwrap_or(half.len());
    let (text, padding) = half.split_at_checked(length).unwrap_or_default();
    !text.is_empty()
        && !padding.is_empty()
        && text.iter().all(u8::is_ascii_graphic)
        && padding.iter().all(|octet| *octet == 0)
}

/// What comes next.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    ServerVersion,
    ClientVersion,
    Offer,
    Choice,
    Challenge,
    Response,
    AtenServer,
    AtenClient,
    Result,
    ClientInit,
    ServerInit,
    Finished,
}

impl Step {
    const fn is_from_server(self) -> bool {
        matches!(
            self,
            Self::ServerVersion
                | Self::Offer
                | Self::Challenge
                | Self::AtenServer
                | Self::Result
                | Self::ServerInit
        )
    }
}

struct Handshake {
    step: Step,
    /// Which side is the RFB server, once it spoke.
    server: Option<Side>,
    /// Version 3.3, where the server decides alone (RFC 6143, 7.1.2).
    is_old: bool,
    /// Whether a result follows: always but for no authentication before version 3.8 (RFC 6143, 7.1.3).
    has_result: bool,
    /// Whether the server offered security type 16 and no other.
    is_tight_alone: bool,
}

impl Dissection for Handshake {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if input.after_gap {
            return Next::Done;
        }
        let mut cursor = Cursor::new(input.bytes);
        loop {
            if self.step == Step::Finished {
                return Next::Done;
            }
            if cursor.is_empty() {
                return Next::More(cursor.position());
            }
            if self.step == Step::ServerVersion && cursor.rest().starts_with(b"ID:") {
                let Some(window) = cursor.take(REPEATER_LENGTH) else {
                    return Next::More(cursor.position());
                };
                facts.text(&REPEATER_ID, repeater_id(window).unwrap_or_default());
                continue;
            }
            let server = *self.server.get_or_insert(input.side);
            if self.step.is_from_server() != (server == input.side) {
                return Next::More(cursor.position());
            }
            let mut ahead = cursor.clone();
            let Some(step) = self.advance(&mut ahead, server, facts) else {
                return Next::More(cursor.position());
            };
            cursor = ahead;
            self.step = step;
        }
    }
}

impl Handshake {
    /// Reads one message whole; nothing is said before it is complete.
    fn advance(&mut self, cursor: &mut Cursor<'_>, server: Side, facts: &mut Facts<'_>) -> Option<Step> {
        Some(match self.step {
            Step::ServerVersion => {
                let Some(number) = version(cursor.take(VERSION_LENGTH)?) else {
                    return Some(Step::Finished);
                };
                facts.text(&SERVER_VERSION, number);
                if number == b"000.000" {
                    // A repeater: the real server follows after the identifier.
                    self.server = None;
                    return Some(Step::ServerVersion);
                }
                if server == Side::Client {
                    facts.number(&REVERSE, 1);
                }
                Step::ClientVersion
            }
            Step::ClientVersion => {
                let Some(number) = version(cursor.take(VERSION_LENGTH)?) else {
                    return Some(Step::Finished);
                };
                facts.text(&CLIENT_VERSION, number);
                self.is_old = number < b"003.007".as_slice();
                self.has_result = number >= b"003.008".as_slice();
                Step::Offer
            }
            Step::Offer if self.is_old => {
                let kind = cursor.u32()?;
                self.chosen(kind, facts)
            }
            Step::Offer => {
                let types = cursor.prefixed_u8()?;
                let text: Vec<String> = types.iter().map(u8::to_string).collect();
                facts.text(&SECURITY_TYPES, text.join(",").as_bytes());
                self.is_tight_alone = types == [TIGHT];
                if types.is_empty() {
                    Step::Finished
                } else {
                    Step::Choice
                }
            }
            Step::Choice => {
                let kind = u32::from(cursor.u8()?);
                self.chosen(kind, facts)
            }
            Step::Challenge => {
                cursor.skip(16)?;
                Step::Response
            }
            Step::Response => {
                cursor.skip(16)?;
                Step::Result
            }
            Step::AtenServer => {
                cursor.skip(ATEN_LENGTH)?;
                Step::AtenClient
            }
            Step::AtenClient => {
                // TightVNC's viewer chooses by a number of four octets, of which the first is zero.
                if !cursor.rest().first()?.is_ascii_graphic() {
                    return Some(Step::Finished);
                }
                let halves = [cursor.take(ATEN_LENGTH)?, cursor.take(ATEN_LENGTH)?];
                if halves.iter().any(|half| !is_padded(half)) {
                    return Some(Step::Finished);
                }
                facts.text(&DIALECT, b"aten");
                Step::Result
            }
            Step::Result => {
                let result = cursor.u32()?;
                facts.number(&RESULT, u64::from(result));
                if result == 0 {
                    Step::ClientInit
                } else {
                    Step::Finished
                }
            }
            Step::ClientInit => {
                cursor.u8()?;
                Step::ServerInit
            }
            Step::ServerInit => {
                // Width, height, pixel format (RFC 6143, 7.3.2).
                cursor.skip(2 + 2 + 16)?;
                let length = cursor.u32()?;
                if length <= LONGEST_NAME {
                    let name = cursor.take(usize::try_from(length).ok()?)?;
                    facts.text(&DESKTOP, name);
                }
                Step::Finished
            }
            Step::Finished => Step::Finished,
        })
    }

    /// What follows a security type; others than the RFC's two are encrypted or of their vendor.
    fn chosen(&mut self, kind: u32, facts: &mut Facts<'_>) -> Step {
        facts.number(&SECURITY, u64::from(kind));
        match kind {
            NO_AUTHENTICATION if self.has_result => Step::Result,
            NO_AUTHENTICATION => Step::ClientInit,
            VNC_AUTHENTICATION => Step::Challenge,
            kind if kind == u32::from(TIGHT) && self.is_tight_alone => Step::AtenServer,
            _ => Step::Finished,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::trial::{Trial, survives_every_truncation};

    fn server_init(name: &str) -> Vec<u8> {
        let mut bytes = vec![4, 0, 3, 0];
        bytes.extend([0; 16]);
        bytes.extend(u32::try_from(name.len()).unwrap().to_be_bytes());
        bytes.extend(name.as_bytes());
        bytes
    }

    #[test]
    fn a_password_session_of_version_eight_names_the_desktop() {
        let init = server_init("bench (:1)");
        let session: [(Side, &[u8]); 9] = [
            (Side::Server, b"RFB 003.008\n"),
            (Side::Client, b"RFB 003.008\n"),
            (Side::Server, &[2, 2, 16]),
            (Side::Client, &[2]),
            (Side::Server, &[7; 16]),
            (Side::Client, &[8; 16]),
            (Side::Server, &[0, 0, 0, 0]),
            (Side::Client, &[1]),
            (Side::Server, &init),
        ];
        let mut trial = Trial::new(&[&Rfb], Layer::Tcp, (40_000, 5_900));
        for (side, bytes) in session {
            trial.payload(side, bytes);
        }
        assert_eq!(trial.said("vnc.security_types"), ["2,16"]);
        assert_eq!(trial.said("vnc.security"), ["2"]);
        assert_eq!(trial.said("vnc.desktop"), ["bench (:1)"]);
        assert_eq!(trial.next, Some(Next::Done));
        survives_every_truncation(&Rfb, Layer::Tcp, &session);
    }

    #[test]
    fn the_console_of_a_management_controller_is_told_by_its_log_in() {
        let login = |first: &str, second: &str| -> Vec<u8> {
            let half = |text: &str| [text.as_bytes(), &vec![0; 24 - text.len()]].concat();
            [half(first), half(second)].concat()
        };
        let told = |types: &[u8], filler: &[u8], answer: &[u8]| {
            let init = server_init("console");
            let offer = [&[u8::try_from(types.len()).unwrap()][..], types].concat();
            let session: [(Side, &[u8]); 9] = [
                (Side::Server, b"RFB 003.008\n"),
                (Side::Client, b"RFB 003.008\n"),
                (Side::Server, &offer),
                (Side::Client, &[16]),
                (Side::Server, filler),
                (Side::Client, answer),
                (Side::Server, &[0, 0, 0, 0]),
                (Side::Client, &[1]),
                (Side::Server, &init),
            ];
            let mut trial = Trial::new(&[&Rfb], Layer::Tcp, (40_000, 5_900));
            for (side, bytes) in session {
                trial.payload(side, bytes);
            }
            survives_every_truncation(&Rfb, Layer::Tcp, &session);
            [trial.said("vnc.dialect"), trial.said("vnc.desktop")].concat()
        };
        let filler = [
            0xaf, 0xf9, 0x0f, 0xb0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0,
        ];
        assert_eq!(
            told(&[16], &filler, &login("name", "secret")),
            ["aten", "console"]
        );
        // TightVNC's own: no tunnels, one way to log in, and its number as answer; other types beside; no text.
        let tight = [
            0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 2, b'S', b'T', b'D', b'V', b'V', b'N', b'C', b'A', b'U', b'T',
            b'H', b'_',
        ];
        assert!(told(&[16], &tight, &[0, 0, 0, 2]).is_empty());
        assert!(told(&[2, 16], &filler, &login("name", "secret")).is_empty());
        assert!(told(&[16], &filler, &[b'a'; 48]).is_empty());
    }

    #[test]
    fn version_three_lets_the_server_decide() {
        let mut trial = Trial::new(&[&Rfb], Layer::Tcp, (40_000, 5_900));
        trial.payload(Side::Server, b"RFB 003.889\n");
        trial.payload(Side::Client, b"RFB 003.003\n");
        trial.payload(Side::Server, &[0, 0, 0, 1]);
        trial.payload(Side::Client, &[0]);
        trial.payload(Side::Server, &server_init("d"));
        assert_eq!(trial.said("vnc.server_version"), ["003.889"]);
        assert_eq!(trial.said("vnc.desktop"), ["d"]);
    }

    #[test]
    fn a_server_that_calls_a_listening_viewer_is_marked() {
        let mut trial = Trial::new(&[&Rfb], Layer::Tcp, (40_000, 5_500));
        trial.payload(Side::Client, b"RFB 003.008\n");
        trial.payload(Side::Server, b"RFB 003.008\n");
        assert_eq!(trial.said("vnc.reverse"), ["1"]);
        assert_eq!(trial.said("vnc.client_version"), ["003.008"]);
    }

    #[test]
    fn an_identifier_for_a_repeater_is_said_and_the_server_comes_after_it() {
        let mut bytes = b"ID:1234".to_vec();
        bytes.resize(REPEATER_LENGTH, 0);
        bytes.extend(b"RFB 003.008\n");
        let mut trial = Trial::new(&[&Rfb], Layer::Tcp, (40_000, 5_500));
        for octet in bytes {
            trial.payload(Side::Client, &[octet]);
        }
        assert_eq!(trial.said("vnc.repeater_id"), ["1234"]);
        assert_eq!(trial.said("vnc.server_version"), ["003.008"]);
    }

    #[test]
    fn letters_in_the_version_are_refused() {
        let mut trial = Trial::new(&[&Rfb], Layer::Tcp, (40_000, 5_900));
        trial.payload(Side::Server, b"RFB 003.0x8\n");
        assert_eq!(trial.probed, Probe::No);
    }
}
