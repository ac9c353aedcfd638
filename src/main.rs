//! The `farmhawk` program.

fn main() {}
