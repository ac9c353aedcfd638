//! PPTP's control connection (RFC 2637, section 2): names of both ends. The tunnel itself is enhanced GRE.

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field, Side};
use crate::model::segment::Layer;

/// Name that an end gives itself.
pub const HOST_NAME: Field = Field::of_flow("pptp.host_name");
/// Vendor name that an end gives.
pub const VENDOR: Field = Field::of_flow("pptp.vendor");
/// Firmware revision that an end gives.
pub const FIRMWARE: Field = Field::of_flow("pptp.firmware");

/// Fixed in every control message.
const MAGIC: u32 = 0x1a2b_3c4d;
const CONTROL_MESSAGE: u16 = 1;
const START_REQUEST: u16 = 1;
const START_REPLY: u16 = 2;
/// Set-Link-Info, the last of the control messages.
const LAST_TYPE: u16 = 15;
const NAME_LENGTH: usize = 64;

/// Recognises PPTP.
pub struct Pptp;

impl Dissector for Pptp {
    fn name(&self) -> &'static str {
        "pptp"
    }

    fn fields(&self) -> &'static [&'static Field] {
        &[&HOST_NAME, &VENDOR, &FIRMWARE]
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Tcp]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        let mut answer = Probe::No;
        for bytes in [head.to_server, head.to_client] {
            if message(&mut Cursor::new(bytes)).is_some() {
                return Probe::Yes;
            }
            let magic = bytes.get(4..bytes.len().min(8)).unwrap_or_default();
            if bytes.len() < 10
                && bytes.starts_with(&[0])
                && MAGIC.to_be_bytes().starts_with(magic)
                && bytes.get(2..4).is_none_or(|kind| kind == [0, 1])
            {
                answer = Probe::Wait;
            }
        }
        answer
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(ControlConnection::default())
    }
}

/// Length and type of a control message.
fn message(cursor: &mut Cursor<'_>) -> Option<(u16, u16)> {
    let length = cursor.u16()?;
    let is_control = cursor.u16()? == CONTROL_MESSAGE;
    let has_magic = cursor.u32()? == MAGIC;
    let kind = cursor.u16()?;
    (is_control && has_magic && length >= 12 && (1..=LAST_TYPE).contains(&kind)).then_some((length, kind))
}

#[derive(Default)]
struct ControlConnection {
    named: [bool; 2],
}

impl Dissection for ControlConnection {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        let mut cursor = Cursor::new(input.bytes);
        loop {
            let mut ahead = cursor.clone();
            let Some((length, kind)) = message(&mut ahead) else {
                return if cursor.remaining() >= 10 {
                    Next::Done
                } else {
                    Next::More(cursor.position())
                };
            };
            let Some(mut body) = cursor.within(usize::from(length)) else {
                return Next::More(cursor.position());
            };
            match kind {
                START_REQUEST | START_REPLY => {
                    let _ = say_names(&mut body, facts);
                    let [client, server] = &mut self.named;
                    match input.side {
                        Side::Client => *client = true,
                        Side::Server => *server = true,
                    }
                    if self.named == [true; 2] {
                        return Next::Done;
                    }
                }
                _ => {}
            }
        }
    }
}

/// Both messages have the same layout up to the names (RFC 2637, 2.1 and 2.2).
fn say_names(body: &mut Cursor<'_>, facts: &mut Facts<'_>) -> Option<()> {
    // Header of 12, version, reserved or result and error, framing, bearers, channels.
    body.skip(12 + 2 + 2 + 4 + 4 + 2)?;
    let firmware = body.u16()?;
    let host = body.take(NAME_LENGTH)?;
    let vendor = body.take(NAME_LENGTH)?;
    facts.number(&FIRMWARE, u64::from(firmware));
    facts.text(&HOST_NAME, until_zero(host));
    facts.text(&VENDOR, until_zero(vendor));
    Some(())
}

fn until_zero(bytes: &[u8]) -> &[u8] {
    bytes.split(|octet| *octet == 0).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dissect::trial::{Trial, survives_every_truncation};

    fn start(kind: u8, host: &str) -> Vec<u8> {
        let mut bytes = vec![0, 156, 0, 1, 0x1a, 0x2b, 0x3c, 0x4d, 0, kind, 0, 0];
        bytes.extend([1, 0, 0, 0, 0, 0, 0, 3, 0, 0, 0, 3, 0, 1, 0x0a, 0x28]);
        for name in [host, "maker"] {
            let mut field = name.as_bytes().to_vec();
            field.resize(NAME_LENGTH, 0);
            bytes.extend(field);
        }
        bytes
    }

    #[test]
    fn both_ends_name_themselves_also_in_pieces() {
        let mut trial = Trial::new(&[&Pptp], Layer::Tcp, (40_000, 1_723));
        for octet in start(1, "laptop") {
            trial.payload(Side::Client, &[octet]);
        }
        trial.payload(Side::Server, &start(2, "concentrator"));
        assert_eq!(trial.said("pptp.host_name"), ["laptop", "concentrator"]);
        assert_eq!(trial.said("pptp.vendor"), ["maker", "maker"]);
        assert_eq!(trial.said("pptp.firmware"), ["2600", "2600"]);
        assert_eq!(trial.next, Some(Next::Done));
    }

    #[test]
    fn another_magic_is_refused() {
        let mut trial = Trial::new(&[&Pptp], Layer::Tcp, (40_000, 1_723));
        let mut bytes = start(1, "x");
        bytes[4] = 0;
        trial.payload(Side::Client, &bytes);
        assert_eq!(trial.probed, Probe::No);
    }

    #[test]
    fn truncated_messages_are_survived() {
        let (first, second) = (start(1, "a"), start(2, "b"));
        survives_every_truncation(
            &Pptp,
            Layer::Tcp,
            &[(Side::Client, &first), (Side::Server, &second)],
        );
    }
}
