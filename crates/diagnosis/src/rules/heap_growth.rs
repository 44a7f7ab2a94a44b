//! Growth of the Go heap that one function allocated. The page: `heap-growth.md`.

use super::collection_only_grows::look_first;
use super::rule::{Case, Rule, RuleInfo};
use crate::calls::Waiting;
use crate::collector::{Pace, effective_memory_limit};
use crate::facts::Facts;
use crate::finding::{ConfidenceFactor, Evidence, Finding, Source};
use crate::findings::Findings;
use crate::graph_certainty::share_of_live;
use crate::growth::{Culprit, Growth};
use crate::heap_cause::{HeapCause, Mechanism, Origin};
use crate::held_up::HeldUp;
use crate::library_waits::library_wait;
use crate::reachability::Reachability;
use crate::reads::reads_by;
use crate::sentence::{
    growth as growth_of, level, look_for_change, memory_limit_for, never_touched, place, set_memory_limit,
};
use crate::site_certainty::{ONE_WAY, explained, of_culprit};
use crate::subject::Subject;
use crate::suspects::program_frame;
use crate::thresholds::heap_growth::{LEAK_SECONDS, LIMIT_SECONDS, MAJORITY, MIN_EXPLAINED, RULED_OUT_IDLE};
use crate::units::{bytes, count, percent, plural, seconds};
use crate::unknown::About;
use crate::waits::is_of_the_wait;
use crate::what_to_bound;
use crate::window::Window;

/// The rule.
pub(super) struct HeapGrowth;

impl Rule for HeapGrowth {
    const INFO: RuleInfo = RuleInfo {
        code: "heap-growth",
        title: "the Go heap grew, and one function allocated most of it",
        doc: include_str!("heap-growth.md"),
    };

    fn check(case: &Case<'_>, out: &mut Findings) {
        if !case.growth.has_baseline {
            out.not_known(About::Growth, "what grew: this capture has no calmer time to compare with");
        }
        if let Some(w) = case.window {
            rule_out_limit(case, out);
            rule_out_idle(case, w, out);
            out.found(case.heap.and_then(|heap| find(case.facts, case.growth, w, heap)));
        }
    }
}

/// A limit that is not the matter: twice as much would have bought minutes at most.
fn rule_out_limit(case: &Case<'_>, out: &mut Findings) {
    let double = case.limits.get(1);
    if let Some(double) = double.filter(|l| l.seconds < LIMIT_SECONDS) {
        let because = format!("a limit of {} would have bought {}", bytes(double.limit), seconds(double.seconds));
        out.rule_out("the limit", because, Source::Estimated);
    }
}

/// Pages that the runtime keeps for later.
fn rule_out_idle(case: &Case<'_>, w: &Window, out: &mut Findings) {
    let gc = &case.facts.gc;
    let idle = gc.heap_free as f64 / w.end_bytes.max(1) as f64;
    if gc.percent >= 0 && case.growth.has_baseline && gc.heap_marked > 0 && idle < RULED_OUT_IDLE {
        let because = format!("{} ({}) of the memory is idle in the Go heap", bytes(gc.heap_free), percent(idle));
        out.rule_out("memory that Go has not given back", because, Source::Exact);
    }
}

