//! IMAP (RFC 9051) and its way into TLS (section 6.2.1).

use super::tls::line_protocol::LineProtocol;
use super::tls::starttls::{Command, Reply, Words, begins, first_line, may_become};
use super::{Head, Probe};
use crate::model::fact::Field;

/// The server's first line behind `* OK`.
pub static BANNER: Field = Field::of_flow("imap.banner");
/// What the client says of itself (ID, RFC 2971).
pub static CLIENT: Field = Field::of_flow("imap.client");

/// IMAP over TCP.
pub static IMAP: LineProtocol = LineProtocol {
    name: "imap",
    words: &WORDS,
    probe,
};

static WORDS: Words = Words {
    fields: &[&BANNER, &CLIENT],
    banner_at: 5,
    command,
    reply,
};

/// The tag and what follows it.
fn split_tag(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = line.iter().position(|octet| *octet == b' ')?;
    let (tag, rest) = line.split_at_checked(end)?;
    let is_tag = (1..=16).contains(&tag.len())
        && tag
            .iter()
            .all(|octet| octet.is_ascii_alphanumeric() || *octet == b'.');
    is_tag.then_some((tag, rest.get(1..).unwrap_or_default()))
}

fn command(line: &[u8]) -> Command<'_> {
    let Some((_, command)) = split_tag(line) else {
        return Command::Other;
    };
    if begins(command, b"STARTTLS") {
        return Command::Upgrade;
    }
    if begins(command, b"ID (") {
        return Command::Says(command.get(3..).unwrap_or_default());
    }
    if [&b"SELECT "[..], b"LIST ", b"EXAMINE "]
        .iter()
        .any(|word| begins(command, word))
    {
        return Command::Work;
    }
    Command::Other
}

fn reply(line: &[u8], tag: &[u8]) -> Reply {
    let Some((own, result)) = split_tag(line) else {
        return Reply::Other;
    };
    match (own == tag, begins(result, b"OK")) {
        (true, true) => Reply::Accepted,
        (true, false) => Reply::Refused,
        (false, _) => Reply::Other,
    }
}

/// Whether a client's line is a command that opens a conversation.
fn is_opening(line: &[u8]) -> bool {
    let words = [
        &b"LOGIN "[..],
        b"CAPABILITY",
        b"STARTTLS",
        b"AUTHENTICATE ",
        b"ID ",
    ];
    split_tag(line).is_some_and(|(_, command)| words.iter().any(|word| begins(command, word)))
}

/// Judges by the greeting, or by a client's first command where the server was not heard.
fn probe(head: &Head<'_>) -> Probe {
    let greetings: [&[u8]; 3] = [b"* OK ", b"* PREAUTH ", b"* BYE "];
    if greetings.iter().any(|word| begins(head.to_client, word)) {
        return Probe::Yes;
    }
    if !head.to_client.is_empty() {
        return if may_become(head.to_client, &greetings) {
            Probe::Wait
        } else {
            Probe::No
        };
    }
    let head = head
        .to_server
        .get(..head.to_server.len().min(64))
        .unwrap_or_default();
    match first_line(head) {
        Some(line) if is_opening(line) => Probe::Yes,
        None if is_opening(head) => Probe::Wait,
        _ => Probe::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::Next;
    use crate::dissect::drive::Drive;
    use crate::model::fact::Side;

    #[test]
    fn only_the_answer_with_the_same_tag_counts() {
        let mut drive = Drive::new(&IMAP);
        drive.stream(Side::Server, b"* OK ready\r\n");
        drive.stream(Side::Client, b"a1 CAPABILITY\r\na2 STARTTLS\r\n");
        assert_eq!(
            drive.stream(Side::Server, b"a1 OK done\r\n"),
            Some(Next::More(12))
        );
        assert_eq!(
            drive.stream(Side::Server, b"a2 OK go\r\n"),
            Some(Next::Become("tls", 10))
        );
        assert_eq!(drive.texts("imap.banner"), ["ready"]);
    }
}
