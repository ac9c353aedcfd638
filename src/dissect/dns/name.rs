//! Domain names as DNS messages carry them: labels, compression pointers, and their text form.
//!
//! RFC 1035, 3.1 and 4.1.4; text form after RFC 1035, 5.1, with UTF-8 left as it is, since mDNS uses it (RFC 6763, 4.1.1).

use crate::dissect::cursor::Cursor;
use crate::model::fact::LONGEST_VALUE;

/// Longest name in octets, length octets included (RFC 1035, 2.3.4).
const LONGEST_NAME: usize = 255;

/// Whether letters are folded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    /// ASCII letters become lower case: names that are compared.
    Lower,
    /// As sent: names that people gave to their machines.
    Kept,
}

/// What comes next in a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step<'a> {
    Label(&'a [u8]),
    End,
    Broken,
}

/// Walks the labels of one name.
///
/// It ends for any bytes: a pointer must lead before the run of labels that holds it, so no place is visited twice.
#[derive(Clone, Debug)]
struct Labels<'a> {
    cursor: Cursor<'a>,
    run_start: usize,
    after: Option<usize>,
    octets: usize,
}

impl<'a> Labels<'a> {
    fn new(message: &'a [u8], position: usize) -> Option<Self> {
        Some(Self {
            cursor: Cursor::new(message).at(position)?,
            run_start: position,
            after: None,
            octets: 1,
        })
    }

    fn step(&mut self) -> Step<'a> {
        self.try_step().unwrap_or(Step::Broken)
    }

    fn try_step(&mut self) -> Option<Step<'a>> {
        loop {
            let length = self.cursor.u8()?;
            match length >> 6 {
                0 if length == 0 => {
                    self.after.get_or_insert(self.cursor.position());
                    return Some(Step::End);
                }
                0 => {
                    let label = self.cursor.take(usize::from(length))?;
                    self.octets = self.octets.saturating_add(label.len()).saturating_add(1);
                    if self.octets > LONGEST_NAME {
                        return None;
                    }
                    return Some(Step::Label(label));
                }
                3 => {
                    let low = self.cursor.u8()?;
                    let target = usize::from(u16::from_be_bytes([length & 0x3f, low]));
                    self.after.get_or_insert(self.cursor.position());
                    if target >= self.run_start {
                        return None;
                    }
                    self.run_start = target;
                    self.cursor = self.cursor.at(target)?;
                }
                // 01 and 10 are reserved (RFC 1035, 4.1.4); extended labels of RFC 2671 were withdrawn by RFC 6891.
                _ => return None,
            }
        }
    }
}

/// The text of a name, held without allocation.
#[derive(Clone, Copy, Debug)]
pub struct Name {
    bytes: [u8; LONGEST_VALUE],
    length: usize,
}

impl Default for Name {
    fn default() -> Self {
        Self {
            bytes: [0; LONGEST_VALUE],
            length: 0,
        }
    }
}

impl Name {
    /// The name at `position` of `message`; `None` when it is broken or its end is missing.
    #[must_use]
    pub fn read(message: &[u8], position: usize, case: Case) -> Option<Self> {
        let mut name = Self::default();
        let mut labels = Labels::new(message, position)?;
        loop {
            match labels.step() {
                Step::Label(label) => {
                    if name.length > 0 {
                        name.push(b'.');
                    }
                    name.push_label(label, case);
                }
                Step::End => break,
                Step::Broken => return None,
            }
        }
        if name.length == 0 {
            name.push(b'.');
        }
        Some(name)
    }

    /// The text: labels with dots between them, no final dot; `.` for the root. A dot or backslash within a label is
    /// preceded by a backslash, a control character is written `\DDD`. Names whose escapes pass 256 bytes are cut there.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    fn push(&mut self, octet: u8) {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = octet;
            self.length = self.length.saturating_add(1);
        }
    }

    fn push_label(&mut self, label: &[u8], case: Case) {
        // Without a branch for each octet, because nearly all labels are plain.
        let is_plain = label.iter().fold(true, |plain, octet| {
            plain & !matches!(octet, b'.' | b'\\' | 0..0x20 | 0x7f)
        });
        let end = self.length.saturating_add(label.len());
        if is_plain && let Some(place) = self.bytes.get_mut(self.length..end) {
            place.copy_from_slice(label);
            if case == Case::Lower {
                place.make_ascii_lowercase();
            }
            self.length = end;
            return;
        }
        for &octet in label {
            match octet {
                b'.' | b'\\' => {
                    self.push(b'\\');
                    self.push(octet);
                }
                0..0x20 | 0x7f => {
                    self.push(b'\\');
                    for digit in [octet / 100, octet / 10 % 10, octet % 10] {
                        self.push(b'0'.wrapping_add(digit));
                    }
                }
                _ if case == Case::Lower => self.push(octet.to_ascii_lowercase()),
                _ => self.push(octet),
            }
        }
    }
}

