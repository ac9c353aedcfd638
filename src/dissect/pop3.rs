//! POP3 (RFC 1939) and its way into TLS (RFC 2595, 4).

use super::tls::line_protocol::{Banner, Commands, Greeting, LineProtocol, Replies};
use super::tls::starttls::Words;
use crate::model::fact::Field;

/// The server's first line behind `+OK`.
pub static BANNER: Field = Field::of_flow("pop3.banner");
/// The user who logs in.
pub static USER: Field = Field::of_flow("pop3.user");

/// POP3 over TCP.
pub static POP3: LineProtocol = LineProtocol {
    name: "pop3",
    words: &WORDS,
    probe: |head| GREETING.judge(head),
};

static WORDS: Words = Words {
    fields: &[&BANNER, &USER],
    banner_at: 4,
    command: |line| COMMANDS.read(line),
    reply: |line, _| REPLIES.read(line),
};

static COMMANDS: Commands = Commands {
    upgrade: &[b"STLS"],
    says: &[b"USER "],
    work: &[b"PASS ", b"APOP "],
};

static REPLIES: Replies = Replies {
    accepted: &[b"+OK"],
    refused: &[b"-"],
};

const OPENINGS: &[&[u8]] = &[b"USER ", b"CAPA", b"APOP ", b"STLS", b"AUTH"];

static GREETING: Greeting = Greeting {
    ports: &[110],
    begins: &[b"+OK"],
    // Redis answers with a bare "+OK", and only when it was asked.
    banner: |line| {
        if line.len() > 4 {
            Banner::Probable
        } else {
            Banner::Open
        }
    },
    commands: OPENINGS,
    alone_on_port: OPENINGS,
    alone_elsewhere: &[],
    in_spite: &[],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::Next;
    use crate::dissect::drive::Drive;
    use crate::model::fact::Side;

    #[test]
    fn a_refusal_is_no_hand_over() {
        let mut drive = Drive::new(&POP3);
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
