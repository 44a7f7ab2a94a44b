//! Which captures go when a store is full: the most redundant and the oldest first. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// A capture in a store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Name of its folder.
    pub id: String,
    /// Bytes on disk.
    pub bytes: u64,
    /// What it shows, so that two of the same cause have the same.
    pub cause: String,
    /// When, in any unit that grows with time.
    pub taken: i64,
    /// Whether another of its cause is whole and this one is not.
    pub light: bool,
}

/// How much a store may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    /// Bytes of all captures.
    pub bytes: u64,
    /// Captures.
    pub captures: usize,
}

/// Indices of those that must go so that the rest, and another `coming` bytes as one more capture, are within
/// the quota.
///
/// Of each cause the first and the last whole one are kept as long as there is anything more redundant: the
/// cause with most captures loses first, light ones before whole ones, old ones before new ones. Only then go
/// the last of a cause, the oldest cause first. The newest capture of all never goes.
#[must_use]
pub fn to_remove(kept: &[Kept], quota: Quota, coming: u64) -> Vec<usize> {
    let mut order: Vec<usize> = (0..kept.len()).collect();
    order.sort_by_key(|i| kept.get(*i).map_or((0, ""), |k| (k.taken, k.id.as_str())));
    let mut bytes: u64 = kept.iter().map(|k| k.bytes).fold(0, u64::saturating_add);
    let mut causes = Causes::of(kept, &order);
    let (mut left, mut gone) = (kept.len(), Vec::new());
    while left > 1 && (bytes.saturating_add(coming) > quota.bytes || left + 1 > quota.captures.max(2)) {
        let Some(index) = causes.take_most_redundant(order.len() - 1).and_then(|rank| order.get(rank)) else { break };
        bytes = bytes.saturating_sub(kept.get(*index).map_or(0, |k| k.bytes));
        left -= 1;
        gone.push(*index);
    }
    gone
}

/// Captures of one cause by their rank, the oldest's is 0.
#[derive(Debug, Default)]
struct OfCause {
    light: VecDeque<usize>,
    whole: VecDeque<usize>,
}

/// What a cause is chosen by: how many there are, and of equally many the one whose first one is older.
type Crowd = (usize, Reverse<usize>);

impl OfCause {
    fn crowd(&self) -> Option<Crowd> {
        let first = self.light.front().into_iter().chain(self.whole.front()).min()?;
        Some((self.light.len() + self.whole.len(), Reverse(*first)))
    }

    /// Takes the one that is missed least, and never the newest of all.
    fn take_most_redundant(&mut self, newest: usize) -> Option<usize> {
        if self.light.front().is_some_and(|rank| *rank != newest) {
            return self.light.pop_front();
        }
        // Of the whole ones the first and the last stay longest.
        if self.whole.len() > 2 {
            return self.whole.remove(1);
        }
        if self.whole.front().is_some_and(|rank| *rank != newest) { self.whole.pop_front() } else { None }
    }
}

/// All causes, with the crowds in order: each capture that goes costs a few steps, and not a look at all the
/// others (10,000 took 17 s).
#[derive(Debug)]
struct Causes<'a> {
    of: BTreeMap<&'a str, OfCause>,
    crowds: BTreeSet<(Crowd, &'a str)>,
}

impl<'a> Causes<'a> {
    fn of(kept: &'a [Kept], order: &[usize]) -> Self {
        let mut of: BTreeMap<&'a str, OfCause> = BTreeMap::new();
        for (rank, k) in order.iter().enumerate().filter_map(|(rank, i)| Some((rank, kept.get(*i)?))) {
            let of_cause = of.entry(&k.cause).or_default();
            if k.light { &mut of_cause.light } else { &mut of_cause.whole }.push_back(rank);
        }
        let crowds = of.iter().filter_map(|(cause, all)| Some((all.crowd()?, *cause))).collect();
        Self { of, crowds }
    }

