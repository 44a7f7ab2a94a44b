//! The collector: whether it runs before memory is used up, and what its marks say of the growth, alive or
//! garbage. Pure.
//!
//! A profile counts what was allocated and not yet swept: it cannot tell the living from the dead. The marks
//! of finished collections can: what the last one found alive, against what there was when it began.

use crate::facts::Facts;
use crate::thresholds::collector_headroom::{FITS, GROWS, GROWS_MARKS, SAME_MARK, STANDS, STANDS_FOR, STANDS_MARKS};
use crate::window::Window;

/// When the collector would have run next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    /// GOGC is off, and no GOMEMLIMIT lies under the limit: never.
    Off,
    /// At a heap size that, with the rest of the memory, lies beyond the limit: never, as it turned out.
    BeyondTheLimit,
    /// Before memory was used up.
    WithinTheLimit,
    /// The gauges were not read, or there is no limit.
    Unknown,
}

/// The collector and what it saw.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Collector {
    /// When it would have run.
    pub(crate) pace: Pace,
    /// Bytes that the last mark found alive.
    pub(crate) marked: u64,
    /// Bytes that count against the limit and are not Go heap.
    pub(crate) beside: u64,
    /// Collections that ended after the onset.
    pub(crate) marks: usize,
    /// Of the bytes that came since the onset, and that a mark has seen, the part that it found alive; `None`
    /// where no mark of a finished collection can tell.
    pub(crate) alive: Option<f64>,
    /// Marks, the last one included, that all found about the same alive.
    pub(crate) steady_marks: usize,
    /// Marks, the last one included, that all found the same alive for a good part of the growth; 0 where
    /// it went on growing. A leak that goes on as before would have shown.
    pub(crate) standing_marks: usize,
    /// Bytes that the last mark before the onset found alive, if somebody looked.
    pub(crate) marked_before: Option<u64>,
    /// How fast what is alive grew up to the last mark, against how fast memory was allocated since; `None`
    /// where fewer than two marks were seen, or nothing was allocated since. A leak has about 1, a heap that
    /// breathes 0.
    pub(crate) live_slope: Option<f64>,
    /// Whether the least that marks in the later half of the window found alive has grown, from the earlier
    /// of them to the later: what is alive fits now, and will not (seen from outside: a registry that keeps
    /// every blob, told as a goal beyond the limit at 0.97; with the GOMEMLIMIT that was advised it died two
    /// layers later).
    pub(crate) live_grows: bool,
}

impl Collector {
    /// What the facts say. `window` is the growth.
    pub(crate) fn of(facts: &Facts, window: &Window) -> Self {
        let gc = &facts.gc;
        let heap = gc.heap_in_use.saturating_add(gc.heap_free);
        let beside = window.end_bytes.saturating_sub(heap).max(gc.stacks.saturating_add(gc.metadata));
        let marks = marks(facts);
        let since = marks.iter().filter(|m| m.t_ms > window.onset_ms);
        // A program that starts loads first, and may keep no more than that.
        let middle = window.onset_ms.midpoint(window.end_ms);
        Self {
            pace: pace(facts, beside),
            marked: gc.heap_marked,
            beside,
            marks: since.clone().count(),
            alive: alive(facts, window, &marks),
            steady_marks: steady(gc.heap_marked, &marks),
            standing_marks: standing(facts, window, &marks),
            marked_before: marks.iter().rev().find(|m| m.t_ms <= window.onset_ms).map(|m| m.after),
            live_slope: live_slope(facts, &marks),
            live_grows: live_grows(gc.heap_marked, since.filter(|m| m.t_ms > middle).map(|m| m.after)),
        }
    }

    /// Whether what was alive would have fitted into `limit`, with room to spare.
    pub(crate) fn live_fits(&self, limit: u64) -> bool {
        self.marked > 0 && (self.marked.saturating_add(self.beside)) as f64 <= limit as f64 * FITS
    }

    /// Bytes that the process would use at its peak if what is alive stays as it is: the goal and the rest.
    pub(crate) fn peak(&self, facts: &Facts) -> Option<u64> {
        Some(facts.gc.heap_goal?.saturating_add(self.beside))
    }
}

/// GOMEMLIMIT, if it can act before the limit does.
pub(crate) fn effective_memory_limit(facts: &Facts) -> Option<u64> {
    let limit = facts.target.limit_bytes.unwrap_or(u64::MAX);
    facts.gc.memory_limit.filter(|m| *m < limit)
}