fn find<'a>(facts: &'a Facts, growth: &Growth, w: &Window, heap: &HeapCause<'a>) -> Option<Finding> {
    let Origin::Profiled(c) = &heap.origin else { return None };
    let per_call = match heap.mechanism {
        Mechanism::CallsAtWork(each) => Some(each),
        Mechanism::StaysAlive | Mechanism::NotSettled => None,
        _ => return None,
    };
    // Sites that grew by less than a part of what the process grew by do not explain it.
    if explained(growth, w) < MIN_EXPLAINED {
        return None;
    }
    let title = match heap.mechanism {
        Mechanism::CallsAtWork(_) if reads_by(facts, c).is_some() => {
            "every call builds its own copy of something large, of what it is sent"
        }
        Mechanism::CallsAtWork(_) if heap.they_wait().is_some() => {
            "every call builds its own copy of something large, and waits with it"
        }
        Mechanism::CallsAtWork(_) => "every call builds its own copy of something large",
        Mechanism::StaysAlive if heap.recursion.is_some() => "a recursion keeps what each level of it allocates",
        Mechanism::StaysAlive if heap.may_be_its_start() => {
            "it grew from its start on: it is still loading, or it leaks"
        }
        Mechanism::StaysAlive if heap.kept_by_each(facts).is_some() => "each of many goroutines keeps ever more",
        Mechanism::StaysAlive if heap.keeper().is_some() => "what one holder keeps stays alive",
        _ if w.seconds() > LEAK_SECONDS => "memory leaks from one place",
        Mechanism::StaysAlive => "what one function allocates stays alive",
        _ => "one function allocates faster than memory lasts",
    };
    let held_up = heap.held_up(facts, w);
    Some(Finding {
        code: HeapGrowth::INFO.code,
        subject: Subject::site(&c.frame),
        level: level(facts, w.end_bytes),
        title: title.into(),
        sentence: sentence(facts, c, w, heap, per_call, held_up.as_ref()),
        factors: factors(facts, growth, w, heap, c),
        rivals: heap.rivals.clone(),
        evidence: evidence(facts, growth, c, w, heap),
        cure: cure(facts, c, heap, held_up.as_ref()),
        site: Some(c.site),
        do_now: do_now(facts, c, w, heap, per_call),
    })
}

/// How sure the place is, or who keeps it where that is what is named; then the cause.
fn factors(facts: &Facts, growth: &Growth, w: &Window, heap: &HeapCause<'_>, c: &Culprit) -> Vec<ConfidenceFactor> {
    let mut out = of_culprit(facts, growth, w, c);
    if let (Some((_, _, part)), Some(of_function)) = (heap.keeper(), out.first_mut()) {
        *of_function = ConfidenceFactor {
            name: "share of the growth that the holder keeps, at least, by the heap's references",
            value: part * heap.parts.share(heap.parts.heap),
        };
        out.retain(|f| f.name != ONE_WAY);
    }
    out.extend(certainty(heap));
    out
}

/// How sure the cause is, beside its rivals: the part of the calls that are at work, the part that is alive.
fn certainty(heap: &HeapCause<'_>) -> Option<ConfidenceFactor> {
    match heap.mechanism {
        // Who waits for a moment is at work too; how far that is so is the rivals' matter.
        Mechanism::CallsAtWork(_) => heap.calls.as_ref().map(|calls| ConfidenceFactor {
            name: "share of the calls in flight that are at work",
            value: 1.0 - (1.0 - calls.part_at_work()) / 5.0,
        }),
        Mechanism::StaysAlive => match &heap.reach {
            Some(reach) => Some(ConfidenceFactor {
                name: "share of the heap that is alive, by its references (its root)",
                value: reach.live_part().sqrt(),
            }),
            None => heap.collector.alive.map(|alive| ConfidenceFactor {
                name: "share of the growth that a mark found alive",
                value: alive.sqrt(),
            }),
        },
        _ => None,
    }
}

fn sentence(
    facts: &Facts,
    c: &Culprit,
    w: &Window,
    heap: &HeapCause<'_>,
    per_call: Option<u64>,
    held_up: Option<&HeldUp<'_>>,
) -> String {
    let part = percent((c.growth.bytes as f64 / w.growth().max(1) as f64).min(1.0));
    if let Some((keeps, ..)) = heap.keeper() {
        return format!(
            "Still held, of {}: {keeps}; {} ran meanwhile. No function allocated most of it; the largest part, {part}, is of {}.",
            growth_of(facts, w),
            plural(heap.collector.marks as u64, "collection"),
            place(&c.frame)
        );
    }
    let mut out = format!("{} allocated {part} of {}", place(&c.frame), growth_of(facts, w));
    if let (Some(each), Some(calls)) = (per_call, &heap.calls) {
        let whose =
            if calls.of.function == c.frame.function { String::new() } else { format!(" in {}", calls.of.function) };
        out += &format!(": {} calls in flight{whose}, about {} each", count(calls.total), bytes(each));
        if let Some(waiting) = heap.they_wait() {
            let at = program_frame(facts, waiting.group)
                .filter(|f| !is_of_the_wait(&f.function))
                .map_or_else(String::new, |f| format!(" in {}", f.function));
            out += &format!("; {} of them wait for {}{at}", count(waiting.count), waits_for(facts, waiting));
        }
    }
    if heap.mechanism == Mechanism::StaysAlive {
        out += &match &heap.reach {
            // What is alive in the end the references say.
            Some(reach) => format!(": {} of the heap is alive", percent(reach.live_part())),
            None => {
                let marks = plural(heap.collector.marks as u64, "collection");
                format!(": {marks} ran meanwhile and found it alive")
            }
        };
        let each = || heap.kept_by_each(facts).map_or_else(String::new, |text| format!("; {text}"));
        let meanwhile = held_up.map_or_else(each, |held| format!("; {}", held.text()));
        out += &heap.of_no_use(facts).map_or(meanwhile, |text| format!("; {text}"));
    }
    if let Some(recursion) = &heap.recursion {
        out += &format!("; {} calls itself, level upon level, on the way there", place(recursion.of));
    }
    out.push('.');
    out
}

