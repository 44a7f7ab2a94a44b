//! A Go heap that grew without a memory profile. The page: `unprofiled-heap.md`.

use super::collection_only_grows::{look_first, most_is_filled};
use super::rule::{Case, Rule, RuleInfo};
use crate::facts::{Facts, GraphMade, GraphPlace};
use crate::finding::{ConfidenceFactor, Evidence, Finding, Source};
use crate::findings::Findings;
use crate::graph_certainty::rival_of_dead_variables;
use crate::heap_cause::{HeapCause, Mechanism, Origin};
use crate::heap_summary::heap_summary;
use crate::held_up::HeldUp;
use crate::kept::Kept;
use crate::made;
use crate::owner::{is_inside, is_of_a_library, is_standard_library};
use crate::reachability::{HeldBy, Reachability};
use crate::reads::reads;
use crate::rival::Rival;
use crate::sentence::{ending, level, look_for_change, service};
use crate::subject::Subject;
use crate::suspects::{Suspect, Why};
use crate::thresholds::goroutine_growth;
use crate::thresholds::unprofiled_heap::{BESIDE_A_PILE, HELD_ONE_IN, MAX_HELD, MIN_WEIGHT, NO_SUSPECT};
use crate::timers::Place;
use crate::units::{bytes, count, percent, plural, seconds};
use crate::unknown::About;
use crate::what_to_bound;
use crate::window::Window;

/// The rule.
pub(super) struct UnprofiledHeap;

impl Rule for UnprofiledHeap {
    const INFO: RuleInfo = RuleInfo {
        code: "unprofiled-heap",
        title: "the Go heap grew, and the program keeps no memory profile",
        doc: include_str!("unprofiled-heap.md"),
    };

    fn check(case: &Case<'_>, out: &mut Findings) {
        let facts = case.facts;
        if facts.profile.rate == 0 && facts.gc.is_known() {
            out.not_known(About::Allocation, "which code allocated: the program keeps no memory profile (MemProfileRate is 0: it never refers to runtime.MemProfile, or has set it so)");
        }
        if let Some(on) = facts.timeline.events.iter().find(|e| e.kind == "profiling-on") {
            let at = seconds(on.t_ms as f64 / 1e3);
            out.not_known(
                About::Allocation,
                format!("which code allocated before lastgasp switched the memory profile on, {at} into the watch"),
            );
        }
        if let (Some(w), Some(heap)) = (case.window, case.heap) {
            out.found(find(facts, w, heap));
        }
    }
}

