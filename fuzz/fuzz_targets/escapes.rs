//! See `lastgasp_fuzz_bodies::escapes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lastgasp_fuzz_bodies::escapes(data));
