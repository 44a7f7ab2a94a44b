//! What else it could be, and what tells each of them apart from the mechanism that was chosen.

use super::{HeapCause, ITS_START, Mechanism, Origin, SLOW_CALLS};
use crate::facts::Facts;
use crate::large_objects::HugeObjects;
use crate::owner::frame;
use crate::reachability::{HeldBy, Reachability};
use crate::rival::Rival;
use crate::sentence::{rest_of_a_start, rested};
use crate::shared_object::SharedObject;
use crate::suspects::waiting_pile;
use crate::thresholds::heap_growth::{
    ALIVE, FLAT, FREED, LARGER, MAX_CALL_SECONDS, MIN_BYTES_PER_CALL, MIN_CALLS, MIN_MARKS, NEIGHBOURS, SURVIVED,
};
use crate::thresholds::waiting_calls::{AT_MOST_EACH, MANY, MIN_HELD, MIN_OBJECTS};
use crate::units::{bytes, count, percent, plural, seconds};
use crate::window::Window;

impl<'a> HeapCause<'a> {
    pub(super) fn rivals_of(&self, facts: &Facts, window: &Window) -> Vec<Rival> {
        let marks = self.collector.marks as u64;
        let alive = self.collector.alive.filter(|a| {
            let survived = self.survived().is_none_or(|part| part >= SURVIVED / 10.0);
            marks >= MIN_MARKS as u64 && *a >= ALIVE && survived
        });
        let alive = alive.map(|a| {
            format!(
                "{} since the onset; the last found {} of the growth alive",
                plural(marks, "collection"),
                percent(a)
            )
        });
        let survived = self.survived().filter(|part| *part >= SURVIVED).map(|part| {
            format!(
                "{} of what it allocated has survived collections: it is in the published profile",
                percent(part.min(1.0))
            )
        });
        let followed = self.reach.as_ref().filter(|r| r.is_alive() == Some(true)).map(Reachability::split);
        let alive = followed.or(alive).or(survived);
        let garbage = Rival::tested(
            "garbage that was not collected yet",
            alive,
            "a collection that ended in the growth would tell what of it is alive (a limit that leaves time for one, or GOMEMLIMIT)",
        );
        let mut rivals = match &self.mechanism {
            Mechanism::HugeObjects(huge) => self.rival_of_several(huge).into_iter().collect(),
            Mechanism::CollectorOff => Vec::new(),
            Mechanism::Headroom => vec![self.rival_burst(facts, window), self.rival_calls(facts)],
            Mechanism::WaitingCalls => self.rivals_of_waiting(facts, garbage),
            // Calls that hold it are no leak that they leave behind, if they are as many as it takes.
            Mechanism::CallsAtWork(_) => vec![garbage, self.rival_leak(), self.rival_slow_calls()],
            Mechanism::StaysAlive => {
                let waiting = self.rival_waiting(facts, window);
                [garbage, self.rival_calls(facts), self.rival_start(facts, window)].into_iter().chain(waiting).collect()
            }
            Mechanism::NotSettled => self.all_that_is_left(garbage, window),
        };
        // Whatever the heap did: others under the same limit may have done it.
        rivals.extend(rival_neighbours(facts, window));
        rivals
    }

    /// Several large ones may be of as many calls.
    fn rival_of_several(&self, huge: &HugeObjects<'_>) -> Option<Rival> {
        let calls = self.calls.as_ref().map_or(0, |c| c.called);
        (huge.sizes.len() > 2 && calls > 2).then(|| {
            Rival::open(
                "calls in flight that hold one each",
                format!("{} are in flight there: whether each has one of its own", count(calls)),
            )
        })
    }

