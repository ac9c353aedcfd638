//! POP3 (RFC 1939) and its way into TLS (RFC 2595, 4).

use super::tls::starttls::{
    Command, LineDissection, Reply, Words, begins, first_line, judge_client, may_become,
};
use super::{Dissection, Dissector, Head, Probe};
use crate::model::fact::Field;
use crate::model::segment::Layer;

/// The server's first line behind `+OK`.
pub static BANNER: Field = Field::of_flow("pop3.banner");
/// The user who logs in.
pub static USER: Field = Field::of_flow("pop3.user");

/// POP3 over TCP.
#[derive(Debug)]
pub struct Pop3;

static WORDS: Words = Words {
    banner: &BANNER,
    says: &USER,
    banner_at: 4,
    command,
    reply,
};

const COMMANDS: &[&[u8]] = &[b"USER ", b"CAPA", b"APOP ", b"STLS", b"AUTH"];

fn command(line: &[u8]) -> Command<'_> {
    if begins(line, b"STLS") {
        return Command::Upgrade;
    }
    if begins(line, b"USER ") {
        return Command::Says(line.get(5..).unwrap_or_default());
    }
    if begins(line, b"PASS ") || begins(line, b"APOP ") {
        return Command::Work;
    }
    Command::Other
}

fn reply(line: &[u8], _: &[u8]) -> Reply {
    match line {
        [b'+', b'O', b'K', ..] => Reply::Accepted,
        [b'-', ..] => Reply::Refused,
        _ => Reply::Other,
    }
}

static FIELDS: &[&Field] = &[&BANNER, &USER];

impl Dissector for Pop3 {
    fn name(&self) -> &'static str {
        "pop3"
    }

    fn fields(&self) -> &'static [&'static Field] {
        FIELDS
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let greeting = head.to_client;
        let on_port = head.has_port(110);
        if greeting.is_empty() {
            return if on_port {
                judge_client(head, COMMANDS)
            } else {
                Probe::No
            };
        }
        if !begins(greeting, b"+OK") {
            return if may_become(greeting, &[b"+OK"]) {
                Probe::Wait
            } else {
                Probe::No
            };
        }
        // Redis answers with a bare "+OK", and only when it was asked.
        match first_line(greeting) {
            None if greeting.len() < 600 => Probe::Wait,
            None => Probe::No,
            Some(_) if on_port => Probe::Yes,
            Some(_) if !head.to_server.is_empty() => judge_client(head, COMMANDS),
            Some(line) if line.len() > 4 => Probe::Yes,
            Some(_) => Probe::Wait,
        }
    }

    fn start(&self) -> Box<dyn Dissection> {
        LineDissection::start(&WORDS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::Next;
    use crate::dissect::drive::Drive;
    use crate::model::fact::Side;

    #[test]
    fn a_refusal_is_no_hand_over() {
        let mut drive = Drive::new(&Pop3);
        drive.stream(Side::Server, b"+OK POP3 ready <1@example>\r\n");
        drive.stream(Side::Client, b"STLS\r\n");
        assert_eq!(drive.stream(Side::Server, b"-ERR\r\n"), Some(Next::More(6)));
        drive.stream(Side::Client, b"STLS\r\n");
        assert_eq!(
            drive.stream(Side::Server, b"+OK\r\n"),
            Some(Next::Become("tls", 5))
        );
    }
}
