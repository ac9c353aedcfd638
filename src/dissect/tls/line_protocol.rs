//! A protocol of lines as a whole: how it is told, and the course that [`super::starttls`] takes with it.
//!
//! SMTP, FTP and POP3 differ in their words alone: a greeting on a known port or with a telling word, commands that begin a
//! conversation, ask for TLS, or begin the work, and answers by code. A file a protocol holds those words; IMAP, whose lines carry
//! tags, brings functions of its own.

use super::starttls::{Command, LineDissection, Reply, Words, begins, first_line, judge_client, may_become};
use crate::dissect::{Dissection, Dissector, Head, Probe};
use crate::model::fact::Field;
use crate::model::segment::Layer;

/// A greeting without an end that is waited for no longer.
const LONGEST_GREETING: usize = 600;

/// A protocol of lines that may turn into TLS.
#[derive(Debug)]
pub struct LineProtocol {
    /// Its name in records.
    pub name: &'static str,
    /// What its lines mean.
    pub words: &'static Words,
    /// Whether a flow's first bytes are its own.
    pub probe: fn(&Head<'_>) -> Probe,
}

impl Dissector for LineProtocol {
    fn name(&self) -> &'static str {
        self.name
    }

    fn fields(&self) -> &'static [&'static Field] {
        self.words.fields
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        (self.probe)(head)
    }

    fn start(&self) -> Box<dyn Dissection> {
        LineDissection::start(self.words)
    }
}

/// Commands by how they begin, in any case.
#[derive(Debug)]
pub struct Commands {
    /// Those that ask for TLS.
    pub upgrade: &'static [&'static [u8]],
    /// Those behind which stands something worth keeping.
    pub says: &'static [&'static [u8]],
    /// Those that begin the work.
    pub work: &'static [&'static [u8]],
}

impl Commands {
    /// What a line of the client means.
    #[must_use]
    pub fn read<'a>(&self, line: &'a [u8]) -> Command<'a> {
        if is_one_of(line, self.upgrade) {
            return Command::Upgrade;
        }
        if let Some(word) = self.says.iter().find(|word| begins(line, word)) {
            return Command::Says(line.get(word.len()..).unwrap_or_default().trim_ascii());
        }
        if is_one_of(line, self.work) {
            Command::Work
        } else {
            Command::Other
        }
    }
}

/// Answers by how they begin.
#[derive(Debug)]
pub struct Replies {
    /// Those behind which TLS begins.
    pub accepted: &'static [&'static [u8]],
    /// Those that refuse it.
    pub refused: &'static [&'static [u8]],
}

impl Replies {
    /// What a line of the server means while TLS was asked for.
    #[must_use]
    pub fn read(&self, line: &[u8]) -> Reply {
        if is_one_of(line, self.accepted) {
            Reply::Accepted
        } else if is_one_of(line, self.refused) {
            Reply::Refused
        } else {
            Reply::Other
        }
    }
}

/// Whose greeting a first line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Banner {
    /// This protocol's, whatever the client says.
    Own,
    /// This protocol's, unless the client says otherwise.
    Probable,
    /// Nobody can tell before the client has spoken.
    Open,
    /// Another protocol's that greets alike.
    Others,
}

/// How a protocol whose server speaks first is told.
#[derive(Debug)]
pub struct Greeting {
    /// Ports on which a greeting of its form is believed.
    pub ports: &'static [u16],
    /// How its greeting begins.
    pub begins: &'static [&'static [u8]],
    /// Whose the first line is.
    pub banner: fn(&[u8]) -> Banner,
    /// Commands by which a client is believed behind a greeting of its form.
    pub commands: &'static [&'static [u8]],
    /// Commands by which a client is believed whose server was not heard, on one of the ports.
    pub alone_on_port: &'static [&'static [u8]],
    /// The same on any other port.
    pub alone_elsewhere: &'static [&'static [u8]],
    /// Commands by which a client is believed although the server greeted in another form.
    pub in_spite: &'static [&'static [u8]],
}

