//! Sets of addresses, as lists of ranges that are sorted and do not touch.

use crate::addr::AddrRange;

/// A set of addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ranges(Vec<AddrRange>);

impl Ranges {
    /// The union of ranges, however they lie.
    #[must_use]
    pub fn union(ranges: impl IntoIterator<Item = AddrRange>) -> Self {
        Self::within(ranges, 0)
    }

    /// As [`Ranges::union`], with what lies between two of them where that is at most `gap` bytes.
    #[must_use]
    pub fn within(ranges: impl IntoIterator<Item = AddrRange>, gap: u64) -> Self {
        let mut all: Vec<AddrRange> = ranges.into_iter().filter(|r| !r.is_empty()).collect();
        all.sort_unstable();
        all.dedup_by(|next, last| {
            let joined = next.start <= last.end.plus(gap);
            if joined {
                last.end = last.end.max(next.end);
            }
            joined
        });
        Self(all)
    }

    /// What is in both.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let mut out = Vec::new();
        let (mut ours, mut theirs) = (self.0.iter().peekable(), other.0.iter().peekable());
        while let (Some(a), Some(b)) = (ours.peek(), theirs.peek()) {
            let both = AddrRange { start: a.start.max(b.start), end: a.end.min(b.end) };
            out.extend((!both.is_empty()).then_some(both));
            if a.end <= b.end {
                ours.next();
            } else {
                theirs.next();
            }
        }
        Self(out)
    }

    /// What is in this one alone.
    #[must_use]
    pub fn minus(&self, other: &Self) -> Self {
        let mut out = Vec::new();
        let mut theirs = other.0.iter().peekable();
        for a in &self.0 {
            let mut start = a.start;
            while theirs.next_if(|b| b.end <= start).is_some() {}
            // One that goes on behind this range may cut the next one too.
            while let Some(b) = theirs.peek().filter(|b| b.start < a.end) {
                let free = AddrRange { start, end: b.start };
                out.extend((!free.is_empty()).then_some(free));
                start = start.max(b.end);
                if b.end > a.end {
                    break;
                }
                theirs.next();
            }
            let free = AddrRange { start, end: a.end };
            out.extend((!free.is_empty()).then_some(free));
        }
        Self(out)
    }

    /// Whether any of a range is in it.
    #[must_use]
    pub fn touches(&self, range: AddrRange) -> bool {
        let at = self.0.partition_point(|r| r.end <= range.start);
        self.0.get(at).is_some_and(|r| r.start < range.end)
    }

    /// Bytes in it.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.0.iter().map(|r| r.len()).fold(0, u64::saturating_add)
    }

    /// The ranges, by address.
    #[must_use]
    pub fn as_slice(&self) -> &[AddrRange] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Addr;

    fn set() -> impl Strategy<Value = Vec<AddrRange>> {
        let range = (0u64..60, 0u64..12).prop_map(|(a, len)| AddrRange::sized(Addr(a), len));
        proptest::collection::vec(range, 0..10)
    }

    proptest! {
        /// Address by address, as the lists that they are made of say.
        #[test]
        fn as_sets_of_addresses(a in set(), b in set(), gap in 0u64..4) {
            let (x, y) = (Ranges::union(a.clone()), Ranges::union(b.clone()));
            let joined = Ranges::within(a.clone(), gap);
            for at in (0..80).map(Addr) {
                let has = |set: &[AddrRange]| set.iter().any(|r| r.contains(at));
                prop_assert_eq!(has(x.as_slice()), has(&a));
                prop_assert_eq!(has(x.and(&y).as_slice()), has(&a) && has(&b));
                prop_assert_eq!(has(x.minus(&y).as_slice()), has(&a) && !has(&b));
                prop_assert_eq!(x.touches(AddrRange::sized(at, 3)), (at.0..at.0 + 3).any(|at| a.iter().any(|r| r.contains(Addr(at)))));
                prop_assert!(has(joined.as_slice()) || !has(&a));
            }
            for set in [&x, &joined] {
                prop_assert!(set.as_slice().windows(2).all(|w| w[0].end < w[1].start));
            }
            prop_assert!(joined.as_slice().windows(2).all(|w| w[1].start.0 - w[0].end.0 > gap));
            prop_assert_eq!(x.bytes(), x.and(&y).bytes() + x.minus(&y).bytes());
        }
    }
}
