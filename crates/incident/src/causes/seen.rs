//! What a capture by itself shows, as causes from inside and from outside ask for it.

use super::Scene;
use crate::evidence::CaptureSummary;

/// Goroutines that must be leaked for it to be the cause, and their part of all.
pub(super) const LEAKED: u64 = 64;
const LEAKED_PART: f64 = 0.5;
/// Goroutines that wait must be so many times as many as calls in flight to be of no call.
pub(super) const OF_NO_CALL: f64 = 4.0;

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

/// Whether those that wait with the growth are, most of them, in no call of a server: the program started
/// them itself, and whoever had asked may have its answer already. (Of a slow service behind, the calls
/// wait.)
pub(super) fn waits_for_nobody(c: &CaptureSummary) -> bool {
    let k = &c.calls;
    k.waiting >= LEAKED && k.served.is_some_and(|served| served as f64 * OF_NO_CALL < k.waiting as f64)
}

/// Whether captures say that others fill the group, and not the service itself with files in memory.
pub(super) fn others_fill_the_group(scene: &Scene<'_>) -> bool {
    let (sure, others) = scene.verdict("others-in-group");
    others > 0.5 && sure >= 0.6 && scene.part_of_lives(fills_files) <= 0.5
}
