//! The latest captures that were written, for the status document: bounded, newest first.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Captures that are remembered.
pub(crate) const MAX_RECENT: usize = 32;

/// One capture, as far as the status tells of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct RecentCapture {
    pub(crate) pid: i32,
    pub(crate) service: String,
    /// `pre-kill`, `post-kill`.
    pub(crate) phase: String,
    /// RFC 3339.
    pub(crate) taken_at: String,
    /// Whether another capture of the same cause is the whole one.
    pub(crate) light: bool,
    pub(crate) path: PathBuf,
    /// The verdict's rule, and its sentence.
    pub(crate) verdict: Option<(&'static str, String)>,
}

/// The latest captures; shared by threads.
#[derive(Debug, Default)]
pub(crate) struct RecentCaptures(Mutex<VecDeque<RecentCapture>>);

impl RecentCaptures {
    /// Adds one; the oldest goes for it.
    pub(crate) fn add(&self, capture: RecentCapture) {
        let mut all = self.lock();
        all.truncate(MAX_RECENT - 1);
        all.push_front(capture);
    }

    /// All, newest first.
    pub(crate) fn all(&self) -> Vec<RecentCapture> {
        self.lock().iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<RecentCapture>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept() {
        let recent = RecentCaptures::default();
        for pid in 0..100 {
            recent.add(RecentCapture { pid, ..RecentCapture::default() });
        }
        let pids: Vec<i32> = recent.all().iter().map(|c| c.pid).collect();
        assert_eq!(pids, (100 - MAX_RECENT as i32..100).rev().collect::<Vec<_>>());
    }
}
