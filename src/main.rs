//! The `farmhawk` program.

use std::process::ExitCode;

/// The system's allocator took a sixth of the time of a capture of many small flows; this one takes a twentieth.
#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Number of mimalloc's option `purge_delay` in its `mi_option_e` (mimalloc 3, `include/mimalloc.h`).
#[cfg(feature = "mimalloc")]
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;

/// Keeps freed memory instead of giving it back to the system after ten milliseconds, which then clears every page again
/// when the next block of packets wants it: a fifth of the time of a capture of many short flows. What is held
/// stays bounded, because the flow table and what hangs on it are.
#[cfg(feature = "mimalloc")]
#[expect(
    unsafe_code,
    reason = "the allocator's options have no safe interface; 2.7 s became 2.2 s with it"
)]
fn keep_freed_memory() {
    // SAFETY: `mi_option_set` stores a number in a table of atomics; it is sound at any time and from any thread.
    unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, -1) };
}

fn main() -> ExitCode {
    #[cfg(feature = "mimalloc")]
    keep_freed_memory();
    farmhawk::cli::run()
}