fn pace(facts: &Facts, beside: u64) -> Pace {
    let gc = &facts.gc;
    let Some(limit) = facts.target.limit_bytes.filter(|_| gc.is_known()) else { return Pace::Unknown };
    if effective_memory_limit(facts).is_some() {
        return Pace::WithinTheLimit;
    }
    match gc.heap_goal {
        _ if gc.percent < 0 => Pace::Off,
        // The gauges say GOGC and no goal: a goal that was not read.
        None => Pace::Unknown,
        Some(goal) if goal.saturating_add(beside) > limit => Pace::BeyondTheLimit,
        Some(_) => Pace::WithinTheLimit,
    }
}

/// The end of a collection between two samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Mark {
    t_ms: u64,
    /// Live heap as last seen before: what the mark went through, and what came meanwhile.
    before: u64,
    /// Live heap as first seen afterwards: what it found alive, and a little that came since.
    after: u64,
}

/// Collections that ended while somebody looked, oldest first. One that ended after the last sample is known
/// by the gauges of the capture.
fn marks(facts: &Facts) -> Vec<Mark> {
    let samples = &facts.timeline.samples;
    let pairs = samples.iter().zip(samples.iter().skip(1));
    let ended = pairs.filter(|(a, b)| b.gc_cycles > a.gc_cycles && a.heap_live_bytes > 0 && b.heap_live_bytes > 0);
    let seen = ended.map(|(a, b)| Mark { t_ms: b.t_ms, before: a.heap_live_bytes, after: b.heap_live_bytes });
    let late = samples.last().filter(|s| facts.gc.cycles > s.gc_cycles && s.heap_live_bytes > 0).map(|s| Mark {
        t_ms: facts.capture.t_ms,
        before: s.heap_live_bytes,
        after: facts.gc.heap_live,
    });
    seen.chain(late).collect()
}

/// The part of the growth that the last mark found alive. What is allocated while a mark goes on counts as
/// alive, so that one mark alone proves little of memory that grew during it: who reads this asks for two
/// (`marks`).
fn alive(facts: &Facts, window: &Window, marks: &[Mark]) -> Option<f64> {
    let last = marks.iter().rev().find(|m| m.t_ms > window.onset_ms)?;
    let at_onset = facts.timeline.samples.iter().rev().find(|s| s.t_ms <= window.onset_ms)?;
    // What was alive at the onset: what the mark before it had found, or at most what there was.
    let before = marks.iter().rev().find(|m| m.t_ms <= window.onset_ms);
    let start = before.map_or(at_onset.heap_live_bytes, |m| m.after.min(at_onset.heap_live_bytes));
    // Where it was looked at seldom, there was more than the last look before saw: what was found, at least.
    let went_through = last.before.max(facts.gc.heap_marked).saturating_sub(start);
    // A mark that ended right after the onset has seen nothing of the growth.
    if went_through < window.growth() / 8 {
        return None;
    }
    let found = facts.gc.heap_marked.min(last.after).saturating_sub(start);
    Some((found as f64 / went_through as f64).min(1.0))
}

/// Before the last mark live heap by time, and after it all heap by time: what stays alive goes on as it
/// went.
fn live_slope(facts: &Facts, marks: &[Mark]) -> Option<f64> {
    let (last, before) = (marks.last()?, marks.iter().rev().nth(1)?);
    let per_ms = |bytes: u64, ms: u64| bytes as f64 / ms.max(1) as f64;
    let live = per_ms(facts.gc.heap_marked.saturating_sub(before.after), last.t_ms.saturating_sub(before.t_ms));
    let all =
        per_ms(facts.gc.heap_live.saturating_sub(facts.gc.heap_marked), facts.capture.t_ms.saturating_sub(last.t_ms));
    (all > 0.0).then(|| live / all)
}

fn live_grows(marked: u64, since: impl Iterator<Item = u64>) -> bool {
    let since: Vec<u64> = since.collect();
    // What happens to be at work while a mark runs goes up and down; the least that any of them found is
    // kept.
    let (early, late) = since.split_at(since.len() / 2);
    let least = |of: &[u64]| of.iter().copied().min().unwrap_or(0);
    since.len() >= GROWS_MARKS && least(late).min(marked) as f64 >= least(early) as f64 * GROWS
}