impl Greeting {
    /// Judges a flow by what both sides said first.
    #[must_use]
    pub fn judge(&self, head: &Head<'_>) -> Probe {
        let greeting = head.to_client;
        let on_port = self.ports.iter().any(|port| head.has_port(*port));
        if greeting.is_empty() {
            let commands = if on_port {
                self.alone_on_port
            } else {
                self.alone_elsewhere
            };
            return judge_client(head, commands);
        }
        if !is_one_of(greeting, self.begins) {
            return if may_become(greeting, self.begins) {
                Probe::Wait
            } else {
                judge_client(head, self.in_spite)
            };
        }
        let Some(line) = first_line(greeting) else {
            return if greeting.len() < LONGEST_GREETING {
                Probe::Wait
            } else {
                Probe::No
            };
        };
        match (self.banner)(line) {
            Banner::Own => Probe::Yes,
            _ if on_port => Probe::Yes,
            Banner::Others => Probe::No,
            Banner::Probable if head.to_server.is_empty() => Probe::Yes,
            Banner::Open if head.to_server.is_empty() => Probe::Wait,
            Banner::Probable | Banner::Open => judge_client(head, self.commands),
        }
    }
}

/// Whether `line` begins with one of `words`, in any case.
fn is_one_of(line: &[u8], words: &[&[u8]]) -> bool {
    words.iter().any(|word| begins(line, word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::rehearsal::probe_stream;
    use crate::dissect::{ftp::FTP, pop3::POP3, smtp::SMTP};

    /// What SMTP, FTP and POP3 answer to a client and a server on a port.
    fn answers(port: u16, client: &[u8], server: &[u8]) -> [Probe; 3] {
        [&SMTP, &FTP, &POP3].map(|protocol| probe_stream(protocol, port, client, server))
    }

    #[test]
    fn greetings_of_one_form_are_told_apart_by_a_word_a_port_or_the_client() {
        use Probe::{No, Wait, Yes};
        assert_eq!(answers(2_500, b"", b"220 mx.example ESMTP\r\n"), [Yes, No, No]);
        assert_eq!(answers(2_100, b"", b"220 Example FTP\r\n"), [No, Yes, No]);
        assert_eq!(answers(25, b"", b"220 ready\r\n"), [Yes, Wait, No]);
        assert_eq!(answers(21, b"", b"220 ready\r\n"), [Wait, Yes, No]);
        assert_eq!(answers(9_000, b"", b"220 ready\r\n"), [Wait, Wait, No]);
        assert_eq!(
            answers(9_000, b"EHLO a.example\r\n", b"220 ready\r\n"),
            [Yes, No, No]
        );
        assert_eq!(answers(9_000, b"USER a\r\n", b"220 ready\r\n"), [No, Yes, No]);
        assert_eq!(answers(9_000, b"", b"+OK ready\r\n"), [Wait, No, Yes]);
        // Redis, which was asked.
        assert_eq!(answers(6_379, b"SET a b\r\n", b"+OK\r\n"), [No, No, No]);
        assert_eq!(answers(9_000, b"", b"22"), [Wait, Wait, No]);
        assert_eq!(answers(9_000, b"", &[b'2'; 700]), [Wait, No, No]);
    }

    #[test]
    fn a_client_alone_is_believed_by_its_own_words_and_port() {
        use Probe::{No, Wait, Yes};
        assert_eq!(answers(9_000, b"MAIL FROM:<a@example>\r\n", b""), [Yes, No, No]);
        assert_eq!(answers(9_000, b"auth tls\r\n", b""), [No, Yes, No]);
        assert_eq!(answers(21, b"USER a\r\n", b""), [No, Yes, No]);
        assert_eq!(answers(110, b"USER a\r\n", b""), [No, No, Yes]);
        assert_eq!(answers(9_000, b"EH", b""), [Wait, No, No]);
    }
}
