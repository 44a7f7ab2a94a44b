//! What a capture by itself shows, as causes from inside and from outside ask for it.

use super::weights::ANOTHER_STORY;
use super::{Cause, Scene};
use crate::evidence::{CaptureSummary, FindingSummary};

/// Goroutines that must be leaked for it to be the cause, and their part of all.
pub(super) const LEAKED: u64 = 64;
const LEAKED_PART: f64 = 0.5;
/// Of the calls that wait with the growth, those that must be leaked where they are fewer than that part of
/// all.
const LEAKED_OF_WAITING: f64 = 0.8;
/// Goroutines that wait must be so many times as many as calls in flight to be of no call.
pub(super) const OF_NO_CALL: f64 = 4.0;
/// What [`waits_for_nobody`] says.
pub(super) const WAITS_FOR_NOBODY: &str = "who waits was started by the program itself, and is in no server's call";

/// Whether a capture's goroutines are leaked, by verdicts on each of them: a good part of all, or nearly all
/// of those that wait and hold what grew (seen blind: 198 goroutines of two runs of a job, a megabyte each,
/// beside as many of a server's own).
pub(super) fn leaks_goroutines(c: &CaptureSummary) -> bool {
    let (leaked, waiting) = (c.goroutines.leaked as f64, c.calls.waiting as f64);
    let hold_growth = c.verdict().is_some_and(|f| f.code == "waiting-calls");
    let those_that_wait = hold_growth && waiting > 0.0 && leaked >= LEAKED_OF_WAITING * waiting;
    let of_all = leaked >= LEAKED_PART * c.goroutines.at_end.max(1) as f64;
    c.goroutines.leaked >= LEAKED && (of_all || those_that_wait)
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

/// Whether calls piled up while memory grew: most of those that a server has called came since.
pub(super) fn calls_came_with_it(c: &CaptureSummary) -> bool {
    let g = &c.goroutines;
    let came = g.at_memory_onset.map_or(0, |before| g.at_end.saturating_sub(before));
    c.calls.served.is_some_and(|served| served > 0 && came * 2 >= served && came * 2 >= g.at_end)
}

/// Whether one call of a server that is at work keeps most of the live heap: what it builds is alive as long
/// as it runs, and nobody forgot it. (Seen in lab/cluster: one export held 162 MB of rows, 79 % of what was
/// live, and was taken for a leak.)
pub(super) fn one_call_holds_it(c: &CaptureSummary) -> bool {
    let held = c.finding("one-root-holds-most");
    let by_one = held.is_some_and(|f| f.holders() == 1 && f.subject == c.calls.function);
    by_one && c.calls.total == 1 && c.calls.served == Some(1)
}

/// Part of the captures that say so, and how sure most of them must be, from which on others fill the group
/// and nothing else. Chosen: of five alike that grow together each has a fifth.
const NEARLY_ALL: f64 = 0.9;
const NEARLY_SURE: f64 = 0.95;

/// Whether a finding says surely that others fill the group: not its children, which it starts itself, and
/// not what came last where the process has most of it.
fn are_surely_others(f: &FindingSummary) -> bool {
    f.code == "others-in-group" && f.confidence >= NEARLY_SURE && f.title == "not this process: others fill the group"
}

/// Adds what speaks against a change of this service: captures say that others fill the group, and not the
/// service itself with files in memory.
pub(super) fn against_others_in_the_group(scene: &Scene<'_>, cause: &mut Cause) {
    let (sure, others) = scene.verdict("others-in-group");
    if others > 0.5 && sure >= 0.6 && scene.part_of_lives(fills_files) <= 0.5 {
        // Where the dead themselves had not grown at all, nothing that was done to them explains it, however
        // much of it they had taken up (seen blind in lab/cluster: a neighbour that had grown for two
        // minutes, and a list of 40,000 that all instances read and kept, named with 0.75).
        let surely = scene.part(|c| c.verdict().is_some_and(are_surely_others));
        let nearly_all = others >= NEARLY_ALL && surely > 0.5;
        let weight = ANOTHER_STORY * if nearly_all { 6.0 } else { 2.0 };
        cause.term("captures", weight, "others fill the group, and not this service");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evidence::{CallsSummary, OnsetSummary};

    #[test]
    fn those_that_hold_the_growth_are_leaked_beside_as_many_that_are_not() {
        let says = |code: &str, leaked, waiting, at_end| {
            leaks_goroutines(&CaptureSummary {
                findings: vec![FindingSummary { code: code.into(), ..FindingSummary::default() }],
                goroutines: OnsetSummary { leaked, at_end, ..OnsetSummary::default() },
                calls: CallsSummary { waiting, ..CallsSummary::default() },
                ..CaptureSummary::default()
            })
        };
        assert!(says("waiting-calls", 198, 197, 403));
        // Half of all by themselves, whatever holds the growth.
        assert!(says("heap-growth", 210, 0, 403));
        assert!(!says("heap-growth", 198, 197, 403));
        // Of those that wait few are leaked: the others wait for somebody who can come.
        assert!(!says("waiting-calls", 100, 300, 900));
        assert!(!says("waiting-calls", 20, 20, 403));
    }
}
