//! SMTP (RFC 5321) and its way into TLS (RFC 3207).

use super::tls::starttls::{
    Command, LineDissection, Reply, Words, begins, contains, first_line, judge_client, may_become,
};
use super::{Dissection, Dissector, Head, Probe};
use crate::model::fact::Field;
use crate::model::segment::Layer;

/// The server's first line behind its code.
pub static BANNER: Field = Field::of_flow("smtp.banner");
/// The name by which the client greets.
pub static HELO: Field = Field::of_flow("smtp.helo");

/// SMTP over TCP.
#[derive(Debug)]
pub struct Smtp;

static WORDS: Words = Words {
    banner: &BANNER,
    says: &HELO,
    banner_at: 4,
    command,
    reply,
};

const GREETINGS: &[&[u8]] = &[b"EHLO ", b"HELO ", b"LHLO "];

fn command(line: &[u8]) -> Command<'_> {
    if begins(line, b"STARTTLS") {
        return Command::Upgrade;
    }
    if GREETINGS.iter().any(|word| begins(line, word)) {
        return Command::Says(line.get(5..).unwrap_or_default().trim_ascii());
    }
    if begins(line, b"MAIL FROM") || begins(line, b"DATA") {
        return Command::Work;
    }
    Command::Other
}

fn reply(line: &[u8], _: &[u8]) -> Reply {
    match line {
        [b'2', b'2', b'0', ..] => Reply::Accepted,
        [b'4' | b'5', ..] => Reply::Refused,
        _ => Reply::Other,
    }
}

static FIELDS: &[&Field] = &[&BANNER, &HELO];

impl Dissector for Smtp {
    fn name(&self) -> &'static str {
        "smtp"
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
            return judge_client(head, &[b"EHLO ", b"HELO ", b"LHLO ", b"MAIL FROM:"]);
        }
        if !begins(greeting, b"220 ") && !begins(greeting, b"220-") {
            return if may_become(greeting, &[b"220 "]) {
                Probe::Wait
            } else {
                judge_client(head, GREETINGS)
            };
        }
        let Some(line) = first_line(greeting) else {
            return if greeting.len() < 600 {
                Probe::Wait
            } else {
                Probe::No
            };
        };
        if contains(line, b"SMTP") || [25, 587, 2525].iter().any(|port| head.has_port(*port)) {
            return Probe::Yes;
        }
        if contains(line, b"FTP") {
            return Probe::No;
        }
        // FTP greets with the same code: the client's first word tells.
        if head.to_server.is_empty() {
            Probe::Wait
        } else {
            judge_client(head, GREETINGS)
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
    fn the_line_that_agrees_hands_over_to_tls() {
        let mut drive = Drive::new(&Smtp);
        drive.stream(Side::Server, b"220 mx.example ESMTP ready\r\n");
        drive.stream(Side::Client, b"EHLO laptop.example\r\n");
        drive.stream(Side::Server, b"250-mx.example\r\n250 STARTTLS\r\n");
        assert_eq!(
            drive.stream(Side::Client, b"STARTTLS\r\n\x16\x03"),
            Some(Next::More(10))
        );
        assert_eq!(drive.stream(Side::Server, b"220 go"), Some(Next::More(0)));
        assert_eq!(
            drive.stream(Side::Server, b" on\r\n"),
            Some(Next::Become("tls", 11))
        );
        assert_eq!(drive.texts("smtp.banner"), ["mx.example ESMTP ready"]);
        assert_eq!(drive.texts("smtp.helo"), ["laptop.example"]);
    }

    #[test]
    fn a_refusal_leaves_it_as_it_was_and_mail_ends_it() {
        let mut drive = Drive::new(&Smtp);
        drive.stream(Side::Client, b"STARTTLS\r\n");
        assert_eq!(drive.stream(Side::Server, b"454 no\r\n"), Some(Next::More(8)));
        assert_eq!(
            drive.stream(Side::Client, b"MAIL FROM:<a@example>\r\n"),
            Some(Next::Done)
        );
    }
}
