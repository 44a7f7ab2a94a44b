//! Goroutines that wait, and hold what grew. The page: `waiting-calls.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::calls::{Calls, Waiting, waited_at_least};
use crate::facts::{Amount, Facts, Frame, Group, Site};
use crate::finding::{ConfidenceFactor, Evidence, Finding, Source};
use crate::findings::Findings;
use crate::goroutine_verdicts::{GoroutineVerdicts, TOO_MANY, VerdictGroup};
use crate::growth::{Culprit, Growth};
use crate::heap_cause::{HeapCause, Mechanism, Origin, one_for_each_of};
use crate::library_waits::library_wait;
use crate::of_connections;
use crate::owner::{frame, is_inside, is_standard_library, receiver};
use crate::reachability::Reachability;
use crate::sentence::{growth as growth_of, level, never_touched, place};
use crate::site_certainty::of_origin;
use crate::subject::Subject;
use crate::suspects::program_frame;
use crate::thresholds::waiting_calls::{AT_MOST_EACH, MAX_HOLDERS};
use crate::units::{bytes, count, percent, plural, seconds};
use crate::wait_cures::{Known, cure, deadline};
use crate::waits::{Doing, Wait, doing, innermost, is_writing};
use crate::window::Window;

/// The rule.
pub(super) struct WaitingCalls;

impl Rule for WaitingCalls {
    const INFO: RuleInfo = RuleInfo {
        code: "waiting-calls",
        title: "goroutines wait, and hold what grew",
        doc: include_str!("waiting-calls.md"),
    };

    fn check(case: &Case<'_>, out: &mut Findings) {
        if let (Some(w), Some(heap)) = (case.window, case.heap) {
            out.found(find(case.facts, case.growth, w, heap, case.goroutines));
        }
    }
}

fn find(
    facts: &Facts,
    growth: &Growth,
    w: &Window,
    heap: &HeapCause<'_>,
    verdicts: &GoroutineVerdicts,
) -> Option<Finding> {
    let calls = heap.calls.as_ref().filter(|_| heap.mechanism == Mechanism::WaitingCalls)?;
    let waiting = calls.waiting.as_ref()?;
    let at = waits_at(facts, waiting.group).unwrap_or(calls.of);
    let (subject, site) = match &heap.origin {
        Origin::Profiled(c) => (Subject::site(&c.frame), Some(c.site)),
        Origin::Suspects(_) => (Subject::site(at), None),
    };
    // A verdict on few of them is not that on all.
    let cause = verdicts.pile_in(&at.function).filter(|g| g.count.saturating_mul(2) >= waiting.count);
    let holders = if cause.is_some() { Vec::new() } else { holders(facts, waiting) };
    let wakes_within_ns = verdicts.wakes_within_ns(&at.function);
    let known = Known { holders: !holders.is_empty(), wakes_within_ns, ..Known::default() };
    Some(Finding {
        code: WaitingCalls::INFO.code,
        subject,
        level: level(facts, w.end_bytes),
        title: format!("{} wait for {}, and hold what grew", subjects(calls), waiting_for(facts, waiting)),
        sentence: sentence(facts, w, heap, calls, (waiting, at), cause),
        factors: factors(facts, growth, w, heap, calls, waiting),
        rivals: heap.rivals.clone(),
        evidence: evidence(facts, w, heap, calls, waiting, &holders),
        cure: cure_of(facts, heap, waiting, cause, || the_cure(facts, w, waiting, at, known)),
        site,
        do_now: do_now(facts, calls, waiting, at),
    })
}

/// That of the cause, where one is known, else the usual one; what idle connections keep comes before it.
fn cure_of(
    facts: &Facts,
    heap: &HeapCause<'_>,
    waiting: &Waiting<'_>,
    cause: Option<&VerdictGroup>,
    usual: impl FnOnce() -> String,
) -> String {
    // Who waits in a library never wrote the select that it is in; what is said of reading is no cure for who
    // writes.
    // And who waits for another goroutine waits for the one that does not come, however many they are (seen
    // blind: calls of one whose Done a panic had skipped, and "bound how many may be there").
    let only_many = |g: &VerdictGroup| g.code == TOO_MANY && waiting.wait.is_for_a_goroutine();
    let of_cause = cause.filter(|g| !only_many(g));
    let of_cause =
        of_cause.filter(|_| library_wait(facts, waiting.group).is_none() && !is_writing(facts, waiting.group));
    let cure = of_cause.map_or_else(usual, |g| g.cure.clone());
    match of_connections::cure(facts, heap.reach.as_ref(), waiting) {
        Some(idle) => format!("{idle} If they should not wait: {cure}"),
        None => cure,
    }
}

