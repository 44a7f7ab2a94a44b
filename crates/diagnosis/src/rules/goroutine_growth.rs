//! # goroutine-growth
//!
//! ## What it finds
//! Goroutine stacks are a good part of the growth, and most goroutines do the same.
//!
//! ## Why it matters
//! Stacks are not in the heap profile: a leak of goroutines alone shows nothing there.
//!
//! ## Known problems
//! The causes (a lock never released, a channel nobody reads, I/O without a deadline) are not told apart yet beyond the wait reason.

use crate::facts::Facts;
use crate::growth::Growth;
use crate::owner::frame;
use crate::units::{bytes, count, percent};
use crate::verdict::{Evidence, Finding, Level, Source, Term};
use crate::window::Window;

pub(super) fn rule(facts: &Facts, _: &Growth, window: Option<&Window>) -> Option<Finding> {
    let w = window?;
    let g = &facts.goroutines;
    let share = g.stack_bytes as f64 / w.growth().max(1) as f64;
    if g.total < 1000 || share < 0.25 {
        return None;
    }
    let largest = g.groups.first()?;
    let name = |i: Option<&u32>| {
        i.and_then(|i| frame(facts, *i))
            .map_or("an unknown function", |f| f.function.as_str())
    };
    let program = largest
        .stack
        .iter()
        .find(|i| frame(facts, **i).is_some_and(|f| !crate::is_standard_library(&f.function, &facts.target.module.0)));
    let place = name(program.or_else(|| largest.stack.first()));
    let state = if largest.wait_reason.is_empty() {
        &largest.state
    } else {
        &largest.wait_reason
    };
    let created = largest.created_by.as_ref().and_then(|i| frame(facts, *i));
    Some(Finding {
        code: "goroutine-growth",
        level: if facts.capture.reason == "oom-kill" {
            Level::Critical
        } else {
            Level::Warning
        },
        title: "goroutines pile up".into(),
        sentence: format!(
            "{} of {} goroutines are in {place} ({state}); their stacks hold {}, {} of the growth.",
            count(largest.count),
            count(g.total),
            bytes(g.stack_bytes),
            percent(share)
        ),
        terms: vec![
            Term {
                term: "share of the growth that is stacks",
                value: share.min(1.0),
            },
            Term {
                term: "share of the largest group",
                value: largest.count as f64 / g.total.max(1) as f64,
            },
        ],
        evidence: created
            .map(|f| Evidence {
                text: format!(
                    "created by {} ({}:{})",
                    f.function,
                    super::heap_growth::short(&f.file),
                    f.line
                ),
                source: Source::Exact,
            })
            .into_iter()
            .collect(),
        cure: format!("See why they do not leave {place}: a lock, a channel, or I/O without a deadline."),
        site: None,
        do_now: Vec::new(),
    })
}