    /// What is alive at once for the first time, against a heap that always breathes so.
    fn rival_burst(&self, facts: &Facts, window: &Window) -> Rival {
        const CAUSE: &str = "memory that is alive and new (a burst of work, a leak)";
        if self.stands() {
            let marks = plural(self.collector.standing_marks as u64, "collection");
            let alive = bytes(facts.gc.heap_marked);
            // What is alive may not always have been as much.
            let now = self.collector.marked;
            if self.collector.marked_before.is_none_or(|before| before < now - now / 4) {
                let keeps = self.reach.as_ref().and_then(Reachability::keeper);
                let keeps = keeps.map_or_else(String::new, |(text, ..)| format!(" ({text})"));
                let tell = format!(
                    "{alive} are alive, more than before the growth, and the last {marks} found no more: whether so much was meant to be kept{keeps}"
                );
                return Rival::open("a bound, of what keeps it, that is too large for the limit", tell);
            }
            return Rival::ruled_out(CAUSE, format!("the last {marks} found no more than {alive} alive: it stands"));
        }
        let flat = self.collector.live_slope.is_some_and(|slope| slope <= FLAT);
        let steady = if flat { self.collector.steady_marks } else { 0 };
        let same = format!("the last {steady} collections each found about {} alive", bytes(facts.gc.heap_marked));
        let same = Some(same).filter(|_| steady >= MIN_MARKS || self.is_alive() == Some(false));
        let garbage = self.reach.as_ref().filter(|r| r.is_alive() == Some(false)).map(Reachability::split);
        if steady < MIN_MARKS && has_grown_up(facts, window, self.collector.marked) {
            let tell = format!(
                "{} came to be alive since it started: whether that goes on, as two collections tell that find the same alive",
                bytes(self.collector.marked)
            );
            return Rival::open(CAUSE, tell);
        }
        let told = garbage.or(same).filter(|_| !self.collector.live_grows);
        Rival::tested(CAUSE, told, "two collections that find the same alive")
    }

    /// What a waiting call allocated it may have dropped already.
    fn rivals_of_waiting(&self, facts: &Facts, garbage: Rival) -> Vec<Rival> {
        if self.handed_over {
            let tell = "whether it lets go of it when they have their answer";
            return vec![Rival::open("what keeps it for them, whether they wait or not", tell)];
        }
        if let Some(one) = self.reach.as_ref().and_then(Reachability::one_of_all) {
            let tell = format!("they all lead to one {one}, and none of them has a part of its own: who fills it");
            return vec![Rival::open("what keeps it for them, whether they wait or not", tell)];
        }
        if let Some(held) = self.reach.as_ref().and_then(Reachability::goroutines) {
            return vec![Rival::ruled_out("memory that others hold, while these wait", held.text())];
        }
        if self.by_way.is_some() {
            let tell = "whether the other end goes on at all, and how fast";
            return vec![Rival::open("others that lead there, and fill it faster than it is emptied", tell)];
        }
        let waiting = self.calls.as_ref().and_then(|c| c.waiting.as_ref()).map_or(0, |w| w.count);
        let freed_nothing =
            || format!("{} since the onset freed nothing of it", plural(self.collector.marks as u64, "collection"));
        match &self.origin {
            Origin::Profiled(_) if !self.linked => {
                let tell = "who holds the objects: the heap's references";
                vec![Rival::open("memory that others hold, while these wait", tell)]
            }
            // One buffer each, or a few: else the numbers only happen to be alike.
            Origin::Profiled(c) if !self.is_a_few_each(facts, c, waiting) => vec![Rival::open(
                "memory that others hold, while these wait",
                format!(
                    "{} have come for {} that wait, which is no few each: who holds them (the heap's references)",
                    plural(c.growth.objects, "object"),
                    count(waiting)
                ),
            )],
            Origin::Profiled(_) if self.freed().is_none() && self.collector.marks > 0 => {
                vec![Rival::ruled_out(garbage.cause, freed_nothing())]
            }
            Origin::Profiled(_) => vec![garbage],
            // That the heap has one object for each is no proof: what somebody keeps for every call that
            // has come is as many (seen in `lab/deaths`, map-grows: a map with an entry for each of 1,000
            // visitors that were still connected; no graph could be made, and 0.80 said that they hold it).
            Origin::Suspects(_) => {
                let alike =
                    self.one_for_each(facts, AT_MOST_EACH).map(|alike| format!(" ({alike}: that alone is no proof)"));
                let tell = format!("who holds the objects: the heap's references{}", alike.unwrap_or_default());
                vec![Rival::open("memory that others hold, while these wait", tell)]
            }
        }
    }

