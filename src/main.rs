//! The `farmhawk` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    farmhawk::cli::run()
}