fn find<'a>(facts: &'a Facts, w: &Window, heap: &HeapCause<'a>) -> Option<Finding> {
    let Origin::Suspects(suspects) = &heap.origin else { return None };
    // The other mechanisms have rules of their own.
    let what = match heap.mechanism {
        Mechanism::StaysAlive if heap.may_be_its_start() => {
            "it grew from its start on: it is still loading, or it leaks"
        }
        Mechanism::StaysAlive => "what grew in the Go heap stays reachable",
        Mechanism::NotSettled => "the Go heap grew, and the program keeps no memory profile",
        Mechanism::CallsAtWork(_) if read_by(heap).is_some() => {
            "every call builds its own copy of something large, of what it is sent"
        }
        Mechanism::CallsAtWork(_) => "every call builds its own copy of something large",
        _ => return None,
    };
    if facts.profile.rate != 0 {
        return None;
    }
    let in_flight = match (&heap.mechanism, &heap.calls) {
        (Mechanism::CallsAtWork(each), Some(calls)) => {
            format!(": {} calls in flight in {}, about {} each", count(calls.total), calls.of.function, bytes(*each))
        }
        _ => String::new(),
    };
    let holder = heap.reach.as_ref().and_then(|r| r.holder.as_ref());
    let kept = holder.map_or_else(String::new, |held| {
        let within = heap.reach.as_ref().and_then(Reachability::collection_text);
        format!(": {}{}", held.in_full(), within.map_or_else(String::new, |text| format!("; {text}")))
    });
    // Who allocates at that moment may drop it (seen: who writes the lines, for who keeps a piece of each).
    let by = Kept::of(facts, heap, most_is_filled(facts));
    let first = by.suspect(facts, suspects).filter(|s| s.weight >= MIN_WEIGHT || by.text().is_none());
    let kept = by.text().map_or(kept, |text| format!(": {text}"));
    let named =
        first.filter(|_| holder.is_none()).map_or_else(String::new, |s| format!("; the first suspect is {}", s.text()));
    // Whom a profile would name the code names, where few functions make what is held.
    // Unless somebody else is seen allocating, and those are on no stack (seen from outside: gron, of which a
    // function was named that this run never calls).
    let seen = first.is_some_and(|s| s.why == Why::Allocating);
    let shared = || {
        let of = heap.reach.as_ref().and_then(Reachability::collection).map(|c| c.type_name.as_str());
        let is_kept = first.is_none() && by.text().is_some();
        facts.graph.as_ref().filter(|_| is_kept).and_then(|g| made::made_of_shared(g, of))
    };
    let made = holder.and_then(|held| made::made_in(held.root())).filter(|m| !seen || is_on_a_stack(facts, m));
    // Who adds to one map of a holder tells nothing of another collection of its, in which most of it is
    // (seen from outside: goaws, of which whoever adds to an empty map was named beside a list of 17,830
    // messages).
    let of_another = |m: &GraphMade| {
        let most = heap.reach.as_ref().and_then(Reachability::collection);
        m.is_added_to && most.is_some_and(|c| c.type_name != m.type_name)
    };
    // Contexts are made by the library; who asks it for them the code says.
    let derived = if first.is_none() { by.derived_in(facts) } else { &[] };
    let made = made.filter(|m| !of_another(m)).or_else(shared).filter(|_| derived.is_empty());
    let whose_timers = by.whose_timers();
    let named = match (made, derived) {
        _ if whose_timers.is_some() => whose_timers.map_or_else(String::new, |whose| format!("; {whose}")),
        (Some(made), _) => format!("; in its code {}", made::text(made)),
        (None, [_, ..]) => format!("; in its code contexts are derived in {}", made::places_text(derived)),
        (None, []) => named,
    };
    let found = match heap.collector.alive {
        Some(part) if heap.mechanism == Mechanism::StaysAlive && holder.is_none() => {
            format!(" ({} found {} of it alive)", plural(heap.collector.marks as u64, "collection"), percent(part))
        }
        _ => String::new(),
    };
    let held_up = heap.held_up(facts, w);
    let meanwhile = held_up.as_ref().map_or_else(String::new, |held| format!("; {}", held.text()));
    let meanwhile = heap.of_no_use(facts).map_or(meanwhile, |text| format!("; {text}"));
    let held = held(facts, w);
    let held_source = exact_unless(facts.heap.as_ref().is_some_and(|h| h.running));
    let share = heap.parts.share(heap.parts.heap);
    let timers_place = by.timers_place();
    let mut rivals = heap.rivals.clone();
    // Of a holder that the references lead to, and of timers, the sentence is true whoever allocated.
    if holder.is_none() && timers_place.is_none() {
        let other = match first {
            Some(_) => "another function than the first suspect",
            None => "whichever function allocates: none is suspected",
        };
        rivals.push(Rival::open(other, "a memory profile: see the cure"));
    }
    let of_nobody = matches!(heap.mechanism, Mechanism::StaysAlive | Mechanism::NotSettled);
    let pile = of_nobody && holder.is_none() && by.text().is_none() && is_beside_a_pile(facts, heap);
    if pile {
        let tell = "who keeps the heap: the references, or a memory profile";
        rivals.push(Rival::open("goroutines that pile up, and hold it beside their stacks", tell));
    }
    // What stands in dead words of a stack is garbage, and the frame that it is said to be in another's
    // (seen: `lab/deaths`, garbage-thrower: what its caller keeps was of "main.render").
    let holding = holder.filter(|held| held.root().kind == "goroutine").map_or(0, |held| held.root().goroutines);
    rivals.extend(facts.graph.as_ref().and_then(|g| rival_of_dead_variables(g, holding)));
    // A place in the program, unless that is all of it: what the one goroutine of main.main holds it may hold
    // for any function that it calls (seen in `lab/deaths`, method-values: caught asleep there, and sure).
    let held_in_place = heap.calls.as_ref().filter(|calls| {
        calls.of.function != "main.main" && heap.reach.as_ref().is_some_and(|r| r.goroutines().is_some())
    });
    // A goroutine of the standard library that happens to lead there is no place to look at (seen in
    // `lab/deaths`, job-contexts: `os/signal.NotifyContext.func1`, the one that leads to the root of all
    // contexts).
    let of_the_library = holder.filter(|held| is_standard_library(&held.root().name, &facts.target.module.path));
    let made_at = made.and_then(|m| m.places.first()).filter(|_| of_the_library.is_some());
    let subject = match (held_in_place, holder, first) {
        _ if timers_place.is_some() => timers_place.map_or(Subject::Process, of_timers),
        (Some(calls), ..) => Subject::site(calls.of),
        (None, Some(held), _) => made_at.map_or_else(|| Subject::Holder { name: held.root().name.clone() }, of_place),
        (None, None, Some(suspect)) => Subject::site(suspect.at),
        (None, None, None) => match by.name() {
            Some(name) => Subject::Holder { name: name.to_owned() },
            None => Subject::Process,
        },
    };
    Some(Finding {
        code: UnprofiledHeap::INFO.code,
        subject,
        level: level(facts, w.end_bytes),
        title: what.into(),
        sentence: format!(
            "{} grew by {} in {}, and it is the Go heap{found}{in_flight}{}{kept}{meanwhile}; which line allocated it is not recorded{named}.",
            service(facts),
            bytes(w.growth()),
            seconds(w.seconds()),
            ending(facts, w)
        ),
        factors: vec![
            ConfidenceFactor { name: "share of the growth that is Go heap", value: share },
            match holder {
                Some(held) => ConfidenceFactor {
                    name: "share of it that the holder keeps, at least, by the heap's references",
                    value: held.part,
                },
                None => match (first, by.factor()) {
                    (None, Some(factor)) => factor,
                    (Some(_), Some(factor)) if by.is_told_by_itself() => factor,
                    _ => ConfidenceFactor {
                        name: "a suspect by what goroutines did",
                        value: first.map_or(NO_SUSPECT, |s| s.weight),
                    },
                },
            },
        ]
        .into_iter()
        .chain(pile.then_some(ConfidenceFactor {
            name: "goroutines pile up beside it, and nothing says that they do not hold it",
            value: BESIDE_A_PILE,
        }))
        .collect(),
        rivals,
        evidence: std::iter::once(Evidence {
            text: format!("Go heap in use: {} ({} of the growth)", bytes(facts.gc.heap_in_use), percent(share)),
            source: Source::Exact,
        })
        .chain(heap.reach.iter().map(|r| Evidence { text: r.split(), source: Source::Exact }))
        .chain(heap.reach.iter().filter(|_| holder.is_none()).filter_map(Reachability::kept))
        .chain(held.iter().map(|s| Evidence { text: s.clone(), source: held_source }))
        .chain(suspects.iter().map(|s| Evidence { text: s.text(), source: exact_unless(s.approximate) }))
        .collect(),
        cure: cure(facts, heap, first, holder, held_up.as_ref()),
        site: None,
        do_now: do_now(
            facts,
            w,
            timers_place
                .map(Place::function)
                .or_else(|| made.map_or(derived, |m| &m.places).first().map(|p| p.function.as_str()))
                .or(by.filler()),
            first.filter(|_| holder.is_none()),
        ),
    })
}

