//! Who may have allocated, where no profile says so: goroutines that were in an allocation, at work, or wait
//! in great numbers, by the function of the program that they are in. Pure.

use std::collections::BTreeMap;

use crate::calls::{Calls, Waiting, is_called, new_goroutines};
use crate::facts::{Facts, Frame, Group};
use crate::growth::Culprit;
use crate::owner::{frame, is_inside, is_standard_library, owner_on};
use crate::thresholds::unprofiled_heap::{ALLOCATING, AS_MANY, AT_WORK, MAX_SUSPECTS, MIN_WAITING, WAITING};
use crate::units::{count, plural, short};
use crate::waits::{Doing, Wait, doing, is_held_up};
use crate::window::Window;

/// Why a function is suspected. In the order of suspicion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// In an allocation at that moment.
    Allocating,
    /// At work there.
    AtWork,
    /// Waiting there in great numbers.
    Waiting(Wait),
}

/// A function under suspicion.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Suspect<'a> {
    /// The frame of the program in which they are.
    pub(crate) at: &'a Frame,
    /// How many goroutines.
    pub(crate) count: u64,
    /// Why.
    pub(crate) why: Why,
    /// Whether a stack was reconstructed without registers.
    pub(crate) approximate: bool,
    /// Whether there may be more of them: not all goroutines could be read.
    pub(crate) at_least: bool,
    /// How far it is believed, 0 to 1, beside the others.
    pub(crate) weight: f64,
}

impl Suspect<'_> {
    /// `main.fill (svc/main.go:4): 1 goroutine was allocating there`.
    pub(crate) fn text(&self) -> String {
        let least = if self.at_least { "at least " } else { "" };
        let goroutines = format!("{least}{}", plural(self.count, "goroutine"));
        let what = match self.why {
            Why::Allocating => format!("{goroutines} allocating there at that moment"),
            Why::AtWork => format!("{goroutines} at work there at that moment"),
            Why::Waiting(wait) => {
                format!("{least}{} goroutines there wait for {}", count(self.count), wait.what())
            }
        };
        format!("{} ({}:{}): {what}", self.at.function, short(&self.at.file), self.at.line)
    }
}

/// Functions of the runtime that a goroutine is in while it allocates, or pays for it.
const ALLOCATION: [&str; 13] = [
    "runtime.mallocgc",
    "runtime.newobject",
    "runtime.growslice",
    "runtime.makeslice",
    "runtime.mapassign",
    "runtime.gcAssistAlloc",
    "runtime.concatstring",
    "runtime.slicebytetostring",
    "runtime.stringtoslicebyte",
    "runtime.rawbyteslice",
    "runtime.memclrNoHeapPointers",
    "runtime.(*mcache).",
    "internal/runtime/maps.",
];

/// Suspects, the likeliest first. `window` is the growth, if memory grew.
pub(crate) fn suspects<'a>(facts: &'a Facts, window: Option<&Window>) -> Vec<Suspect<'a>> {
    let mut by: BTreeMap<(Why, &Frame), Suspect<'a>> = BTreeMap::new();
    for group in &facts.goroutines.groups {
        // A running goroutine of the dead may have no more of its stack than what is the runtime's.
        let Some(at) = program_frame(facts, group).filter(|at| is_own(facts, at)) else { continue };
        if only_accepts(facts, group) {
            continue;
        }
        let why = match doing(facts, group) {
            Doing::Working if is_allocating(facts, group) => Why::Allocating,
            Doing::Working => Why::AtWork,
            Doing::Waiting(wait) => Why::Waiting(wait),
        };
        let at_least = facts.goroutines.unread > 0;
        let one = Suspect { at, count: 0, why, approximate: false, at_least, weight: 0.0 };
        let known = by.entry((why, at)).or_insert(one);
        known.count = known.count.saturating_add(group.count);
        known.approximate |= group.approximate;
    }
    let mut all: Vec<Suspect<'a>> = by.into_values().collect();
    all.retain(|s| !matches!(s.why, Why::Waiting(_)) || s.count >= MIN_WAITING);
    weigh(&mut all, window.and_then(|w| new_goroutines(facts, w)));
    all.sort_by(|a, b| b.weight.total_cmp(&a.weight).then(a.why.cmp(&b.why)).then(a.at.cmp(b.at)));
    all.truncate(MAX_SUSPECTS);
    all
}