fn evidence(facts: &Facts, growth: &Growth, c: &Culprit, w: &Window, heap: &HeapCause<'_>) -> Vec<Evidence> {
    let exact = |text: String| Evidence { text, source: Source::Exact };
    let sampled = |text: String| Evidence { text, source: Source::Sampled };
    let since = facts.capture.t_ms.saturating_sub(facts.profile.baseline_t_ms.unwrap_or(0)) / 1000;
    let mut out = vec![
        sampled(format!(
            "{} in use from {}, {} more than {since} s before the end (± {}, {})",
            bytes(c.current.bytes),
            c.frame.function,
            bytes(c.growth.bytes),
            bytes(c.error_bytes),
            plural(c.samples, "sample")
        )),
        exact(format!(
            "memory grew at {}/s ({}/s to {}/s)",
            bytes(w.rate as u64),
            bytes(w.rate_low as u64),
            bytes(w.rate_high as u64)
        )),
    ];
    out.extend(calls_in_flight(c, heap).map(exact));
    out.push(sampled(format!(
        "the sites that grew did so by {} together, the process by {}",
        bytes(growth.total.bytes),
        bytes(w.growth())
    )));
    if let Some(f) = &c.caller {
        out.push(exact(format!("called from {}", place(f))));
    }
    if let Some(r) = &heap.recursion {
        out.push(exact(format!(
            "{} stands {} times in the recorded part of the stack; the goroutine's own takes {}",
            r.of.function,
            count(r.times),
            bytes(r.stack_bytes)
        )));
    }
    if let Some(through) = &c.through {
        out.push(exact(format!("it allocates through {through}")));
    }
    out.extend(heap.reach.iter().filter_map(Reachability::kept));
    out.extend(memory_limit_below_live(facts).map(exact));
    out.extend(never_touched(facts, w).map(exact));
    out
}

