//! Time resolution of pcapng interfaces (draft-ietf-opsawg-pcapng, `if_tsresol`).

use crate::model::time::{SECOND, Timestamp};

/// How ticks of an interface become nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Resolution {
    /// A decimal resolution of a nanosecond or coarser: nanoseconds in a tick.
    Times(u64),
    /// A decimal resolution finer than a nanosecond: ticks in a nanosecond.
    Over(u64),
    /// Two to the minus this power of a second.
    Binary(u32),
}

impl Resolution {
    /// What holds without the option.
    pub(super) const MICROSECONDS: Self = Self::Times(1_000);

    /// Reads the option's octet: its highest bit chooses between powers of two and of ten.
    pub(super) fn of(octet: u8) -> Self {
        let power = u32::from(octet & 0x7f);
        if octet & 0x80 != 0 {
            return Self::Binary(power);
        }
        match 9_u32.checked_sub(power) {
            Some(missing) => Self::Times(10_u64.saturating_pow(missing)),
            None => Self::Over(10_u64.saturating_pow(power.saturating_sub(9))),
        }
    }

    /// The time of so many ticks, `offset` nanoseconds later, clamped to 1970 to 2262.
    pub(super) fn time(self, ticks: u64, offset: i64) -> Timestamp {
        let nanoseconds = match self {
            Self::Times(factor) => ticks.saturating_mul(factor),
            Self::Over(divisor) => ticks.checked_div(divisor).unwrap_or(0),
            Self::Binary(power) => {
                let scaled = u128::from(ticks).saturating_mul(SECOND.unsigned_abs().into());
                u64::try_from(scaled.checked_shr(power).unwrap_or(0)).unwrap_or(u64::MAX)
            }
        };
        let nanoseconds = i64::try_from(nanoseconds).unwrap_or(i64::MAX);
        Timestamp(nanoseconds.saturating_add(offset).max(0))
    }
}
