//! The search for one field among facts: nothing of the others is read but where they end.

use super::{Fact, FactIter, FieldId, HEADER, KIND_STAMP, STAMP, octets};

impl<'a> FactIter<'a> {
    /// The next fact of a field: of those before it no more is read than where they end.
    pub(super) fn seek(&mut self, wanted: FieldId) -> Option<Fact<'a>> {
        let mut last = None;
        loop {
            let mut ahead = self.rest;
            if ahead.first() == Some(&KIND_STAMP) {
                last = Some(octets::<STAMP>(&mut ahead)?);
                self.rest = ahead;
                continue;
            }
            let [_, field @ .., low, high] = octets::<HEADER>(&mut ahead)?;
            if u32::from_le_bytes(field) == wanted.0 {
                if let Some(stamp) = last {
                    self.stamp(stamp);
                }
                return self.read();
            }
            self.rest = ahead.get(usize::from(u16::from_le_bytes([low, high]))..)?;
        }
    }
}