/// Whether goroutines came whose stacks are a good part of the growth: what else each has is in the heap
/// (seen blind: 2,394 subscriptions that nobody closes, seven goroutines each, and a load's client was
/// suspected).
fn is_beside_a_pile(facts: &Facts, heap: &HeapCause<'_>) -> bool {
    facts.goroutines.total >= goroutine_growth::MIN_GOROUTINES
        && heap.parts.share(heap.parts.stacks) >= goroutine_growth::MIN_SHARE
}

/// The reading function of a library in whose frames what calls hold stands (seen blind: lines without an
/// end, told as copies that calls build).
fn read_by<'a>(heap: &HeapCause<'a>) -> Option<&'a str> {
    heap.reach.as_ref()?.holder.as_ref()?.frame().filter(|function| reads(function))
}

fn of_timers(place: Place<'_>) -> Subject {
    match place {
        Place::Line(place) => of_place(place),
        Place::Function(name) => Subject::Holder { name: name.to_owned() },
    }
}

/// A place that is known by its name alone.
fn of_place(place: &GraphPlace) -> Subject {
    let file = place.at.rsplit_once(':').map_or(place.at.as_str(), |(file, _)| file);
    Subject::Site { function: place.function.clone(), file: file.to_owned() }
}

/// Whether a goroutine is in one of the functions that make it.
fn is_on_a_stack(facts: &Facts, made: &GraphMade) -> bool {
    let is_in =
        |place: &GraphPlace| facts.goroutines.groups.iter().any(|g| is_inside(facts, &g.stack, &place.function));
    made.places.iter().any(is_in)
}

/// How the next capture knows it.
const TO_KNOW_THE_LINE: &str = "To know the line: import net/http/pprof in the program (or have it call pprof.WriteHeapProfile; to import runtime/pprof alone is not enough); the runtime then keeps a profile at next to no cost, and the next capture names it. If the program cannot be changed: lastgasp run --enable-profiling switches it on from outside.";

