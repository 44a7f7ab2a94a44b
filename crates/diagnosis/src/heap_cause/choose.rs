//! Which mechanism it was, and what of the evidence decides that: ages, marks, sizes and numbers of calls.

use super::{HeapCause, Mechanism, Origin};
use crate::collector::Pace;
use crate::facts::Facts;
use crate::large_objects::HugeObjects;
use crate::reachability::Reachability;
use crate::thresholds::heap_growth::{
    ALIVE, FLAT, FREED, GARBAGE, LARGE_PER_CALL, LARGER, MAX_CALL_SECONDS, MIN_BEFORE, MIN_BYTES_PER_CALL, MIN_CALLS,
    MIN_MARKS, MIXED, SURVIVED,
};
use crate::thresholds::waiting_calls::MOST_CALLS;
use crate::window::Window;

impl<'a> HeapCause<'a> {
    pub(super) fn choose(&self, facts: &'a Facts, window: &Window) -> Mechanism<'a> {
        match self.choose_among(facts, window) {
            Mechanism::WaitingCalls if self.each_keeps_more(facts).is_some() => Mechanism::StaysAlive,
            // Whoever keeps it has stopped taking more.
            Mechanism::StaysAlive if self.fits(facts) && self.stands() => Mechanism::Headroom,
            chosen => chosen,
        }
    }

    /// Whether what is alive has stopped growing, by the marks, and by the references at the end too.
    pub(super) fn stands(&self) -> bool {
        let marked = self.collector.marked;
        let at_end = self.reach.as_ref().map_or(marked, Reachability::live_bytes);
        self.collector.standing_marks > 0 && at_end <= marked + marked / 8
    }

    /// Whether what was alive would have fitted, and the collector would have run too late.
    fn fits(&self, facts: &Facts) -> bool {
        let limit = facts.target.limit_bytes.unwrap_or(u64::MAX);
        self.collector.pace == Pace::BeyondTheLimit && self.collector.live_fits(limit)
    }

    fn choose_among(&self, facts: &'a Facts, window: &Window) -> Mechanism<'a> {
        let at_work = self.bytes_per_call(window);
        let huge = HugeObjects::of(facts, self.parts.heap.min(self.parts.whole));
        // Several alike may be of calls in flight, a large one each.
        let of_calls = |h: &HugeObjects<'_>| h.sizes.len() > 2 && !h.grown_by_copying && at_work.is_some();
        if let Some(huge) = huge.filter(|h| !of_calls(h)) {
            return Mechanism::HugeObjects(huge);
        }
        // That it never ran says nothing of what it would have freed: where the references were followed,
        // most must be garbage (seen from outside: esbuild, which turns it off itself, with 61 % of its heap
        // alive; with GOMEMLIMIT it died two seconds later).
        let is_garbage = match &self.reach {
            Some(reach) => reach.live_part() < MIXED,
            None => self.collector.marks == 0 || self.is_alive() != Some(true),
        };
        if self.collector.pace == Pace::Off && is_garbage {
            return Mechanism::CollectorOff;
        }
        if let Some(mechanism) = self.by_holder(window) {
            return mechanism;
        }
        if self.by_way.is_some() {
            return Mechanism::WaitingCalls;
        }
        let fits = self.fits(facts);
        // Who waits does not hold what the references show to be garbage (seen blind in lab/cluster:
        // GOGC=600, and calls that drop what they were sent before they ask; 184 of 232 MB were garbage, told
        // as copies that 49 calls wait with).
        if fits && self.reach.as_ref().and_then(Reachability::is_alive) == Some(false) {
            return Mechanism::Headroom;
        }
        // Nor what others are seen to keep (seen blind: handlers that wait for a lock, or for an answer,
        // which are many because the one who would answer has a queue of 73 MB; and the load's own clients).
        if self.waiting_calls(facts).is_some() && !self.hold_next_to_nothing(facts) {
            return match at_work.filter(|each| self.builds_more(*each)) {
                Some(each) => Mechanism::CallsAtWork(each),
                None => Mechanism::WaitingCalls,
            };
        }
        let at_work = at_work.filter(|_| !self.is_left_behind() && !self.hold_next_to_nothing(facts));
        let at_work = at_work.filter(|_| self.most_are_at_work() || self.larger().is_some_and(|l| l >= LARGER));
        // One mark alone proves nothing, and yet says which way it goes. Calls that build and drop leave
        // garbage beside what they hold.
        let marked_alive = self.collector.alive.is_some_and(|a| a >= ALIVE);
        let seems_alive = match (self.is_alive(), &self.reach) {
            (Some(alive), _) => alive,
            (None, Some(reach)) => reach.live_part() >= MIXED,
            (None, None) => marked_alive,
        };
        match (self.is_alive(), at_work) {
            (Some(false), _) if fits => Mechanism::Headroom,
            (Some(false), _) => Mechanism::NotSettled,
            (_, Some(each)) if seems_alive || marked_alive || !fits || self.freed().is_some() => {
                Mechanism::CallsAtWork(each)
            }
            _ if seems_alive => Mechanism::StaysAlive,
            _ if self.collector.live_slope.is_some_and(|slope| slope > FLAT) => Mechanism::StaysAlive,
            _ if fits => Mechanism::Headroom,
            // Garbage beside it is what GOGC allows; of what is alive there was more with every mark (seen:
            // an interpreter whose script appends to a list, 58 MB alive at last and 124 MB garbage).
            _ if self.collector.live_grows => Mechanism::StaysAlive,
            _ => Mechanism::NotSettled,
        }
    }

    /// What the references say: nobody need ask what else may hold it.
    fn by_holder(&self, window: &Window) -> Option<Mechanism<'a>> {
        let reach = self.reach.as_ref().filter(|_| !self.handed_over)?;
        if reach.variable().is_some() || self.shared().is_some() {
            return Some(Mechanism::StaysAlive);
        }
        let held = reach.goroutines()?;
        let calls = self.calls.as_ref().filter(|c| c.of.function == held.root().name || self.are_those(held, c))?;
        let each = held.root().retained_bytes / held.root().goroutines.max(1);
        if held.root().goroutines < MIN_CALLS {
            return Some(Mechanism::StaysAlive);
        }
        let waits = calls.part_waiting() >= MOST_CALLS && !self.builds_more(each);
        if waits && calls.waiting.is_some() {
            return Some(Mechanism::WaitingCalls);
        }
        if window.seconds() > MAX_CALL_SECONDS || reach.one_of_all().is_some() {
            return Some(Mechanism::StaysAlive);
        }
        (each >= MIN_BYTES_PER_CALL).then_some(Mechanism::CallsAtWork(each))
    }

    /// Whether the references show that others keep it, and goroutines do not: workers that have one call
    /// after another leave it behind. Who was called by a server is in its lists as well.
    fn is_left_behind(&self) -> bool {
        let are_calls = self.calls.as_ref().is_some_and(|c| c.are_called());
        !are_calls && self.reach.as_ref().is_some_and(Reachability::is_apart_from_goroutines)
    }

    /// Whether it is what each of them builds, and not only that they wait: a lot by itself; or more than it
    /// was, and they end, since what they hold is freed again. Of those who are left waiting it is neither:
    /// others of the same function may have ended (`lab/deaths`, shard-export: once in many plays two samples
    /// made what a day's export has "larger than before", at 0.76).
    fn builds_more(&self, each: u64) -> bool {
        let larger = || self.larger().is_some_and(|l| l >= LARGER) && self.freed().is_some();
        !self.are_left_waiting() && (each >= LARGE_PER_CALL || larger())
    }

    /// Whether they are goroutines that the program has started itself, and that wait for another one:
    /// however much each has, that nobody comes is the matter (seen blind in lab/cluster: goroutines with 2
    /// MB each that nobody receives from, told as copies that calls build).
    fn are_left_waiting(&self) -> bool {
        let Some(calls) = self.calls.as_ref().filter(|c| !c.are_called()) else { return false };
        calls.waiting.as_ref().is_some_and(|w| w.wait.is_for_a_goroutine())
    }

    pub(super) fn most_are_at_work(&self) -> bool {
        self.calls.as_ref().is_some_and(|c| c.working >= MIN_CALLS && c.part_at_work() >= MOST_CALLS)
    }

    /// How many times as large as before the baseline an allocation of the culprit is, in the mean.
    pub(super) fn larger(&self) -> Option<f64> {
        let Origin::Profiled(culprit) = &self.origin else { return None };
        let known = culprit.allocated_before.bytes >= MIN_BEFORE && culprit.sizes.before > 0.0;
        known.then(|| culprit.sizes.since / culprit.sizes.before)
    }

    /// Part of the culprit's growth that finished collections have left in use. The runtime publishes a
    /// profile of what a mark has gone through and the sweep after it has freed: garbage is in it on both
    /// sides, and what is left of a site there has survived.
    pub(super) fn survived(&self) -> Option<f64> {
        let Origin::Profiled(culprit) = &self.origin else { return None };
        let before = culprit.current.minus(culprit.growth);
        let survived = culprit.published.minus(before).bytes;
        Some(survived as f64 / culprit.growth.bytes.max(1) as f64)
    }

    /// Whether the marks found alive what came in the window; `None` where they do not tell.
    pub(super) fn is_alive(&self) -> Option<bool> {
        // The references say it of the end; where they say that it is mixed no mark of before knows better
        // (seen from outside: go-jsonnet, "274 collections found it alive", and 118 of 190 MB were garbage).
        if let Some(reach) = &self.reach {
            return reach.is_alive();
        }
        match self.survived() {
            Some(part) if part >= SURVIVED => return Some(true),
            // Published two collections late: where three have ended, it would be there.
            Some(part) if part <= SURVIVED / 10.0 && self.collector.marks > MIN_MARKS => return Some(false),
            _ => {}
        }
        let alive = self.collector.alive.filter(|_| self.collector.marks >= MIN_MARKS)?;
        if alive >= ALIVE {
            return Some(true);
        }
        (alive <= GARBAGE).then_some(false)
    }

    /// Bytes that each call in flight holds, if the growth may be that of calls in flight.
    fn bytes_per_call(&self, window: &Window) -> Option<u64> {
        let calls = self.calls.as_ref().filter(|c| c.total >= MIN_CALLS)?;
        let bytes = match &self.origin {
            Origin::Profiled(culprit) => culprit.growth.bytes,
            Origin::Suspects(_) => self.parts.heap.min(self.parts.whole),
        };
        let each = bytes / calls.total.max(1);
        (window.seconds() <= MAX_CALL_SECONDS && each >= MIN_BYTES_PER_CALL).then_some(each)
    }

    /// Part of what the culprit allocated since the baseline that was freed again, where that is worth a
    /// word.
    pub(super) fn freed(&self) -> Option<f64> {
        let Origin::Profiled(culprit) = &self.origin else { return None };
        let (allocated, freed) = (culprit.allocated.bytes, culprit.allocated.minus(culprit.growth).bytes);
        let part = freed as f64 / allocated.max(1) as f64;
        (part >= FREED).then_some(part)
    }
}
