//! Calls in flight: goroutines that are inside the code that allocated the growth, at work or waiting. The
//! two look alike in a count, and have different causes and cures. Pure.

use std::collections::BTreeMap;

use crate::facts::{Facts, Frame, Group};
use crate::growth::Culprit;
use crate::owner::{frame, is_standard_library, place_of};
use crate::thresholds::heap_growth::{MIN_CALLS, PART_OF_ALL};
use crate::thresholds::waiting_calls::{FEW_NEW, MIN_NEW};
use crate::waits::{Doing, Wait, doing};
use crate::window::Window;

/// Calls in flight of one function.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Calls<'a> {
    /// The function that they are calls of.
    pub(crate) of: &'a Frame,
    /// How many there are.
    pub(crate) total: u64,
    /// Of them at work.
    pub(crate) working: u64,
    /// What most of the others wait for, where, and how many do.
    pub(crate) waiting: Option<Waiting<'a>>,
    /// Of them those in which a server has called it, so that they are calls for certain. A goroutine that
    /// the program has started itself may be a worker without work.
    pub(crate) called: u64,
    /// The same with those that waited before the growth was seen to begin. They are calls in words; that
    /// they came with it nobody knows (connections that are open all day wait so, too).
    pub(crate) served: u64,
    /// Goroutines that came in the window, as far as the runtime made new structures for them; `None` where
    /// nobody counted.
    pub(crate) new: Option<u64>,
    /// Whether as many goroutines lived when the growth began as live now: that there are more of them is not
    /// why memory grew.
    pub(crate) stood_before: bool,
}

/// Calls that wait for the same.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Waiting<'a> {
    /// What they wait for.
    pub(crate) wait: Wait,
    /// How many.
    pub(crate) count: u64,
    /// The largest group of them.
    pub(crate) group: &'a Group,
}

impl<'a> Calls<'a> {
    /// Whether those that wait came with the growth: half as many goroutines, or more, came in the window;
    /// `None` where nobody counted, or none waits.
    pub(crate) fn came(&self) -> Option<bool> {
        let waiting = self.waiting.as_ref()?.count;
        Some(self.new? as f64 >= waiting as f64 * MIN_NEW)
    }

    /// Whether most of them were called, and do not stand in the function that they were started with.
    pub(crate) fn are_called(&self) -> bool {
        self.called.saturating_mul(2) > self.total
    }

    /// Calls of the code that allocated what a culprit has; `None` where there are too few to matter.
    ///
    /// The function is the innermost on the way to the culprit's largest site that has a good part of all
    /// goroutines which can be found on that way: what was built may have been handed outwards already.
    pub(crate) fn of_culprit(facts: &'a Facts, culprit: &Culprit, window: &Window) -> Option<Self> {
        let site = facts.profile.sites.get(culprit.site)?;
        let at = place_of(facts, &site.stack, &culprit.frame.function);
        let way = || site.stack.iter().skip(at.unwrap_or(0)).filter_map(|i| frame(facts, *i));
        let own: Vec<&Frame> = way().filter(|f| !is_standard_library(&f.function, &facts.target.module.path)).collect();
        // A server's own loop may be all that there is on the way (`net/http.(*conn).serve`).
        let way: Vec<&Frame> = if own.is_empty() { way().collect() } else { own };
        Self::on_the_way(facts, &way, window)
    }

