//! # unprofiled-heap
//!
//! ## What it finds
//! The Go heap grew, and the program keeps no memory profile (`MemProfileRate` is 0): it never refers to `runtime.MemProfile`, so that the linker switched
//! it off, or it set the rate itself.
//!
//! ## Why it matters
//! Nobody can say which line allocated, pprof neither; the functions that run or hold most goroutines are the best suspects there are.
//!
//! ## Known problems
//! A suspect by its goroutines is a suspect only: the confidence says so.

use crate::facts::{Facts, Group};
use crate::growth::Growth;
use crate::holdings::holdings;
use crate::owner::{frame, owning_frame};
use crate::units::{bytes, percent, plural, seconds};
use crate::verdict::{Evidence, Finding, Level, Source, Term};
use crate::window::Window;

pub(super) fn rule(facts: &Facts, _: &Growth, window: Option<&Window>) -> Option<Finding> {
    let w = window?;
    let before = facts.at_baseline().map_or(0, |(gc, _)| gc.heap_in_use);
    let share = facts.gc.heap_in_use.saturating_sub(before) as f64 / w.growth().max(1) as f64;
    if facts.profile.rate != 0 || share < 0.5 {
        return None;
    }
    let killed = facts.capture.reason == "oom-kill";
    let suspects = suspects(facts);
    let held = held(facts, w);
    let named = suspects.first().map_or_else(String::new, |s| format!("; {s}"));
    Some(Finding {
        code: "unprofiled-heap",
        level: if killed { Level::Critical } else { Level::Warning },
        title: "the Go heap grew, and the program keeps no memory profile".into(),
        sentence: format!(
            "{} grew by {} in {}, and it is the Go heap ({} in use); which line allocated it is not recorded{named}.",
            facts.target.service,
            bytes(w.growth()),
            seconds(w.seconds()),
            bytes(facts.gc.heap_in_use)
        ),
        terms: vec![
            Term { term: "share of the growth that is Go heap", value: share.min(1.0) },
            Term { term: "a suspect by its goroutines alone", value: if suspects.is_empty() { 0.0 } else { 0.5 } },
        ],
        evidence: std::iter::once(Evidence { text: format!("Go heap in use: {} ({} of the growth)", bytes(facts.gc.heap_in_use), percent(share.min(1.0))), source: Source::Exact })
            .chain(held.iter().map(|s| Evidence { text: s.clone(), source: Source::Exact }))
            .chain(suspects.iter().map(|s| Evidence { text: s.clone(), source: Source::Exact }))
            .collect(),
        cure: "Import runtime/pprof (or net/http/pprof) in the program: the runtime then keeps a profile at next to no cost, and the next capture names the line. If the program cannot be changed: lastgasp run --enable-profiling switches it on from outside.".into(),
        site: None,
        do_now: Vec::new(),
    })
}

/// What a good part of the growth may be, by size, and by type where the runtime keeps it.
fn held(facts: &Facts, w: &Window) -> Vec<String> {
    let all = facts.heap.as_ref().map(holdings).unwrap_or_default();
    let big = all.into_iter().filter(|(n, _)| *n > w.growth() / 10).take(4);
    big.map(|(n, text)| format!("the heap holds {} in {text}", bytes(n))).collect()
}

/// Functions of the program that run, or that hold many goroutines.
fn suspects(facts: &Facts) -> Vec<String> {
    let place = |g: &Group| {
        let at = owning_frame(facts, &g.stack).and_then(|i| frame(facts, *g.stack.get(i)?))?;
        Some(format!("{} ({}:{})", at.function, super::heap_growth::short(&at.file), at.line))
    };
    let running = facts.goroutines.groups.iter().filter(|g| g.state == "running" || g.state == "runnable");
    let many = facts.goroutines.groups.iter().filter(|g| g.state == "waiting" && g.count >= 10);
    let mut out = Vec::new();
    for (group, word) in running.map(|g| (g, "running")).chain(many.map(|g| (g, "waiting"))) {
        let Some(place) = place(group) else { continue };
        let text = format!("{} {word} in {place}", plural(group.count, "goroutine"));
        if !out.contains(&text) && out.len() < 5 {
            out.push(text);
        }
    }
    out
}