/// What they wait for: by the library that they wait in, if that is known.
fn waits_for(facts: &Facts, waiting: &Waiting<'_>) -> &'static str {
    library_wait(facts, waiting.group).map_or_else(|| waiting.wait.what(), |library| library.what)
}

/// `inside main.tab: 159 goroutines, 150 of them at work`.
fn calls_in_flight(c: &Culprit, heap: &HeapCause<'_>) -> Option<String> {
    match &heap.calls {
        Some(calls) => {
            let waiting = calls
                .waiting
                .as_ref()
                .map_or_else(String::new, |w| format!(", {} wait for {}", count(w.count), w.wait.what()));
            Some(format!(
                "inside {}: {}, {} of them at work{waiting}",
                calls.of.function,
                plural(calls.total, "goroutine"),
                count(calls.working)
            ))
        }
        None if c.goroutines > 0 => Some(format!("inside {}: {}", c.frame.function, plural(c.goroutines, "goroutine"))),
        None => None,
    }
}

/// GOMEMLIMIT bounds garbage, and not what is alive.
fn memory_limit_below_live(facts: &Facts) -> Option<String> {
    let limit = facts.gc.memory_limit.filter(|m| *m < facts.gc.heap_marked)?;
    Some(format!(
        "GOMEMLIMIT is {}, and {} are alive: the collector runs without end ({} times so far) and can free nothing",
        bytes(limit),
        bytes(facts.gc.heap_marked),
        count(u64::from(facts.gc.cycles))
    ))
}

fn cure(facts: &Facts, c: &Culprit, heap: &HeapCause<'_>, held_up: Option<&HeldUp<'_>>) -> String {
    let function = &c.frame.function;
    if let Some(recursion) = &heap.recursion {
        return format!(
            "Bound how deep {} may go: a check for cycles, a limit on its input; or hand one buffer down to all levels in place of a copy for each.",
            recursion.of.function
        );
    }
    if let Some(held) = held_up {
        return held.cure();
    }
    if let Some(of_each) = heap.cure_of_each(facts) {
        return of_each;
    }
    match heap.mechanism {
        Mechanism::CallsAtWork(_) if reads_by(facts, c).is_some() => format!(
            "Bound how much one call of {function} may read (http.MaxBytesReader, io.LimitReader, the protocol's own maximum) and for how long (a deadline), and how many calls may at a time; hand on what is read in parts where it need not be there as a whole. If it is the same for every call, read it once and share it."
        ),
        Mechanism::CallsAtWork(_) => match heap.they_wait().filter(|_| heap.may_be_slow()) {
            Some(waiting) => format!(
                "If {function} builds the same for every call: build it once, when its input changes, and share it read-only. Else see why the calls wait for {} so long with it, and bound how many may.",
                waits_for(facts, waiting)
            ),
            None if is_one_content(facts) => format!(
                "Build what {function} builds once, when its input changes, and share it read-only between calls; bound how many calls may hold a copy at a time."
            ),
            // Nobody has seen that they are equal: pictures that users send are not.
            None => format!(
                "Bound how many calls of {function} may run at a time, and how large what each is given may be. If it builds the same for every call: build it once, when its input changes, and share it read-only."
            ),
        },
        Mechanism::StaysAlive => {
            let reach = heap.reach.as_ref();
            let first = look_first(facts);
            let bounded = || what_to_bound::collection(facts, reach).filter(|_| first.is_empty());
            let known = what_to_bound::habit(facts, reach, heap.collector.marks).or_else(bounded);
            if heap.may_be_its_start() {
                let find = || "Find what keeps the objects reachable, and bound it.".to_owned();
                return format!(
                    "If {function} loads what the program needs: load less of it, or give it a limit that holds it. Else: {}",
                    known.unwrap_or_else(find)
                );
            }
            match (known, heap.keeper()) {
                (Some(cure), _) => cure,
                (None, Some((_, name, _))) => format!("Bound what {name} keeps, or let go of it."),
                (None, None) => match reach.and_then(Reachability::bounding) {
                    Some(keeps) => format!("{keeps}{first}"),
                    None => format!("Find what keeps the objects from {function} reachable, and bound it.{first}"),
                },
            }
        }
        _ => {
            let garbage = mostly_garbage(facts).map_or_else(String::new, |(garbage, value)| {
                format!(
                    "{} of the heap were garbage: set GOMEMLIMIT={value}, with which the collector runs before the limit is reached. ",
                    bytes(garbage)
                )
            });
            format!(
                "{garbage}Tell first what it is (OR ELSE); then bound what {function} allocates, or what keeps it reachable."
            )
        }
    }
}

/// Whether most of what is live was compared, and is copies of one content.
fn is_one_content(facts: &Facts) -> bool {
    let graph = facts.graph.as_ref().filter(|g| g.of_one_moment);
    graph.is_some_and(|g| {
        let equal = g.copies.iter().filter(|c| c.equal == "content" && c.copies > 1);
        equal.map(|c| share_of_live(g, c.total_bytes)).fold(0.0, f64::max) >= MAJORITY
    })
}

/// Bytes of garbage, and the GOMEMLIMIT that would have had them collected, where they are more than what is
/// alive and none acts below the limit. (Seen from outside: jaeger, 109 MB alive and 239 MB garbage under
/// 518 MB; with GOMEMLIMIT the same queries lived in 346 MB.)
fn mostly_garbage(facts: &Facts) -> Option<(u64, String)> {
    let graph = facts.graph.as_ref().filter(|g| g.of_one_moment && g.garbage_bytes > g.live_bytes)?;
    let limit = facts.target.limit_bytes.filter(|_| effective_memory_limit(facts).is_none())?;
    Some((graph.garbage_bytes, memory_limit_for(limit)))
}

fn do_now(
    facts: &Facts,
    c: &Culprit,
    w: &Window,
    heap: &HeapCause<'_>,
    per_call: Option<u64>,
) -> Vec<(String, String)> {
    let mut out = vec![look_for_change(facts, w)];
    if let (Some(each), Some(limit), Some(calls)) = (per_call, facts.target.limit_bytes, &heap.calls) {
        // Half of what is free, since GOGC=100 lets the heap grow to twice what is live.
        let room = limit.saturating_sub(w.start_bytes) / 2;
        let fit = (room / each.max(1)).max(1);
        out.push(match reads_by(facts, c) {
            // What they hold so far is no bound of what they will.
            Some(reader) => (
                format!("Bound how much one call of {} may read, and how many run at a time", calls.of.function),
                format!(
                    "by {reader} each has read {} so far; {} that hold no more than that would fit under the limit",
                    bytes(each),
                    count(fit)
                ),
            ),
            None => (
                format!("Let at most {} calls of {} run at a time", count(fit), calls.of.function),
                format!("if none holds more than the {} of those in flight, that fits under the limit", bytes(each)),
            ),
        });
    }
    if let (Pace::Off, Some(limit)) = (heap.collector.pace, facts.target.limit_bytes) {
        let garbage = facts.graph.as_ref().filter(|g| g.of_one_moment).map_or(0, |g| g.garbage_bytes);
        out.push((
            set_memory_limit(facts, &memory_limit_for(limit)),
            format!("GOGC is off, and {} of the heap were garbage; what is alive it does not free", bytes(garbage)),
        ));
    } else if let Some((_, value)) = mostly_garbage(facts).filter(|_| heap.mechanism == Mechanism::NotSettled) {
        let why = "most of the heap was garbage that waited for the collector";
        out.push((set_memory_limit(facts, &value), why.into()));
    }
    if c.share < MAJORITY {
        out.push(("Look at the flame graph: no single function has the majority".into(), String::new()));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;
    use crate::facts::{
        Amount, Frame, Gc, GoroutineLook, GraphCopies, GraphFacts, GraphPath, GraphRoot, Group, Sample, Site,
    };
    use crate::rival::Told;

    /// A heap of 500 MB that one function of calls has filled within a second: `stack` is theirs, innermost
    /// first, `allocated` what the site has allocated.
    fn filled_by_calls(stack: &[&str], allocated: u64) -> Facts {
        let frame = |f: &&str| Frame { function: (*f).into(), file: "svc/main.go".into(), line: 4 };
        let mut facts = Facts { frames: stack.iter().map(frame).collect(), ..Facts::default() };
        facts.gc = Gc { heap_in_use: 500_000_000, heap_marked: 480_000_000, cycles: 8, ..Gc::default() };
        let way: Vec<u32> = (0..stack.len() as u32).collect();
        let of = |bytes: u64, objects: u64| Amount { bytes, objects };
        facts.profile.sites = vec![Site {
            stack: way.clone(),
            current: of(480_000_000, 4_000_000),
            allocated: of(allocated, 5_000_000),
            published: of(300_000_000, 2_500_000),
            samples: 900,
            ..Site::default()
        }];
        facts.profile.rate = 512 * 1024;
        facts.profile.baseline_t_ms = Some(10);
        facts.goroutines.groups = vec![Group { count: 8, state: "running".into(), stack: way, ..Group::default() }];
        facts.goroutines.total = 12;
        let sample = |i: u64| Sample { t_ms: i * 10, usage_bytes: i * 5_000_000, goroutines: 12, ..Sample::default() };
        facts.timeline.samples = (0..=100).map(sample).collect();
        facts
    }

    fn verdict(facts: &Facts) -> Finding {
        diagnose(facts).findings.into_iter().find(|f| f.code == "heap-growth").unwrap()
    }

    /// Seen: eight workers that never cancel their contexts, told as calls with 22 MB each at 0.95, since one
    /// of the function's sites had dropped a little.
    #[test]
    fn workers_may_leave_behind_what_calls_would_give_back() {
        let leak = |f: &Finding| f.rivals.iter().find(|r| r.cause.starts_with("a leak that calls")).map(|r| r.told);
        let mut facts = filled_by_calls(&["main.one", "main.work"], 600_000_000);
        let found = verdict(&facts);
        assert!(found.title.starts_with("every call builds") && found.confidence() <= crate::UNTESTED, "{found:?}");
        assert_ne!(leak(&found), Some(Told::Apart), "they were there all the time");

        // Those that a server has called end, and give it back: unless it was never freed where it grew.
        let called = ["main.one", "net/http.serverHandler.ServeHTTP"];
        assert_eq!(leak(&verdict(&filled_by_calls(&called, 600_000_000))), Some(Told::Apart));
        let mut dropped = filled_by_calls(&called, 480_000_000);
        let beside = Amount { bytes: 50_000_000, objects: 9 };
        dropped.profile.sites.push(Site { allocated: beside, ..dropped.profile.sites[0].clone() });
        dropped.profile.sites[1].current = Amount::default();
        assert_ne!(leak(&verdict(&dropped)), Some(Told::Apart));

        // By the references timers keep it, and the workers nothing.
        let path = GraphPath {
            steps: vec!["global main.timers".into(), ".heap".into()],
            bytes: 450_000_000,
            objects: 4_000_000,
            ..GraphPath::default()
        };
        facts.graph = Some(GraphFacts {
            of_one_moment: true,
            live_bytes: 480_000_000,
            garbage_bytes: 20_000_000,
            paths: vec![path],
            ..GraphFacts::default()
        });
        assert!(!verdict(&facts).title.starts_with("every call"), "{}", verdict(&facts).title);
    }

    /// Pictures that users send are not built once; a table of which each call has an equal copy is.
    #[test]
    fn it_is_shared_where_it_is_one_content() {
        let mut facts = filled_by_calls(&["main.one", "net/http.serverHandler.ServeHTTP"], 600_000_000);
        assert!(verdict(&facts).cure.starts_with("Bound how many calls of main.one may run at a time"));
        let root = GraphRoot {
            kind: "goroutine".into(),
            name: "main.one".into(),
            goroutines: 8,
            objects: 8,
            retained_bytes: 470_000_000,
            ..GraphRoot::default()
        };
        let copies = GraphCopies {
            copies: 8,
            total_bytes: 400_000_000,
            savable_bytes: 350_000_000,
            equal: "content".into(),
            ..GraphCopies::default()
        };
        facts.graph = Some(GraphFacts {
            of_one_moment: true,
            live_bytes: 480_000_000,
            garbage_bytes: 20_000_000,
            roots: vec![root],
            copies: vec![copies],
            ..GraphFacts::default()
        });
        assert!(verdict(&facts).cure.starts_with("Build what main.one builds once"), "{}", verdict(&facts).cure);
    }

    /// Seen blind: connections that were there before, whose loggers take up a field with each message.
    #[test]
    fn what_each_of_many_keeps_is_told_from_waiting() {
        let mut facts =
            filled_by_calls(&["main.fix", "main.(*session).run", "net/http.serverHandler.ServeHTTP"], 900_000_000);
        let stack = |f: &mut Facts, name: &str| {
            f.frames.push(Frame { function: name.into(), file: "svc/main.go".into(), line: 4 });
            f.frames.len() as u32 - 1
        };
        let read = stack(&mut facts, "internal/poll.(*FD).Read");
        let waiting = Group {
            count: 600,
            state: "waiting".into(),
            wait_reason: "IO wait".into(),
            stack: vec![read, 1, 2],
            ..Group::default()
        };
        facts.goroutines.groups = vec![waiting];
        facts.goroutines.total = 640;
        facts.timeline.samples.iter_mut().for_each(|s| s.goroutines = 640);
        facts.timeline.goroutines.looks = vec![GoroutineLook { t_ms: 100, live: 640, newest: 700, one_in: 1 }];
        let root = GraphRoot {
            kind: "goroutine".into(),
            name: "main.(*session).run".into(),
            goroutines: 600,
            objects: 60_000,
            retained_bytes: 470_000_000,
            ..GraphRoot::default()
        };
        let path = GraphPath {
            steps: vec!["goroutines in main.(*session).run".into(), ".log".into(), ".context".into()],
            bytes: 450_000_000,
            objects: 600,
            ..GraphPath::default()
        };
        facts.graph = Some(GraphFacts {
            of_one_moment: true,
            live_bytes: 480_000_000,
            garbage_bytes: 20_000_000,
            roots: vec![root],
            paths: vec![path],
            ..GraphFacts::default()
        });
        let found = |facts: &Facts| diagnose(facts).findings.remove(0);
        let each = found(&facts);
        assert_eq!((each.code, each.title.as_str()), ("heap-growth", "each of many goroutines keeps ever more"));
        assert!(each.sentence.contains("as many as before it began, keep ever more each, 783 kB by now"), "{each:?}");
        assert!(each.cure.contains("by way of goroutines in main.(*session).run .log .context"), "{}", each.cure);
        // They came with the growth; or each has only what a call waits with.
        let mut came = facts.clone();
        came.timeline.samples.iter_mut().take(50).for_each(|s| s.goroutines = 40);
        let mut reused = facts.clone();
        reused.timeline.goroutines.looks[0].live = 40;
        let mut few = facts.clone();
        few.graph.as_mut().unwrap().roots[0].objects = 1_200;
        assert!(each.confidence() <= crate::UNTESTED, "{each:?}");
        let others = [found(&came).code, found(&few).code, found(&reused).code];
        assert_eq!(others, ["waiting-calls"; 3]);
    }

    /// Seen from outside: a sort that read all of its input, of which nine functions allocated a part each.
    #[test]
    fn where_no_function_has_most_who_keeps_it_is_named() {
        let names = ["main.parse", "main.intern", "main.index", "main.rank"];
        let frame = |f: &&str| Frame { function: (*f).into(), file: "svc/main.go".into(), line: 4 };
        let mut facts = Facts { frames: names.iter().map(frame).collect(), ..Facts::default() };
        facts.gc = Gc { heap_in_use: 500_000_000, heap_marked: 400_000_000, cycles: 8, ..Gc::default() };
        let amount = Amount { bytes: 120_000_000, objects: 1_000 };
        let site = |i: u32| Site { stack: vec![i], current: amount, samples: 300, ..Site::default() };
        facts.profile.sites = (0..4).map(site).collect();
        facts.profile.rate = 512 * 1024;
        facts.profile.baseline_t_ms = Some(10);
        let root = GraphRoot {
            kind: "global".into(),
            name: "main.table".into(),
            objects: 12_000,
            retained_bytes: 470_000_000,
            ..GraphRoot::default()
        };
        facts.graph = Some(GraphFacts {
            of_one_moment: true,
            live_bytes: 480_000_000,
            garbage_bytes: 20_000_000,
            roots: vec![root],
            ..GraphFacts::default()
        });
        let sample = |i: u64| Sample { t_ms: i * 10, usage_bytes: i * 5_000_000, ..Sample::default() };
        facts.timeline.samples = (0..=100).map(sample).collect();
        let diagnosis = diagnose(&facts);
        let found = diagnosis.findings.iter().find(|f| f.code == "heap-growth").unwrap();
        assert!(found.sentence.contains("Still held, of the 500 MB by which"), "{}", found.sentence);
        assert!(found.sentence.contains("the largest part, 24 %, is of main."), "{}", found.sentence);
        assert!(found.cure.starts_with("If main.") || found.cure.contains("main.table"), "{}", found.cure);

        // One function has most of it: it is named.
        facts.profile.sites.truncate(1);
        facts.profile.sites[0].current = Amount { bytes: 480_000_000, objects: 1_000 };
        let diagnosis = diagnose(&facts);
        let found = diagnosis.findings.iter().find(|f| f.code == "heap-growth").unwrap();
        assert!(found.sentence.starts_with("main.parse (svc/main.go:4) allocated 96 %"), "{}", found.sentence);
    }
}
