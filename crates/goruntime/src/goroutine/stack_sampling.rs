//! More goroutines than their stacks can be copied: which stacks are, and what is said of the others.
//!
//! Many goroutines are alike: a leak is ten thousand goroutines at one instruction. So what is rare is copied
//! whole, and of what is many as many as there is room for, evenly over the kind; the others are counted with
//! those of their kind that were.

use std::sync::Arc;

use lastgasp_inferior::Addr;
use rustc_hash::{FxHashMap, FxHashSet};

use super::calls::Call;
use super::decoded::{Depth, Goroutine, depth_of};
use crate::bounds::DEEP_STACK;
use crate::gap::Gap;

/// A stack that may be copied.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate {
    pub(crate) kind: u64,
    pub(crate) start: Addr,
    pub(crate) len: usize,
}

/// The stacks to copy, at most `bound` bytes of them (one of each kind in any case): all if they fit. If they
/// do not, deep ones are cut down to their innermost part first, but for one of each of a few kinds.
pub(crate) fn choose(stacks: &[Candidate], bound: usize) -> Vec<(Addr, usize)> {
    /// Share of the room for the one of a kind that is copied as far as any is.
    const LONG_SHARE: usize = 8;
    let total: usize = stacks.iter().map(|s| s.len).sum();
    if total <= bound {
        return stacks.iter().map(|s| (s.start, s.len)).collect();
    }
    let mut long = if stacks.iter().any(|s| s.len > DEEP_STACK as usize) { bound / LONG_SHARE } else { 0 };
    let mut out = sample(stacks, bound - long);
    let lens: FxHashMap<Addr, &Candidate> = stacks.iter().map(|s| (s.start, s)).collect();
    let mut kinds = FxHashSet::default();
    for (start, len) in &mut out {
        let Some(whole) = lens.get(start).filter(|s| s.len > *len) else { continue };
        let more = whole.len - *len;
        if more <= long && kinds.insert(whole.kind) {
            long -= more;
            *len = whole.len;
        }
    }
    out
}

fn sample(stacks: &[Candidate], bound: usize) -> Vec<(Addr, usize)> {
    let short = |s: &Candidate| s.len.min(DEEP_STACK as usize);
    let total: usize = stacks.iter().map(short).sum();
    if total <= bound {
        return stacks.iter().map(|s| (s.start, short(s))).collect();
    }
    // kind -> (how many, bytes of all)
    let mut kinds: FxHashMap<u64, (usize, usize)> = FxHashMap::default();
    for s in stacks {
        let k = kinds.entry(s.kind).or_default();
        *k = (k.0 + 1, k.1 + short(s));
    }
    let most = allowance(kinds.values().copied().collect(), bound);
    // Evenly: the i-th of n is taken where its share of the allowance steps up.
    let mut seen: FxHashMap<u64, usize> = FxHashMap::default();
    let chosen = stacks.iter().filter(|s| {
        let i = seen.entry(s.kind).or_default();
        let n = kinds.get(&s.kind).map_or(1, |k| k.0.max(1));
        let take = most.min(n);
        let taken = (*i * take).div_ceil(n) < ((*i + 1) * take).div_ceil(n);
        *i += 1;
        taken
    });
    chosen.map(|s| (s.start, short(s))).collect()
}

/// How many of each kind fit if each kind may have as many: the rare ones whole first.
fn allowance(mut kinds: Vec<(usize, usize)>, bound: usize) -> usize {
    kinds.sort_unstable();
    let mut left = bound;
    // What one more of every kind that is not whole yet costs.
    let mut step: usize = kinds.iter().map(|(n, bytes)| bytes.div_ceil((*n).max(1))).sum();
    let mut most = 0;
    for (n, bytes) in kinds {
        let more = n - most;
        if step == 0 || more > left / step {
            return (most + left / step.max(1)).max(1);
        }
        left -= more * step;
        most = n;
        step -= bytes.div_ceil(n.max(1));
    }
    most.max(1)
}