/// Passes over the name at `position`; where what follows it starts, without following pointers.
#[must_use]
pub fn skip(message: &[u8], position: usize) -> Option<usize> {
    let mut cursor = Cursor::new(message).at(position)?;
    let mut octets = 0_usize;
    while octets <= LONGEST_NAME {
        let length = cursor.u8()?;
        match length >> 6 {
            0 if length == 0 => return Some(cursor.position()),
            0 => cursor.skip(usize::from(length))?,
            3 => {
                cursor.skip(1)?;
                return Some(cursor.position());
            }
            _ => return None,
        }
        octets = octets.saturating_add(usize::from(length)).saturating_add(1);
    }
    None
}

/// The labels of the name at `position`, as sent, at most `N`; how many there are, and `None` when it is broken.
#[must_use]
pub fn labels<const N: usize>(message: &[u8], position: usize) -> Option<([&[u8]; N], usize)> {
    let mut found = [&[][..]; N];
    let mut count = 0_usize;
    let mut labels = Labels::new(message, position)?;
    loop {
        match labels.step() {
            Step::Label(label) => {
                if let Some(place) = found.get_mut(count) {
                    *place = label;
                }
                count = count.saturating_add(1);
            }
            Step::End => return Some((found, count)),
            Step::Broken => return None,
        }
    }
}

/// Whether two names of one message are the same (RFC 4343: letters without regard to case).
#[must_use]
pub fn same(message: &[u8], left: usize, right: usize) -> bool {
    if left == right {
        return true;
    }
    let (Some(mut left), Some(mut right)) = (Labels::new(message, left), Labels::new(message, right)) else {
        return false;
    };
    loop {
        match (left.step(), right.step()) {
            (Step::End, Step::End) => return true,
            (Step::Label(left), Step::Label(right)) if left.eq_ignore_ascii_case(right) => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: &[u8], position: usize) -> Option<String> {
        Name::read(message, position, Case::Lower)
            .map(|name| String::from_utf8_lossy(name.text()).into_owned())
    }

    // The example of RFC 1035, 4.1.4: F.ISI.ARPA at 0, FOO.F.ISI.ARPA at 12, a pointer to ARPA at 18, the root at 20.
    const RFC_1035: &[u8] = b"\x01F\x03ISI\x04ARPA\x00\x03FOO\xc0\x00\xc0\x06\x00";

    #[test]
    fn names_of_the_rfc_example_are_read_through_their_pointers() {
        assert_eq!(text(RFC_1035, 0).as_deref(), Some("f.isi.arpa"));
        assert_eq!(text(RFC_1035, 12).as_deref(), Some("foo.f.isi.arpa"));
        assert_eq!(text(RFC_1035, 18).as_deref(), Some("arpa"));
        assert_eq!(text(RFC_1035, 20).as_deref(), Some("."));
        assert_eq!(skip(RFC_1035, 0), Some(12));
        assert_eq!(skip(RFC_1035, 12), Some(18));
        assert!(same(RFC_1035, 6, 18));
        assert!(!same(RFC_1035, 0, 12));
    }

    #[test]
    fn pointers_to_themselves_forward_and_in_circles_end() {
        assert_eq!(text(b"\xc0\x00", 0), None);
        assert_eq!(text(b"\xc0\x02\x01a\x00", 0), None);
        assert_eq!(text(b"\x01a\xc0\x04\x01b\xc0\x00", 0), None);
        assert_eq!(text(b"\x01a\xc0\x00", 0), None);
        assert!(!same(b"\xc0\x00\xc0\x00", 0, 2));
    }

    #[test]
    fn dots_and_control_characters_inside_a_label_are_escaped() {
        assert_eq!(
            text(b"\x05a.b\\\x07\x05local\x00", 0).as_deref(),
            Some("a\\.b\\\\\\007.local")
        );
    }

    #[test]
    fn a_name_longer_than_255_octets_is_refused_and_the_longest_is_read() {
        let mut longest = Vec::new();
        for length in [63, 63, 63, 61] {
            longest.push(length);
            longest.extend(vec![b'a'; usize::from(length)]);
        }
        longest.push(0);
        assert_eq!(longest.len(), 255);
        assert_eq!(text(&longest, 0).unwrap().len(), 253);
        let mut too_long = longest.clone();
        too_long.splice(254..255, [1, b'a', 0]);
        assert_eq!(text(&too_long, 0), None);
    }

    #[test]
    fn every_cut_of_a_name_gives_nothing() {
        for end in 0..11 {
            assert_eq!(text(&RFC_1035[..end], 0), None);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_end(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600), position in 0_usize..600) {
            let name = Name::read(&bytes, position, Case::Kept);
            proptest::prop_assert!(name.is_none_or(|name| name.text().len() <= LONGEST_VALUE));
            let _ = (skip(&bytes, position), labels::<4>(&bytes, position), same(&bytes, position, 0));
        }
    }
}
