//! farmhawk finds laptop farms in network traffic.

pub mod capture;
pub mod cli;
pub mod cluster;
pub mod decode;
pub mod detect;
pub mod dissect;
pub mod document;
pub mod explain;
pub mod flow;
pub mod geo;
pub mod lab;
pub mod model;
pub mod observe;
pub mod pipeline;
pub mod profile;
pub mod report;
pub mod settings;
pub mod signatures;
