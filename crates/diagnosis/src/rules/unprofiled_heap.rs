//! A Go heap that grew without a memory profile. The page: `unprofiled-heap.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::{Facts, GoroutineState, Group, Reason};
use crate::finding::{ConfidenceFactor, Evidence, Finding, Level, Source};
use crate::findings::Findings;
use crate::heap_summary::heap_summary;
use crate::owner::{frame, owning_frame};
use crate::subject::Subject;
use crate::thresholds::unprofiled_heap::{HELD_ONE_IN, MAX_HELD, MAX_SUSPECTS, MIN_SHARE, MIN_WAITING, SUSPECT};
use crate::units::{bytes, percent, plural, seconds, short};
use crate::unknown::About;
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
        out.found(case.window.and_then(|w| find(facts, w)));
    }
}

fn find(facts: &Facts, w: &Window) -> Option<Finding> {
    let before = facts.at_baseline().map_or(0, |(gc, _)| gc.heap_in_use);
    let share = facts.gc.heap_in_use.saturating_sub(before) as f64 / w.growth().max(1) as f64;
    if facts.profile.rate != 0 || share < MIN_SHARE {
        return None;
    }
    let killed = facts.capture.reason == Reason::OomKill;
    let suspects = suspects(facts);
    let held = held(facts, w);
    let held_source = exact_unless(facts.heap.as_ref().is_some_and(|h| h.running));
    let named = suspects.first().map_or_else(String::new, |(s, _)| format!("; {s}"));
    Some(Finding {
        code: UnprofiledHeap::INFO.code,
        subject: Subject::Process,
        level: if killed { Level::Critical } else { Level::Warning },
        title: "the Go heap grew, and the program keeps no memory profile".into(),
        sentence: format!(
            "{} grew by {} in {}, and it is the Go heap ({} in use); which line allocated it is not recorded{named}.",
            facts.target.service,
            bytes(w.growth()),
            seconds(w.seconds()),
            bytes(facts.gc.heap_in_use)
        ),
        factors: vec![
            ConfidenceFactor { name: "share of the growth that is Go heap", value: share.min(1.0) },
            ConfidenceFactor { name: "a suspect by its goroutines alone", value: if suspects.is_empty() { 0.0 } else { SUSPECT } },
        ],
        evidence: std::iter::once(Evidence { text: format!("Go heap in use: {} ({} of the growth)", bytes(facts.gc.heap_in_use), percent(share.min(1.0))), source: Source::Exact })
            .chain(held.iter().map(|s| Evidence { text: s.clone(), source: held_source }))
            .chain(suspects.iter().map(|(text, source)| Evidence { text: text.clone(), source: *source }))
            .collect(),
        cure: "Import runtime/pprof (or net/http/pprof) in the program: the runtime then keeps a profile at next to no cost, and the next capture names the line. If the program cannot be changed: lastgasp run --enable-profiling switches it on from outside.".into(),
        site: None,
        do_now: Vec::new(),
    })
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

/// Functions of the program that run, or that hold many goroutines.
fn suspects(facts: &Facts) -> Vec<(String, Source)> {
    let place = |g: &Group| {
        let at = owning_frame(facts, &g.stack).and_then(|i| frame(facts, *g.stack.get(i)?))?;
        Some(format!("{} ({}:{})", at.function, short(&at.file), at.line))
    };
    let running = facts
        .goroutines
        .groups
        .iter()
        .filter(|g| matches!(g.state, GoroutineState::Running | GoroutineState::Runnable));
    let many = facts.goroutines.groups.iter().filter(|g| g.state == GoroutineState::Waiting && g.count >= MIN_WAITING);
    let mut out: Vec<(String, Source)> = Vec::new();
    for (group, word) in running.map(|g| (g, "running")).chain(many.map(|g| (g, "waiting"))) {
        let Some(place) = place(group) else { continue };
        let text = format!("{} {word} in {place}", plural(group.count, "goroutine"));
        if !out.iter().any(|(known, _)| *known == text) && out.len() < MAX_SUSPECTS {
            out.push((text, exact_unless(group.approximate)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Frame, Gc, Goroutines, Heap, HeapClass};

    #[test]
    fn what_was_read_while_it_ran_or_without_registers_is_estimated() {
        for estimated in [false, true] {
            let class = HeapClass { size: 1024, objects: 400_000, ..HeapClass::default() };
            let group =
                Group { count: 1, state: "running".into(), stack: vec![0], approximate: estimated, ..Group::default() };
            let facts = Facts {
                gc: Gc { heap_in_use: 500_000_000, ..Gc::default() },
                heap: Some(Heap { classes: vec![class], running: estimated, ..Heap::default() }),
                goroutines: Goroutines { total: 1, running: 1, groups: vec![group], ..Goroutines::default() },
                frames: vec![Frame { function: "main.fill".into(), file: "svc/main.go".into(), line: 4 }],
                ..Facts::default()
            };
            let window = Window { end_bytes: 500_000_000, end_ms: 1000, ..Window::default() };
            let found = find(&facts, &window).unwrap();
            let sources: Vec<Source> = found.evidence.iter().map(|e| e.source).collect();
            let rest = exact_unless(estimated);
            assert_eq!(sources, [Source::Exact, rest, rest], "{:?}", found.evidence);
            assert_eq!(rest == Source::Estimated, estimated);
        }
    }
}
