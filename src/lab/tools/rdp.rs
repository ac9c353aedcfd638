//! RDP to a terminal server: X.224 negotiation with the user's cookie in the clear ([MS-RDPBCGR] 2.2.1.1), then TLS 1.2 with a
//! certificate named after the server.

use super::screen::Screen;
use crate::lab::certificate::{COMMON_NAME, certificate};
use crate::lab::connection::{Connection, Side};
use crate::lab::network::{Host, MS, Micros, Network};
use crate::lab::random::Random;
use crate::lab::tls::{self, Answer, Program};
use crate::lab::truth::Stretch;

/// Protocols on offer: TLS, CredSSP, early authorisation.
const OFFERED: u8 = 0x0b;
/// Protocol taken: CredSSP.
const TAKEN: u8 = 2;

/// A person's session on a terminal server.
pub(in crate::lab) struct Rdp<'a> {
    /// Where the person sits.
    pub(in crate::lab) client: &'a Host,
    /// The terminal server.
    pub(in crate::lab) server: &'a Host,
    /// Name in the cookie, of at most nine letters.
    pub(in crate::lab) user: &'a str,
}

impl Rdp<'_> {
    /// Logs on at `start` and works.
    pub(in crate::lab) fn run(
        &self,
        network: &mut Network,
        start: Micros,
        stretches: &[Stretch],
        random: &mut Random,
    ) {
        let mut line = Connection::open(network, start, self.client, self.server, 3_389);
        let ready = line.ready();
        line.say(ready, Side::Client, request(self.user));
        let answered = ready + line.round_trip(Side::Server) + 2 * MS;
        line.say(answered, Side::Server, confirm());
        let name = [(COMMON_NAME, self.server.name.as_str())];
        let session = tls::Session {
            program: Program::Windows,
            name: Some(&self.server.name),
            protocols: &[],
            answer: Answer::Readable(certificate(random, &name, &name, [26, 27])),
        };
        let from = answered + line.round_trip(Side::Client) + 3 * MS;
        let mut at = session.begin(&mut line, from, random);
        // CredSSP, then the settings of the session.
        for (side, length) in [
            (Side::Client, 110),
            (Side::Server, 330),
            (Side::Client, 700),
            (Side::Server, 120),
            (Side::Client, 480),
            (Side::Server, 2_600),
        ] {
            line.say_cut(at, side, tls::encrypted(random, length));
            at += 9 * MS;
        }
        let screen = Screen {
            controlled: Side::Server,
            // Records of 38 octets (measured on public captures, remote-access.tsv).
            input: (33, 41),
            update: (1_200, 4_600),
            circle: line.round_trip(Side::Client) + 3 * MS,
            pause: (1_000, 3_600),
            wrap: tls::encrypted,
        };
        screen.show(&mut line, stretches, random);
        line.play(network);
    }
}

fn request(user: &str) -> Vec<u8> {
    let mut body = vec![0xe0, 0, 0, 0, 0, 0];
    body.extend(format!("Cookie: mstshash={user}\r\n").as_bytes());
    body.extend([1, 0, 8, 0, OFFERED, 0, 0, 0]);
    tpkt(&body)
}

fn confirm() -> Vec<u8> {
    tpkt(&[0xd0, 0, 0, 0x12, 0x34, 0, 2, 0x1f, 8, 0, TAKEN, 0, 0, 0])
}

fn tpkt(body: &[u8]) -> Vec<u8> {
    let length = u8::try_from(body.len()).unwrap_or(0);
    let mut bytes = vec![3, 0, 0, length + 5, length];
    bytes.extend(body);
    bytes
}
