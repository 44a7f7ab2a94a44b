//! See `lastgasp_fuzz_bodies::worker`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| lastgasp_fuzz_bodies::worker(data));
