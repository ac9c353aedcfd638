//! The client's core data inside MCS Connect Initial and GCC Conference Create Request ([MS-RDPBCGR] 2.2.1.3).

use super::{CLIENT_BUILD, CLIENT_NAME};
use crate::dissect::cursor::Cursor;
use crate::model::fact::Facts;

/// X.224 data with the end-of-unit mark.
const DATA: [u8; 3] = [2, 0xf0, 0x80];
/// BER tag of Connect Initial: application 101.
const CONNECT_INITIAL: [u8; 2] = [0x7f, 0x65];
const TAG_OCTETS: u8 = 0x04;
/// Key under which the client's blocks stand in the conference request: Microsoft's "Duca".
const CLIENT_KEY: &[u8] = b"Duca";
const CORE_DATA: u16 = 0xc001;
const MOST_BLOCKS: usize = 16;

/// Whether a unit of TPKT is Connect Initial.
pub(super) fn is_connect_initial(unit: &[u8]) -> bool {
    unit.strip_prefix(&DATA)
        .is_some_and(|rest| rest.starts_with(&CONNECT_INITIAL))
}

/// Says build and name, where the unit holds them.
pub(super) fn say_core_data(unit: &[u8], facts: &mut Facts<'_>) {
    if let Some((build, name)) = core_data(unit) {
        facts.number(&CLIENT_BUILD, u64::from(build));
        facts.text(&CLIENT_NAME, name.as_bytes());
    }
}

fn core_data(unit: &[u8]) -> Option<(u32, String)> {
    let mut cursor = Cursor::new(unit);
    if cursor.array()? != DATA || cursor.array()? != CONNECT_INITIAL {
        return None;
    }
    ber_length(&mut cursor)?;
    // Two domain selectors, a flag, three sets of parameters; then the user data.
    for _ in 0..6 {
        cursor.u8()?;
        let length = ber_length(&mut cursor)?;
        cursor.skip(length)?;
    }
    if cursor.u8()? != TAG_OCTETS {
        return None;
    }
    let length = ber_length(&mut cursor)?;
    let request = cursor.take(length)?;
    let key = request
        .windows(CLIENT_KEY.len())
        .position(|window| window == CLIENT_KEY)?;
    let mut blocks = Cursor::new(request.get(key..)?);
    blocks.skip(CLIENT_KEY.len())?;
    per_length(&mut blocks)?;
    for _ in 0..MOST_BLOCKS {
        let kind = blocks.u16_le()?;
        let length = usize::from(blocks.u16_le()?).checked_sub(4)?;
        let mut block = blocks.within(length)?;
        if kind == CORE_DATA {
            // Version, width, height, depth, sequence, keyboard layout (left unread): 4 + 2 + 2 + 2 + 2 + 4.
            block.skip(16)?;
            let build = block.u32_le()?;
            let name = block.take(32)?;
            return Some((build, name_text(name)));
        }
    }
    None
}

/// UTF-16, little-endian, up to its zero.
fn name_text(octets: &[u8]) -> String {
    let units = octets
        .as_chunks::<2>()
        .0
        .iter()
        .map(|pair| u16::from_le_bytes(*pair))
        .take_while(|unit| *unit != 0);
    char::decode_utf16(units)
        .map(|unit| unit.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect()
}

/// Length of BER (ITU-T X.690, 8.1.3) up to 65,535.
fn ber_length(cursor: &mut Cursor<'_>) -> Option<usize> {
    match cursor.u8()? {
        short @ 0..=0x7f => Some(usize::from(short)),
        0x81 => cursor.u8().map(usize::from),
        0x82 => cursor.u16().map(usize::from),
        _ => None,
    }
}

/// Length of aligned PER (ITU-T X.691, 11.9) up to 16,383.
fn per_length(cursor: &mut Cursor<'_>) -> Option<u16> {
    let first = cursor.u8()?;
    if first & 0x80 == 0 {
        return Some(u16::from(first));
    }
    let second = cursor.u8()?;
    Some(u16::from_be_bytes([first & 0x3f, second]))
}

/// A Connect Initial in TPKT for tests.
#[cfg(test)]
pub(super) fn sample(name: &str) -> Vec<u8> {
    let mut core = vec![
        0x01, 0xc0, 56, 0, 4, 0, 8, 0, 0, 4, 0, 3, 1, 0xca, 3, 0xaa, 7, 4, 0, 0,
    ];
    core.extend(22_621_u32.to_le_bytes());
    let mut encoded: Vec<u8> = name.encode_utf16().flat_map(u16::to_le_bytes).collect();
    encoded.resize(32, 0);
    core.extend(encoded);
    let mut user = vec![
        0, 5, 0, 0x14, 0x7c, 0, 1, 0x80, 0x50, 0, 8, 0, 0x10, 0, 1, 0xc0, 0,
    ];
    user.extend(CLIENT_KEY);
    user.push(u8::try_from(core.len()).unwrap());
    user.extend(core);
    let mut body = vec![
        4, 1, 1, 4, 1, 1, 1, 1, 0xff, 0x30, 0, 0x30, 0, 0x30, 0, TAG_OCTETS,
    ];
    body.push(u8::try_from(user.len()).unwrap());
    body.extend(user);
    let mut bytes = vec![3, 0];
    bytes.extend(u16::try_from(4 + 3 + 2 + 1 + body.len()).unwrap().to_be_bytes());
    bytes.extend(DATA);
    bytes.extend(CONNECT_INITIAL);
    bytes.push(u8::try_from(body.len()).unwrap());
    bytes.extend(body);
    bytes
}