    fn rival_leak(&self) -> Rival {
        let freed = self
            .reach
            .as_ref()
            .and_then(Reachability::goroutines)
            .map(|held| held.text())
            .or_else(|| self.freed_again());
        Rival::tested(
            "a leak that calls leave behind",
            freed,
            "whether it is freed when the calls end: the same site after the load has gone",
        )
    }

    /// Calls that end give back what they held: where what has grown was freed again, and it is calls.
    /// Workers that were there all the time have one call after another, and may leave something behind in
    /// each.
    fn freed_again(&self) -> Option<String> {
        let (Origin::Profiled(culprit), Some(calls)) = (&self.origin, &self.calls) else { return None };
        let came = calls.new.unwrap_or(0).saturating_mul(2) >= calls.total;
        let are_calls = came || calls.are_called();
        let part = culprit.freed_where_it_grew;
        (are_calls && part >= FREED).then(|| {
            format!(
                "{} of what was allocated where it grew, since the baseline, was freed again: calls that end give it back",
                percent(part)
            )
        })
    }

    /// Calls that hold no more than they always did, and longer.
    fn rival_slow_calls(&self) -> Rival {
        let told = match (self.larger(), &self.calls) {
            (Some(larger), _) if larger >= LARGER => {
                Some(format!("an allocation there is {larger:.1} times as large as before"))
            }
            (_, Some(calls)) if self.most_are_at_work() => {
                Some(format!("{} of {} calls in flight are at work", count(calls.working), count(calls.total)))
            }
            _ => None,
        };
        Rival::tested(SLOW_CALLS, told, "how much a call held before the growth")
    }

    fn rival_calls(&self, facts: &Facts) -> Rival {
        if self.each_keeps_more(facts).is_some() {
            let tell = "what each held when the growth began, and whether its wait is part of it";
            return Rival::open("calls that wait, each with what it holds", tell);
        }
        let variable = self.reach.as_ref().and_then(Reachability::variable).map(|held| held.text());
        let variable = variable.or_else(|| self.shared().map(SharedObject::text));
        let few = match &self.calls {
            // What they could hold each would be nothing to speak of; or they are idle workers.
            Some(calls) if calls.total < MIN_CALLS => {
                Some(format!("no more than {} are in flight there", count(calls.total)))
            }
            Some(calls) if self.parts.heap / calls.total.max(1) >= MIN_BYTES_PER_CALL && calls.called > 0 => None,
            Some(calls) => {
                Some(format!("{} goroutines are there, and hold little each, or wait for work", count(calls.total)))
            }
            None => Some("hardly a call is in flight there".to_owned()),
        };
        let few = variable.or(few);
        Rival::tested("calls in flight that hold a copy each", few, "who holds the objects: the heap's references")
    }

    /// Goroutines elsewhere that came with the growth and wait, where the references name no holder: how many
    /// objects each has is told by samples, so that no number of them rules it out (seen: 2.9 and 3.2 for
    /// each in two runs of one program; `lab/deaths`, waitgroup).
    fn rival_waiting(&self, facts: &Facts, window: &Window) -> Option<Rival> {
        let Origin::Profiled(culprit) = &self.origin else { return None };
        let pile = waiting_pile(facts, window)?;
        let waiting = pile.waiting.as_ref().map(|w| w.count).filter(|n| *n >= MANY)?;
        let came = pile.came() == Some(true);
        let enough = culprit.growth.objects as f64 >= waiting as f64 * MIN_OBJECTS;
        let holder = self.reach.as_ref().and_then(|r| r.holder.as_ref()).map(HeldBy::text);
        let holder = holder.or_else(|| self.shared().map(SharedObject::text)).filter(|_| !self.is_queue_of(waiting));
        (came && enough && culprit.growth.bytes / waiting >= MIN_HELD).then(|| {
            let tell = format!("{} wait in {}: who holds the objects", count(waiting), pile.of.function);
            Rival::tested("goroutines that wait, and hold it", holder, tell)
        })
    }

    /// A program that loads what it needs keeps all of it, and would stop.
    fn rival_start(&self, facts: &Facts, window: &Window) -> Rival {
        let enough = rest_of_a_start(window);
        let told = match rested(facts, window) {
            Some(rest) if rest >= enough => Some(format!("it had been at rest for {} before", seconds(rest))),
            Some(_) => None,
            None => Some("it had run for longer than what is kept of its past".to_owned()),
        };
        let told = told.or_else(|| self.by_another(facts));
        Rival::tested(ITS_START, told, "how large it is once it has started: with a larger limit, or where it lives")
    }

