//! Goroutines and their stacks, damaged; the copy of evidence with them.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (p, rt) = lastgasp_fuzz::damaged(data);
    lastgasp_fuzz::process::decode_all(&rt, &p);
});
