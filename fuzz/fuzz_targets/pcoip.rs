#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    let _ = farmhawk_fuzz::run("pcoip", input);
});
