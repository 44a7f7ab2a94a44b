//! The flight ring: what the profile held at calmer times. The newest look is kept whole; of each older one
//! only what the sites that changed after it held then, so that minutes of a service's life cost kilobytes.
//! Bounded in looks and in bytes; what is thinned out is what is missed least.

use std::collections::VecDeque;

use lastgasp_goruntime::{Counts, MemStats};
use lastgasp_inferior::Addr;
use rustc_hash::{FxHashMap, FxHashSet};

/// Most looks that are kept.
const MAX_LOOKS: usize = 24;
/// Bytes that one ring may take.
const DEFAULT_BYTES: usize = 2 << 20;

/// Most sites whose stacks are kept: some 20 kB for each target.
const MAX_STACKS: usize = 48;
/// Frames of a stack that is kept; the runtime keeps 128.
const MAX_FRAMES: usize = 64;

/// Raw counts (current) of a bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SiteCounts {
    /// The bucket; it never moves.
    pub addr: Addr,
    /// Allocated since the process started.
    pub allocated: Counts,
    /// In use.
    pub in_use: Counts,
}

/// The profile at a calmer time.
#[derive(Clone, Debug, Default)]
pub struct Baseline {
    /// When, on the timeline's clock.
    pub t_ms: u64,
    /// Raw counts by bucket.
    pub sites: Vec<SiteCounts>,
    /// `MemProfileRate` then.
    pub rate: u64,
    /// The gauges then.
    pub gauges: MemStats,
}

/// Baselines of one target ("the flight ring" to people): looks at its profile, oldest first.
#[derive(Clone, Debug)]
pub struct BaselineHistory {
    /// By number; a site that was seen once keeps its number.
    newest: Vec<SiteCounts>,
    numbers: FxHashMap<Addr, u32>,
    looks: VecDeque<Look>,
    most_bytes: usize,
    /// Stacks of the sites that held most at the newest look: who dies without a copy takes the others along.
    stacks: FxHashMap<Addr, Box<[Addr]>>,
}

/// One look.
#[derive(Clone, Debug, Default)]
struct Look {
    t_ms: u64,
    rate: u64,
    gauges: MemStats,
    /// What sites held at this look that held something else at the next one; by number, ascending. Empty for
    /// the newest.
    before: Vec<(u32, SiteCounts)>,
}

impl Default for BaselineHistory {
    fn default() -> Self {
        Self::with_bytes(DEFAULT_BYTES)
    }
}

impl BaselineHistory {
    /// An empty ring that takes at most about so many bytes (the newest look is kept in any case).
    #[must_use]
    pub(crate) fn with_bytes(most_bytes: usize) -> Self {
        Self {
            newest: Vec::new(),
            numbers: FxHashMap::default(),
            looks: VecDeque::new(),
            most_bytes,
            stacks: FxHashMap::default(),
        }
    }

    /// Adds a look.
    pub fn push(&mut self, look: Baseline) {
        let mut before = Vec::new();
        let mut seen = vec![false; self.newest.len()];
        for site in look.sites {
            match self.numbers.get(&site.addr) {
                Some(number) => {
                    let slot = *number as usize;
                    if let (Some(old), Some(seen)) = (self.newest.get_mut(slot), seen.get_mut(slot)) {
                        *seen = true;
                        if *old != site {
                            before.push((*number, std::mem::replace(old, site)));
                        }
                    }
                }
                None => {
                    let number = self.newest.len() as u32;
                    self.numbers.insert(site.addr, number);
                    self.newest.push(site);
                    // It was not there before.
                    before.push((number, SiteCounts { addr: site.addr, ..SiteCounts::default() }));
                }
            }
        }
        // A site that is not among them any more holds nothing.
        for (number, (slot, _)) in self.newest.iter_mut().zip(&seen).enumerate().filter(|(_, (_, seen))| !**seen) {
            let nothing = SiteCounts { addr: slot.addr, ..SiteCounts::default() };
            if *slot != nothing {
                before.push((number as u32, std::mem::replace(slot, nothing)));
            }
        }
        before.sort_unstable_by_key(|(number, _)| *number);
        if let Some(last) = self.looks.back_mut() {
            last.before = before;
        }
        self.looks.push_back(Look { t_ms: look.t_ms, rate: look.rate, gauges: look.gauges, before: Vec::new() });
        self.thin();
    }

