//! Sets of small numbers, a bit each, and what is counted in them.

use std::ops::Range;

/// Bytes of a page of memory.
const PAGE: usize = 4096;

/// A set of numbers below a bound, one bit each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    words: Vec<u64>,
}

impl Bits {
    /// The empty set, with room for numbers below `bound`.
    pub fn new(bound: usize) -> Self {
        let mut words = vec![0; bound.div_ceil(64)];
        // Written to, page by page: of who reads a page first that nobody wrote to the kernel makes it twice.
        words.iter_mut().step_by(PAGE / 8).for_each(|word| *word = std::hint::black_box(0));
        Self { words }
    }

    /// Whether `at` is in the set; what lies beyond its bound is not.
    pub fn contains(&self, at: usize) -> bool {
        self.words.get(at / 64).is_some_and(|w| w >> (at % 64) & 1 == 1)
    }

    /// Takes `at` in, and says whether it was not there before. Beyond the bound nothing happens.
    pub fn insert(&mut self, at: usize) -> bool {
        let Some(word) = self.words.get_mut(at / 64) else { return false };
        let bit = 1 << (at % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    /// Takes `at` out.
    pub(crate) fn remove(&mut self, at: usize) {
        if let Some(word) = self.words.get_mut(at / 64) {
            *word &= !(1 << (at % 64));
        }
    }

    /// How many numbers are in the set.
    pub fn count(&self) -> usize {
        self.words.iter().map(|w| w.count_ones() as usize).sum()
    }

    /// The numbers, ascending.
    pub fn iter(&self) -> impl Iterator<Item = usize> + '_ {
        self.words.iter().enumerate().flat_map(|(i, w)| ones(*w).map(move |bit| i * 64 + bit))
    }

    /// All numbers below the bound in about equal ranges, one for each of `parts`.
    pub(crate) fn ranges(&self, parts: usize) -> Vec<Range<usize>> {
        let each = self.words.len().div_ceil(parts.max(1)).max(1);
        (0..self.words.len()).step_by(each).map(|from| from * 64..(from + each).min(self.words.len()) * 64).collect()
    }

    /// The numbers in one such range, ascending.
    pub(crate) fn iter_range(&self, range: Range<usize>) -> impl Iterator<Item = usize> + '_ {
        let (from, to) = (range.start / 64, range.end / 64);
        let words = self.words.get(from..to).unwrap_or_default();
        words.iter().zip(from..).flat_map(|(w, i)| ones(*w).map(move |bit| i * 64 + bit))
    }

    /// Takes in all that are in another set of the same bound.
    pub fn unite(&mut self, other: &Self) {
        self.words.iter_mut().zip(&other.words).for_each(|(word, other)| *word |= other);
    }

    /// Sixty-four numbers a word, the lowest in the lowest bit.
    pub(crate) fn words(&self) -> &[u64] {
        &self.words
    }

    /// The same, to be written.
    pub(crate) fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }
}

/// Places of the ones in a word, ascending.
pub(crate) fn ones(mut word: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let at = word.trailing_zeros() as usize;
        (word != 0).then(|| {
            word &= word - 1;
            at
        })
    })
}

/// Members between two whose words are remembered.
const SAMPLED: u32 = 512;

/// A set whose members are numbered densely, in their order: 12 bytes for each 64 numbers below its bound.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranked {
    bits: Bits,
    /// Members before each word.
    before: Vec<u32>,
    /// The word of every so many-th member.
    words: Vec<u32>,
    count: u32,
}

impl Ranked {
    /// Numbers the members of `bits`; `None` if there are more than 32 bits hold.
    pub(crate) fn new(bits: Bits) -> Option<Self> {
        let mut count = 0u32;
        let mut before = Vec::with_capacity(bits.words.len());
        let mut words = Vec::new();
        for (i, word) in bits.words.iter().enumerate() {
            before.push(count);
            count = count.checked_add(word.count_ones())?;
            if words.len() < count.div_ceil(SAMPLED) as usize {
                words.push(i as u32);
            }
        }
        Some(Self { bits, before, words, count })
    }

    /// How many members there are.
    pub(crate) fn count(&self) -> u32 {
        self.count
    }

    /// The dense number of a member.
    pub(crate) fn rank(&self, at: u32) -> Option<u32> {
        let (word, bit) = (at as usize / 64, at % 64);
        let bits = *self.bits.words.get(word)?;
        (bits >> bit & 1 == 1).then(|| self.before[word] + (bits & ((1 << bit) - 1)).count_ones())
    }

    /// How many members lie below `at`.
    pub(crate) fn rank_below(&self, at: u32) -> u32 {
        let (word, bit) = (at as usize / 64, at % 64);
        match self.bits.words.get(word) {
            Some(bits) => self.before[word] + (bits & ((1 << bit) - 1)).count_ones(),
            None => self.count,
        }
    }

    /// The member of a dense number.
    pub(crate) fn select(&self, rank: u32) -> Option<u32> {
        if rank >= self.count {
            return None;
        }
        let sample = (rank / SAMPLED) as usize;
        let from = self.words[sample] as usize;
        let to = self.words.get(sample + 1).map_or(self.before.len(), |to| *to as usize + 1);
        let word = from + self.before[from..to].partition_point(|b| *b <= rank) - 1;
        let nth = (rank - self.before[word]) as usize;
        ones(self.bits.words[word]).nth(nth).map(|bit| word as u32 * 64 + bit as u32)
    }

    /// The members.
    pub(crate) fn bits(&self) -> &Bits {
        &self.bits
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranks_and_members_are_each_others_inverse() {
        let members = [0u32, 1, 63, 64, 127, 300, 639];
        let mut bits = Bits::new(640);
        assert!(members.iter().all(|m| bits.insert(*m as usize)));
        assert!(!bits.insert(64) && !bits.insert(640) && !bits.contains(641));
        assert!(bits.iter().eq(members.iter().map(|m| *m as usize)));
        let ranked = Ranked::new(bits).unwrap();
        for (rank, member) in members.iter().enumerate() {
            assert_eq!(ranked.rank(*member), Some(rank as u32));
            assert_eq!(ranked.select(rank as u32), Some(*member));
            assert_eq!(ranked.rank_below(*member), rank as u32);
        }
        assert_eq!((ranked.rank(2), ranked.select(7), ranked.rank_below(9999)), (None, None, 7));
    }

    #[test]
    fn members_are_found_between_samples() {
        for by in [1, 3, 64, 700, 40_000] {
            let mut bits = Bits::new(100_000);
            let members: Vec<usize> = (5..100_000).step_by(by).chain([99_998]).filter(|m| bits.insert(*m)).collect();
            let ranked = Ranked::new(bits).unwrap();
            let mut found: Vec<usize> = (0..ranked.count()).map(|r| ranked.select(r).unwrap() as usize).collect();
            found.sort_unstable();
            let mut members = members;
            members.sort_unstable();
            assert!(found == members, "{by}");
        }
    }
}