fn cure(
    facts: &Facts,
    heap: &HeapCause<'_>,
    first: Option<&Suspect<'_>>,
    holder: Option<&HeldBy<'_>>,
    held_up: Option<&HeldUp<'_>>,
) -> String {
    let place = first.map_or("the program", |s| s.at.function.as_str());
    let keeps = || {
        let reach = heap.reach.as_ref();
        let first = held_up.map(HeldUp::cure).or_else(|| what_to_bound::habit(facts, reach, heap.collector.marks));
        first.or_else(|| what_to_bound::collection(facts, reach))
    };
    if let Some(cure) = (heap.mechanism == Mechanism::StaysAlive).then(keeps).flatten() {
        return format!("{cure} {TO_KNOW_THE_LINE}");
    }
    let known = match (&heap.mechanism, holder, read_by(heap)) {
        (Mechanism::StaysAlive, Some(held), _) => {
            let name = held.frame().unwrap_or(&held.root().name);
            format!("Bound what {name} keeps, or let go of it.{} ", held.in_pieces())
        }
        (Mechanism::CallsAtWork(_), Some(held), Some(reader)) => format!(
            "Bound how much one call of {} may read by {reader} (http.MaxBytesReader, io.LimitReader, the protocol's own maximum) and for how long (a deadline), and how many calls may at a time. ",
            held.root().name
        ),
        (Mechanism::CallsAtWork(_), Some(held), None) => format!(
            "If each call in {} holds the same: build it once, and share it read-only. If it is what it was sent: bound how much one may read. Bound how many run at a time. ",
            held.root().name
        ),
        (Mechanism::StaysAlive, None, _) => {
            match heap.reach.as_ref().and_then(|r| r.bounding().or_else(|| r.bounding_largest_way())) {
                Some(keeper) => format!("{keeper} "),
                None => {
                    format!("Find what keeps what {place} allocates reachable, and bound it.{} ", look_first(facts))
                }
            }
        }
        (mechanism, ..) => cure_of_suspect(mechanism, place),
    };
    format!("{known}{TO_KNOW_THE_LINE}")
}

fn cure_of_suspect(mechanism: &Mechanism<'_>, place: &str) -> String {
    match mechanism {
        Mechanism::CallsAtWork(_) => format!(
            "If it is {place}, and it builds the same for every call: build it once, and share it read-only. If it is what it was sent: bound how much one may read. Bound how many run at a time. "
        ),
        _ => String::new(),
    }
}

fn do_now(facts: &Facts, w: &Window, made_in: Option<&str>, first: Option<&Suspect<'_>>) -> Vec<(String, String)> {
    // Who waits allocates nothing at that moment: what they wait for is the question.
    let of_suspect = |s: &Suspect<'_>| match s.why {
        Why::Waiting(wait) => format!(
            "Read {} with this question: why do {} wait there for {}, and with what in hand?",
            s.at.function,
            plural(s.count, "goroutine"),
            wait.what()
        ),
        Why::Allocating | Why::AtWork => what_of(&s.at.function),
    };
    // A library's function that any program calls is no place to look: what its caller keeps is (seen blind:
    // "Read errgroup.withCancelCause", of contexts that the program never cancels).
    let own = |f: &&str| !is_of_a_library(f, &facts.target.module.path);
    let suspect = || first.filter(|s| own(&s.at.function.as_str())).map(of_suspect);
    let look = made_in.filter(own).map(what_of).or_else(suspect).map(|words| (words, String::new()));
    std::iter::once(look_for_change(facts, w)).chain(look).collect()
}

fn what_of(function: &str) -> String {
    format!("Read {function} with this question: what does it allocate, and who keeps it?")
}

/// What was read while the target ran, or without registers, is an estimate.
fn exact_unless(estimated: bool) -> Source {
    if estimated { Source::Estimated } else { Source::Exact }
}

