//! Hours of a working day as an inventory declares them.

/// Hours of a working day, in minutes since midnight of the place; an end before the start is a night shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WorkHours {
    /// First minute.
    pub start: u16,
    /// First minute after it.
    pub end: u16,
}

impl WorkHours {
    /// Reads `09:00-17:00`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (start, end) = text.split_once('-')?;
        let minute = |text: &str| {
            let (hours, minutes) = text.trim().split_once(':')?;
            let (hours, minutes): (u16, u16) = (hours.parse().ok()?, minutes.parse().ok()?);
            let is_time = (hours < 24 && minutes < 60) || (hours, minutes) == (24, 0);
            is_time.then(|| hours * 60 + minutes)
        };
        let hours = Self {
            start: minute(start)?,
            end: minute(end)?,
        };
        (hours.start != hours.end).then_some(hours)
    }

    /// Whether the minute of the day lies within.
    #[must_use]
    pub const fn holds(self, minute: u16) -> bool {
        if self.start < self.end {
            self.start <= minute && minute < self.end
        } else {
            self.start <= minute || minute < self.end
        }
    }
}
