//! The pipeline: which stage is wired to which. Contains no knowledge; it wires, counts and orders.

pub mod schedule;
pub mod shard;
