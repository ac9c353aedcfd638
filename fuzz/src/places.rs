//! Databases of places: opened as a user's file is, and asked.

use farmhawk::geo::{Geo, status};

use super::reading::Scratch;
use super::settings::addresses;

/// Opens a file as a database and asks it for addresses, some of them its own octets.
///
/// # Panics
///
/// When a file is neither in use nor named as refused: what fuzzing looks for.
pub fn database(input: &[u8]) {
    let Ok(file) = Scratch::with(input) else {
        return;
    };
    let (geo, errors) = Geo::open(std::slice::from_ref(&file.0));
    let geo = geo.without_default();
    assert_eq!(
        geo.databases().count() + errors.len(),
        1,
        "a file is in use or it is refused"
    );
    for error in errors {
        assert!(!error.to_string().is_empty(), "refused without a reason");
    }
    for ip in addresses(input) {
        if let Some(place) = geo.place(ip) {
            assert!(!place.sources.is_empty(), "a place that no database said");
        }
        let _ = status::lookup_text(&geo, ip);
    }
}
