//! What a finding and a function are known again by in another release and on another machine.

/// FNV-1a, 64 bits, of texts: the same for every release and machine.
pub(crate) fn fnv(texts: &[&str]) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for text in texts {
        for b in text.bytes().chain([0]) {
            hash = (hash ^ u64::from(b)).wrapping_mul(0x0100_0000_01b3);
        }
    }
    hash
}