/// What ends the wait: by the library that it is in, if that is known, else by its kind.
fn the_cure(facts: &Facts, w: &Window, waiting: &Waiting<'_>, at: &Frame, known: Known) -> String {
    if let Some(most) = young(w, waiting) {
        return format!(
            "None of them has waited for longer than {}: nothing is stuck, more come than go. Bound how many may be in flight at a time; see who sends so many, and what answers them slowly.",
            seconds(most as f64 / 1e3)
        );
    }
    match library_wait(facts, waiting.group) {
        Some(library) => library.cure.to_owned(),
        None if is_of_timers(facts, waiting) => format!(
            "Give the loop in {} a way out: return when a context is done, and stop its ticker or timer.",
            at.function
        ),
        None => {
            let known = Known { deadline: deadline(waiting.group), writes: is_writing(facts, waiting.group), ..known };
            cure(waiting.wait, &at.function, known)
        }
    }
}

/// Milliseconds that the oldest has waited at most, where that is short beside the growth: what the runtime
/// notes is never shorter than a wait.
fn young(w: &Window, waiting: &Waiting<'_>) -> Option<u64> {
    let at_most = Some(waiting.group.oldest_wait_ms).filter(|ms| *ms > 0)?;
    (at_most < (w.end_ms - w.onset_ms) / 3 && w.gc_cycles > 2).then_some(at_most)
}

/// `calls`, or `goroutines` where they stand in their first function, or were only started where they are
/// counted.
fn subjects(calls: &Calls<'_>) -> &'static str {
    if calls.served.saturating_mul(2) > calls.total { "calls" } else { "goroutines" }
}

/// Whether as many tickers or timers were made as goroutines wait to receive: they wake by themselves, again
/// and again, and do not end.
fn is_of_timers(facts: &Facts, waiting: &Waiting<'_>) -> bool {
    const MAKE: [&str; 3] = ["time.NewTicker", "time.NewTimer", "time.After"];
    let grown = |s: &Site| s.current.minus(s.baseline).objects;
    let makes = |s: &&Site| {
        let innermost = s.stack.iter().take(3).filter_map(|i| frame(facts, *i));
        innermost.into_iter().any(|f| MAKE.contains(&f.function.as_str()))
    };
    let made = facts.profile.sites.iter().filter(makes).map(grown).fold(0, u64::saturating_add);
    waiting.wait == Wait::ChanReceive && made >= waiting.count / 2
}

/// What they wait for: that it is one thing for all of them, and that no deadline is set, only where that was
/// read.
fn waiting_for(facts: &Facts, waiting: &Waiting<'_>) -> String {
    if let Some(library) = library_wait(facts, waiting.group) {
        return library.what.to_owned();
    }
    if is_of_timers(facts, waiting) {
        return "their ticker or timer, again and again (a goroutine that does not end)".to_owned();
    }
    let what = waiting.wait.what();
    let group = waiting.group;
    let almost_all = |n: u64| n >= group.count.saturating_sub(group.count / 10) && group.count > 0;
    match (waiting.wait, group.waits_on) {
        (Wait::Io, _) if is_writing(facts, group) => {
            let until = if deadline(group) == Some(false) { ", without a deadline" } else { "" };
            format!("the other end to read what they write{until}")
        }
        (Wait::Io, _) if deadline(group) == Some(false) => format!("{what} without a deadline"),
        (Wait::Io, _) if deadline(group) == Some(true) => format!("{what} with a deadline (a slow dependency)"),
        (Wait::Mutex, Some(on)) if almost_all(on.most) => "one mutex".to_owned(),
        (Wait::RwMutex, Some(on)) if almost_all(on.most) => "one read-write lock".to_owned(),
        (Wait::ChanSend, Some(on)) if almost_all(on.most) => "somebody to receive from one channel".to_owned(),
        (Wait::ChanReceive, Some(on)) if almost_all(on.most) => "somebody to send to one channel".to_owned(),
        _ => what.to_owned(),
    }
}

/// `in main.send (main.go:4)` where the wait is in that function itself, as far as its own calls of the
/// runtime and of `sync` go; where it is in a library that it has called `in database/sql.(*DB).conn, below
/// main.handle (main.go:4)`.
fn in_or_below(facts: &Facts, group: &Group, at: &Frame) -> String {
    match innermost(facts, group) {
        Some(f) if f.function != at.function => format!("in {}, below {}", f.function, place(at)),
        _ => format!("in {}", place(at)),
    }
}

/// The innermost frame of the program in the largest group of them; of goroutines that a library runs for
/// itself the library's.
fn waits_at<'a>(facts: &'a Facts, group: &Group) -> Option<&'a Frame> {
    let own = program_frame(facts, group).filter(|f| !f.function.starts_with("runtime."));
    own.or_else(|| innermost(facts, group))
}

