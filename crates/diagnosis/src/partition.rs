//! What the growth is made of: Go heap, stacks, memory outside of Go, other processes. Pure.

use crate::facts::{Facts, Sample};
use crate::window::Window;

/// Milliseconds before the onset within which an allocation belongs to it.
const A_MOMENT_MS: u64 = 500;

/// Bytes by which each part grew in the window; estimates, as the parts were read at different moments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Partition {
    /// Usage.
    pub(crate) whole: u64,
    /// The Go heap: spans that hold objects, and free pages that were not given back (of garbage that was
    /// collected as the memory ran out). More than `whole` where pages were never touched.
    pub(crate) heap: u64,
    /// Stacks of goroutines.
    pub(crate) stacks: u64,
    /// What counts against the limit and is none of this process's resident memory: other processes of the
    /// group, kernel memory; 0 where the RSS was not seen at both ends.
    pub(crate) others: u64,
}

impl Partition {
    /// Of a window.
    pub(crate) fn of(facts: &Facts, window: &Window) -> Self {
        let samples = &facts.timeline.samples;
        let whole = window.growth();
        let onset = samples.iter().rev().find(|s| s.t_ms <= window.onset_ms).copied().unwrap_or_default();
        let baseline = facts.at_baseline().map(|(gc, _)| gc).unwrap_or_default();
        // The baseline may be long before the onset. And what was allocated in the moment before memory grew
        // is what it grew by: pages are charged when they are touched.
        let before = samples
            .iter()
            .filter(|s| s.t_ms <= window.onset_ms && s.t_ms.saturating_add(A_MOMENT_MS) >= window.onset_ms);
        let live_before = before.map(|s| s.heap_live_bytes).min().unwrap_or(onset.heap_live_bytes);
        // Where nobody looked before that moment, what was allocated and not resident may be of that moment
        // too (seen from outside: gxz, whose dictionary of 403 MB was made before the first look).
        let unseen = samples.first().is_some_and(|s| s.t_ms.saturating_add(A_MOMENT_MS) >= window.onset_ms);
        let live_before = if unseen { live_before.min(window.start_bytes) } else { live_before };
        // Not all of it was resident then, and no more than what was used.
        let mapped_before = baseline.heap_in_use.saturating_add(baseline.heap_free);
        let heap_before = live_before.max(mapped_before.min(window.start_bytes));
        let heap = facts.gc.heap_in_use.saturating_add(facts.gc.heap_free.min(whole));
        let rss_at_end = samples.iter().rev().find(|s| s.t_ms <= window.end_ms && s.rss_bytes > 0);
        let rss = |s: &Sample| s.rss_bytes;
        let own = match (rss(&onset), rss_at_end.map(rss)) {
            (before, Some(after)) if before > 0 => Some(after.saturating_sub(before)),
            _ => None,
        };
        Self {
            whole,
            heap: heap.saturating_sub(heap_before),
            stacks: facts.gc.stacks.saturating_sub(baseline.stacks),
            others: own.map_or(0, |own| whole.saturating_sub(own)),
        }
    }

    /// Share of the growth, 0 to 1.
    pub(crate) fn share(&self, part: u64) -> f64 {
        (part as f64 / self.whole.max(1) as f64).min(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Gc, Profile};

    /// One string of 800 MB is allocated in an instant, and touched in the seconds that follow.
    #[test]
    fn what_is_allocated_at_the_onset_is_growth() {
        let sample =
            |t_ms, usage_bytes, heap_live_bytes| Sample { t_ms, usage_bytes, heap_live_bytes, ..Sample::default() };
        let mut facts = Facts { gc: Gc { heap_in_use: 800, ..Gc::default() }, ..Facts::default() };
        facts.timeline.samples =
            vec![sample(0, 20, 10), sample(900, 20, 10), sample(1000, 20, 800), sample(1500, 500, 800)];
        let window = Window { onset_ms: 1000, end_ms: 1500, start_bytes: 20, end_bytes: 500, ..Window::default() };
        assert_eq!(Partition::of(&facts, &window).heap, 790);
        // The first look came after it was allocated, and before it was touched.
        facts.timeline.samples.drain(..2);
        assert_eq!(Partition::of(&facts, &window).heap, 780);
    }

    #[test]
    fn parts_are_what_came_in_the_window() {
        let gc = |heap_in_use, stacks| Gc { heap_in_use, stacks, ..Gc::default() };
        let sample = |t_ms, usage_bytes, rss_bytes, heap_live_bytes| Sample {
            t_ms,
            usage_bytes,
            rss_bytes,
            heap_live_bytes,
            ..Sample::default()
        };
        let mut facts = Facts {
            gc: gc(300, 50),
            profile: Profile { baseline_t_ms: Some(0), baseline_gc: Some(gc(40, 10)), ..Profile::default() },
            ..Facts::default()
        };
        facts.timeline.samples = vec![sample(0, 60, 55, 40), sample(800, 120, 110, 100), sample(1000, 620, 400, 300)];
        let window = Window { onset_ms: 800, end_ms: 1000, start_bytes: 120, end_bytes: 620, ..Window::default() };
        let parts = Partition::of(&facts, &window);
        assert_eq!(parts, Partition { whole: 500, heap: 200, stacks: 40, others: 210 });
        assert!((parts.share(parts.others) - 0.42).abs() < 1e-9 && parts.share(9000) == 1.0);
        // The dead have no RSS: what others have is not known then.
        facts.timeline.samples.iter_mut().for_each(|s| s.rss_bytes = 0);
        assert_eq!(Partition::of(&facts, &window).others, 0);
    }
}
