//! FTP's control connection (RFC 959) and its way into TLS (RFC 4217).

use super::tls::starttls::{
    Command, LineDissection, Reply, Words, begins, contains, first_line, judge_client, may_become,
};
use super::{Dissection, Dissector, Head, Probe};
use crate::model::fact::Field;
use crate::model::segment::Layer;

/// The server's first line behind its code.
pub static BANNER: Field = Field::of_flow("ftp.banner");
/// The user who logs in.
pub static USER: Field = Field::of_flow("ftp.user");

/// FTP over TCP.
#[derive(Debug)]
pub struct Ftp;

static WORDS: Words = Words {
    banner: &BANNER,
    says: &USER,
    banner_at: 4,
    command,
    reply,
};

const COMMANDS: &[&[u8]] = &[
    b"USER ", b"PASS ", b"AUTH ", b"FEAT", b"OPTS ", b"SYST", b"CLNT ", b"HOST ",
];

fn command(line: &[u8]) -> Command<'_> {
    if begins(line, b"AUTH TLS") || begins(line, b"AUTH SSL") {
        return Command::Upgrade;
    }
    if begins(line, b"USER ") {
        return Command::Says(line.get(5..).unwrap_or_default());
    }
    if begins(line, b"PASS ") {
        return Command::Work;
    }
    Command::Other
}

fn reply(line: &[u8], _: &[u8]) -> Reply {
    match line {
        [b'2', b'3', b'4', ..] => Reply::Accepted,
        [b'4' | b'5', ..] => Reply::Refused,
        _ => Reply::Other,
    }
}

static FIELDS: &[&Field] = &[&BANNER, &USER];

impl Dissector for Ftp {
    fn name(&self) -> &'static str {
        "ftp"
    }

    fn fields(&self) -> &'static [&'static Field] {
        FIELDS
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let greeting = head.to_client;
        if greeting.is_empty() {
            // USER alone is POP3's as well.
            let commands: &[&[u8]] = if head.has_port(21) {
                COMMANDS
            } else {
                &[b"AUTH TLS", b"AUTH SSL"]
            };
            return judge_client(head, commands);
        }
        if !begins(greeting, b"220 ") && !begins(greeting, b"220-") {
            return if may_become(greeting, &[b"220 "]) {
                Probe::Wait
            } else {
                Probe::No
            };
        }
        let Some(line) = first_line(greeting) else {
            return if greeting.len() < 600 {
                Probe::Wait
            } else {
                Probe::No
            };
        };
        if contains(line, b"FTP") || head.has_port(21) {
            return Probe::Yes;
        }
        if contains(line, b"SMTP") {
            return Probe::No;
        }
        if head.to_server.is_empty() {
            Probe::Wait
        } else {
            judge_client(head, COMMANDS)
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
    fn authentication_by_tls_hands_over() {
        let mut drive = Drive::new(&Ftp);
        drive.stream(Side::Server, b"220-Welcome\r\n220 ready\r\n");
        drive.stream(Side::Client, b"auth tls\r\n");
        assert_eq!(
            drive.stream(Side::Server, b"234 go\r\n"),
            Some(Next::Become("tls", 8))
        );
        assert_eq!(drive.texts("ftp.banner"), ["Welcome"]);
    }
}