    /// Calls of the innermost of these functions that has enough of them.
    fn on_the_way(facts: &'a Facts, way: &[&'a Frame], window: &Window) -> Option<Self> {
        let came = |f: &Frame| -> u64 {
            let calls = inside(facts, &f.function).filter(|g| !waited_before(facts, g, window));
            calls.map(|g| g.count).fold(0, u64::saturating_add)
        };
        let counts: Vec<u64> = way.iter().map(|f| came(f)).collect();
        let most = counts.iter().copied().max().filter(|n| *n >= MIN_CALLS)?;
        let enough = |n: u64| n as f64 >= most as f64 * PART_OF_ALL;
        let (of, _) = way.iter().zip(counts).find(|(_, n)| enough(*n))?;
        Some(Self::of(facts, of, window))
    }

    /// Calls of a function, however many.
    pub(crate) fn of(facts: &'a Facts, of: &'a Frame, window: &Window) -> Self {
        let groups: Vec<&Group> = inside(facts, &of.function).filter(|g| !waited_before(facts, g, window)).collect();
        let total = groups.iter().map(|g| g.count).fold(0, u64::saturating_add);
        let (mut working, mut called, mut waits) = (0, 0, BTreeMap::<Wait, Waiting<'a>>::new());
        for group in groups {
            if is_called(facts, group, &of.function) {
                called += group.count;
            }
            match doing(facts, group) {
                Doing::Working if is_between_calls(facts, group, &of.function) => {}
                Doing::Working => working += group.count,
                Doing::Waiting(wait) => {
                    let known = waits.entry(wait).or_insert(Waiting { wait, count: 0, group });
                    known.count = known.count.saturating_add(group.count);
                    if group.count > known.group.count {
                        known.group = group;
                    }
                }
            }
        }
        let waiting = waits.into_values().max_by_key(|w| w.count);
        let new = new_goroutines(facts, window);
        let waits = waiting.as_ref().map_or(0, |w| w.count);
        let stood_before =
            new.is_some_and(|new| new as f64 <= waits as f64 * FEW_NEW) && lived_then(facts, window, waits);
        Self { of, total, working, called, served: called, waiting, new, stood_before }
    }

    /// The part of them that is at work.
    pub(crate) fn part_at_work(&self) -> f64 {
        self.working as f64 / self.total.max(1) as f64
    }

    /// The part of them that waits for the same.
    pub(crate) fn part_waiting(&self) -> f64 {
        self.waiting.as_ref().map_or(0.0, |w| w.count as f64 / self.total.max(1) as f64)
    }
}

/// Whether a function stands on a stack, and further out a server of the standard library that has called
/// it. What a program starts itself may run in the background since its start, whatever calls what there.
pub(crate) fn is_called(facts: &Facts, group: &Group, function: &str) -> bool {
    let at = place_of(facts, &group.stack, function);
    let outside = |at: usize| group.stack.iter().skip(at + 1).filter_map(|i| frame(facts, *i));
    let is_a_server =
        |f: &Frame| !f.function.starts_with("runtime.") && is_standard_library(&f.function, &facts.target.module.path);
    at.is_some_and(|at| outside(at).any(is_a_server))
}

/// Whether a goroutine that can run has only just been given something: it stands in a receive, or a select,
/// of the function that it was started with. A worker there is between two calls, and holds nothing of one
/// (seen: eight workers that forget to cancel contexts, five of them just woken, told as "8 calls in flight,
/// about 22 MB each", at 0.95).
fn is_between_calls(facts: &Facts, group: &Group, function: &str) -> bool {
    const RECEIVES: [&str; 3] = ["runtime.chanrecv", "runtime.selectgo", "runtime.selectnbrecv"];
    let mut stack = group.stack.iter().filter_map(|i| frame(facts, *i)).map(|f| f.function.as_str()).peekable();
    let mut receives = false;
    while let Some(name) = stack.next_if(|name| name.starts_with("runtime.")) {
        receives |= RECEIVES.iter().any(|r| name.starts_with(r));
    }
    receives && stack.next() == Some(function) && stack.next().is_none()
}

/// Groups of goroutines that are inside a function, or were started by it.
fn inside<'a>(facts: &'a Facts, function: &str) -> impl Iterator<Item = &'a Group> {
    // Whoever main starts is no call of it.
    let starts = function != "main.main";
    facts.goroutines.groups.iter().filter(move |g| {
        let starter = g.created_by.as_ref().filter(|_| starts);
        let mut frames = g.stack.iter().chain(starter).filter_map(|i| frame(facts, *i));
        frames.any(|f| f.function == function)
    })
}

