//! farmhawk finds laptop farms in network traffic.

pub mod cluster;
pub mod dissect;
pub mod explain;
pub mod model;
pub mod settings;
