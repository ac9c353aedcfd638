//! Data files that are part of the program.

use serde::de::DeserializeOwned;

/// What a TOML file of the program says. `name` is its path below `src/`, for who broke it.
///
/// # Panics
///
/// When the file is broken. Every file has a test that reads it, so that no program is delivered in which this can be.
#[must_use]
#[expect(
    clippy::panic,
    reason = "a program whose own files are broken has nothing to go on with"
)]
pub fn read<T: DeserializeOwned>(name: &str, text: &str) -> T {
    toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[cfg(test)]
mod tests {
    #[derive(serde::Deserialize)]
    struct Table {
        least: u32,
    }

    #[test]
    fn a_file_is_read_and_a_broken_one_is_named() {
        assert_eq!(super::read::<Table>("some/table.toml", "least = 3").least, 3);
        let broken = std::panic::catch_unwind(|| super::read::<Table>("some/table.toml", "most = 3").least);
        let said = broken.unwrap_err();
        assert!(
            said.downcast_ref::<String>()
                .is_some_and(|text| text.starts_with("some/table.toml: "))
        );
    }
}