/// Milliseconds that a goroutine of which the runtime has noted so long a wait has waited at least.
///
/// What the runtime notes of a wait is the end of the collection *before* the one that first saw it
/// (`work.tstart`, set by `gcMark`), which may be long before the wait. Seen: calls of three seconds that had
/// "waited for 14 s", since no collection had run in between. What is certain is that they waited when the
/// next one ended.
pub(crate) fn waited_at_least(facts: &Facts, noted_ms: u64) -> Option<u64> {
    let noted = facts.capture.t_ms.checked_sub(noted_ms).filter(|_| noted_ms > 0)?;
    let samples = facts.timeline.samples.iter().skip_while(|s| s.t_ms <= noted);
    let before = samples.clone().next()?.gc_cycles;
    let seen = samples.skip_while(|s| s.gc_cycles == before).map(|s| s.t_ms).next()?;
    Some(facts.capture.t_ms.saturating_sub(seen)).filter(|ms| *ms > 0)
}

/// Whether most of a group waited already when memory began to grow: a part of the program that waits in the
/// background, and no calls.
fn waited_before(facts: &Facts, group: &Group, window: &Window) -> bool {
    let grew_ms = facts.capture.t_ms.saturating_sub(window.onset_ms);
    waited_at_least(facts, group.waited_ms_median).is_some_and(|ms| ms > grew_ms)
}

/// Structures of goroutines that the process gained since the onset. They are never given back, so that of
/// goroutines which came after others had ended nothing is seen.
pub(crate) fn new_goroutines(facts: &Facts, window: &Window) -> Option<u64> {
    let samples = &facts.timeline.samples;
    let at_onset = samples.iter().rev().find(|s| s.t_ms <= window.onset_ms)?;
    let now = samples.iter().rev().map(|s| s.goroutines).find(|n| *n > 0)?;
    (at_onset.goroutines > 0).then(|| now.saturating_sub(at_onset.goroutines))
}

