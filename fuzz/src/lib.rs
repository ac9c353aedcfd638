//! What the fuzz targets run, and what a stable test replays over the committed corpora (`tests/behaviour/corpora.rs`
//! includes this file). Any bytes are valid input; a broken promise of a stage is an assertion that fails here.

pub mod decoding;
pub mod dissection;
pub mod flows;
pub mod pieces;
pub mod places;
pub mod reading;
pub mod settings;

/// Runs the target of this name on `input`; `false` when there is none.
#[must_use]
pub fn run(target: &str, input: &[u8]) -> bool {
    match target {
        "classic" | "pcapng" | "input" => reading::capture(input),
        "compression" => reading::compression(input),
        "merge" => reading::several(input),
        "decode_ethernet" => decoding::frames(input, decoding::ETHERNET),
        "decode_dot11" => decoding::frames(input, decoding::DOT11),
        "decode_cooked" => decoding::frames(input, decoding::COOKED),
        "decode_serial" => decoding::frames(input, decoding::SERIAL),
        "decode_raw" => decoding::frames(input, decoding::RAW),
        "fragments" => decoding::fragments(input),
        "catalogue" => settings::catalogue(input),
        "inventory_csv" | "inventory_json" => settings::inventory(input),
        "policy" => settings::policy(input),
        "places" => places::database(input),
        "engine" => dissection::engine(input),
        "flow" => flows::segments(input),
        protocol => return dissection::protocol(&protocol.replace('_', "-"), input),
    }
    true
}
