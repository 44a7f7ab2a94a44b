//! Which captures go when a store is full: the most redundant and the oldest first. Pure.

use std::collections::BTreeMap;

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

    proptest! {
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
