//! FTP's control connection (RFC 959) and its way into TLS (RFC 4217).

use super::tls::line_protocol::{Banner, Commands, Greeting, LineProtocol, Replies};
use super::tls::starttls::{Words, contains};
use crate::model::fact::Field;

/// The server's first line behind its code.
pub static BANNER: Field = Field::of_flow("ftp.banner");
/// The user who logs in.
pub static USER: Field = Field::of_flow("ftp.user");

/// FTP over TCP.
pub static FTP: LineProtocol = LineProtocol {
    name: "ftp",
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
    upgrade: UPGRADES,
    says: &[b"USER "],
    work: &[b"PASS "],
};

static REPLIES: Replies = Replies {
    accepted: &[b"234"],
    refused: &[b"4", b"5"],
};

const UPGRADES: &[&[u8]] = &[b"AUTH TLS", b"AUTH SSL"];

const OPENINGS: &[&[u8]] = &[
    b"USER ", b"PASS ", b"AUTH ", b"FEAT", b"OPTS ", b"SYST", b"CLNT ", b"HOST ",
];

static GREETING: Greeting = Greeting {
    ports: &[21],
    begins: &[b"220 ", b"220-"],
    // SMTP greets with the same code.
    banner: |line| {
        if contains(line, b"FTP") {
            Banner::Own
        } else if contains(line, b"SMTP") {
            Banner::Others
        } else {
            Banner::Open
        }
    },
    commands: OPENINGS,
    alone_on_port: OPENINGS,
    // USER alone is POP3's as well.
    alone_elsewhere: UPGRADES,
    in_spite: &[],
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::Next;
    use crate::dissect::drive::Drive;
    use crate::model::fact::Side;

    #[test]
    fn authentication_by_tls_hands_over() {
        let mut drive = Drive::new(&FTP);
        drive.stream(Side::Server, b"220-Welcome\r\n220 ready\r\n");
        drive.stream(Side::Client, b"auth tls\r\n");
        assert_eq!(
            drive.stream(Side::Server, b"234 go\r\n"),
            Some(Next::Become("tls", 8))
        );
        assert_eq!(drive.texts("ftp.banner"), ["Welcome"]);
    }
}
