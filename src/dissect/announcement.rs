//! What neighbours announce of themselves on the link, in elements of type, length and value: LLDP and CDP.
//!
//! Both have one course: a frame without state, elements until one does not fit, most of them texts. A file a protocol holds the
//! form of its elements, the fields of its texts, and what it reads of the others.

use super::cursor::Cursor;
use super::{Dissection, Dissector, Head, Input, Next, Probe};
use crate::model::fact::{Facts, Field};
use crate::model::segment::Layer;

/// A protocol of announcements.
#[derive(Debug)]
pub struct Announcement {
    /// Its name in records.
    pub name: &'static str,
    /// What its facts may say.
    pub fields: &'static [&'static Field],
    /// Whether a frame is its own.
    pub probe: fn(&Head<'_>) -> Probe,
    /// How its elements are read.
    pub form: Form,
}

/// Type and value.
pub type Element<'a> = (u16, &'a [u8]);

/// The form of the elements, and what is said of them.
#[derive(Clone, Copy, Debug)]
pub struct Form {
    /// Octets before the first element.
    pub header: usize,
    /// Reads the next element: its type and value. `None` ends the frame.
    pub element: for<'a> fn(&mut Cursor<'a>) -> Option<Element<'a>>,
    /// Types whose value is a text.
    pub texts: &'static [(u16, &'static Field)],
    /// Says an element of another type.
    pub other: fn(u16, &[u8], &mut Facts<'_>),
}

impl Form {
    /// The elements of a frame.
    pub fn elements<'a>(&self, frame: &'a [u8]) -> impl Iterator<Item = Element<'a>> {
        let mut cursor = Cursor::new(frame);
        let element = self.element;
        let header = cursor.skip(self.header);
        std::iter::from_fn(move || header.and_then(|()| element(&mut cursor)))
    }
}

impl Dissector for Announcement {
    fn name(&self) -> &'static str {
        self.name
    }

    fn fields(&self) -> &'static [&'static Field] {
        self.fields
    }

    fn layers(&self) -> &'static [Layer] {
        &[Layer::Link]
    }

    fn probe(&self, head: &Head<'_>) -> Probe {
        (self.probe)(head)
    }

    fn start(&self) -> Box<dyn Dissection> {
        Box::new(self.form)
    }

    fn follows(&self) -> bool {
        true
    }
}

/// Without state: every announcement stands alone.
impl Dissection for Form {
    fn feed(&mut self, input: &Input<'_>, facts: &mut Facts<'_>) -> Next {
        for (kind, value) in self.elements(input.bytes) {
            match self.texts.iter().find(|(text, _)| *text == kind) {
                Some((_, field)) => facts.text(field, value),
                None => (self.other)(kind, value, facts),
            }
        }
        Next::More(0)
    }
}
