//! Packet time: the only clock that the analysis knows.

use std::fmt;

use super::digits::decimal_text;

/// A moment of the capture's clock in nanoseconds since 1970-01-01T00:00:00Z.
///
/// Values before 1970 or after 2262 are clamped by whoever reads them from a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

/// A span of packet time in nanoseconds; never negative where a field of this type says how long something took.
pub type Nanoseconds = i64;

/// Nanoseconds in a second.
pub const SECOND: Nanoseconds = 1_000_000_000;

impl Timestamp {
    /// From whole seconds and nanoseconds, clamped to what 64 bits hold.
    #[must_use]
    pub const fn from_parts(seconds: i64, nanoseconds: i64) -> Self {
        Self(seconds.saturating_mul(SECOND).saturating_add(nanoseconds))
    }

    /// Time that passed since `earlier`; negative when the capture's clock ran backwards.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Nanoseconds {
        self.0.saturating_sub(earlier.0)
    }

    /// This moment moved by `span`.
    #[must_use]
    pub const fn plus(self, span: Nanoseconds) -> Self {
        Self(self.0.saturating_add(span))
    }

    /// Writes the RFC 3339 form in UTC with microseconds, as every record carries it, into a fixed buffer.
    ///
    /// Civil date from days by Howard Hinnant's published algorithm (`civil_from_days`).
    #[must_use]
    pub fn to_text(self) -> TimestampText {
        let seconds = self.0.div_euclid(SECOND);
        let days = seconds.div_euclid(86_400);
        let shifted = days + 719_468;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 {
            shifted_month + 3
        } else {
            shifted_month - 9
        };
        let year = year_of_era + era * 400 + i64::from(month <= 2);
        let year = year.clamp(0, 9_999);
        let minutes = seconds.rem_euclid(86_400) / 60;
        let micros = self.0.rem_euclid(60 * SECOND) / 1_000;
        let [y0, y1, y2, y3, o0, o1, d0, d1] = digits(year * 10_000 + month * 100 + day);
        let [.., h0, h1, m0, m1] = digits(minutes / 60 * 100 + minutes % 60);
        let [s0, s1, u0, u1, u2, u3, u4, u5] = digits(micros);
        TimestampText([
            y0, y1, y2, y3, b'-', o0, o1, b'-', d0, d1, b'T', h0, h1, b':', m0, m1, b':', s0, s1, b'.', u0,
            u1, u2, u3, u4, u5, b'Z',
        ])
    }
}

/// The eight digits of a number below a hundred million.
fn digits(number: i64) -> [u8; 8] {
    decimal_text(u32::try_from(number).unwrap_or(0))
}

/// The text of a [`Timestamp`]: `2026-11-21T00:00:00.000000Z`.
#[derive(Clone, Copy)]
pub struct TimestampText([u8; 27]);

impl TimestampText {
    /// The text itself; ASCII by construction.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.to_text().as_str())
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.to_text().as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_read_as_rfc_3339_with_microseconds() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000000Z");
        assert_eq!(
            Timestamp::from_parts(951_827_696, 789_012_345).to_string(),
            "2000-02-29T12:34:56.789012Z"
        );
        assert_eq!(
            Timestamp::from_parts(-1, 999_999_999).to_string(),
            "1969-12-31T23:59:59.999999Z"
        );
        assert_eq!(
            Timestamp::from_parts(4_102_444_799, 0).to_string(),
            "2099-12-31T23:59:59.000000Z"
        );
    }

    #[test]
    fn extremes_neither_panic_nor_wrap() {
        assert_eq!(Timestamp::from_parts(i64::MAX, i64::MAX), Timestamp(i64::MAX));
        let _ = Timestamp(i64::MIN).to_string();
        assert_eq!(Timestamp(i64::MIN).since(Timestamp(i64::MAX)), i64::MIN);
    }
}
