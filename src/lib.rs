//! farmhawk finds laptop farms in network traffic.

pub mod capture;
pub mod dissect;
pub mod model;
pub mod settings;
