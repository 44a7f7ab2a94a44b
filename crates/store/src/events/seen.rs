//! Identities of changes that were written already, so many of the latest.

use std::collections::VecDeque;
use std::hash::{BuildHasher as _, RandomState};

use lastgasp_incident::evidence::Change;
use rustc_hash::FxHashSet;

/// Identities that are remembered; a change that comes again after so many others is written again, and known
/// as the same when it is read.
pub(crate) const MAX_SEEN: usize = 1 << 16;

/// Identities that were seen.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Keyed at random: nobody from outside can choose identities that collide.
    hasher: RandomState,
    all: FxHashSet<u64>,
    order: VecDeque<u64>,
}

impl Seen {
    /// Whether it is new; it is not from now on.
    pub(crate) fn insert(&mut self, change: &Change) -> bool {
        let id = self.hasher.hash_one((&change.source, &change.id));
        if !self.all.insert(id) {
            return false;
        }
        self.order.push_back(id);
        if self.order.len() > MAX_SEEN
            && let Some(oldest) = self.order.pop_front()
        {
            self.all.remove(&oldest);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_remembered() {
        let mut seen = Seen::default();
        let change = |n: usize| Change { id: n.to_string(), source: "s".into(), ..Change::default() };
        for n in 0..=MAX_SEEN {
            assert!(seen.insert(&change(n)));
        }
        assert!(!seen.insert(&change(MAX_SEEN)) && !seen.insert(&change(1)));
        assert!(seen.insert(&change(0)), "the oldest was forgotten");
        assert!(seen.insert(&Change { source: "t".into(), ..change(5) }), "of another source");
        assert_eq!(seen.all.len(), seen.order.len());
    }
}