fn sentence(
    facts: &Facts,
    w: &Window,
    heap: &HeapCause<'_>,
    calls: &Calls<'_>,
    (waiting, at): (&Waiting<'_>, &Frame),
    cause: Option<&VerdictGroup>,
) -> String {
    let whose = match (subjects(calls), is_inside(facts, &waiting.group.stack, &calls.of.function)) {
        ("calls", _) => format!("calls of {}", calls.of.function),
        (_, true) => format!("goroutines in {}", calls.of.function),
        (_, false) => format!("goroutines that {} started", calls.of.function),
    };
    let wait = waiting_for(facts, waiting);
    let comma = if wait.contains(',') { "," } else { "" };
    let who = format!(
        "{} of {} {whose} wait for {}{comma} {}{}",
        count(waiting.count),
        count(calls.total),
        wait,
        in_or_below(facts, waiting.group, at),
        cause.map_or_else(String::new, |g| format!(": {}", g.cause))
    );
    match &heap.origin {
        Origin::Profiled(c) => format!(
            "{who}; what they hold was allocated in {}: {} of {}, about {} each.",
            place(&c.frame),
            percent((c.growth.bytes as f64 / w.growth().max(1) as f64).min(1.0)),
            growth_of(facts, w),
            bytes(held_of(c, waiting.count).bytes / calls.total.max(1))
        ),
        Origin::Suspects(_) if heap.by_way.is_some() => format!(
            "{who}, and lead to most of {}: {}, about {} each. Which line allocated it is not recorded.",
            growth_of(facts, w),
            bytes(heap.by_way.unwrap_or_default()),
            bytes(heap.by_way.unwrap_or_default() / calls.total.max(1))
        ),
        Origin::Suspects(_) => format!(
            "{who}, and came with {}: about {} each, stacks included, if all of it is theirs. Which line allocated it is not recorded.",
            growth_of(facts, w),
            bytes(w.growth() / calls.total.max(1))
        ),
    }
}

fn factors(
    facts: &Facts,
    growth: &Growth,
    w: &Window,
    heap: &HeapCause<'_>,
    calls: &Calls<'_>,
    waiting: &Waiting<'_>,
) -> Vec<ConfidenceFactor> {
    let calls_for_certain = calls.called as f64 / calls.total.max(1) as f64;
    let new = (calls.new.unwrap_or(0) as f64 / waiting.count.max(1) as f64).max(calls_for_certain);
    let mut out = match &heap.origin {
        Origin::Profiled(_) => of_origin(facts, growth, w, heap),
        // The pile itself is the suspect.
        Origin::Suspects(_) => vec![ConfidenceFactor { name: "no profile says who allocated", value: 0.8 }],
    };
    out.push(ConfidenceFactor {
        name: "share of the calls that wait for the same",
        value: calls.part_waiting().sqrt(),
    });
    out.push(match heap.by_way {
        // Whenever they came: the references lead from them to what grew.
        Some(led_to) => ConfidenceFactor {
            name: "share of the growth that they lead to",
            value: (led_to as f64 / w.growth().max(1) as f64).min(1.0),
        },
        None => ConfidenceFactor {
            name: "goroutines that came with the growth, or are inside a call, for each that waits",
            value: new.min(1.0).sqrt(),
        },
    });
    out
}

fn evidence(
    facts: &Facts,
    w: &Window,
    heap: &HeapCause<'_>,
    calls: &Calls<'_>,
    waiting: &Waiting<'_>,
    holders: &[String],
) -> Vec<Evidence> {
    let exact = |text: String| Evidence { text, source: Source::Exact };
    let mut out = vec![exact(format!(
        "{} of {}: {} at work, {} waiting ({})",
        plural(calls.total, "goroutine"),
        calls.of.function,
        count(calls.working),
        count(waiting.count),
        waiting.group.why()
    ))];
    if let Some(new) = calls.new {
        out.push(exact(format!("{} came in the window", plural(new, "goroutine"))));
    }
    // Un-sampled counts of sites whose objects are of many sizes say little of each.
    let few_each = |c: &Culprit| c.growth.objects <= waiting.count.saturating_mul(AT_MOST_EACH);
    if let Origin::Profiled(c) = &heap.origin
        && few_each(c)
    {
        out.push(Evidence {
            text: format!(
                "{} from {} in use, {} for each that waits",
                plural(c.current.objects, "object"),
                c.frame.function,
                objects_each(held_of(c, waiting.count).objects, waiting.count)
            ),
            source: Source::Sampled,
        });
    }
    if let Some(oldest) = oldest_wait(facts, waiting.wait) {
        out.push(exact(format!("one of them has waited for {} at least", seconds(oldest as f64 / 1e3))));
    }
    out.extend(never_touched(facts, w).map(exact));
    out.extend(heap.reach.iter().filter_map(Reachability::kept));
    out.extend(holders.iter().map(|text| Evidence { text: text.clone(), source: Source::Estimated }));
    out
}

/// What those that wait have of a culprit: what came with the growth; or all of it, where some of them had
/// come before and only with these there is one for each.
fn held_of(c: &Culprit, waiting: u64) -> Amount {
    let enough = |of: Amount| one_for_each_of(of.objects, waiting);
    if !enough(c.growth) && enough(c.current) { c.current } else { c.growth }
}

/// `1.0`, `12`.
fn objects_each(objects: u64, waiting: u64) -> String {
    let each = objects as f64 / waiting.max(1) as f64;
    if each < 10.0 { format!("{each:.1}") } else { format!("{each:.0}") }
}

/// Milliseconds that the oldest has waited at least.
fn oldest_wait(facts: &Facts, wait: Wait) -> Option<u64> {
    let groups = facts.goroutines.groups.iter().filter(|g| doing(facts, g) == Doing::Waiting(wait));
    waited_at_least(facts, groups.map(|g| g.oldest_wait_ms).max()?)
}

/// Who may hold the lock: few goroutines that are inside another method of the type whose method waits for
/// it, and do not wait for it themselves. Go's mutexes record no owner, so that this is inference.
fn holders(facts: &Facts, waiting: &Waiting<'_>) -> Vec<String> {
    if !waiting.wait.is_lock() && waiting.wait != Wait::AllDone {
        return Vec::new();
    }
    let module = &facts.target.module.path;
    let locks = waiting.group.stack.iter().filter_map(|i| frame(facts, *i));
    let Some(of) = locks.filter(|f| !is_standard_library(&f.function, module)).find_map(|f| receiver(&f.function))
    else {
        return Vec::new();
    };
    let waits = |g: &&Group| doing(facts, g) == Doing::Waiting(waiting.wait);
    let others = facts.goroutines.groups.iter().filter(|g| !waits(g));
    let inside = others.filter_map(|g| {
        let at = g.stack.iter().filter_map(|i| frame(facts, *i)).find(|f| receiver(&f.function) == Some(of))?;
        let what = if waiting.wait == Wait::AllDone { "may be who they wait for" } else { "may hold it" };
        Some(format!("{} in {} {what} ({})", plural(g.count, "goroutine"), place(at), g.why()))
    });
    inside.take(MAX_HOLDERS).collect()
}

fn do_now(facts: &Facts, calls: &Calls<'_>, waiting: &Waiting<'_>, at: &Frame) -> Vec<(String, String)> {
    let mut out = vec![(
        format!("Restart the instances in which many goroutines wait in {}", at.function),
        "it frees what they hold, and fills again until the cause is gone".to_owned(),
    )];
    out.push((
        format!("Let fewer calls of {} in: shed load, cut the callers' retries", calls.of.function),
        "each that waits holds memory until it ends".to_owned(),
    ));
    if waiting.wait == Wait::Io {
        let does_not = if is_writing(facts, waiting.group) { "read" } else { "answer" };
        out.push((format!("Look at the other end: who does not {does_not}, and since when"), String::new()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;
    use crate::facts::{
        Amount, Gc, Goroutines, GraphCensus, GraphFacts, GraphLeader, GraphNode, GraphPath, GraphRoot, Heap,
        LargeObjects, Sample, Site,
    };

    /// As v2ray had it: writers wait for who does not read, and what is queued up behind them those lead to
    /// as well who fill the queues.
    #[test]
    fn who_is_held_up_is_named_for_what_is_kept_by_way_of_it() {
        let names = ["internal/poll.(*pollDesc).waitWrite", "main.drain", "main.fill", "main.log"];
        let frame = |f: &&str| Frame { function: (*f).into(), file: "svc/main.go".into(), line: 4 };
        let group = |stack: Vec<u32>, count, state: &str, reason: &str| Group {
            count,
            state: state.into(),
            wait_reason: reason.into(),
            stack,
            ..Group::default()
        };
        let groups = vec![
            group(vec![0, 1], 40, "waiting", "IO wait"),
            group(vec![2], 30, "runnable", ""),
            group(vec![3], 1, "running", ""),
        ];
        let path = |from: &str| GraphPath {
            steps: vec![format!("goroutines in {from} [frame {from}]"), ".queue".into()],
            bytes: 400_000_000,
            objects: 90_000,
            ..GraphPath::default()
        };
        let graph = |from: &str| GraphFacts {
            of_one_moment: true,
            live_bytes: 480_000_000,
            garbage_bytes: 20_000_000,
            paths: vec![path(from)],
            ..GraphFacts::default()
        };
        let mut facts = Facts {
            gc: Gc { heap_in_use: 500_000_000, ..Gc::default() },
            goroutines: Goroutines { total: 71, running: 1, groups, ..Goroutines::default() },
            frames: names.iter().map(frame).collect(),
            graph: Some(graph("main.drain")),
            ..Facts::default()
        };
        let sample = |i: u64| Sample { t_ms: i * 10, usage_bytes: i * 5_000_000, ..Sample::default() };
        facts.timeline.samples = (0..=100).map(sample).collect();
        let diagnosis = diagnose(&facts);
        let found = diagnosis.verdict().unwrap();
        assert_eq!(found.title, "goroutines wait for the other end to read what they write, and hold what grew");
        assert!(found.sentence.starts_with("40 of 40 goroutines in main.drain"), "{}", found.sentence);
        assert!(found.sentence.contains("lead to most of") && found.cure.contains("SetWriteDeadline"));
        assert!(found.confidence() <= crate::UNTESTED, "others lead there too");

        // Of what several lead to, the way that is shown may begin at any of them.
        let leader = |name: &str, goroutines| GraphLeader {
            kind: "goroutine".into(),
            name: name.into(),
            goroutines,
            objects: goroutines,
        };
        let mut of_queues = graph("main.fill");
        of_queues.tree = vec![
            GraphNode { kind: "heap".into(), count: 1, retained_bytes: 480_000_000, ..GraphNode::default() },
            GraphNode {
                parent: Some(0),
                name: "main.queue".into(),
                kind: "object".into(),
                count: 41,
                retained_bytes: 450_000_000,
                led_to_by: vec![leader("main.log", 1), leader("main.fill", 41), leader("main.drain", 40)],
                ..GraphNode::default()
            },
        ];
        facts.graph = Some(of_queues);
        let diagnosis = diagnose(&facts);
        let found = diagnosis.verdict().unwrap();
        assert!(found.sentence.contains("40 of 40 goroutines in main.drain"), "{}", found.sentence);
        assert!(found.sentence.contains(": 450 MB, about 11.2 MB each"), "{}", found.sentence);
        let said =
            "41 main.queue keep 450 MB of it; to each lead a goroutine in main.fill and a goroutine in main.drain";
        assert!(found.evidence.iter().any(|e| e.text.ends_with(said)), "{:?}", found.evidence);

        // Who has work, or waits for some, leads to what all share as well.
        facts.graph = Some(graph("main.fill"));
        assert_ne!(diagnose(&facts).verdict().unwrap().code, "waiting-calls");
    }

    /// That there are as many objects as goroutines wait proves nothing: a map that has one for each caller
    /// has as many (`lab/deaths`, map-grows).
    #[test]
    fn numbers_that_are_alike_do_not_tell_who_holds_it() {
        let frames = ["internal/poll.(*pollDesc).waitRead", "main.ask", "main.handle"];
        let frame = |f: &&str| Frame { function: (*f).into(), file: "svc/main.go".into(), line: 4 };
        let waiting = Group {
            count: 600,
            state: "waiting".into(),
            wait_reason: "IO wait".into(),
            stack: vec![0, 1, 2],
            ..Group::default()
        };
        let large = LargeObjects { size: 800_000, count: 600, ..LargeObjects::default() };
        let mut facts = Facts {
            gc: Gc { heap_in_use: 480_000_000, stacks: 5_000_000, ..Gc::default() },
            goroutines: Goroutines { total: 620, running: 1, groups: vec![waiting], ..Goroutines::default() },
            frames: frames.iter().map(frame).collect(),
            heap: Some(Heap { large: vec![large], ..Heap::default() }),
            ..Facts::default()
        };
        let sample =
            |i: u64| Sample { t_ms: i * 10, usage_bytes: i * 5_000_000, goroutines: 20 + i * 6, ..Sample::default() };
        facts.timeline.samples = (0..=100).map(sample).collect();
        let diagnosis = diagnose(&facts);
        let found = diagnosis.verdict().unwrap();
        assert_eq!((found.code, found.confidence() <= crate::UNTESTED), ("waiting-calls", true), "{found:?}");
        let rival = found.rivals.iter().find(|r| r.cause.starts_with("memory that others hold")).unwrap();
        assert!(rival.because.contains("the heap has 600 objects of 800 kB, and 600 wait"), "{}", rival.because);
    }

    /// Uploads are in a queue whose reader has ended, and each of 667 calls waits for its receipt. What each
    /// has handed over is of 300 kB with a header of 48 bytes; one of those was sampled (`lab/deaths`,
    /// chan-receive).
    #[test]
    fn who_waits_with_what_a_queue_keeps_is_told_whatever_was_sampled() {
        let names = ["runtime.chanrecv1", "main.(*batcher).store", "main.main.func1", "main.receive"];
        let frame = |f: &&str| Frame { function: (*f).into(), file: "svc/main.go".into(), line: 4 };
        let waiting = Group {
            count: 667,
            state: "waiting".into(),
            wait_reason: "chan receive".into(),
            stack: vec![0, 1, 2],
            ..Group::default()
        };
        let of = |bytes, objects| Amount { bytes, objects };
        let site =
            |amount| Site { stack: vec![3, 2], current: amount, allocated: amount, samples: 300, ..Site::default() };
        let queue = GraphCensus {
            owner: "goroutine in main.main .in".into(),
            type_name: "chan *main.upload".into(),
            kind: "chan".into(),
            elements: 667,
            retained_bytes: 205_000_000,
            count: 1,
            ..GraphCensus::default()
        };
        let root = GraphRoot {
            kind: "goroutine".into(),
            name: "main.main".into(),
            goroutines: 1,
            objects: 2005,
            retained_bytes: 205_000_000,
            ..GraphRoot::default()
        };
        let mut facts = Facts {
            gc: Gc { heap_in_use: 206_000_000, ..Gc::default() },
            goroutines: Goroutines { total: 668, running: 1, groups: vec![waiting], ..Goroutines::default() },
            frames: names.iter().map(frame).collect(),
            graph: Some(GraphFacts {
                of_one_moment: true,
                live_bytes: 205_500_000,
                roots: vec![root],
                census: vec![queue],
                ..GraphFacts::default()
            }),
            ..Facts::default()
        };
        facts.profile.rate = 524_288;
        facts.profile.baseline_t_ms = Some(0);
        let sample =
            |i: u64| Sample { t_ms: i * 10, usage_bytes: i * 2_070_000, goroutines: 1 + i * 6, ..Sample::default() };
        facts.timeline.samples = (0..=100).map(sample).collect();
        for sampled in [of(205_000_000, 667), of(205_524_312, 667 + 10_923)] {
            facts.profile.sites = vec![site(sampled)];
            let diagnosis = diagnose(&facts);
            let found = diagnosis.verdict().unwrap();
            assert_eq!(found.code, "waiting-calls", "{}", found.sentence);
            assert!(found.sentence.contains("667 of 667 goroutines"), "{}", found.sentence);
            assert!(found.confidence() <= crate::UNTESTED, "the queue keeps it too");
        }
    }
}
