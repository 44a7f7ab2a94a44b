//! Lists of bits as the runtime keeps them: by byte, the lowest bit first.

/// Bits of the slots below `n` in the list's word `i`.
pub(super) fn below(n: u64, i: usize) -> u64 {
    match n.saturating_sub(i as u64 * 64) {
        0 => 0,
        n @ 1..64 => (1 << n) - 1,
        _ => u64::MAX,
    }
}

/// Word `i` of a list of bits; 0 behind its end.
#[inline]
pub(crate) fn word_of(bytes: &[u8], i: usize) -> u64 {
    let rest = bytes.get(i * 8..).unwrap_or_default();
    match rest.first_chunk() {
        Some(word) => u64::from_le_bytes(*word),
        // What is left is copied by its length alone: of nearly all words that is a call for nothing.
        None => rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// Positions of the bits of a word, from the lowest.
pub(crate) struct Bits(pub(crate) u64);

impl Iterator for Bits {
    type Item = u32;

    fn next(&mut self) -> Option<u32> {
        let bit = self.0.trailing_zeros();
        self.0 &= self.0.wrapping_sub(1);
        (bit < 64).then_some(bit)
    }
}

/// Sets bits from `first` on; those that find no room are left out.
pub(super) fn copy_bits(to: &mut [u64], first: u64, from: &[u64]) {
    let (at, shift) = ((first / 64) as usize, first % 64);
    for (i, word) in from.iter().enumerate() {
        if let Some(w) = to.get_mut(at.saturating_add(i)) {
            *w |= word << shift;
        }
        if shift > 0
            && let Some(w) = to.get_mut(at.saturating_add(i + 1))
        {
            *w |= word >> (64 - shift);
        }
    }
}

/// `n` bits from `at` on, 64 at most.
pub(super) fn bits_at(bits: &[u64], at: u64, n: u64) -> u64 {
    let (i, shift) = ((at / 64) as usize, at % 64);
    let low = bits.get(i).copied().unwrap_or(0) >> shift;
    let high = if shift == 0 { 0 } else { bits.get(i + 1).copied().unwrap_or(0) << (64 - shift) };
    let mask = if n >= 64 { u64::MAX } else { (1 << n) - 1 };
    (low | high) & mask
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_that_cross_a_word_are_copied_whole() {
        let mut to = vec![0u64; 3];
        copy_bits(&mut to, 60, &[0xff, 1]);
        assert_eq!(to, [0xf << 60, 0xf | 1 << 60, 0]);
        copy_bits(&mut to, u64::MAX, &[u64::MAX]);
        assert_eq!(bits_at(&to, 60, 8), 0xff);
    }
}
