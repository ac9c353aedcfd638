//! A value together with whether it could be observed at all.

use super::evidence::State;
use std::sync::Arc;

/// What was seen, that it would have been seen and was not there, or why it cannot be seen.
///
/// The last two are never the same thing (DETECTION 4): in simulation, reading "not observable" as "absent" hid farms.
#[derive(Clone, Debug, PartialEq)]
pub enum Observable<T> {
    /// It was seen.
    Observed(T),
    /// It would have been seen, and was not there.
    Absent,
    /// It cannot be seen, for this reason (lower case, no full stop).
    NotObservable(String),
}

impl<T> Default for Observable<T> {
    fn default() -> Self {
        Self::NotObservable("not measured".to_owned())
    }
}

impl<T> Observable<T> {
    /// Not observable, for a reason.
    #[must_use]
    pub fn hidden(reason: &str) -> Self {
        Self::NotObservable(reason.to_owned())
    }

    /// The value, if it was seen.
    #[must_use]
    pub const fn seen(&self) -> Option<&T> {
        match self {
            Self::Observed(value) => Some(value),
            Self::Absent | Self::NotObservable(_) => None,
        }
    }

    /// The state as records carry it.
    #[must_use]
    pub const fn state(&self) -> State {
        match self {
            Self::Observed(_) => State::Observed,
            Self::Absent => State::Absent,
            Self::NotObservable(_) => State::NotObservable,
        }
    }

    /// Why it cannot be seen, if it cannot.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::NotObservable(reason) => Some(reason),
            Self::Observed(_) | Self::Absent => None,
        }
    }
}

impl<T> Observable<Arc<[T]>> {
    /// The list, which others may have too; empty when nothing was seen or nothing can be seen.
    #[must_use]
    pub fn list(&self) -> &[T] {
        self.seen().map_or(&[], |list| &**list)
    }
}

impl<T> Observable<Vec<T>> {
    /// The list; empty when nothing was seen or nothing can be seen.
    #[must_use]
    pub fn list(&self) -> &[T] {
        self.seen().map_or(&[], Vec::as_slice)
    }
}
