//! farmhawk finds laptop farms in network traffic.

pub mod decode;
pub mod dissect;
pub mod model;
pub mod settings;
