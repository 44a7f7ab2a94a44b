//! Goroutines of a process along its watch: how many there were, how many had been started, and by which
//! `go` statements; a few looks that tell of a long time. Nothing is stopped for one.
//!
//! A look reads some 150 bytes of each goroutine, which is nothing for a hundred of them and milliseconds for
//! ten thousand. So one is taken where it can be news: when there are more structures than ever, and rarely
//! else. The number of structures never falls; it is among the gauges of every sample.

use lastgasp_goruntime::{GoroutinesBySite, Runtime, goroutines_by_site};
use lastgasp_inferior::{Addr, Memory};

/// Most looks that are kept.
pub const MAX_GOROUTINE_LOOKS: usize = 32;
/// Sites of a look that are kept.
pub const MAX_SITES: usize = 16;
/// Structures that are read for one: some 5 ms.
const MAX_READ: usize = 32 << 10;
/// So many more structures are news, ...
const NEWS: u64 = 200;
/// ... if that is so large a part of what there were.
const NEWS_PART: u64 = 20;
/// Milliseconds from one look to the next where there is news, where there was some at the last one, and
/// where there is none: a leak may fill structures that a burst has left.
const AFTER_MS: [u64; 3] = [2_000, 60_000, 600_000];

/// One look.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoroutineLook {
    /// When, in milliseconds on the timeline's clock.
    pub t_ms: u64,
    /// What was seen.
    pub seen: GoroutinesBySite,
}

impl GoroutineLook {
    /// Goroutines of a `go` statement; `None` where they may be among those that are not kept.
    #[must_use]
    pub fn of(&self, site: Addr) -> Option<u64> {
        let known = self.seen.sites.iter().find(|(at, _)| *at == site).map(|(_, n)| *n);
        known.or((!self.seen.more).then_some(0))
    }
}

/// Looks at the goroutines of a process, oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GoroutineLooks(Vec<GoroutineLook>);

impl GoroutineLooks {
    /// Those that were kept, as they were; what is too much is left out.
    #[must_use]
    pub fn new(looks: Vec<GoroutineLook>) -> Self {
        let mut all = Self::default();
        looks.into_iter().for_each(|look| all.push(look));
        all
    }

    /// All, oldest first.
    #[must_use]
    pub fn all(&self) -> &[GoroutineLook] {
        &self.0
    }

    /// Whether a look is worth its cost now that there are so many structures.
    #[must_use]
    pub fn is_due(&self, slots: u64, now_ms: u64) -> bool {
        let [.., last] = self.0.as_slice() else { return slots > 0 };
        let more = slots.saturating_sub(last.seen.slots);
        let news = more >= NEWS && more >= last.seen.slots / NEWS_PART;
        let was_news = match self.0.as_slice() {
            [.., before, last] => last.seen.live >= before.seen.live.saturating_add(NEWS),
            _ => false,
        };
        let [with_news, after_news, without] = AFTER_MS;
        let after = if news {
            with_news
        } else if was_news {
            after_news
        } else {
            without
        };
        now_ms.saturating_sub(last.t_ms) >= after
    }

    /// Takes one, unless `left_off` says afterwards that it is not whole.
    pub fn look(&mut self, rt: &Runtime, mem: &dyn Memory, t_ms: u64, left_off: impl Fn() -> bool) {
        if let Some(seen) = goroutines_by_site(rt, mem, MAX_READ, MAX_SITES).filter(|_| !left_off()) {
            self.push(GoroutineLook { t_ms, seen });
        }
    }

    /// Adds one. The first and the newest stay; of the others those go whose neighbours are closest, in
    /// proportion to their age.
    pub fn push(&mut self, mut look: GoroutineLook) {
        if look.seen.sites.len() > MAX_SITES {
            look.seen.sites.truncate(MAX_SITES);
            look.seen.more = true;
        }
        self.0.push(look);
        while self.0.len() > MAX_GOROUTINE_LOOKS {
            let last = self.0.last().map_or(0, |l| l.t_ms);
            let loss = |w: &[GoroutineLook]| match w {
                [a, b, c] => c.t_ms.saturating_sub(a.t_ms) as f64 / (last.saturating_sub(b.t_ms) + 1) as f64,
                _ => f64::MAX,
            };
            let least = self.0.windows(3).enumerate().min_by(|a, b| loss(a.1).total_cmp(&loss(b.1)));
            let Some(i) = least.map(|(i, _)| i + 1) else { break };
            self.0.remove(i);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(t_ms: u64, slots: u64, live: u64) -> GoroutineLook {
        let sites = vec![(Addr(1), live)];
        GoroutineLook { t_ms, seen: GoroutinesBySite { slots, live, one_in: 1, sites, ..Default::default() } }
    }

    #[test]
    fn a_look_is_taken_where_there_can_be_news() {
        let mut looks = GoroutineLooks::default();
        assert!(!looks.is_due(0, 0) && looks.is_due(5, 0), "the first");
        looks.push(look(0, 40, 40));
        assert!(!looks.is_due(40, 5_000) && !looks.is_due(239, 5_000) && looks.is_due(240, 5_000));
        assert!(!looks.is_due(240, 1_000), "a moment ago");
        assert!(looks.is_due(40, 600_000), "once in a while");
        looks.push(look(5_000, 10_000, 9_900));
        assert!(!looks.is_due(10_300, 10_000), "a fortieth more is no news");
        assert!(!looks.is_due(10_000, 64_000) && looks.is_due(10_000, 65_000), "it has grown");
        looks.push(look(65_000, 10_000, 9_900));
        assert!(!looks.is_due(10_000, 200_000));
    }

    #[test]
    fn few_looks_tell_of_a_long_time() {
        let mut looks = GoroutineLooks::default();
        for i in 0..1000 {
            looks.push(look(i * 5000, i * 1000, i * 1000));
            assert!(looks.all().len() <= MAX_GOROUTINE_LOOKS && looks.all().is_sorted_by_key(|l| l.t_ms));
        }
        let times: Vec<u64> = looks.all().iter().map(|l| l.t_ms).collect();
        assert_eq!((times[0], times.last().copied()), (0, Some(999 * 5000)));
        assert!(times.iter().filter(|t| **t > 4_800_000).count() >= 4, "{times:?}");
    }

    /// A site that is not among those that are kept may have any number.
    #[test]
    fn what_was_left_out_is_not_nothing() {
        let mut one = look(0, 40, 40);
        assert_eq!((one.of(Addr(1)), one.of(Addr(2))), (Some(40), Some(0)));
        one.seen.more = true;
        assert_eq!(one.of(Addr(2)), None);
        let many = (0..100).map(|i| (Addr(i), 5)).collect();
        let all = GoroutineLooks::new(vec![GoroutineLook {
            seen: GoroutinesBySite { sites: many, ..Default::default() },
            t_ms: 0,
        }]);
        assert!(all.all()[0].seen.sites.len() == MAX_SITES && all.all()[0].seen.more);
    }
}
