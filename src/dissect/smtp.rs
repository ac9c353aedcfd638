//! SMTP (RFC 5321) and its way into TLS (RFC 3207).

use super::tls::line_protocol::{Banner, Commands, Greeting, LineProtocol, Replies};
use super::tls::starttls::{Words, contains};
use crate::model::fact::Field;

/// The server's first line behind its code.
pub static BANNER: Field = Field::of_flow("smtp.banner");
/// The name by which the client greets.
pub static HELO: Field = Field::of_flow("smtp.helo");

/// SMTP over TCP.
pub static SMTP: LineProtocol = LineProtocol {
    name: "smtp",
    words: &WORDS,
    probe: |head| GREETING.judge(head),
};

static WORDS: Words = Words {
    fields: &[&BANNER, &HELO],
    banner_at: 4,
    command: |line| COMMANDS.read(line),
    reply: |line, _| REPLIES.read(line),
};

static COMMANDS: Commands = Commands {
    upgrade: &[b"STARTTLS"],
    says: HELLOS,
    work: &[b"MAIL FROM", b"DATA"],
};

static REPLIES: Replies = Replies {
    accepted: &[b"220"],
    refused: &[b"4", b"5"],
};

const HELLOS: &[&[u8]] = &[b"EHLO ", b"HELO ", b"LHLO "];

const OPENINGS: &[&[u8]] = &[b"EHLO ", b"HELO ", b"LHLO ", b"MAIL FROM:"];

static GREETING: Greeting = Greeting {
    ports: &[25, 587, 2525],
    begins: &[b"220 ", b"220-"],
    // FTP greets with the same code.
    banner: |line| {
        if contains(line, b"SMTP") {
            Banner::Own
        } else if contains(line, b"FTP") {
            Banner::Others
        } else {
            Banner::Open
        }
    },
    commands: HELLOS,
    alone_on_port: OPENINGS,
    alone_elsewhere: OPENINGS,
    in_spite: HELLOS,
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::Next;
    use crate::dissect::drive::Drive;
    use crate::model::fact::Side;

    #[test]
    fn the_line_that_agrees_hands_over_to_tls() {
        let mut drive = Drive::new(&SMTP);
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
        let mut drive = Drive::new(&SMTP);
        drive.stream(Side::Client, b"STARTTLS\r\n");
        assert_eq!(drive.stream(Side::Server, b"454 no\r\n"), Some(Next::More(8)));
        assert_eq!(
            drive.stream(Side::Client, b"MAIL FROM:<a@example>\r\n"),
            Some(Next::Done)
        );
    }
}
