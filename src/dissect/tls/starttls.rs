//! Protocols of lines that turn into TLS on the same connection (RFC 3207, RFC 9051, RFC 2595, RFC 4217).
//!
//! SMTP, IMAP, POP3 and FTP differ in their words, not in their course: a greeting, a command that asks for TLS, a line that
//! agrees. The course is here, how they are told in [`super::line_protocol`], the words stand in a file a protocol.

use crate::dissect::{Dissection, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};

/// Longest line that is waited for; SMTP allows 512 octets, IMAP servers announce their abilities in more.
const LONGEST_LINE: usize = 4096;

/// Lines of both sides after which TLS is no longer expected.
const MOST_LINES: u8 = 120;

/// What a line of the client means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// It asks for TLS.
    Upgrade,
    /// It says something worth keeping.
    Says(&'a [u8]),
    /// Work begins: nobody asks for TLS after this.
    Work,
    /// Anything else.
    Other,
}

/// What a line of the server means while TLS was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// TLS begins behind this line.
    Accepted,
    /// It does not.
    Refused,
    /// It answers something else.
    Other,
}

/// The words of one protocol.
#[derive(Debug)]
pub struct Words {
    /// Field of the server's first line, and of what [`Command::Says`] carries.
    pub fields: &'static [&'static Field; 2],
    /// Octets at the front of the greeting that are not part of the banner.
    pub banner_at: usize,
    /// Reads a line of the client.
    pub command: fn(&[u8]) -> Command<'_>,
    /// Reads a line of the server; the second text is the first word of the line that asked.
    pub reply: fn(&[u8], &[u8]) -> Reply,
}

/// One connection.
#[derive(Debug)]
pub struct LineDissection {
    words: &'static Words,
    was_greeted: bool,
    said: bool,
    asked: bool,
    tag: ([u8; 32], u8),
    lines: u8,
}

/// The next line without its end, and how many octets it had with it.
fn line(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let end = bytes.iter().position(|octet| *octet == b'\n')?;
    let line = bytes.get(..end)?;
    Some((line.strip_suffix(b"\r").unwrap_or(line), end.checked_add(1)?))
}

/// Whether `line` begins with `word`, in any case.
#[must_use]
pub fn begins(line: &[u8], word: &[u8]) -> bool {
    line.get(..word.len())
        .is_some_and(|head| head.eq_ignore_ascii_case(word))
}

/// Whether `line` contains `word`, given in upper case, in any case.
#[must_use]
pub fn contains(line: &[u8], word: &[u8]) -> bool {
    line.windows(word.len())
        .any(|window| window.eq_ignore_ascii_case(word))
}

/// The first line of a direction, if it is there as a whole.
#[must_use]
pub fn first_line(bytes: &[u8]) -> Option<&[u8]> {
    line(bytes).map(|(line, _)| line)
}

/// Whether more bytes may still make the beginning of `bytes` one of `words`, in any case.
#[must_use]
pub fn may_become(bytes: &[u8], words: &[&[u8]]) -> bool {
    words
        .iter()
        .any(|word| bytes.len() < word.len() && begins(word, bytes))
}

/// Judges a client alone by the commands that it may begin with: a whole line with one of them.
#[must_use]
pub fn judge_client(head: &Head<'_>, words: &[&[u8]]) -> Probe {
    let bytes = head.to_server;
    if words.iter().any(|word| begins(bytes, word)) {
        return if first_line(bytes).is_some() {
            Probe::Yes
        } else {
            Probe::Wait
        };
    }
    if may_become(bytes, words) {
        Probe::Wait
    } else {
        Probe::No
    }
}

impl LineDissection {
    /// Begins with the words of a protocol.
    #[must_use]
    pub fn start(words: &'static Words) -> Box<dyn Dissection> {
        Box::new(Self {
            words,
            was_greeted: false,
            said: false,
            asked: false,
            tag: ([0; 32], 0),
            lines: 0,
        })
    }

    fn client(&mut self, line: &[u8], facts: &mut Facts<'_>) -> bool {
        match (self.words.command)(line) {
            Command::Upgrade => {
                self.asked = true;
                let word = line.split(|octet| *octet == b' ').next().unwrap_or_default();
                let (octets, length) = &mut self.tag;
                let kept = word.len().min(octets.len());
                if let (Some(target), Some(source)) = (octets.get_mut(..kept), word.get(..kept)) {
                    target.copy_from_slice(source);
                }
                *length = u8::try_from(kept).unwrap_or(0);
            }
            Command::Says(text) => {
                if !std::mem::replace(&mut self.said, true) {
                    let [_, says] = self.words.fields;
                    facts.text(says, text);
                }
            }
            Command::Work => return false,
            Command::Other => {}
        }
        true
    }

    fn server(&mut self, line: &[u8], facts: &mut Facts<'_>) -> Reply {
        if !std::mem::replace(&mut self.was_greeted, true) && !self.said && !self.asked {
            let [banner, _] = self.words.fields;
            facts.text(banner, line.get(self.words.banner_at..).unwrap_or_default());
        }
        if !self.asked {
            return Reply::Other;
        }
        let (octets, length) = &self.tag;
        let tag = octets.get(..usize::from(*length)).unwrap_or_default();
        (self.words.reply)(line, tag)
    }
}

impl Dissection for LineDissection {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let mut consumed: usize = 0;
        // What a client says after it asked is already TLS, if the server agrees.
        while !(self.asked && input.side == Side::Client) {
            let rest = input.bytes.get(consumed..).unwrap_or_default();
            let Some((line, length)) = line(rest) else {
                if rest.len() > LONGEST_LINE {
                    return Next::Done;
                }
                break;
            };
            consumed = consumed.saturating_add(length);
            self.lines = self.lines.saturating_add(1);
            match input.side {
                Side::Client => {
                    if !self.client(line, facts) {
                        return Next::Done;
                    }
                }
                Side::Server => match self.server(line, facts) {
                    Reply::Accepted => return Next::Become("tls", consumed),
                    Reply::Refused => self.asked = false,
                    Reply::Other => {}
                },
            }
            if self.lines > MOST_LINES {
                return Next::Done;
            }
        }
        Next::More(consumed)
    }
}