/// What is remembered of a goroutine, so that those whose stacks were left out can be counted with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sampled {
    pub(crate) kind: u64,
    /// Bytes of its stack that are in use.
    pub(crate) used: u64,
    /// Bytes of it that were walked.
    pub(crate) walked: u64,
}

/// A stack that was copied: its calls, and whether they are all.
struct Known {
    stack: Arc<[Call]>,
    of: Sampled,
    whole: bool,
}

/// Gives goroutines whose stacks were left out the calls of one of their kind, in turn; said as a gap. Calls
/// of a stack that is too deep for the copy are better than none, where no stack of the kind is whole.
pub(crate) fn share_out(all: &mut [Goroutine], sampled: &[Sampled], gaps: &mut Vec<Gap>) {
    let mut known: FxHashMap<u64, Vec<Known>> = FxHashMap::default();
    for (g, s) in all.iter().zip(sampled).filter(|(g, _)| !g.left_out && !g.stack.is_empty()) {
        let of_kind = known.entry(s.kind).or_default();
        of_kind.push(Known { stack: Arc::clone(&g.stack), of: *s, whole: g.cut.is_none() });
    }
    // Each by itself: in whichever order.
    known
        .values_mut()
        .filter(|of_kind| of_kind.iter().any(|k| k.whole))
        .for_each(|of_kind| of_kind.retain(|k| k.whole));
    let (mut shared, mut lost) = (0usize, 0usize);
    let mut turn: FxHashMap<u64, usize> = FxHashMap::default();
    for (g, s) in all.iter_mut().zip(sampled).filter(|(g, _)| g.left_out) {
        let stacks = known.get(&s.kind).map_or(&[][..], Vec::as_slice);
        let i = turn.entry(s.kind).or_default();
        match stacks.get(*i % stacks.len().max(1)) {
            Some(one) => {
                g.stack = Arc::clone(&one.stack);
                let calls = depth_of(&g.stack);
                g.depth = Depth::of(calls, one.of.walked, s.used, one.whole && s.used == one.of.used);
                shared += 1;
            }
            None => lost += 1,
        }
        *i += 1;
    }
    if shared > 0 {
        let why =
            "too many to copy: counted with others of the same `go` statement that stopped at the same instruction";
        gaps.push(Gap::new(format!("the stacks of {shared} goroutines"), why));
    }
    if lost > 0 {
        gaps.push(Gap::new(format!("the stacks of {lost} goroutines"), "not copied, and none like them was"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_rare_is_whole_and_what_is_many_is_even() {
        let mut stacks: Vec<Candidate> =
            (0..10_000).map(|i| Candidate { kind: 1, start: Addr(i * 4096), len: 1000 }).collect();
        stacks.extend((0..50).map(|i| Candidate { kind: 2, start: Addr((20_000 + i) * 4096), len: 2000 }));
        stacks.push(Candidate { kind: 3, start: Addr(99_999 * 4096), len: 500 });
        let got = choose(&stacks, 1_000_000);
        let bytes: usize = got.iter().map(|s| s.1).sum();
        assert!((890_000..=1_000_000).contains(&bytes), "{bytes}");
        assert_eq!(got.iter().filter(|s| s.1 == 2000).count(), 50);
        assert_eq!(got.iter().filter(|s| s.1 == 500).count(), 1);
        let sampled: Vec<u64> = got.iter().filter(|s| s.1 == 1000).map(|s| s.0.0 / 4096).collect();
        let widest = sampled.windows(2).map(|w| w[1] - w[0]).max().unwrap();
        assert!(widest <= 12 && sampled[0] == 0 && *sampled.last().unwrap() > 9_980, "{widest}, {:?}", sampled.last());
        assert_eq!(choose(&stacks[..5], 5000).len(), 5);
        assert_eq!(choose(&stacks, 1).len(), 3, "one of each kind in any case");
    }
}
