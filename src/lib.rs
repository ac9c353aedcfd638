//! farmhawk finds laptop farms in network traffic.

pub mod dissect;
pub mod document;
pub mod geo;
pub mod model;
pub mod settings;
pub mod signatures;
