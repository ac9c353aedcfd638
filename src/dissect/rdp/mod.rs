//! RDP over TCP ([MS-RDPBCGR] 1.3.1.1): connection request and confirm, then TLS, or the client's settings in the clear.
//!
//! With TLS or CredSSP the handshake of TLS follows directly, and the flow is handed over. Only in standard security does
//! the client's core data show; of it the build and the computer's name are said. The keyboard layout
//! stands beside them and is left unread, because it speaks about the person.

mod gcc;
pub mod udp;
mod x224;

use self::x224::{Negotiation, Tpkt};
use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// User name in the cookie `mstshash`, as the client cut it.
pub const COOKIE: Field = Field::of_flow("rdp.cookie");
/// Routing token of a load balancer in place of a cookie.
pub const ROUTING_TOKEN: Field = Field::of_flow("rdp.routing_token");
/// Security protocols that the client offers, joined by commas.
pub const REQUESTED: Field = Field::of_flow("rdp.requested");
/// Security that the server chose: `standard`, `tls`, `credssp`, `credssp-ex`, `rdstls`, `aad`.
pub const SECURITY: Field = Field::of_flow("rdp.security");
/// Failure code of the negotiation ([MS-RDPBCGR] 2.2.1.2.2).
pub const FAILURE: Field = Field::of_flow("rdp.failure");
/// Correlation identifier, the same over TCP and UDP.
pub const CORRELATION: Field = Field::of_flow("rdp.correlation");
/// Build of the client, where the settings are in the clear.
pub const CLIENT_BUILD: Field = Field::of_flow("rdp.client_build");
/// Name of the client's computer, where the settings are in the clear.
pub const CLIENT_NAME: Field = Field::of_flow("rdp.client_name");

const PORT: u16 = 3_389;

/// Recognises RDP over TCP.
pub struct Rdp;

impl Dissector for Rdp {
    fn name(&self) -> &'static str {
        "rdp"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[
            &COOKIE,
            &ROUTING_TOKEN,
            &REQUESTED,
            &SECURITY,
            &FAILURE,
            &CORRELATION,
            &CLIENT_BUILD,
            &CLIENT_NAME,
        ]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let mut answer = Probe::No;
        for bytes in [head.to_server, head.to_client] {
            let mut cursor = Cursor::new(bytes);
            match Tpkt::read(&mut cursor) {
                Tpkt::Foreign => {}
                Tpkt::Incomplete => {
                    if !bytes.is_empty() {
                        answer = Probe::Wait;
                    }
                }
                Tpkt::Unit(unit) => {
                    let Some(negotiation) = Negotiation::read(unit) else {
                        continue;
                    };
                    // Without cookie and request it is ISO transport, which others use too (S7, MMS, H.323).
                    if negotiation.is_of_rdp() || negotiation.is_bare() && head.has_port(PORT) {
                        return Probe::Yes;
                    }
                    if negotiation.is_bare() {
                        match Tpkt::read(&mut cursor) {
                            Tpkt::Unit(next) if gcc::is_connect_initial(next) => return Probe::Yes,
                            Tpkt::Unit(_) | Tpkt::Foreign => {}
                            Tpkt::Incomplete => answer = Probe::Wait,
                        }
                    }
                }
            }
        }
        answer
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(Connection::default())
    }
}

#[derive(Default)]
struct Connection {
    negotiated: [bool; 2],
}