/// Whether at a look of the first third of the growth nearly as many goroutines lived as now, all but a part
/// of those that wait: structures of goroutines alone may have been left over from others, long ago.
fn lived_then(facts: &Facts, window: &Window, waiting: u64) -> bool {
    let third = window.onset_ms + window.end_ms.saturating_sub(window.onset_ms) / 3;
    let looks = &facts.timeline.goroutines.looks;
    let enough = facts.goroutines.total.saturating_sub((waiting as f64 * FEW_NEW) as u64);
    let then = looks.iter().rev().find(|look| look.t_ms <= third);
    then.is_some_and(|look| look.live >= enough)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Sample, Site};

    /// Stacks by names, innermost first, with how many stand there, state and reason.
    fn facts(site: &[&str], groups: &[(&[&str], u64, &str, &str)]) -> Facts {
        let mut facts = Facts::default();
        let mut add = |names: &[&str]| -> Vec<u32> {
            let of = |name: &&str| {
                facts.frames.push(Frame { function: (*name).into(), file: "svc/main.go".into(), line: 4 });
                facts.frames.len() as u32 - 1
            };
            names.iter().map(of).collect()
        };
        let site = Site { stack: add(site), ..Site::default() };
        let groups: Vec<Group> = groups
            .iter()
            .map(|(stack, count, state, reason)| Group {
                count: *count,
                state: (*state).into(),
                wait_reason: (*reason).into(),
                stack: add(stack),
                ..Group::default()
            })
            .collect();
        facts.profile.sites.push(site);
        facts.goroutines.groups = groups;
        let sample = |t_ms, goroutines| Sample { t_ms, goroutines, ..Sample::default() };
        facts.timeline.samples = vec![sample(0, 10), sample(1000, 700)];
        facts
    }

    fn culprit(function: &str) -> Culprit {
        Culprit { frame: Frame { function: function.into(), ..Frame::default() }, ..Culprit::default() }
    }

    #[test]
    fn those_who_wait_are_told_from_those_at_work() {
        let lock = ["runtime.gopark", "sync.(*Mutex).lockSlow", "main.store", "main.serve"];
        let f = facts(
            &["main.read", "main.serve"],
            &[(&lock, 600, "waiting", "sync.Mutex.Lock"), (&["main.read", "main.serve"], 9, "runnable", "")],
        );
        let calls = Calls::of_culprit(&f, &culprit("main.read"), &Window::default()).unwrap();
        assert_eq!((calls.of.function.as_str(), calls.total, calls.working), ("main.serve", 609, 9));
        let waiting = calls.waiting.as_ref().unwrap();
        assert_eq!((waiting.wait, waiting.count, calls.new), (Wait::Mutex, 600, Some(690)));
        assert_eq!((calls.came(), calls.stood_before), (Some(true), false));
        assert!(calls.part_waiting() > 0.9 && calls.part_at_work() < 0.1 && calls.called == 0);
    }

    #[test]
    fn calls_are_counted_at_the_innermost_function_that_has_most_of_them() {
        let f = facts(
            &["main.build", "main.tab", "main.serve"],
            &[
                (&["main.build", "main.tab", "main.serve", "net/http.serve"], 90, "runnable", ""),
                (&["main.rank", "main.tab", "main.serve", "net/http.serve"], 60, "runnable", ""),
                (&["runtime.gopark", "main.serve"], 20, "waiting", "IO wait"),
            ],
        );
        let calls = Calls::of_culprit(&f, &culprit("main.build"), &Window::default()).unwrap();
        assert_eq!((calls.of.function.as_str(), calls.total, calls.called), ("main.tab", 150, 150));
    }

    #[test]
    fn a_few_are_none() {
        let f = facts(&["main.build"], &[(&["main.build"], 3, "running", "")]);
        assert_eq!(Calls::of_culprit(&f, &culprit("main.build"), &Window::default()), None);
    }

    /// victoria-metrics has eleven watchers of its cache since its start: "11 calls in flight, about 8 MB
    /// each" was false of them.
    #[test]
    fn who_waited_before_the_growth_is_no_call() {
        let mut f =
            facts(&["main.read", "main.serve"], &[(&["runtime.gopark", "main.serve"], 50, "waiting", "select")]);
        let sample = |t_ms, gc_cycles| Sample { t_ms, gc_cycles, goroutines: 60, ..Sample::default() };
        f.timeline.samples = [(0, 1), (1000, 2), (2000, 3), (9000, 4), (10_000, 4)].map(|(t, n)| sample(t, n)).into();
        f.capture.t_ms = 10_000;
        let window = Window { onset_ms: 8000, end_ms: 10_000, ..Window::default() };
        let calls = |f: &Facts| Calls::of_culprit(f, &culprit("main.read"), &window).map(|c| c.total);
        assert_eq!(calls(&f), Some(50), "nothing is noted");
        // One ended at half a second, the next saw them and ended at two; or that at two, and the next at
        // nine.
        f.goroutines.groups[0].waited_ms_median = 9500;
        assert_eq!((waited_at_least(&f, 9500), calls(&f)), (Some(8000), None));
        f.goroutines.groups[0].waited_ms_median = 8500;
        assert_eq!((waited_at_least(&f, 8500), calls(&f)), (Some(1000), Some(50)));
    }

    /// Of a pool those are at work that have a call, and not those that have just been woken for one.
    #[test]
    fn who_has_just_received_is_between_calls() {
        let receiving = ["runtime.gopark", "runtime.chanrecv", "runtime.chanrecv2", "main.work"];
        let within = ["runtime.gopark", "runtime.chanrecv", "runtime.chanrecv1", "main.one", "main.work"];
        let f = facts(
            &["main.one", "main.work"],
            &[
                (&receiving, 5, "runnable", ""),
                (&within, 2, "runnable", ""),
                (&["main.one", "main.work"], 3, "running", ""),
            ],
        );
        let calls = Calls::of_culprit(&f, &culprit("main.one"), &Window::default()).unwrap();
        assert_eq!((calls.of.function.as_str(), calls.total, calls.working), ("main.work", 10, 5));
    }

    #[test]
    fn who_was_started_there_counts() {
        let mut f =
            facts(&["main.read", "main.serve"], &[(&["runtime.gopark", "main.later"], 50, "waiting", "select")]);
        f.goroutines.groups[0].created_by = Some(1);
        let calls = Calls::of_culprit(&f, &culprit("main.read"), &Window::default()).unwrap();
        assert_eq!((calls.of.function.as_str(), calls.total), ("main.serve", 50));
    }
}