/// Those at work that are in a function, further out on their stacks: it is what holds the growth, and
/// whoever it has called uses it (`lab/deaths`, huge-frame: a frame that `next` has made, killed while `Read`
/// filled it). `None` where nobody is, and of `main.main`, in which all is.
pub(crate) fn at_work_within<'a>(facts: &'a Facts, function: &str) -> Option<Suspect<'a>> {
    let mut found: Option<Suspect<'a>> = None;
    for group in facts.goroutines.groups.iter().filter(|g| doing(facts, g) == Doing::Working) {
        let mut stack = group.stack.iter().filter_map(|i| frame(facts, *i));
        let Some(at) = stack.find(|f| f.function == function).filter(|f| f.function != "main.main") else { continue };
        let at_least = facts.goroutines.unread > 0;
        let one = Suspect { at, count: 0, why: Why::AtWork, approximate: false, at_least, weight: AT_WORK };
        let known = found.get_or_insert(one);
        known.count = known.count.saturating_add(group.count);
        known.approximate |= group.approximate;
    }
    found
}

/// Those that are at work share what is believed of them by their numbers; those that wait are believed where
/// they came with the growth.
fn weigh(all: &mut [Suspect<'_>], new: Option<u64>) {
    let at_work: u64 = all.iter().filter(|s| s.why == Why::AtWork || s.why == Why::Allocating).map(|s| s.count).sum();
    let allocating: u64 = all.iter().filter(|s| s.why == Why::Allocating).map(|s| s.count).sum();
    for suspect in all {
        let part = |of: u64| suspect.count as f64 / of.max(1) as f64;
        suspect.weight = match suspect.why {
            Why::Allocating => ALLOCATING * part(allocating),
            Why::AtWork if allocating > 0 => AT_WORK * part(at_work) / 2.0,
            Why::AtWork => AT_WORK * part(at_work),
            Why::Waiting(_) => {
                let came = new.map_or(0.0, |new| (new as f64 / suspect.count.max(1) as f64).min(1.0));
                WAITING * came
            }
        };
    }
}

/// The largest pile of goroutines that wait for one kind of thing in one function of the program, as calls of
/// it. Idle connections of a server or a client have none of the program on their stacks; they are a pile of
/// whoever started the server.
pub(crate) fn waiting_pile<'a>(facts: &'a Facts, window: &Window) -> Option<Calls<'a>> {
    pile_of(facts, window, |_| true)
}

/// The same of those that are held up, if they are about as many as those who wait in `calls` for what may
/// come: a connection has a goroutine that reads the next request, and one that answers the last (seen from
/// outside: miniredis, of which 4,087 read and 4,086 waited for one lock; the readers were blamed).
pub(crate) fn held_up_beside<'a>(facts: &'a Facts, calls: &Calls<'a>, window: &Window) -> Option<Calls<'a>> {
    let waiting = calls.waiting.as_ref().filter(|w| !is_held_up(facts, w.group))?;
    let pile = pile_of(facts, window, |group| is_held_up(facts, group))?;
    let (some, all) = (pile.waiting.as_ref().map_or(0, |w| w.count) as f64, waiting.count as f64);
    (some >= all * AS_MANY && all >= some * AS_MANY).then_some(pile)
}

/// Those for whose end goroutines wait that have started them, if they wait themselves and are as many or
/// more: what they wait for is the matter (seen blind: a TLS proxy, of which `join` waits for the two that
/// copy; "see which Done is missing", of reads without a deadline).
pub(crate) fn awaited_by<'a>(facts: &'a Facts, calls: &Calls<'a>, window: &Window) -> Option<Calls<'a>> {
    let all = calls.waiting.as_ref()?.count as f64;
    let pile = pile_of(facts, window, |group| waits_for(facts, calls, group))?;
    let some = pile.waiting.as_ref().map_or(0, |w| w.count) as f64;
    (some >= all * AS_MANY).then_some(pile)
}