    fn take_most_redundant(&mut self, newest: usize) -> Option<usize> {
        let (crowd, cause) = self.crowds.last().copied()?;
        let of_cause = self.of.get_mut(cause)?;
        let rank = of_cause.take_most_redundant(newest)?;
        self.crowds.remove(&(crowd, cause));
        if let Some(crowd) = of_cause.crowd() {
            self.crowds.insert((crowd, cause));
        }
        Some(rank)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kept(id: &str, cause: &str, taken: i64, light: bool) -> Kept {
        Kept { id: id.into(), bytes: 100, cause: cause.into(), taken, light }
    }

    fn names(all: &[Kept], quota: Quota, coming: u64) -> Vec<String> {
        to_remove(all, quota, coming).into_iter().map(|i| all[i].id.clone()).collect()
    }

    #[test]
    fn the_crowd_loses_first_and_keeps_its_first_and_last() {
        let all = [
            kept("old", "rare", 0, false),
            kept("a1", "common", 1, false),
            kept("a2", "common", 2, true),
            kept("a3", "common", 3, false),
            kept("a4", "common", 4, false),
            kept("b", "other", 5, false),
        ];
        let quota = |captures| Quota { bytes: u64::MAX, captures };
        assert_eq!(names(&all, quota(7), 0), [] as [&str; 0]);
        assert_eq!(names(&all, quota(5), 0), ["a2", "a3"]);
        assert_eq!(names(&all, quota(3), 0), ["a2", "a3", "a1", "old"]);
        let bytes = Quota { bytes: 450, captures: 100 };
        assert_eq!(names(&all, bytes, 100), ["a2", "a3", "a1"]);
    }

    #[test]
    fn the_newest_stays_whatever_is_asked() {
        let all = [kept("a", "x", 1, false), kept("b", "x", 2, true)];
        assert_eq!(names(&all, Quota { bytes: 0, captures: 0 }, 1000), ["a"]);
    }

    /// The same, said as it is meant: each time all that are left are looked at.
    fn one_by_one(kept: &[Kept], quota: Quota, coming: u64) -> Vec<usize> {
        let mut left: Vec<usize> = (0..kept.len()).collect();
        left.sort_by_key(|i| kept.get(*i).map_or((0, ""), |k| (k.taken, k.id.as_str())));
        let mut gone = Vec::new();
        let mut bytes: u64 = kept.iter().map(|k| k.bytes).fold(0, u64::saturating_add);
        while left.len() > 1 && (bytes.saturating_add(coming) > quota.bytes || left.len() + 1 > quota.captures.max(2)) {
            let Some(position) = most_redundant(kept, &left) else { break };
            let index = left.remove(position);
            bytes = bytes.saturating_sub(kept.get(index).map_or(0, |k| k.bytes));
            gone.push(index);
        }
        gone
    }

    /// Position in `left` (oldest first) of the one that is missed least.
    fn most_redundant(kept: &[Kept], left: &[usize]) -> Option<usize> {
        let mut of_cause: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        for (position, index) in left.iter().enumerate() {
            if let Some(k) = kept.get(*index) {
                of_cause.entry(&k.cause).or_default().push(position);
            }
        }
        let light = |position: &usize| left.get(*position).and_then(|i| kept.get(*i)).is_some_and(|k| k.light);
        // Of equally many the cause whose first one is older.
        let crowd = of_cause.values().max_by_key(|all| (all.len(), std::cmp::Reverse(all.first().copied())))?;
        let newest = left.len() - 1;
        let whole: Vec<usize> = crowd.iter().copied().filter(|p| !light(p)).collect();
        let lights = crowd.iter().copied().filter(light);
        let between = whole.iter().copied().skip(1).take(whole.len().saturating_sub(2));
        lights.chain(between).chain(whole.iter().copied()).find(|p| *p != newest).or(Some(0))
    }

    /// Of a store whose limit was lowered, of 10,000 captures of as many causes or of few.
    #[test]
    fn ten_thousand_are_a_moment() {
        let began = std::time::Instant::now();
        for causes in [1, 7, 10_000] {
            let cause = |i: usize| (i % causes).to_string();
            let all: Vec<Kept> = (0..10_000).map(|i| kept(&i.to_string(), &cause(i), i as i64, i % 3 == 0)).collect();
            assert_eq!(to_remove(&all, Quota { bytes: u64::MAX, captures: 500 }, 0).len(), 9_501);
        }
        assert!(began.elapsed() < std::time::Duration::from_secs(5), "{:?}", began.elapsed());
    }

    proptest! {
        #[test]
        fn as_one_by_one(causes in proptest::collection::vec((0u8..4, any::<bool>(), 1u64..50, 0i64..30), 0..40), bytes in 0u64..1000, captures in 0usize..50) {
            let all: Vec<Kept> = causes.iter().enumerate()
                .map(|(i, (c, light, bytes, taken))| Kept { id: i.to_string(), bytes: *bytes, cause: c.to_string(), taken: *taken, light: *light }).collect();
            let quota = Quota { bytes, captures };
            prop_assert_eq!(to_remove(&all, quota, 7), one_by_one(&all, quota, 7));
        }

        #[test]
        fn the_quota_is_kept_if_it_can_be(causes in proptest::collection::vec((0u8..4, any::<bool>(), 1u64..50), 0..40), bytes in 0u64..1000, captures in 0usize..50) {
            let all: Vec<Kept> = causes.iter().enumerate()
                .map(|(i, (c, light, bytes))| Kept { id: i.to_string(), bytes: *bytes, cause: c.to_string(), taken: i as i64, light: *light }).collect();
            let gone = to_remove(&all, Quota { bytes, captures }, 0);
            let mut once = gone.clone();
            once.sort_unstable();
            once.dedup();
            prop_assert_eq!(once.len(), gone.len());
            let left: Vec<&Kept> = all.iter().enumerate().filter(|(i, _)| !gone.contains(i)).map(|(_, k)| k).collect();
            let sum: u64 = left.iter().map(|k| k.bytes).sum();
            prop_assert!(left.len() <= 1 || (sum <= bytes && left.len() < captures.max(2)));
            if let Some(newest) = all.len().checked_sub(1) {
                prop_assert!(!gone.contains(&newest));
            }
        }
    }
}