    /// The culprit's allocations are those of other goroutines than the first, which starts the program.
    fn by_another(&self, facts: &Facts) -> Option<String> {
        let Origin::Profiled(culprit) = &self.origin else { return None };
        let outermost = facts.profile.sites.get(culprit.site)?.stack.iter().rev().filter_map(|i| frame(facts, *i));
        let first = outermost.map(|f| f.function.as_str()).find(|f| !f.starts_with("runtime."))?;
        let starts = first == "main.main" || first.ends_with(".init") || first.contains(".init.");
        (!starts).then(|| {
            format!("it is allocated by goroutines that begin in {first}, and not by the one that starts the program")
        })
    }

    fn all_that_is_left(&self, garbage: Rival, window: &Window) -> Vec<Rival> {
        let mut out = Vec::new();
        if self.is_alive() == Some(false) {
            out.push(Rival::open(
                "garbage that comes faster than it is collected",
                "the collector's share of the processors",
            ));
        } else {
            out.push(garbage);
            out.push(Rival::open(
                "objects that stay reachable (a leak)",
                "who holds them: the heap's references; or a second collection in the growth",
            ));
        }
        if window.seconds() <= MAX_CALL_SECONDS && self.calls.as_ref().is_some_and(|c| c.total >= MIN_CALLS) {
            out.push(Rival::open(
                "calls in flight",
                "how many are at work and how many wait is mixed, or not enough came with the growth",
            ));
        }
        out
    }
}

/// Others that share the limit and are large beside what came: what they have gained meanwhile nobody knows
/// (seen: a service that had just loaded, beside a process that then filled the group; `lab/deaths`,
/// neighbour).
fn rival_neighbours(facts: &Facts, window: &Window) -> Option<Rival> {
    let others = facts.neighbours.as_ref().filter(|n| n.rss_bytes as f64 >= window.growth() as f64 * NEIGHBOURS)?;
    let tell = format!("they hold {} under the same limit: how much of it came meanwhile", bytes(others.rss_bytes));
    Some(Rival::open("others in its group, which grew as well", tell))
}

/// Whether most of what is alive came in a growth that began with the process: that most of the heap is
/// garbage does not say that the rest will stay as small (seen from outside: a registry that keeps every blob
/// in memory, six seconds old, 57 MB alive of a goal of 229; with the GOMEMLIMIT that was advised, at 0.98,
/// it died nine seconds later).
fn has_grown_up(facts: &Facts, window: &Window, alive: u64) -> bool {
    let at_rest = rested(facts, window).is_none_or(|rest| rest >= rest_of_a_start(window));
    !at_rest && alive / 2 > window.start_bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Sample;

    const MB: u64 = 1_000_000;

    /// Usage of 6 MB until `calm_s`, and then 32 MB more a second, up to 200 MB.
    fn grown(first_s: u64, calm_s: u64) -> (Facts, Window) {
        let curve = |t: u64| 6 * MB + t.saturating_sub(calm_s * 1000) * 32_000;
        let (onset_ms, end_ms) = ((first_s.max(calm_s)) * 1000, calm_s * 1000 + 6000);
        let sample = |t: u64| Sample { t_ms: t, usage_bytes: curve(t), ..Sample::default() };
        let mut facts = Facts::default();
        facts.timeline.samples = (first_s * 1000..=end_ms).step_by(100).map(sample).collect();
        let window =
            Window { onset_ms, end_ms, start_bytes: curve(onset_ms), end_bytes: curve(end_ms), ..Window::default() };
        (facts, window)
    }

    #[test]
    fn what_came_to_be_alive_since_the_start_may_go_on() {
        let of = |(facts, window): (Facts, Window), alive| has_grown_up(&facts, &window, alive);
        assert!(of(grown(0, 0), 57 * MB));
        assert!(!of(grown(0, 0), 8 * MB), "it was there when it was first looked at");
        assert!(!of(grown(0, 30), 57 * MB), "it had stood still: what a request takes it takes again");
        assert!(!of(grown(600, 500), 57 * MB), "what was before is not known");
    }
}
