//! Reports: rendering what was found. Computes nothing.

pub mod flow;
