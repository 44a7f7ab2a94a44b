//! Gaps of a kind, counted: thousands of unreadable goroutines are one gap.

use crate::gap::Gap;

/// Things of a kind that could not be read: how many, and why the last.
#[derive(Default)]
pub(crate) struct GapTally {
    count: usize,
    why: String,
}

impl GapTally {
    pub(crate) fn add(&mut self, why: String) {
        self.count += 1;
        self.why = why;
    }

    /// How many.
    pub(crate) fn count(&self) -> u64 {
        self.count as u64
    }

    pub(crate) fn report(self, what: &str, gaps: &mut Vec<Gap>) {
        if self.count > 0 {
            gaps.push(Gap::new(format!("{} {what}", self.count), self.why));
        }
    }
}
