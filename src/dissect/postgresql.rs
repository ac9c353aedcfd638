//! PostgreSQL's frontend protocol ("PostgreSQL documentation, 55.7"): the request for TLS and the start-up message.

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// The user who connects.
pub static USER: Field = Field::of_flow("postgresql.user");
/// The database asked for.
pub static DATABASE: Field = Field::of_flow("postgresql.database");

/// Protocol 3.0, and the numbers that stand in its place in requests.
const VERSION_3: u32 = 0x0003_0000;
const TLS_REQUEST: u32 = 80_877_103;
const GSS_REQUEST: u32 = 80_877_104;
const CANCEL_REQUEST: u32 = 80_877_102;

/// Longest start-up message that servers accept.
const LONGEST: u32 = 10_000;

/// PostgreSQL over TCP.
#[derive(Debug)]
pub struct Postgresql;

static FIELDS: &[&Field] = &[&USER, &DATABASE];

impl Dissector for Postgresql {
    fn name(&self) -> &'static str {
        "postgresql"
    }

    fn fields(&self) -> &'static [&'static Field] {
        FIELDS
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let bytes = head.to_server;
        if bytes.is_empty() || !bytes.iter().zip([0, 0]).all(|(octet, zero)| *octet == zero) {
            return Probe::No;
        }
        let mut cursor = Cursor::new(bytes);
        let (Some(length), Some(code)) = (cursor.u32(), cursor.u32()) else {
            return Probe::Wait;
        };
        match (length, code) {
            (8, TLS_REQUEST | GSS_REQUEST) | (16, CANCEL_REQUEST) => Probe::Yes,
            (9..=LONGEST, VERSION_3) if b"user\0".starts_with(cursor.rest()) && cursor.remaining() < 5 => {
                Probe::Wait
            }
            (9..=LONGEST, VERSION_3) if cursor.rest().is_ascii() => Probe::Yes,
            _ => Probe::No,
        }
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(PostgresqlDissection { asked: false })
    }
}

/// One connection.
#[derive(Debug)]
struct PostgresqlDissection {
    asked: bool,
}

impl Dissection for PostgresqlDissection {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        match input.side {
            Side::Server => match (self.asked, input.bytes) {
                (true, [b'S', ..]) => Next::Become("tls", 1),
                (true, [_, ..]) => {
                    self.asked = false;
                    Next::More(1)
                }
                _ => Next::More(0),
            },
            Side::Client if self.asked => Next::More(0),
            Side::Client => {
                let mut cursor = Cursor::new(input.bytes);
                let (Some(length), Some(code)) = (cursor.u32(), cursor.u32()) else {
                    return Next::More(0);
                };
                if length == 8 && matches!(code, TLS_REQUEST | GSS_REQUEST) {
                    // An answer of G would begin GSSAPI's own encryption; then the start-up message never comes.
                    self.asked = true;
                    return Next::More(8);
                }
                if code != VERSION_3 || length > LONGEST {
                    return Next::Done;
                }
                let Some(body) = usize::try_from(length.saturating_sub(8))
                    .ok()
                    .and_then(|length| cursor.take(length))
                else {
                    return Next::More(0);
                };
                let mut texts = body.split(|octet| *octet == 0);
                while let (Some(name), Some(value)) = (texts.next(), texts.next()) {
                    match name {
                        b"user" => facts.text(&USER, value),
                        b"database" => facts.text(&DATABASE, value),
                        _ => {}
                    }
                }
                Next::Done
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::drive::Drive;

    #[test]
    fn one_letter_decides_whether_tls_follows() {
        let request = [0, 0, 0, 8, 4, 0xd2, 0x16, 0x2f];
        let mut drive = Drive::new(&Postgresql);
        assert_eq!(drive.stream(Side::Client, &request), Some(Next::More(8)));
        assert_eq!(drive.stream(Side::Server, b"S"), Some(Next::Become("tls", 1)));
        let mut drive = Drive::new(&Postgresql);
        drive.stream(Side::Client, &request);
        drive.stream(Side::Server, b"N");
        let start = b"\0\0\0\x1d\0\x03\0\0user\0ann\0database\0d\0\0";
        let mut start = start.to_vec();
        start[3] = u8::try_from(start.len()).unwrap();
        assert_eq!(drive.stream(Side::Client, &start), Some(Next::Done));
        assert_eq!(drive.texts("postgresql.user"), ["ann"]);
    }
}
