#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    farmhawk_fuzz::run("postgresql", input);
});
