//! A few objects that are most of the growth: exact by the span table, profile or no profile. Pure.

use crate::facts::{Facts, LargeObjects};
use crate::thresholds::huge_object::{EACH_ONE_IN, GROWS_BY_AT_LEAST, GROWS_BY_AT_MOST, MIN_SHARE, MOST};

/// The largest objects, where few of them are most of the growth.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HugeObjects<'a> {
    /// Their sizes in bytes, the largest first.
    pub(crate) sizes: Vec<u64>,
    /// The largest one's kind.
    pub(crate) kind: &'a LargeObjects,
    /// Whether each is larger than the next by a factor with which Go's slices and buffers grow: copies of
    /// one thing, of which all but the largest are garbage or about to be.
    pub(crate) grown_by_copying: bool,
}

impl<'a> HugeObjects<'a> {
    /// Those of a heap that grew by so many bytes.
    pub(crate) fn of(facts: &'a Facts, growth: u64) -> Option<Self> {
        let heap = facts.heap.as_ref()?;
        // A step of a buffer that grows may be a small part of what is there: its older copies are large
        // beside it.
        let growth = growth.max(heap.object_bytes / 2);
        let mut large: Vec<&LargeObjects> = heap.large.iter().filter(|l| l.size > growth / EACH_ONE_IN).collect();
        large.sort_by_key(|l| std::cmp::Reverse(l.size));
        let sizes = large.iter().flat_map(|l| std::iter::repeat_n(l.size, l.count.min(MOST as u64 + 1) as usize));
        let mut sizes: Vec<u64> = sizes.take(MOST + 1).collect();
        let pairs = sizes.iter().zip(sizes.iter().skip(1));
        let grows = |a: u64, b: u64| (GROWS_BY_AT_LEAST..=GROWS_BY_AT_MOST).contains(&(a as f64 / b.max(1) as f64));
        let grown_by_copying = sizes.len() > 1 && pairs.into_iter().all(|(a, b)| grows(*a, *b));
        // More than a few, unless they are copies of one.
        if sizes.len() > MOST && !grown_by_copying {
            return None;
        }
        sizes.truncate(MOST);
        let sum = sizes.iter().copied().fold(0, u64::saturating_add);
        if (sum as f64) < growth as f64 * MIN_SHARE {
            return None;
        }
        Some(Self { kind: large.first()?, sizes, grown_by_copying })
    }

    /// Bytes of all of them.
    pub(crate) fn total(&self) -> u64 {
        self.sizes.iter().copied().fold(0, u64::saturating_add)
    }

    /// The largest.
    pub(crate) fn largest(&self) -> u64 {
        self.sizes.first().copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Heap;

    fn facts(large: &[(u64, u64)]) -> Facts {
        let of = |(count, size): &(u64, u64)| LargeObjects { count: *count, size: *size, ..LargeObjects::default() };
        Facts { heap: Some(Heap { large: large.iter().map(of).collect(), ..Heap::default() }), ..Facts::default() }
    }

    #[test]
    fn one_is_seen_and_a_buffer_that_grows() {
        let one = facts(&[(500, 40_000), (1, 800_000_000)]);
        let found = HugeObjects::of(&one, 810_000_000).unwrap();
        assert_eq!((found.sizes.as_slice(), found.grown_by_copying), (&[800_000_000][..], false));
        let buffer = facts(&[(1, 40_300_000), (1, 32_300_000), (1, 25_800_000)]);
        let found = HugeObjects::of(&buffer, 120_000_000).unwrap();
        assert!(found.grown_by_copying && found.largest() == 40_300_000 && found.total() == 98_400_000, "{found:?}");
        let alike = facts(&[(3, 40_000_000)]);
        assert!(!HugeObjects::of(&alike, 130_000_000).unwrap().grown_by_copying);
    }

    #[test]
    fn many_or_small_ones_are_none() {
        assert_eq!(HugeObjects::of(&facts(&[(159, 2_500_000)]), 700_000_000), None);
        assert_eq!(HugeObjects::of(&facts(&[(1, 30_000_000)]), 100_000_000), None);
        assert_eq!(HugeObjects::of(&facts(&[(12, 12_000_000)]), 100_000_000), None, "twelve of a twelfth each");
        assert_eq!(HugeObjects::of(&Facts::default(), 0), None);
        // The last step of a buffer, whose older copies are not swept yet.
        let sizes = [276, 221, 177, 141, 113, 90, 72, 58].map(|mb| (1, mb * 1_000_000));
        let mut f = facts(&sizes);
        f.heap.as_mut().unwrap().object_bytes = 1_150_000_000;
        assert!(HugeObjects::of(&f, 70_000_000).unwrap().grown_by_copying);
    }
}