/// Whether calls wait until others end, and a group is of goroutines that they have started.
fn waits_for(facts: &Facts, calls: &Calls<'_>, group: &Group) -> bool {
    // Who receives may wait for others than whom he has started.
    let is_end = |w: &Waiting<'_>| w.wait == Wait::AllDone;
    let starts = group.created_by.and_then(|i| frame(facts, i)).map(|f| f.function.as_str());
    calls.waiting.as_ref().is_some_and(is_end) && starts == Some(calls.of.function.as_str())
}

/// The function, and what it waits for, of most goroutines of some groups.
fn pile_of<'a>(facts: &'a Facts, window: &Window, counts: impl Fn(&Group) -> bool) -> Option<Calls<'a>> {
    let mut by: BTreeMap<(Wait, &Frame), (u64, u64, &Group)> = BTreeMap::new();
    for group in &facts.goroutines.groups {
        let (Doing::Waiting(wait), Some(at)) = (doing(facts, group), program_frame(facts, group)) else { continue };
        if !is_own(facts, at) || !counts(group) {
            continue;
        }
        let known = by.entry((wait, at)).or_insert((0, 0, group));
        known.0 = known.0.saturating_add(group.count);
        known.1 = known.1.saturating_add(if is_called(facts, group, &at.function) { group.count } else { 0 });
        if group.count > known.2.count {
            known.2 = group;
        }
    }
    let ((wait, at), (most, served, group)) = by.into_iter().max_by_key(|(_, (n, ..))| *n)?;
    let calls = Calls::of(facts, at, window);
    // Who waited before the growth was seen to begin is a call all the same, if a server has called it (seen
    // blind in lab/cluster: 104 handlers behind a dependency that hung, "started by the program itself").
    let (total, served) = (calls.total.max(most), calls.served.max(served));
    let waiting = Some(Waiting { wait, count: most, group });
    (most >= MIN_WAITING).then_some(Calls { waiting, total, served, ..calls })
}

/// Calls that wait in a function whose closures allocated what a culprit has: who starts a goroutine for a
/// part of its work, and waits for it.
pub(crate) fn family<'a>(facts: &'a Facts, culprit: &Culprit, window: &Window) -> Option<Calls<'a>> {
    let pile = waiting_pile(facts, window)?;
    let site = facts.profile.sites.get(culprit.site)?;
    let mut way = site.stack.iter().filter_map(|i| frame(facts, *i));
    let is_closure =
        |f: &Frame| f.function.strip_prefix(pile.of.function.as_str()).is_some_and(|rest| rest.starts_with(".func"));
    way.any(is_closure).then_some(pile)
}

/// The function of the program in which most goroutines are at work.
pub(crate) fn working_pile<'a>(facts: &'a Facts, window: &Window) -> Option<Calls<'a>> {
    let mut by: BTreeMap<&Frame, u64> = BTreeMap::new();
    for group in facts.goroutines.groups.iter().filter(|g| doing(facts, g) == Doing::Working) {
        let Some(at) = program_frame(facts, group).filter(|at| is_own(facts, at)) else { continue };
        let n = by.entry(at).or_default();
        *n = group.count.saturating_add(*n);
    }
    let (at, _) = by.into_iter().max_by_key(|(_, n)| *n)?;
    Some(Calls::of(facts, at, window))
}

/// Whether it does no more than let connections in: what is made of these their own goroutines do (seen from
/// outside: `main.main`, allocating in the loop of an HTTP server, was the first suspect of a heap that its
/// handlers had filled).
fn only_accepts(facts: &Facts, group: &Group) -> bool {
    is_inside(facts, &group.stack, "net/http.(*Server).Serve")
}

