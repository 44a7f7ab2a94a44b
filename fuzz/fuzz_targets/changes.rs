//! See `lastgasp_fuzz_bodies::changes`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lastgasp_fuzz_bodies::changes(data));
