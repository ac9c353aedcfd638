//! Web pages, services of operating systems, streams: TLS conversations that move so much and end.

use crate::lab::connection::{Connection, Side};
use crate::lab::network::{Host, MS, Micros, Network, SECOND};
use crate::lab::random::Random;
use crate::lab::tls::{self, Answer, Program};

/// One visit: requests and answers over one connection.
#[derive(Clone, Copy, Debug)]
pub(in crate::lab) struct Visit<'a> {
    /// Whose hello.
    pub(in crate::lab) program: Program,
    /// Name of the service.
    pub(in crate::lab) name: &'a str,
    /// Requests.
    pub(in crate::lab) requests: u64,
    /// Most octets of an answer.
    pub(in crate::lab) most: u64,
    /// How long the connection stays open afterwards.
    pub(in crate::lab) lingers: Micros,
}

impl<'a> Visit<'a> {
    /// A page in a browser.
    pub(in crate::lab) const fn page(name: &'a str) -> Self {
        Self {
            program: Program::Browser,
            name,
            requests: 2,
            most: 7_000,
            lingers: 20 * SECOND,
        }
    }

    /// A service of the operating system.
    pub(in crate::lab) const fn service(name: &'a str) -> Self {
        Self {
            program: Program::Windows,
            name,
            requests: 1,
            most: 2_400,
            lingers: 5 * SECOND,
        }
    }
}

impl Network {
    /// A machine looks the name up, connects, asks, is answered.
    pub(in crate::lab) fn visit(
        &mut self,
        at: Micros,
        machine: &Host,
        visit: Visit<'_>,
        random: &mut Random,
    ) {
        let far = 4 * MS + random.within(0..=14 * MS);
        let (server, at) = self.look_up(at, machine, visit.name, far);
        let mut connection = Connection::open(self, at, machine, &server, 443);
        let session = tls::Session {
            program: visit.program,
            name: Some(visit.name),
            protocols: &["h2", "http/1.1"],
            answer: Answer::Modern,
        };
        let session = if visit.program == Program::Windows {
            let (own, root) = (
                [(crate::lab::certificate::COMMON_NAME, visit.name)],
                [(crate::lab::certificate::COMMON_NAME, "Laboratory TLS CA")],
            );
            tls::Session {
                answer: Answer::Readable(crate::lab::certificate::certificate(
                    random,
                    &own,
                    &root,
                    [26, 27],
                )),
                ..session
            }
        } else {
            session
        };
        let mut at = session.begin(&mut connection, at, random);
        for _ in 0..visit.requests {
            let asked = random.count(380..=1_100);
            connection.say_cut(at, Side::Client, tls::encrypted(random, asked));
            let answer_at = at + connection.round_trip(Side::Server) + random.within(15 * MS..=90 * MS);
            let answered = random.count(400..=visit.most.max(401));
            connection.say_cut(answer_at, Side::Server, tls::encrypted(random, answered));
            at = answer_at + random.within(200 * MS..=1_500 * MS);
        }
        connection.close(at + visit.lingers, Side::Client);
        connection.play(self);
    }

    /// A system's plain-HTTP check whether it is online.
    pub(in crate::lab) fn check(
        &mut self,
        at: Micros,
        machine: &Host,
        (name, path, agent): (&str, &str, &str),
        answer: &str,
    ) {
        let (server, at) = self.look_up(at, machine, name, 7 * MS);
        let mut connection = Connection::open(self, at, machine, &server, 80);
        let ready = connection.ready();
        let request = format!(
            "GET {path} HTTP/1.1\r\nConnection: Close\r\nUser-Agent: {agent}\r\nHost: {name}\r\n\r\n"
        );
        connection.say(ready, Side::Client, request.into_bytes());
        let answer_at = ready + connection.round_trip(Side::Server) + 3 * MS;
        connection.say(answer_at, Side::Server, answer.as_bytes().to_vec());
        connection.close(answer_at + 20 * MS, Side::Server);
        connection.play(self);
    }
}
