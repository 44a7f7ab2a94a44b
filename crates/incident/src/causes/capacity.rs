//! Who is left: as many requests among fewer processes are more for each. (Seen in lab/cluster: one of two
//! data centres went dark, the balancer's count stayed as it was, and the other died of twice the requests.)

use std::collections::BTreeSet;

use super::Scene;
use crate::clock::clock;
use crate::cohorts::version;
use crate::evidence::{Ending, UnixMs};
use crate::life::Life;

/// From so many times as many requests for each on it is told; fewer explain no death.
pub(super) const LEAST: f64 = 1.3;
/// From so many times on it may be all that it takes.
pub(super) const ENOUGH: f64 = 1.5;
/// How long before memory grew they may have gone, beside the time that a call lasts: load moves at once, and
/// those that lived with it for longer needed something else. (Seen in lab/cluster: two of six instances were
/// taken away, ten seconds later the service behind hung, and the two were named with 0.93.)
const SOON_MS: i64 = 5_000;
/// The same before the first death, where nobody was seen at rest.
const SOON_BEFORE_DEATH_MS: i64 = 15_000;

/// Instances that had gone, not for memory, and did not come back before the first death.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Left {
    /// Instances before, and those that were left.
    pub before: u64,
    pub after: u64,
    /// When the last of those that had gone went.
    pub at: UnixMs,
    /// Whether that was before memory was first seen to have begun to grow.
    pub is_first: bool,
}

impl Left {
    /// How many times as many requests each of those that are left has, if all are spread evenly.
    pub(super) fn times(self) -> f64 {
        self.before as f64 / self.after.max(1) as f64
    }

    /// In words.
    pub(super) fn text(self) -> String {
        format!(
            "{} of {} instances had gone by {}, not for memory, and none had come in their place when the first was \
             killed: {:.1} times as many requests for each that was left",
            self.before.saturating_sub(self.after),
            self.before,
            clock(self.at),
            self.times()
        )
    }
}

/// Who was left when memory grew; `None` where nobody had gone for good, or too few had. The scene keeps it:
/// every life is looked at, of months and of thousands of instances.
pub(super) fn left(scene: &Scene<'_>) -> Option<Left> {
    let first = scene.between.0;
    // What was not seen at rest may have begun to grow at any time before the first death.
    let (latest, soon) = if scene.onset_is_known {
        (scene.onset, scene.grew_from.saturating_sub(SOON_MS))
    } else {
        (first, first.saturating_sub(SOON_BEFORE_DEATH_MS))
    };
    let earliest = soon.saturating_sub(call_ms(scene));
    // By instance: starts are noted in whole seconds, so that one and the next of it may seem to be there at
    // once (seen in lab/cluster: six instances, three restarted, and eight processes).
    let alive = |at: UnixMs| {
        let there = scene.all.iter().filter(|l| l.is_alive_at(at));
        there.map(|l| who(l)).collect::<BTreeSet<_>>().len() as u64
    };
    // Of a release nobody is fewer, though the old ones go: whoever is left must be of a version of theirs.
    let stay: BTreeSet<String> =
        scene.all.iter().filter(|l| l.is_alive_at(first.saturating_sub(1))).map(|l| version(&l.of)).collect();
    let gone = scene.all.iter().filter(|l| {
        let by_itself = !l.of.ending.is_out_of_memory() && l.of.ending != Ending::Running;
        let soon = l.of.ended_unix_ms.is_some_and(|e| e <= latest && e >= earliest);
        by_itself && soon && stay.contains(&version(&l.of))
    });
    let gone: Vec<(UnixMs, (&str, i32))> = gone.filter_map(|l| Some((l.of.ended_unix_ms?, who(l)))).collect();
    let times = || gone.iter().map(|(at, _)| *at);
    let (from, at) = (times().min()?, times().max()?);
    // Who has come back by the first death is not gone.
    let (before, after) = (alive(from.saturating_sub(1)), alive(first.saturating_sub(1)));
    let found = Left { before, after, at, is_first: scene.onset_is_known && at <= scene.grew_from };
    // No more than are known to have gone: others ended for other reasons.
    let known = gone.iter().map(|(_, who)| who).collect::<BTreeSet<_>>().len() as u64;
    let all_known = before.saturating_sub(after) <= known;
    (after > 0 && all_known && found.times() >= LEAST).then_some(found)
}

/// How long a call lasts at the most before anything changed, by what dependencies take; at most a minute.
fn call_ms(scene: &Scene<'_>) -> i64 {
    let latencies = scene.order.iter().filter(|o| o.series.starts_with("latency of "));
    let longest = latencies.filter_map(|o| o.levels).map(|(before, _)| before).fold(0.0, f64::max);
    (longest * 1e3).clamp(0.0, 60e3) as i64
}

/// The instance of a process, or itself where it has no name.
fn who<'l>(l: &'l Life<'_>) -> (&'l str, i32) {
    (l.of.instance.as_str(), if l.of.instance.is_empty() { l.of.pid } else { 0 })
}
