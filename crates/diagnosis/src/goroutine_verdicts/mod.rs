//! Blocked goroutines judged: which will never be woken, which may not be, which wait for the world; why,
//! who holds them up, and what that costs. Pure: decided from `GraphFacts.blocked` whenever a report is
//! made, so that an old capture is judged by the newest rules.
//!
//! [`Tier`] says how much is known, and only one of its values is a proof. A cause (`causes`, one file and
//! one page each) says why; who holds a lock is always inference (`holders`, `wait_graph`), and its
//! [`Sureness`] goes with it.

mod causes;
mod decide;
mod findings;
mod groups;
mod growing;
mod holders;
mod holds;
mod leak;
mod onsets;
mod over_time;
mod scene;
mod thresholds;
mod tier;
mod verdict;
mod wait_for;
mod wait_graph;
mod words;

#[cfg(test)]
mod tests;

pub(crate) use causes::TOO_MANY;
pub use causes::causes;
pub(crate) use findings::{beside, is_of_goroutines};
pub use growing::Along;
pub use leak::Leak;
pub use onsets::{Across, Onsets, Order};
pub use over_time::OverTime;
pub use tier::{Tier, Tiers};
pub use verdict::{GoroutineVerdict, Holder, Spot, Sureness, VerdictGroup};
pub use wait_for::{WaitEdge, WaitFor, WaitNode};

use crate::facts::{BlockedGoroutines, Facts, WaitOperation};
use crate::window::Window;

use causes::Case;
use growing::Growth;
use scene::Scene;
use wait_graph::Chain;

/// Verdicts on the blocked goroutines of a process.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GoroutineVerdicts {
    /// One for each blocked goroutine that was followed, in the order of the facts.
    pub each: Vec<GoroutineVerdict>,
    /// Those alike, the gravest and largest first.
    pub groups: Vec<VerdictGroup>,
    /// Who waits for which lock, and who seems to hold it.
    pub wait_for: WaitFor,
    /// How many there are of each tier.
    pub tiers: Tiers,
    /// Blocked goroutines in all: more than `each` has where there are more than are followed.
    pub total: u64,
    /// Why nothing is proved; empty where proofs are possible.
    pub no_proof: Vec<String>,
    /// Goroutines along the flight ring; absent without one.
    pub along: Option<Along>,
    /// The leak that grows, of which the watch tells; absent where there is none.
    pub leak: Option<Leak>,
    /// Cause or consequence; absent where memory did not grow, or goroutines did not pile up.
    pub onsets: Option<Onsets>,
}

impl GoroutineVerdicts {
    /// Judges.
    #[must_use]
    pub fn of(facts: &Facts, window: Option<&Window>) -> Self {
        let mut out = match facts.graph.as_ref().and_then(|g| g.blocked.as_ref()) {
            Some(blocked) => Self::of_blocked(facts, blocked),
            None => Self::default(),
        };
        out.along = Along::of(facts);
        out.leak = Leak::of(facts, &out.groups, &out.no_proof);
        out.onsets = Onsets::of(facts, window);
        out
    }

    fn of_blocked(facts: &Facts, blocked: &BlockedGoroutines) -> Self {
        let scene = holders::noted(Scene::of(facts, blocked));
        let growth = Growth::of(&scene);
        let mut each: Vec<GoroutineVerdict> =
            (0..blocked.each.len()).filter_map(|i| judge(&scene, &growth, i)).collect();
        let mut tiers = Tiers::default();
        each.iter().for_each(|v| tiers.add(v.tier, 1));
        let mut groups = groups::group(&scene, &growth, &mut each);
        groups::most(&mut groups);
        let wait_for = WaitFor::of(&scene, &each, &groups);
        Self {
            each,
            wait_for,
            groups,
            tiers,
            total: blocked.total.max(blocked.each.len() as u64),
            no_proof: blocked.no_proof.clone(),
            ..Self::default()
        }
    }

    /// The verdict on a goroutine.
    #[must_use]
    pub fn goroutine(&self, id: u64) -> Option<&GoroutineVerdict> {
        self.each.iter().find(|v| v.id == id)
    }

    /// The largest group with a cause that waits in a function: what a pile there waits for in the end.
    pub(crate) fn pile_in(&self, function: &str) -> Option<&VerdictGroup> {
        self.waiting_in(function).filter(|g| !g.code.is_empty()).max_by_key(|g| g.count)
    }

    /// Nanoseconds within which timers of their own wake nearly all goroutines that wait in a function (seen
    /// from outside: 9,900 groups of alerts, each in a select until its own `group_wait` is over, of which
    /// was said that nobody may send).
    pub(crate) fn wakes_within_ns(&self, function: &str) -> Option<u64> {
        self.waiting_in(function).max_by_key(|g| g.count)?.wakes_within_ns
    }

    fn waiting_in(&self, function: &str) -> impl Iterator<Item = &VerdictGroup> {
        self.groups.iter().filter(move |g| g.waits_in.as_ref().is_some_and(|s| s.function == function))
    }
}

/// Causes that are told of what is well too: who waits behind whom, of a lock and of a full buffer.
const NAMED_OF_THE_WELL: [&str; 2] = ["lock-held-by-blocked", "slow-consumer"];

fn judge(scene: &Scene<'_>, growth: &Growth<'_>, index: usize) -> Option<GoroutineVerdict> {
    let seen = scene.seen(index)?;
    let case = Case { seen, chain: Chain::of(scene, &seen) };
    let tier = decide::tier(scene, growth, &case);
    // Of what is well only a lock's holder is worth a cause.
    let of_lock = case.chain.is_some();
    let full = seen.only().is_some_and(|w| w.operation == WaitOperation::Send);
    let judged = if tier.is_trouble() || of_lock || full { causes::judge(scene, &case) } else { None };
    let judged = judged.filter(|(e, _)| tier.is_trouble() || NAMED_OF_THE_WELL.contains(&e.info.code));
    let (id, blocked, group) = (seen.g.id, index, 0);
    Some(match judged {
        Some((entry, j)) => GoroutineVerdict {
            id,
            blocked,
            tier,
            code: entry.info.code,
            cause: j.clause,
            sureness: j.sureness,
            holders: j.holders,
            rivals: j.rivals,
            group,
        },
        None => GoroutineVerdict {
            id,
            blocked,
            tier,
            code: "",
            cause: words::who_can_wake(&seen.g.wake_up, &seen.g.by),
            sureness: Sureness::Sure,
            holders: case
                .chain
                .map(|c| c.links.first().map_or(0, |l| l.object))
                .map_or_else(Vec::new, |o| holders::told(scene, o, Some(id))),
            rivals: Vec::new(),
            group,
        },
    })
}