/// What a good part of the growth may be, by size, and by type where the runtime keeps it.
fn held(facts: &Facts, w: &Window) -> Vec<String> {
    let all = facts.heap.as_ref().map(heap_summary).unwrap_or_default();
    let big = all.into_iter().filter(|(n, _)| *n > w.growth() / HELD_ONE_IN).take(MAX_HELD);
    big.map(|(n, text)| format!("the heap holds {} in {text}", bytes(n))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;
    use crate::facts::{
        Frame, Gc, Goroutines, GraphCalls, GraphCensus, GraphFacts, GraphNode, GraphPath, GraphRoot, GraphWaste, Group,
        Heap, HeapClass, Sample,
    };

    #[test]
    fn what_was_read_while_it_ran_or_without_registers_is_estimated() {
        for estimated in [false, true] {
            let class = HeapClass { size: 1024, objects: 400_000, ..HeapClass::default() };
            let group =
                Group { count: 1, state: "running".into(), stack: vec![0], approximate: estimated, ..Group::default() };
            let mut facts = Facts {
                gc: Gc { heap_in_use: 500_000_000, ..Gc::default() },
                heap: Some(Heap { classes: vec![class], running: estimated, ..Heap::default() }),
                goroutines: Goroutines { total: 1, running: 1, groups: vec![group], ..Goroutines::default() },
                frames: vec![Frame { function: "main.fill".into(), file: "svc/main.go".into(), line: 4 }],
                ..Facts::default()
            };
            let sample = |i: u64| Sample { t_ms: i * 10, usage_bytes: i * 5_000_000, ..Sample::default() };
            facts.timeline.samples = (0..=100).map(sample).collect();
            let diagnosis = diagnose(&facts);
            let found = diagnosis.verdict().unwrap();
            assert_eq!(found.code, "unprofiled-heap");
            let sources: Vec<Source> = found.evidence.iter().map(|e| e.source).collect();
            let rest = exact_unless(estimated);
            assert_eq!(sources, [Source::Exact, rest, rest], "{:?}", found.evidence);
            assert!(found.sentence.contains("the first suspect is main.fill (svc/main.go:4)"), "{}", found.sentence);
            assert!(found.confidence() <= crate::UNTESTED, "a suspect is no proof");
        }
    }

    /// Who adds to a map is named where the map is it, and not where another collection is.
    #[test]
    fn who_adds_to_another_map_is_not_named() {
        let made = GraphMade {
            type_name: "map[string]time.Time".into(),
            objects: 5,
            bytes: 240,
            is_added_to: true,
            places: vec![GraphPlace { function: "main.(*queue).note".into(), at: "svc/queue.go:7".into() }],
        };
        let root = GraphRoot {
            kind: "global".into(),
            name: "main.queues".into(),
            objects: 12_000,
            retained_bytes: 470_000_000,
            made: vec![made],
            ..GraphRoot::default()
        };
        let of = |type_name: &str| GraphCensus {
            owner: "global main.queues .messages".into(),
            type_name: type_name.into(),
            elements: 17_830,
            retained_bytes: 460_000_000,
            count: 1,
            ..GraphCensus::default()
        };
        let said = |census: Vec<GraphCensus>| {
            let graph = GraphFacts {
                of_one_moment: true,
                live_bytes: 480_000_000,
                garbage_bytes: 20_000_000,
                roots: vec![root.clone()],
                census,
                ..GraphFacts::default()
            };
            let mut facts =
                Facts { gc: Gc { heap_in_use: 500_000_000, ..Gc::default() }, graph: Some(graph), ..Facts::default() };
            let sample = |i: u64| Sample { t_ms: i * 10, usage_bytes: i * 5_000_000, ..Sample::default() };
            facts.timeline.samples = (0..=100).map(sample).collect();
            let found = diagnose(&facts).findings.into_iter().find(|f| f.code == "unprofiled-heap").unwrap();
            (found.sentence, found.cure)
        };
        let named = "map[string]time.Time is added to in main.(*queue).note";
        assert!(said(Vec::new()).0.contains(named));
        assert!(said(vec![of("map[string]time.Time")]).0.contains(named));
        let (sentence, cure) = said(vec![of("[]main.message")]);
        assert!(!sentence.contains(named), "{sentence}");
        assert!(cure.starts_with("Bound global main.queues .messages ([]main.message), of 17,830 elements"), "{cure}");
    }

    /// Who holds it is known by the references, and the sentence claims no more than that. Seen: an importer
    /// that keeps a piece of each line, and was waiting for the next one; who wrote the lines was allocating,
    /// and was "the first suspect".
    #[test]
    fn by_way_of_whom_it_is_kept_comes_before_who_allocates_elsewhere() {
        let frame = |f: &str| Frame { function: f.into(), file: "svc/main.go".into(), line: 4 };
        let group = |stack: Vec<u32>, state: &str| Group { count: 1, state: state.into(), stack, ..Group::default() };
        let groups = vec![group(vec![0], "running"), group(vec![1, 2], "running")];
        let path = GraphPath {
            steps: vec!["goroutine in main.load".into(), "[frame main.main]".into(), ".m".into()],
            type_name: "string".into(),
            bytes: 450_000_000,
            objects: 41_000,
            ..GraphPath::default()
        };
        let collection = GraphCensus {
            owner: "goroutine in main.load .m".into(),
            type_name: "map[string]main.customer".into(),
            elements: 41_000,
            retained_bytes: 460_000_000,
            count: 1,
            ..GraphCensus::default()
        };
        let mut facts = Facts {
            gc: Gc { heap_in_use: 500_000_000, ..Gc::default() },
            goroutines: Goroutines { total: 2, running: 1, groups, ..Goroutines::default() },
            frames: ["main.feed", "main.parse", "main.load"].map(frame).into(),
            graph: Some(GraphFacts {
                of_one_moment: true,
                live_bytes: 480_000_000,
                garbage_bytes: 20_000_000,
                paths: vec![path],
                census: vec![collection],
                ..GraphFacts::default()
            }),
            ..Facts::default()
        };
        let sample = |i: u64| Sample { t_ms: i * 10, usage_bytes: i * 5_000_000, ..Sample::default() };
        facts.timeline.samples = (0..=100).map(sample).collect();
        let verdict = |facts: &Facts| {
            let diagnosis = diagnose(facts);
            diagnosis.findings.into_iter().find(|f| f.code == "unprofiled-heap").unwrap()
        };
        facts.goroutines.groups[1].stack = vec![2];
        facts.goroutines.groups[1].state = "waiting".into();
        let found = verdict(&facts);
        let kept =
            "one map[string]main.customer of 41,000 elements keeps 460 MB of it, by way of goroutine in main.load;";
        assert!(found.sentence.contains(kept) && !found.sentence.contains("main.feed"), "{}", found.sentence);
        assert_eq!(found.subject, Subject::Holder { name: "main.load".into() });
        assert!(found.do_now.iter().any(|(act, _)| act.starts_with("Read main.load")), "{:?}", found.do_now);
        assert!(found.confidence() <= crate::UNTESTED);
        // Who receives from a queue does not fill it.
        let queue = &mut facts.graph.as_mut().unwrap().census[0];
        (queue.kind, queue.type_name) = ("chan".into(), "chan *main.customer".into());
        let found = verdict(&facts);
        assert!(found.sentence.contains("the first suspect is main.feed (svc/main.go:4)"), "{}", found.sentence);
        assert!(found.cure.starts_with("Whoever receives from goroutine in main.load"), "{}", found.cure);
        assert!(!found.do_now.iter().any(|(act, _)| act.starts_with("Read main.load")), "{:?}", found.do_now);
    }

    /// Seen blind: traces that nobody ends, in a table that is filled and never emptied; the clients of the
    /// load were the first suspects. And lines without an end, in calls that read them.
    #[test]
    fn what_is_filled_is_named_before_who_allocates_and_what_was_sent_is_no_copy() {
        let frame = |f: &str| Frame { function: f.into(), file: "shop/a.go".into(), line: 4 };
        let at_work = |at: u32| Group { count: 1, state: "running".into(), stack: vec![at], ..Group::default() };
        let live = GraphCensus {
            owner: "goroutine in main.main .tr .live".into(),
            type_name: "map[uint64]*trace.tree".into(),
            elements: 10_000,
            retained_bytes: 300_000_000,
            count: 1,
            looks: (1..=10).rev().map(|i| (i * 1000, 10_000 - i * 900)).collect(),
            ..GraphCensus::default()
        };
        let graph = GraphFacts {
            of_one_moment: true,
            live_bytes: 480_000_000,
            garbage_bytes: 20_000_000,
            census: vec![live],
            ..GraphFacts::default()
        };
        let mut facts = Facts {
            gc: Gc { heap_in_use: 500_000_000, ..Gc::default() },
            goroutines: Goroutines { total: 2, groups: vec![at_work(0), at_work(1)], ..Goroutines::default() },
            frames: ["shop/load.Drive", "shop/trace.(*Tracer).Start"].map(frame).into(),
            graph: Some(graph),
            ..Facts::default()
        };
        let sample = |i: u64| Sample { t_ms: i * 10, usage_bytes: i * 5_000_000, ..Sample::default() };
        facts.target.module.path = "shop".into();
        facts.timeline.samples = (0..=100).map(sample).collect();
        let find = |facts: &Facts| {
            let found = diagnose(facts).findings.into_iter().find(|f| f.code == "unprofiled-heap").unwrap();
            assert!(found.confidence() <= crate::UNTESTED);
            found
        };
        let sentence = find(&facts).sentence;
        assert!(sentence.contains(".live (map[uint64]*trace.tree) of 10,000 elements, filled and"), "{sentence}");
        assert!(sentence.contains("the first suspect is shop/trace.(*Tracer).Start"), "{sentence}");
        facts.goroutines.groups.truncate(1);
        let found = find(&facts);
        assert!(!found.sentence.contains("shop/load.Drive"), "{}", found.sentence);
        // Without a look at it too, where it has most of the growth; and its code is told.
        let graph = facts.graph.as_mut().unwrap();
        let looks = std::mem::take(&mut graph.census[0].looks);
        graph.shared_made = vec![GraphMade {
            type_name: "trace.tree".into(),
            objects: 10_000,
            bytes: 100_000_000,
            places: vec![GraphPlace { function: "shop/trace.(*Tracer).Start".into(), at: "trace/a.go:7".into() }],
            ..GraphMade::default()
        }];
        let found = find(&facts);
        let of = "; in its code trace.tree is made in shop/trace.(*Tracer).Start (trace/a.go:7)";
        assert!(found.sentence.contains("of 10,000 elements keeps 300 MB of it; which"), "{}", found.sentence);
        assert!(found.sentence.contains(of) && !found.sentence.contains("load.Drive"), "{}", found.sentence);
        let contexts = &mut facts.graph.as_mut().unwrap().census[0];
        contexts.type_name = "map[context.canceler]struct {}".into();
        let found = find(&facts);
        let of = "10,000 contexts, derived from one and not cancelled, keep 300 MB of it";
        assert!(found.sentence.contains(of), "{}", found.sentence);
        let place = GraphPlace { function: "shop/trace.(*Tracer).Root".into(), at: "trace/a.go:9".into() };
        facts.graph.as_mut().unwrap().library_calls = vec![GraphCalls { call: "context".into(), places: vec![place] }];
        let found = find(&facts);
        let of = "; in its code contexts are derived in shop/trace.(*Tracer).Root (trace/a.go:9).";
        assert!(found.sentence.ends_with(of), "{}", found.sentence);
        let census = &mut facts.graph.as_mut().unwrap().census[0];
        (census.looks, census.type_name) = (looks, "map[uint64]*trace.tree".into());
        let found = find(&facts);
        assert_eq!(found.subject, Subject::Holder { name: "goroutine in main.main .tr .live".into() });

        facts.goroutines.groups[0].count = 20;
        let root = GraphRoot {
            kind: "goroutine".into(),
            name: "shop/load.Drive".into(),
            objects: 12_000,
            retained_bytes: 470_000_000,
            goroutines: 20,
            ..GraphRoot::default()
        };
        let path = GraphPath {
            steps: vec!["goroutines in shop/load.Drive".into(), "[frame bufio.(*Reader).collectFragments]".into()],
            type_name: "[]uint8".into(),
            bytes: 460_000_000,
            objects: 12_000,
            ..GraphPath::default()
        };
        let graph = facts.graph.as_mut().unwrap();
        (graph.census, graph.roots, graph.paths) = (Vec::new(), vec![root], vec![path]);
        let found = diagnose(&facts).findings.into_iter().find(|f| f.code == "unprofiled-heap").unwrap();
        assert!(found.title.ends_with("of what it is sent"), "{}", found.title);
        assert!(found.cure.starts_with("Bound how much one call of shop/load.Drive may read"), "{}", found.cure);
    }

    /// Seen blind: a bus whose subscribers never leave, of which the one who trades on it was suspected, and
    /// a wheel of maps that were emptied, of which "bound it" was all that was said.
    #[test]
    fn what_several_lead_to_is_named_and_so_are_maps_that_were_emptied() {
        let node = |parent, kind: &str, name: &str, mb: u64| GraphNode {
            parent,
            kind: kind.into(),
            name: name.into(),
            count: 1,
            objects: 12_000,
            retained_bytes: mb * 1_000_000,
            ..GraphNode::default()
        };
        let frame = |f: &str| Frame { function: f.into(), file: "svc/main.go".into(), line: 4 };
        let at_work = |at: u32| Group { count: 1, state: "running".into(), stack: vec![at], ..Group::default() };
        let graph = GraphFacts {
            of_one_moment: true,
            live_bytes: 480_000_000,
            garbage_bytes: 20_000_000,
            tree: vec![node(None, "heap", "live heap", 480), node(Some(0), "object", "bus.Bus", 470)],
            ..GraphFacts::default()
        };
        let mut facts = Facts {
            gc: Gc { heap_in_use: 500_000_000, ..Gc::default() },
            goroutines: Goroutines { total: 2, groups: vec![at_work(0), at_work(1)], ..Goroutines::default() },
            frames: ["shop/sim.Trade", "shop/bus.(*Bus).Publish"].map(frame).into(),
            graph: Some(graph),
            ..Facts::default()
        };
        let sample = |i: u64| Sample { t_ms: i * 10, usage_bytes: i * 5_000_000, ..Sample::default() };
        facts.target.module.path = "shop".into();
        facts.timeline.samples = (0..=100).map(sample).collect();
        let said = |facts: &Facts| {
            let found = diagnose(facts).findings.into_iter().find(|f| f.code == "unprofiled-heap").unwrap();
            assert!(found.confidence() <= crate::UNTESTED);
            (found.sentence, found.cure)
        };
        let (sentence, cure) = said(&facts);
        assert!(sentence.contains("one bus.Bus, to which several lead, keeps 470 MB of it"), "{sentence}");
        assert!(sentence.contains("the first suspect is shop/bus.(*Bus).Publish"), "{sentence}");
        assert!(cure.starts_with("Bound what bus.Bus keeps"), "{cure}");
        let graph = facts.graph.as_mut().unwrap();
        graph.tree.truncate(1);
        graph.waste = vec![GraphWaste {
            kind: "empty".into(),
            owner: "goroutine in shop/bus.(*Bus).turn .slots".into(),
            type_name: "map[bus.ID]uint16".into(),
            count: 20,
            kept_bytes: 400_000_000,
            wasted_bytes: 400_000_000,
            ..GraphWaste::default()
        }];
        let (sentence, cure) = said(&facts);
        assert!(sentence.contains("; 20 maps of goroutine in shop/bus.(*Bus).turn .slots"), "{sentence}");
        assert!(cure.starts_with("Make goroutine in shop/bus.(*Bus).turn .slots anew"), "{cure}");
    }

    /// Seen: an interpreter whose script appends to a list. At the end most of its heap was garbage, as GOGC
    /// allows, and there was more alive with every mark.
    #[test]
    fn what_is_alive_and_grows_stays_alive_beside_garbage() {
        let title = |grows: bool| {
            let graph = GraphFacts {
                of_one_moment: true,
                live_bytes: 180_000_000,
                garbage_bytes: 320_000_000,
                ..GraphFacts::default()
            };
            let gc = Gc { heap_in_use: 500_000_000, heap_marked: 170_000_000, cycles: 100, ..Gc::default() };
            let mut facts = Facts { gc, graph: Some(graph), ..Facts::default() };
            let sample = |i: u64| Sample {
                t_ms: i * 10,
                usage_bytes: i * 5_000_000,
                heap_live_bytes: if grows { 2_000_000 * (i + 1) } else { 160_000_000 },
                gc_cycles: i as u32,
                ..Sample::default()
            };
            facts.timeline.samples = (0..=100).map(sample).collect();
            let diagnosis = diagnose(&facts);
            diagnosis.findings.into_iter().find(|f| f.code == "unprofiled-heap").unwrap().title
        };
        assert_eq!(title(true), "it grew from its start on: it is still loading, or it leaks");
        assert_eq!(title(false), "the Go heap grew, and the program keeps no memory profile");
    }

    #[test]
    fn a_holder_is_named_in_place_of_a_suspect() {
        let group = Group { count: 1, state: "running".into(), stack: vec![0], ..Group::default() };
        let root = |kind: &str, name: &str, goroutines| GraphRoot {
            kind: kind.into(),
            name: name.into(),
            objects: 12_000,
            retained_bytes: 470_000_000,
            mostly: "[]main.Item".into(),
            mostly_bytes: 460_000_000,
            goroutines,
            ..GraphRoot::default()
        };
        let graph = |root| GraphFacts {
            of_one_moment: true,
            live_bytes: 480_000_000,
            garbage_bytes: 20_000_000,
            roots: vec![root],
            ..GraphFacts::default()
        };
        let mut facts = Facts {
            gc: Gc { heap_in_use: 500_000_000, ..Gc::default() },
            goroutines: Goroutines { total: 1, running: 1, groups: vec![group], ..Goroutines::default() },
            frames: vec![Frame { function: "main.fill".into(), file: "svc/main.go".into(), line: 4 }],
            graph: Some(graph(root("global", "main.cache", 0))),
            ..Facts::default()
        };
        let sample = |i: u64| Sample { t_ms: i * 10, usage_bytes: i * 5_000_000, ..Sample::default() };
        facts.timeline.samples = (0..=100).map(sample).collect();
        let diagnosis = diagnose(&facts);
        let found = diagnosis.findings.iter().find(|f| f.code == "unprofiled-heap").unwrap();
        assert_eq!(found.subject, Subject::Holder { name: "main.cache".into() });
        let claims = "main.cache holds 470 MB of it in 12,000 objects, mostly []main.Item; which line allocated it";
        assert!(found.sentence.contains(claims) && !found.sentence.contains("main.fill"), "{}", found.sentence);
        // That it may be a program that still loads stands.
        let open: Vec<&str> = found.open_rivals().map(|r| r.cause).collect();
        assert_eq!(open, ["a start that loads more than the limit holds"]);

        facts.goroutines.groups[0].count = 158;
        facts.graph = Some(graph(root("goroutine", "main.fill", 158)));
        let diagnosis = diagnose(&facts);
        let found = diagnosis.findings.iter().find(|f| f.code == "unprofiled-heap").unwrap();
        assert!(found.title.contains("every call builds its own copy"), "{}", found.title);
        assert!(found.sentence.contains("158 goroutines in main.fill hold 470 MB"), "{}", found.sentence);
        assert_eq!(found.open_rivals().count(), 0, "{:?}", found.rivals);
        assert!(found.confidence() > 0.85, "{:?}", found.factors);

        // All of a program is in its main: that is who holds it, and no place.
        facts.goroutines.groups[0].count = 1;
        facts.frames[0].function = "main.main".into();
        facts.graph = Some(graph(root("goroutine", "main.main", 1)));
        let diagnosis = diagnose(&facts);
        let found = diagnosis.findings.iter().find(|f| f.code == "unprofiled-heap").unwrap();
        assert_eq!(found.subject, Subject::Holder { name: "main.main".into() });
        facts.goroutines.groups[0].count = 158;

        // None of them alone: one broker, to which all lead, has far more topics than there are calls.
        let node = |parent, kind: &str, name: &str, count, retained_bytes| GraphNode {
            parent,
            kind: kind.into(),
            name: name.into(),
            count,
            retained_bytes,
            ..GraphNode::default()
        };
        let tree = |topics| {
            vec![
                node(None, "heap", "live heap", 1, 480_000_000),
                node(Some(0), "object", "main.Broker", 1, 470_000_000),
                node(Some(1), "object", "main.topic", topics, 460_000_000),
            ]
        };
        for (topics, title) in [(20_000, "it leaks"), (150, "every call builds its own copy")] {
            let none = GraphFacts { roots: Vec::new(), tree: tree(topics), ..graph(root("global", "x", 0)) };
            facts.graph = Some(none);
            let diagnosis = diagnose(&facts);
            let found = diagnosis.findings.iter().find(|f| f.code == "unprofiled-heap").unwrap();
            assert!(found.title.contains(title), "{topics}: {}", found.title);
        }
    }
}
