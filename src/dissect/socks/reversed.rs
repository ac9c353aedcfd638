//! SOCKS 5 on a connection that the proxy opened: a machine behind a router calls its controller, often with a few octets
//! of its own in front, and then makes connections for it (back-connect).

use super::{MOST_METHODS, REFUSED, is_method};
use crate::dissect::Probe;
use crate::dissect::cursor::Cursor;

/// Octets that such a proxy may send before it answers: a name, a key.
pub(super) const LONGEST_PREAMBLE: usize = 64;

/// The methods of a whole greeting of version 5, and what stands behind it.
pub(super) fn greeting(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut cursor = Cursor::new(bytes);
    let methods = (cursor.u8()? == 5).then(|| cursor.prefixed_u8())??;
    let fits = (1..=MOST_METHODS).contains(&methods.len()) && methods.iter().copied().all(is_method);
    fits.then_some((methods, cursor.rest()))
}

/// Whether a greeting has begun of which the rest is to come.
fn begins(bytes: &[u8]) -> bool {
    match bytes {
        [5] => true,
        [5, count, methods @ ..] => {
            (1..=MOST_METHODS).contains(&usize::from(*count))
                && methods.len() < usize::from(*count)
                && methods.iter().copied().all(is_method)
        }
        _ => false,
    }
}

/// Where the choice of a method stands behind a preamble: at the end, or before the next answer.
pub(super) fn choice(bytes: &[u8]) -> Option<usize> {
    let is_choice = |rest: &[u8]| match rest {
        [5, method, behind @ ..] if is_method(*method) || *method == REFUSED => {
            matches!(behind, [] | [5 | 1] | [5, 0..=8, ..] | [1, 0 | 1, ..])
        }
        _ => false,
    };
    (0..=LONGEST_PREAMBLE).find(|at| bytes.get(*at..).is_some_and(is_choice))
}

/// Judges both sides' first octets, the greeting being the server's.
pub(super) fn probe(to_server: &[u8], to_client: &[u8]) -> Probe {
    // Only a request, or a user's name, may stand behind the greeting.
    let Some((methods, [] | [1 | 5, ..])) = greeting(to_client) else {
        let both_greet = greeting(to_server).is_some();
        return if begins(to_client) && !both_greet {
            Probe::Wait
        } else {
            Probe::No
        };
    };
    match choice(to_server).and_then(|at| to_server.get(at.saturating_add(1))) {
        Some(method) if methods.contains(method) || *method == REFUSED => Probe::Yes,
        // The answer may come in two pieces.
        None if to_server.len() <= LONGEST_PREAMBLE.saturating_add(1) => Probe::Wait,
        Some(_) | None => Probe::No,
    }
}
