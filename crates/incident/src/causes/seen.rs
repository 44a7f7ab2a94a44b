//! What a capture by itself shows, as causes from inside and from outside ask for it.

use crate::evidence::CaptureSummary;

/// Goroutines that must be leaked for it to be the cause, and their part of all.
pub(super) const LEAKED: u64 = 64;
const LEAKED_PART: f64 = 0.5;

/// Whether a capture's goroutines are leaked, by verdicts on each of them.
pub(super) fn leaks_goroutines(c: &CaptureSummary) -> bool {
    let g = &c.goroutines;
    g.leaked >= LEAKED && g.leaked as f64 >= LEAKED_PART * g.at_end.max(1) as f64
}

/// Whether files in memory (tmpfs) fill its group.
pub(super) fn fills_files(c: &CaptureSummary) -> bool {
    c.finding("others-in-group")
        .is_some_and(|f| f.title.contains("files in memory") || f.sentence.contains("files in a tmpfs"))
}