fn is_own(facts: &Facts, at: &Frame) -> bool {
    !is_standard_library(&at.function, &facts.target.module.path)
}

/// The frame of the program that a group is in; where its stack has none (a server's own goroutines), the
/// frame of the program that their starter is in.
pub(crate) fn program_frame<'a>(facts: &'a Facts, group: &Group) -> Option<&'a Frame> {
    let own = owner_on(facts, &group.stack);
    own.filter(|f| is_own(facts, f)).or_else(|| starter(facts, group)).or(own)
}

/// Where the program is in the goroutine that runs the function with the `go` statement.
fn starter<'a>(facts: &'a Facts, group: &Group) -> Option<&'a Frame> {
    let statement = frame(facts, group.created_by?)?;
    if is_own(facts, statement) {
        return Some(statement);
    }
    let runs_it = |g: &&Group| is_inside(facts, &g.stack, &statement.function);
    let group = facts.goroutines.groups.iter().find(runs_it)?;
    let own = owner_on(facts, &group.stack);
    own.filter(|f| is_own(facts, f))
}

fn is_allocating(facts: &Facts, group: &Group) -> bool {
    let inner = group.stack.iter().filter_map(|i| frame(facts, *i));
    let of_the_runtime =
        inner.take_while(|f| ["runtime.", "internal/runtime/"].iter().any(|r| f.function.starts_with(r)));
    let mut names = of_the_runtime.map(|f| f.function.as_str());
    group.wait_reason.starts_with("GC assist")
        || names.any(|name| ALLOCATION.iter().any(|known| name.starts_with(known)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Sample;

    fn facts(groups: &[(&[&str], u64, &str, &str)]) -> Facts {
        let mut facts = Facts::default();
        for (names, count, state, reason) in groups {
            let stack = names.iter().map(|name| {
                facts.frames.push(Frame { function: (*name).into(), file: "svc/main.go".into(), line: 4 });
                facts.frames.len() as u32 - 1
            });
            let stack = stack.collect();
            let (state, wait_reason) = ((*state).into(), (*reason).into());
            facts.goroutines.groups.push(Group { count: *count, state, wait_reason, stack, ..Group::default() });
        }
        let sample = |t_ms, goroutines| Sample { t_ms, goroutines, ..Sample::default() };
        facts.timeline.samples = vec![sample(0, 10), sample(1000, 500)];
        facts
    }

    /// What lets connections in is not who fills the heap; what answers them may be.
    #[test]
    fn a_servers_loop_is_no_suspect() {
        let f = facts(&[
            (
                &["runtime.mallocgc", "net/http.(*Server).newConn", "net/http.(*Server).Serve", "main.main"],
                1,
                "running",
                "",
            ),
            (&["runtime.mallocgc", "main.handle", "net/http.(*conn).serve"], 1, "running", ""),
        ]);
        let names: Vec<&str> = suspects(&f, None).iter().map(|s| s.at.function.as_str()).collect();
        assert_eq!(names, ["main.handle"]);
    }

    #[test]
    fn who_allocates_comes_first_and_idle_ones_last() {
        let f = facts(&[
            (&["runtime.gopark", "main.worker"], 400, "waiting", "chan receive"),
            (&["main.log"], 1, "runnable", ""),
            (&["runtime.mallocgc", "runtime.growslice", "main.fill"], 1, "running", ""),
        ]);
        let mut window = Window::default();
        let names =
            |w: &Window| -> Vec<String> { suspects(&f, Some(w)).iter().map(|s| s.at.function.clone()).collect() };
        assert_eq!(names(&window), ["main.fill", "main.worker", "main.log"]);
        let first = &suspects(&f, Some(&window))[0];
        assert_eq!(first.text(), "main.fill (svc/main.go:4): 1 goroutine allocating there at that moment");
        // They were there before the growth.
        window.onset_ms = 1000;
        assert_eq!(names(&window), ["main.fill", "main.log", "main.worker"]);
    }

    /// Seen of a million goroutines, of which 193,619 were copied: they were counted as all there were.
    #[test]
    fn of_goroutines_that_were_not_read_there_may_be_more() {
        let mut f = facts(&[(&["runtime.gopark", "main.worker"], 400, "waiting", "chan receive")]);
        let text = |f: &Facts| suspects(f, None).first().map(Suspect::text).unwrap();
        assert!(text(&f).contains(": 400 goroutines there wait"), "{}", text(&f));
        f.goroutines.unread = 1;
        assert!(text(&f).contains(": at least 400 goroutines there wait"), "{}", text(&f));
    }

    #[test]
    fn what_those_wait_for_whose_end_is_awaited_is_the_matter() {
        let mut f = facts(&[
            (&["internal/poll.runtime_pollWait", "main.copyTo"], 1475, "waiting", "IO wait"),
            (
                &["sync.runtime_Semacquire", "sync.(*WaitGroup).Wait", "main.join"],
                1503,
                "waiting",
                "sync.WaitGroup.Wait",
            ),
        ]);
        let awaited = |f: &Facts| {
            let join = f.frames.iter().find(|f| f.function == "main.join").unwrap();
            awaited_by(f, &Calls::of(f, join, &Window::default()), &Window::default())
                .map(|c| (c.of.function.clone(), c.waiting.unwrap().count))
        };
        assert_eq!(awaited(&f), None);
        f.goroutines.groups[0].created_by = Some(4);
        assert_eq!(f.frames[4].function, "main.join");
        assert_eq!(awaited(&f), Some(("main.copyTo".to_owned(), 1475)));
    }

    #[test]
    fn a_servers_own_goroutines_are_named_by_who_started_it() {
        let mut f = facts(&[
            (&["internal/poll.runtime_pollWait", "net/http.(*conn).serve"], 4000, "waiting", "IO wait"),
            (&["net/http.(*Server).Serve", "main.main"], 1, "waiting", "IO wait"),
            (&["net/http.(*Server).Serve"], 1, "waiting", "IO wait"),
        ]);
        f.goroutines.groups[0].created_by = Some(4);
        assert_eq!(program_frame(&f, &f.goroutines.groups[0]).map(|f| f.function.as_str()), Some("main.main"));
        let pile = waiting_pile(&f, &Window::default()).unwrap();
        assert_eq!((pile.of.function.as_str(), pile.waiting.map(|w| w.count)), ("main.main", Some(4001)));
    }

    /// `lab/deaths`, huge-frame: what `next` has made is filled by whom it calls.
    #[test]
    fn who_holds_it_further_out_is_at_work_as_well() {
        let f = facts(&[
            (&["main.(*wire).Read", "io.ReadFull", "main.(*framer).next", "main.main"], 1, "running", ""),
            (&["runtime.gopark", "main.(*framer).next"], 3, "waiting", "IO wait"),
        ]);
        let within = |function: &str| at_work_within(&f, function).map(|s| s.text());
        let said = "main.(*framer).next (svc/main.go:4): 1 goroutine at work there at that moment";
        assert_eq!(within("main.(*framer).next").as_deref(), Some(said));
        assert_eq!((within("main.main"), within("main.other")), (None, None));
    }

    /// miniredis: of a connection one reads, and one answers.
    #[test]
    fn who_is_held_up_comes_before_who_reads_for_the_same() {
        let pile = |waiting: u64| {
            let f = facts(&[
                (
                    &["internal/poll.runtime_pollWait", "net.(*netFD).Read", "main.readArray"],
                    4087,
                    "waiting",
                    "IO wait",
                ),
                (&["sync.(*Mutex).lockSlow", "main.cmdSet"], waiting, "waiting", "sync.Mutex.Lock"),
            ]);
            let readers = waiting_pile(&f, &Window::default()).unwrap();
            held_up_beside(&f, &readers, &Window::default()).map(|c| c.of.function.clone())
        };
        assert_eq!(pile(4086).as_deref(), Some("main.cmdSet"));
        assert_eq!(pile(400), None, "a lock that few wait for is beside the point");
    }
}
