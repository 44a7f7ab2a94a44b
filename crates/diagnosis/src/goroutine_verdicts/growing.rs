//! Whether goroutines of a `go` statement grow in number. Where they were counted along the watch
//! (`over_time`) that says it. Else the flight ring knows how many goroutine structures there were, which
//! never go down, and not who started them: what grew is the group that most of the growth can be. A look
//! without a ring (a core, a capture that somebody asked for) knows of no growth.

use std::collections::HashMap;

use crate::facts::{Facts, Frame};

use super::over_time::{self, OverTime};
use super::scene::{KindView, Scene};
use super::thresholds::{GREW_BY, GROUP_OF_GROWTH};

/// Goroutines along the flight ring.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Along {
    /// Structures at its first sample.
    pub first: u64,
    /// At its last.
    pub last: u64,
    /// Milliseconds between them.
    pub ms: u64,
    /// Whether they grew in its earlier and in its later half: what has stopped to grow does not count.
    pub both_halves: bool,
}

impl Along {
    /// Of the samples that counted goroutines; `None` of fewer than three.
    #[must_use]
    pub fn of(facts: &Facts) -> Option<Self> {
        let counted: Vec<(u64, u64)> =
            facts.timeline.samples.iter().filter(|s| s.goroutines > 0).map(|s| (s.t_ms, s.goroutines)).collect();
        let (first, last) = (*counted.first()?, *counted.last()?);
        let middle = first.0 + last.0.saturating_sub(first.0) / 2;
        let half = counted.iter().rev().find(|(t, _)| *t <= middle)?;
        let grew = last.1.saturating_sub(first.1);
        let part = |from: u64, to: u64| to.saturating_sub(from) >= grew / 5 && grew > 0;
        (counted.len() >= 3).then_some(Self {
            first: first.1,
            last: last.1,
            ms: last.0.saturating_sub(first.0),
            both_halves: part(first.1, half.1) && part(half.1, last.1),
        })
    }

    /// Structures that came.
    #[must_use]
    pub fn grew(&self) -> u64 {
        self.last.saturating_sub(self.first)
    }
}

/// Blocked goroutines by their `go` statement, and what the ring says of their number.
pub(super) struct Growth<'a> {
    along: Option<Along>,
    by_creator: HashMap<&'a Frame, u64>,
    over_time: HashMap<&'a Frame, OverTime>,
}

impl<'a> Growth<'a> {
    pub(super) fn of(scene: &'a Scene<'_>) -> Self {
        let mut by_creator: HashMap<&Frame, u64> = HashMap::new();
        for g in &scene.blocked.each {
            if let Some(f) = scene.view(g.id).created_by {
                *by_creator.entry(f).or_default() += 1;
            }
        }
        let now = over_time::now(scene.facts);
        let counted = |f: &&'a Frame| Some((*f, over_time::over_time(scene.facts, &now, f)?));
        let over_time = by_creator.keys().filter_map(counted).collect();
        Self { along: Along::of(scene.facts), by_creator, over_time }
    }

    /// Goroutines of that kind's `go` statement along the watch, where they were counted.
    pub(super) fn over_time(&self, view: &KindView<'_>) -> Option<OverTime> {
        self.over_time.get(view.created_by?).copied()
    }

    /// Whether goroutines of that kind's `go` statement grow in number.
    pub(super) fn is_growing(&self, view: &KindView<'_>) -> bool {
        if let Some(o) = self.over_time(view) {
            return o.grows();
        }
        let Some(along) = self.along.filter(|a| a.grew() >= GREW_BY && a.both_halves) else { return false };
        let count = view.created_by.and_then(|f| self.by_creator.get(f)).copied().unwrap_or(0);
        count as f64 >= along.grew() as f64 * GROUP_OF_GROWTH
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Sample;

    fn along(counts: &[u64]) -> Along {
        let mut facts = Facts::default();
        let sample = |(i, n): (usize, &u64)| Sample { t_ms: i as u64 * 1000, goroutines: *n, ..Sample::default() };
        facts.timeline.samples = counts.iter().enumerate().map(sample).collect();
        Along::of(&facts).unwrap()
    }

    #[test]
    fn a_pool_that_was_filled_once_does_not_grow() {
        assert!(along(&[10, 20, 30, 40, 50]).both_halves);
        assert!(!along(&[10, 50, 50, 50, 50]).both_halves, "filled at its start");
        assert!(!along(&[10, 10, 10, 10, 50]).both_halves, "one burst");
        assert!(!along(&[10, 10, 10]).both_halves);
        assert_eq!(Along::of(&Facts::default()), None);
    }
}
