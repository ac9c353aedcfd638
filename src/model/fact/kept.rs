//! Facts of flows that live.

use super::FactLog;

/// The facts of a flow that lives: as small as they can be, because there may be millions.
#[derive(Debug, Default)]
pub struct KeptFacts(Box<[u8]>);

/// Which fields kept facts may have; apart from them, because it fits between other small parts of a flow.
#[derive(Clone, Copy, Debug, Default)]
pub struct KeptFields(u32);

impl KeptFacts {
    /// Puts the facts of a log behind those that are here.
    pub fn append(&mut self, fields: &mut KeptFields, log: &FactLog) {
        fields.0 |= log.fields;
        if self.0.is_empty() {
            self.0 = Box::from(log.bytes.as_slice());
            return;
        }
        let mut bytes = std::mem::take(&mut self.0).into_vec();
        // To the octet: a flow's facts are appended to a few times at most and live long.
        bytes.reserve_exact(log.bytes.len());
        bytes.extend_from_slice(&log.bytes);
        self.0 = bytes.into_boxed_slice();
    }

    /// Reads an octet, so that they are in the cache afterwards.
    #[must_use]
    pub fn touch(&self) -> u32 {
        self.0.first().copied().map_or(0, u32::from)
    }

    /// Bytes that they take.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was said.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The facts as a log.
    #[must_use]
    pub fn into_log(self, fields: KeptFields) -> FactLog {
        FactLog {
            bytes: self.0.into_vec(),
            stamped: 0,
            fields: fields.0,
        }
    }
}