    /// Keeps the stacks of the sites that hold most at the newest look; `of` gives a site's. Frames beyond
    /// `MAX_FRAMES` are left out.
    pub fn keep_stacks<'a>(&mut self, of: impl IntoIterator<Item = (Addr, &'a [Addr])>) {
        let mut largest: Vec<&SiteCounts> = self.newest.iter().filter(|s| s.in_use.bytes > 0).collect();
        largest.sort_unstable_by_key(|s| std::cmp::Reverse(s.in_use.bytes));
        largest.truncate(MAX_STACKS);
        let wanted: FxHashSet<Addr> = largest.iter().map(|s| s.addr).collect();
        self.stacks.retain(|addr, _| wanted.contains(addr));
        for (addr, stack) in of.into_iter().filter(|(addr, _)| wanted.contains(addr)) {
            self.stacks.entry(addr).or_insert_with(|| stack.iter().take(MAX_FRAMES).copied().collect());
        }
    }

    /// The stack of a site that held much at the newest look.
    #[must_use]
    pub fn stack(&self, site: Addr) -> Option<&[Addr]> {
        self.stacks.get(&site).map(|s| &**s)
    }

    /// When its looks were, on the timeline's clock, oldest first.
    #[must_use]
    pub fn times(&self) -> Vec<u64> {
        self.looks.iter().map(|l| l.t_ms).collect()
    }

    /// The gauges at the newest look.
    #[must_use]
    pub fn newest_gauges(&self) -> Option<&MemStats> {
        self.looks.back().map(|look| &look.gauges)
    }

    /// Whether there was no look yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.looks.is_empty()
    }

    /// Bytes that it takes, about.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let changes: usize = self.looks.iter().map(|l| l.before.len()).sum();
        changes * size_of::<(u32, SiteCounts)>()
            + self.newest.len() * (size_of::<SiteCounts>() + size_of::<(Addr, u32)>() * 2)
            + self.looks.len() * size_of::<Look>()
            + self.stacks.values().map(|s| size_of_val(&**s) + 32).sum::<usize>()
    }

    /// The look of that index, oldest first, whole again. Sites that held nothing then are left out.
    #[must_use]
    pub fn look(&self, index: usize) -> Option<Baseline> {
        let look = self.looks.get(index)?;
        let mut sites = self.newest.clone();
        // Back in time from the newest: who is nearest to the wished look has the last word.
        for later in self.looks.range(index..).rev() {
            for (number, held) in &later.before {
                if let Some(slot) = sites.get_mut(*number as usize) {
                    *slot = *held;
                }
            }
        }
        sites.retain(|s| s.allocated.objects > 0);
        Some(Baseline { t_ms: look.t_ms, sites, rate: look.rate, gauges: look.gauges })
    }

    /// What each of `sites` had in use and had allocated at each look: the series behind a graph.
    #[must_use]
    pub fn history(&self, sites: &[Addr]) -> Vec<(u64, MemStats, Vec<SiteCounts>)> {
        let mut now: Vec<(Option<u32>, SiteCounts)> = sites
            .iter()
            .map(|addr| {
                let number = self.numbers.get(addr).copied();
                let held = number.and_then(|n| self.newest.get(n as usize)).copied();
                (number, held.unwrap_or(SiteCounts { addr: *addr, ..SiteCounts::default() }))
            })
            .collect();
        let mut out = Vec::with_capacity(self.looks.len());
        for look in self.looks.iter().rev() {
            for (number, held) in now.iter_mut() {
                let at = number.and_then(|n| look.before.binary_search_by_key(&n, |(number, _)| *number).ok());
                if let Some((_, then)) = at.and_then(|at| look.before.get(at)) {
                    *held = *then;
                }
            }
            out.push((look.t_ms, look.gauges, now.iter().map(|(_, held)| *held).collect()));
        }
        out.reverse();
        out
    }

    /// Keeps the first, the last few, and between them ever fewer with age.
    fn thin(&mut self) {
        while self.looks.len() > MAX_LOOKS || (self.looks.len() > 2 && self.bytes() > self.most_bytes) {
            let last = self.looks.back().map_or(0, |l| l.t_ms);
            let times = self.times();
            // The one whose neighbours are closest together, in proportion to its age, is missed least.
            let loss = |w: &[u64]| match w {
                [a, b, c] => (c - a) as f64 / (last - b + 1) as f64,
                _ => f64::MAX,
            };
            let least = times.windows(3).enumerate().min_by(|a, b| loss(a.1).total_cmp(&loss(b.1)));
            let Some(index) = least.map(|(i, _)| i + 1) else { break };
            self.forget(index);
        }
    }

    /// Drops a look that is neither the first nor the last: what it would have given back is given back by
    /// the one before it.
    fn forget(&mut self, index: usize) {
        let Some(gone) = self.looks.remove(index) else { return };
        let Some(earlier) = index.checked_sub(1).and_then(|i| self.looks.get_mut(i)) else { return };
        let mut merged = std::mem::take(&mut earlier.before);
        let known = merged.len();
        for (number, held) in gone.before {
            // What stands there already is older, and older wins.
            if merged.get(..known).is_some_and(|m| m.binary_search_by_key(&number, |(n, _)| *n).is_err()) {
                merged.push((number, held));
            }
        }
        merged.sort_unstable_by_key(|(number, _)| *number);
        merged.shrink_to_fit();
        earlier.before = merged;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn site(addr: u64, objects: u64) -> SiteCounts {
        let counts = Counts { objects, bytes: objects * 16 };
        SiteCounts { addr: Addr(addr), allocated: counts, in_use: counts }
    }

    fn look(t_ms: u64, sites: Vec<SiteCounts>) -> Baseline {
        Baseline { t_ms, sites, rate: 512 << 10, gauges: MemStats { heap_live: t_ms, ..MemStats::default() } }
    }

    #[test]
    fn the_first_and_the_recent_are_kept() {
        let mut ring = BaselineHistory::default();
        for i in 0..500 {
            ring.push(look(i * 5000, vec![site(1, i + 1)]));
        }
        let times = ring.times();
        assert!(times.len() <= MAX_LOOKS);
        assert_eq!((times[0], *times.last().unwrap()), (0, 499 * 5000));
        assert!(
            times.windows(2).filter(|w| w[1] - w[0] <= 10_000).count() >= 2,
            "the recent ones are dense: {times:?}"
        );
        for (i, t) in times.iter().enumerate() {
            assert_eq!(ring.look(i).unwrap().sites, [site(1, t / 5000 + 1)]);
        }
    }

    #[test]
    fn bytes_are_bounded() {
        let mut ring = BaselineHistory::with_bytes(64 << 10);
        for i in 0..200u64 {
            ring.push(look(i * 1000, (1..200).map(|a| site(a, i + 1)).collect()));
            assert!(ring.bytes() <= 64 << 10, "{}", ring.bytes());
        }
        assert!(ring.times().len() >= 2);
    }

    /// Stacks of those that hold most now; a site that has been overtaken gives its up.
    #[test]
    fn stacks_of_the_largest_are_kept() {
        let mut ring = BaselineHistory::default();
        let frames: Vec<Addr> = (0..100).map(Addr).collect();
        let sites = 1..=200u64;
        ring.push(look(0, sites.clone().map(|a| site(a, a)).collect()));
        ring.keep_stacks(sites.clone().map(|a| (Addr(a), frames.as_slice())));
        assert_eq!(ring.stacks.len(), MAX_STACKS);
        assert_eq!(ring.stack(Addr(200)).map(<[Addr]>::len), Some(MAX_FRAMES));
        assert!(ring.stack(Addr(100)).is_none());
        let kept = ring.bytes();
        ring.push(look(1000, sites.clone().map(|a| site(a, if a == 100 { 1 << 20 } else { a })).collect()));
        ring.keep_stacks(sites.map(|a| (Addr(a), frames.as_slice())));
        assert!(ring.stack(Addr(100)).is_some() && ring.stack(Addr(200 - MAX_STACKS as u64 + 1)).is_none());
        assert!(ring.stacks.len() == MAX_STACKS && ring.bytes() < kept + 1024);
    }

    proptest! {
        /// Whatever comes and goes: each look that is still there is as it was, by `look` and by `history`.
        #[test]
        fn every_look_comes_back(looks in proptest::collection::vec(proptest::collection::btree_map(1u64..12, 1u64..5, 0..8), 1..60)) {
            let mut ring = BaselineHistory::default();
            let mut truth = std::collections::BTreeMap::new();
            for (i, sites) in looks.iter().enumerate() {
                let sites: Vec<SiteCounts> = sites.iter().map(|(a, n)| site(*a, *n)).collect();
                truth.insert(i as u64 * 1000, sites.clone());
                ring.push(look(i as u64 * 1000, sites));
            }
            let all: Vec<Addr> = (1..12).map(Addr).collect();
            let history = ring.history(&all);
            for (i, t) in ring.times().into_iter().enumerate() {
                let mut got = ring.look(i).unwrap();
                got.sites.sort_by_key(|s| s.addr);
                prop_assert_eq!(&got.sites, &truth[&t]);
                prop_assert_eq!(got.gauges.heap_live, t);
                let of_history: Vec<SiteCounts> = history[i].2.iter().filter(|s| s.allocated.objects > 0).copied().collect();
                prop_assert_eq!((history[i].0, &of_history), (t, &truth[&t]));
            }
        }
    }
}
