//! The memory profile's buckets, damaged.
#![no_main]

use lastgasp_goruntime::{EvidencePlan, decode_profile};

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let (p, rt) = lastgasp_fuzz::damaged(data);
    let mut gaps = Vec::new();
    let profile = decode_profile(&rt, &p, &mut gaps);
    for b in &profile.buckets {
        let _ = (profile.current(b), profile.published(b), profile.burst(b));
    }
    let _ = EvidencePlan::default().update(&rt, &p);
});