impl Dissection for Connection {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        if input.after_gap {
            return Next::Done;
        }
        let mut cursor = Cursor::new(input.bytes);
        loop {
            let mut ahead = cursor.clone();
            let unit = match Tpkt::read(&mut ahead) {
                Tpkt::Unit(unit) => unit,
                Tpkt::Incomplete => return Next::More(cursor.position()),
                // The other direction was not captured: TLS has begun.
                Tpkt::Foreign if cursor.peek() == Some(0x16) => {
                    return Next::Become("tls", cursor.position());
                }
                Tpkt::Foreign => return Next::Done,
            };
            cursor = ahead;
            let [client, server] = &mut self.negotiated;
            let negotiated = match input.side {
                Side::Client => client,
                Side::Server => server,
            };
            if !*negotiated && let Some(negotiation) = Negotiation::read(unit) {
                *negotiated = true;
                negotiation.say(facts);
                match negotiation.outcome() {
                    x224::Outcome::Open | x224::Outcome::Standard => {}
                    x224::Outcome::Tls => return Next::Become("tls", cursor.position()),
                    x224::Outcome::Refused => return Next::Done,
                }
            } else if input.side == Side::Client {
                gcc::say_core_data(unit, facts);
                return Next::Done;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::trial::{Trial, survives_every_truncation};

    /// A unit of TPKT and X.224 with `variable` behind the fixed six octets after the length indicator.
    fn unit(code: u8, variable: &[u8]) -> Vec<u8> {
        let indicator = u8::try_from(6 + variable.len()).unwrap();
        let mut bytes = vec![3, 0, 0, indicator + 5, indicator, code, 0, 0, 0, 0, 0];
        bytes.extend(variable);
        bytes
    }

    fn trial(port: u16) -> Trial {
        Trial::new(&[&Rdp], Layer::Tcp, (40_000, port))
    }

    #[test]
    fn cookie_and_choice_are_said_and_tls_follows() {
        let request = unit(
            0xe0,
            b"Cookie: mstshash=operator\r\n\x01\x00\x08\x00\x0b\x00\x00\x00",
        );
        let confirm = unit(0xd0, b"\x02\x1f\x08\x00\x02\x00\x00\x00");
        let mut trial = trial(40_001);
        for octet in &request {
            trial.payload(Side::Client, &[*octet]);
        }
        trial.payload(Side::Server, &confirm);
        assert_eq!(trial.said("rdp.cookie"), ["operator"]);
        assert_eq!(trial.said("rdp.requested"), ["tls,credssp,credssp-ex"]);
        assert_eq!(trial.said("rdp.security"), ["credssp"]);
        assert_eq!(trial.next, Some(Next::Become("tls", confirm.len())));
        survives_every_truncation(
            &Rdp,
            Layer::Tcp,
            &[(Side::Client, &request), (Side::Server, &confirm)],
        );
    }

    #[test]
    fn a_correlation_identifier_is_said() {
        let mut variable = b"\x01\x08\x08\x00\x03\x00\x00\x00\x06\x00\x24\x00".to_vec();
        variable.extend([0xc1; 16]);
        variable.extend([0; 16]);
        let mut trial = trial(40_001);
        trial.payload(Side::Client, &unit(0xe0, &variable));
        assert_eq!(trial.said("rdp.correlation"), ["c1".repeat(16)]);
    }

    #[test]
    fn a_bare_request_needs_the_port_and_s7_is_refused() {
        for (port, expected) in [(3_389, Probe::Yes), (102, Probe::Wait)] {
            let mut trial = trial(port);
            trial.payload(Side::Client, &unit(0xe0, b""));
            assert_eq!(trial.probed, expected);
        }
        let mut controller = trial(102);
        controller.payload(
            Side::Client,
            &unit(0xe0, b"\xc0\x01\x0a\xc1\x02\x01\x00\xc2\x02\x01\x02"),
        );
        assert_eq!(controller.probed, Probe::No);
    }

    #[test]
    fn standard_security_shows_build_and_name() {
        let request = unit(0xe0, b"Cookie: mstshash=a\r\n");
        let settings = gcc::sample("DESK-7");
        let session: [(Side, &[u8]); 3] = [
            (Side::Client, &request),
            (Side::Server, &unit(0xd0, b"")),
            (Side::Client, &settings),
        ];
        let mut trial = trial(3_390);
        for (side, bytes) in session {
            trial.payload(side, bytes);
        }
        assert_eq!(trial.said("rdp.security"), ["standard"]);
        assert_eq!(trial.said("rdp.client_name"), ["DESK-7"]);
        assert_eq!(trial.said("rdp.client_build"), ["22621"]);
        assert_eq!(trial.next, Some(Next::Done));
        survives_every_truncation(&Rdp, Layer::Tcp, &session);
    }
}
