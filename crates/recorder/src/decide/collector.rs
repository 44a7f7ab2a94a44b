//! Up to where memory climbs before Go's collector acts: its goal, and GOMEMLIMIT. Pure.
//!
//! A program that loads its data climbs to its goal as fast as it can, and under a limit that has little room
//! above GOMEMLIMIT that looks like the last quarter second of its life. It is no sprint to the grave as long
//! as the collector has not had its turn.

use lastgasp_goruntime::MemStats;

/// What is allocated while the collector marks, beyond its goal: a sixteenth of it.
const BEYOND_THE_GOAL: u64 = 16;
/// How far the runtime overshoots GOMEMLIMIT before its collector has caught up: a thirty-second part.
const BEYOND_THE_LIMIT: u64 = 32;

/// The usage up to which growth is the collector's ordinary climb, when `usage` bytes count against the
/// group's limit and the gauges are of the same look; `None` where nothing makes it act (GOGC=off without
/// GOMEMLIMIT).
///
/// It says nothing of what comes then: what is alive stays, and beyond it growth is as dangerous as ever.
#[must_use]
pub(crate) fn collects_at(usage: u64, gauges: &MemStats) -> Option<u64> {
    let beyond = |to: u64, part: u64, now: u64| usage.saturating_add(to.saturating_add(to / part)).checked_sub(now);
    let goal = gauges.heap_goal.and_then(|goal| beyond(goal, BEYOND_THE_GOAL, gauges.heap_live));
    // What is freed and kept counts for it as well as what is used.
    let limit = gauges.memory_limit.and_then(|limit| beyond(limit, BEYOND_THE_LIMIT, gauges.mapped_ready));
    [goal, limit].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn the_nearer_of_goal_and_limit_counts() {
        let gauges = |goal: Option<u64>, limit: Option<u64>| MemStats {
            heap_goal: goal.map(|g| g * MIB),
            memory_limit: limit.map(|l| l * MIB),
            heap_live: 60 * MIB,
            mapped_ready: 80 * MIB,
            ..MemStats::default()
        };
        let at = |goal, limit| collects_at(100 * MIB, &gauges(goal, limit)).map(|b| b / MIB);
        assert_eq!(at(None, None), None);
        assert_eq!(at(Some(160), None), Some(100 + 160 + 10 - 60));
        assert_eq!(at(None, Some(96)), Some(100 + 96 + 3 - 80));
        assert_eq!(at(Some(160), Some(96)), at(None, Some(96)));
        // Beyond its goal, and beyond its limit by far: below what is used now.
        assert!(at(Some(32), None) < Some(100) && at(None, Some(64)) < Some(100));
    }

    #[test]
    fn odd_numbers_are_no_panic() {
        let odd = MemStats { heap_goal: Some(u64::MAX), memory_limit: Some(0), heap_live: 1, ..MemStats::default() };
        assert_eq!(collects_at(u64::MAX, &odd), Some(u64::MAX - 1));
        assert_eq!(collects_at(0, &MemStats { mapped_ready: 7, ..odd }), Some(u64::MAX - 1));
    }
}