/// How many marks in a row, up to the last, found about the same alive.
fn steady(marked: u64, marks: &[Mark]) -> usize {
    let near = |m: &&Mark| (m.after as f64 - marked as f64).abs() <= marked as f64 * SAME_MARK;
    if marked == 0 { 0 } else { marks.iter().rev().take_while(near).count() }
}

/// How many marks in a row, up to the last, found no less alive than that, where these go back far enough.
/// Those that grow by a few percent each are no rest (seen blind: a cache of as many pictures as before, of
/// which ever more are large).
///
/// Seen blind: a cache of tiles that is full after two thirds of its life, and evicts; ten collections found
/// 103 to 106 MB alive while a gigabyte was allocated, and "it is still loading, or it leaks" was said of it.
fn standing(facts: &Facts, window: &Window, marks: &[Mark]) -> usize {
    let marked = facts.gc.heap_marked;
    // A look may come late: what was allocated since the mark is in it.
    let same = |m: &&Mark| {
        let more = (m.after as f64 - marked as f64) / marked as f64;
        (-STANDS..=3.0 * STANDS).contains(&more)
    };
    let in_growth = marks.iter().rev().filter(|m| m.t_ms > window.onset_ms);
    let run: Vec<&Mark> = in_growth.take_while(same).collect();
    let (Some(last), Some(first)) = (run.first(), run.last()) else { return 0 };
    // What came since the last mark nobody has looked at.
    let (stood_ms, blind_ms) = (last.t_ms - first.t_ms, facts.capture.t_ms.saturating_sub(last.t_ms));
    let grew_ms = facts.capture.t_ms.saturating_sub(window.onset_ms);
    let long = stood_ms as f64 >= grew_ms as f64 * STANDS_FOR && blind_ms <= stood_ms;
    if marked > 0 && run.len() >= STANDS_MARKS && long { run.len() } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Gc, Sample, Target};
    use crate::window::window;

    const MB: u64 = 1_000_000;

    /// A heap that starts with `live`, of which each second `kept` more stay alive while `made` are
    /// allocated, with a collection whenever it has doubled; up to a limit of 241 MB.
    fn service(live: u64, kept: u64, made: u64, calm_s: u64) -> Facts {
        let (mut marked, mut heap, mut alive, mut cycles) = (live * MB, live * MB, live * MB, 3);
        let mut facts = Facts::default();
        for t in (0..60_000).step_by(20) {
            if t > calm_s * 1000 {
                alive += kept * MB / 50;
                heap += made * MB / 50;
            }
            if heap > marked * 2 {
                (heap, marked, cycles) = (alive, alive, cycles + 1);
            }
            let usage = heap + 10 * MB;
            let sample =
                Sample { t_ms: t, usage_bytes: usage, heap_live_bytes: heap, gc_cycles: cycles, ..Sample::default() };
            facts.timeline.samples.push(sample);
            if usage > 240 * MB {
                break;
            }
        }
        facts.capture.t_ms = facts.timeline.samples.last().map_or(0, |s| s.t_ms);
        facts.target = Target { limit_bytes: Some(241 * MB), ..Target::default() };
        facts.gc = Gc {
            percent: 100,
            heap_marked: marked,
            heap_live: heap,
            heap_in_use: heap,
            heap_goal: Some(marked * 2),
            ..Gc::default()
        };
        facts
    }

    fn of(facts: &Facts) -> Collector {
        Collector::of(facts, &window(facts).unwrap())
    }

    #[test]
    fn what_stays_alive_is_told_from_garbage() {
        let leak = of(&service(20, 10, 10, 5));
        assert!(leak.marks >= 2 && leak.alive.unwrap() > 0.9, "{leak:?}");
        // Half of what was there before comes and goes; what comes beside it is hardly more.
        let mut breathes = service(90, 1, 60, 2);
        breathes.timeline.samples.iter_mut().for_each(|s| s.usage_bytes = s.t_ms * 4000);
        let it = of(&breathes);
        assert!(it.marks >= 2 && it.alive.unwrap() < 0.3, "{it:?}");
        breathes.timeline.samples.iter_mut().for_each(|s| s.gc_cycles = 3);
        assert_eq!(of(&breathes).alive, None, "without a mark nobody knows");
    }

    #[test]
    fn a_goal_beyond_the_limit_is_seen() {
        let it = of(&service(125, 0, 30, 5));
        assert_eq!((it.pace, it.marks, it.alive), (Pace::BeyondTheLimit, 0, None));
        assert!(it.live_fits(241 * MB));
        let mut with_limit = service(125, 0, 30, 5);
        with_limit.gc.memory_limit = Some(200 * MB);
        assert_eq!(of(&with_limit).pace, Pace::WithinTheLimit);
        // One that lies beyond the limit never acts.
        with_limit.gc.memory_limit = Some(20_000 * MB);
        assert_eq!(of(&with_limit).pace, Pace::BeyondTheLimit);
        with_limit.gc = Gc { percent: -1, heap_goal: None, ..with_limit.gc };
        assert_eq!(of(&with_limit).pace, Pace::Off);
    }

    /// etcd with a raft log in memory: a leak too is killed with half of it marked, and a goal beyond the
    /// limit.
    #[test]
    fn a_leak_goes_on_after_the_last_mark_as_before() {
        let leak = of(&service(20, 30, 30, 5));
        assert!(leak.live_slope.unwrap() > 0.8, "{leak:?}");
        let mut breathes = service(60, 0, 100, 1);
        breathes.timeline.samples.retain(|s| s.t_ms < 2600);
        let last = *breathes.timeline.samples.last().unwrap();
        (breathes.gc.heap_live, breathes.capture.t_ms) = (last.heap_live_bytes, last.t_ms);
        let it = Collector::of(&breathes, &Window { end_ms: last.t_ms, ..Window::default() });
        assert!(it.live_slope.is_none_or(|slope| slope < 0.2), "{it:?}");
    }

    /// As the registry had it, and as a heap that breathes.
    #[test]
    fn what_is_alive_and_grows_does_not_fit_for_long() {
        let grows = |marked, since: &[u64]| live_grows(marked, since.iter().copied());
        assert!(grows(109, &[55, 90, 68, 85, 57, 72, 76, 91, 71, 103, 88, 126]));
        assert!(!grows(109, &[55, 90, 68, 85, 57, 72, 57, 91, 71, 103, 56, 126]), "peaks alone do not count");
        assert!(!grows(126, &[55, 90, 126]), "too few");
        assert!(!grows(60, &[55, 90, 68, 85, 71, 103, 88, 126]), "the last of them found no more");
    }

    #[test]
    fn marks_that_found_the_same_are_counted() {
        // 100 MB stay alive for the whole time; the goal is 200, and then something else takes what is left.
        let mut facts = service(100, 0, 60, 1);
        facts.timeline.samples.retain(|s| s.t_ms < 20_000);
        assert!(of(&facts).steady_marks >= 2, "{:?}", of(&facts));
        let leak = service(20, 10, 10, 5);
        assert!(of(&leak).steady_marks <= 1);
    }

    /// Seen blind: a cache that is full, and evicts; and one of as many pictures as before, ever more of them
    /// large.
    #[test]
    fn what_has_stopped_growing_stands() {
        // Filled within twenty seconds, then at rest for as long, with a collection every two.
        let filled = |late_growth: f64| {
            let mut facts = Facts::default();
            let alive = |t: u64| {
                let t = t as f64 / 1000.0;
                ((t.min(20.0) * 5.0 + (t - 20.0).max(0.0) * late_growth) * MB as f64) as u64
            };
            for t in (0..40_000).step_by(100) {
                let since = t % 2_000;
                let live = alive(t - since) + alive(t) * since / 2_000;
                let sample = Sample {
                    t_ms: t,
                    usage_bytes: 2 * alive(t) + 10 * MB,
                    heap_live_bytes: live,
                    gc_cycles: 3 + (t / 2_000) as u32,
                    ..Sample::default()
                };
                facts.timeline.samples.push(sample);
            }
            facts.capture.t_ms = 40_000;
            facts.gc = Gc { heap_marked: alive(38_000), heap_live: 2 * alive(38_000), ..facts.gc };
            let window = Window { onset_ms: 1_000, end_ms: 40_000, ..Window::default() };
            Collector::of(&facts, &window).standing_marks
        };
        assert!(filled(0.0) >= 9, "{}", filled(0.0));
        assert_eq!((filled(1.0), filled(5.0)), (0, 0));
    }
}
