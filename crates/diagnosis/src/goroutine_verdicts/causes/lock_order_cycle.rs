//! Goroutines that wait for locks of each other, in a ring. The page: `lock-order-cycle.md`.

use crate::rival::Rival;

use super::super::verdict::Sureness;
use super::super::{holders, words};
use super::cause::{Case, Cause, Judged, RuleInfo, Scene};

/// The cause.
pub(in super::super) struct LockOrderCycle;

impl Cause for LockOrderCycle {
    const INFO: RuleInfo = RuleInfo {
        code: "lock-order-cycle",
        title: "locks are taken in different orders, and wait for each other",
        doc: include_str!("lock-order-cycle.md"),
    };
    const CURE: &'static str = "Take the locks always in one order, or never hold one while {place} takes another.";

    fn check(scene: &Scene<'_>, case: &Case<'_>) -> Option<Judged> {
        let chain = case.chain.as_ref().filter(|c| c.is_in_ring() && c.ring().len() > 1)?;
        let mut parts = Vec::new();
        let mut ring_holders = Vec::new();
        for (i, link) in chain.links.iter().enumerate() {
            let next = chain.links.get(i + 1).or(chain.links.first())?;
            let what = scene.blocked.objects.get(link.object).map_or_else(String::new, words::object);
            let who = words::goroutine(scene, link.goroutine);
            let holds = scene.holds(link.object).iter().find(|h| h.goroutine == next.goroutine);
            let is_probable = holds.is_some_and(|h| h.sureness() >= Sureness::Probable);
            let verb = if is_probable { "seems to hold" } else { "may hold" };
            parts.push(format!("{who} waits for {what}, which goroutine {} {verb}", next.goroutine));
            ring_holders.extend(holds.map(|h| holders::holder(scene, h)));
        }
        // One ring is one cause, whoever of it is asked: it is told from its lowest number.
        let lowest = chain.links.iter().enumerate().min_by_key(|(_, l)| l.goroutine).map_or(0, |(i, _)| i);
        parts.rotate_left(lowest);
        ring_holders.sort();
        let clause = format!("{}: a ring that cannot end unless someone else unlocks", parts.join("; "));
        let rivals = vec![Rival::open(
            "a lock that was left locked by a function that returned",
            "the signs of who holds what, beside each holder: Go's mutexes record no owner",
        )];
        Some(Judged::sure(clause).with(chain.sureness, rivals).held_by(ring_holders))
    }
}
