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

use std::collections::BTreeMap;

use crate::facts::{Facts, Frame};
use crate::finding::{Evidence, Finding, Level, Source, Term};
use crate::growth::Growth;
use crate::owner::{frame, is_standard_library};
use crate::units::{bytes, count, percent, short};
use crate::window::Window;

pub(super) fn rule(facts: &Facts, _: &Growth, window: Option<&Window>) -> Option<Finding> {
    let w = window?;
    let g = &facts.goroutines;
    // Stacks that were there before the growth are not the growth.
    let before = facts.at_baseline().map_or(0, |(gc, _)| gc.stacks);
    let grown = g.stack_bytes.saturating_sub(before);
    let share = grown as f64 / w.growth().max(1) as f64;
    if g.total < 1000 || share < 0.25 {
        return None;
    }
    let (creator, started) = main_creator(facts);
    let largest = g
        .groups
        .iter()
        .filter(|group| creator.is_none() || group.created_by.and_then(|i| frame(facts, i)) == creator)
        .max_by_key(|g| g.count)?;
    let name =
        |i: Option<&u32>| i.and_then(|i| frame(facts, *i)).map_or("an unknown function", |f| f.function.as_str());
    let program = largest
        .stack
        .iter()
        .find(|i| frame(facts, **i).is_some_and(|f| !is_standard_library(&f.function, &facts.target.module.0)));
    let place = name(program.or_else(|| largest.stack.first()));
    let state = if largest.wait_reason.is_empty() { &largest.state } else { &largest.wait_reason };
    let who = match creator {
        Some(f) => format!(
            "{} of {} goroutines were started by {} ({}:{}), the largest part of them in {place} ({state})",
            count(started),
            count(g.total),
            f.function,
            short(&f.file),
            f.line
        ),
        None => format!("{} of {} goroutines are in {place} ({state})", count(largest.count), count(g.total)),
    };
    Some(Finding {
        code: "goroutine-growth",
        level: if facts.capture.reason == "oom-kill" { Level::Critical } else { Level::Warning },
        title: "goroutines pile up".into(),
        sentence: format!("{who}; their stacks grew by {}, {} of the growth.", bytes(g.stack_bytes), percent(share)),
        terms: vec![
            Term { term: "share of the growth that is stacks", value: share.min(1.0) },
            Term {
                term: "share of the goroutines that it is about",
                value: started.max(largest.count) as f64 / g.total.max(1) as f64,
            },
        ],
        evidence: g
            .groups
            .iter()
            .take(3)
            .map(|group| Evidence {
                text: format!(
                    "{} in {} ({})",
                    count(group.count),
                    name(
                        group
                            .stack
                            .iter()
                            .find(|i| frame(facts, **i).is_some_and(|f| !f.function.starts_with("runtime.")))
                    ),
                    if group.wait_reason.is_empty() { &group.state } else { &group.wait_reason }
                ),
                source: Source::Exact,
            })
            .collect(),
        cure: format!("See why they do not leave {place}: a lock, a channel, or I/O without a deadline."),
        site: None,
        do_now: Vec::new(),
    })
}

/// The `go` statement that started most of the goroutines, if it started the majority, and how many.
fn main_creator(facts: &Facts) -> (Option<&Frame>, u64) {
    let mut by: BTreeMap<&Frame, u64> = BTreeMap::new();
    for group in &facts.goroutines.groups {
        if let Some(f) = group.created_by.and_then(|i| frame(facts, i)) {
            let n = by.entry(f).or_default();
            *n = group.count.saturating_add(*n);
        }
    }
    let most = by.into_iter().max_by_key(|(_, n)| *n).filter(|(_, n)| n.saturating_mul(2) > facts.goroutines.total);
    most.map_or((None, 0), |(f, n)| (Some(f), n))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Goroutines, Group};

    fn facts(groups: &[(u64, u32, u32)]) -> (Facts, Window) {
        let frames = ["main.handle", "main.worker", "main.deep", "main.other"];
        let frames =
            frames.iter().map(|f| Frame { function: (*f).into(), file: "svc/main.go".into(), line: 4 }).collect();
        let groups: Vec<Group> = groups
            .iter()
            .map(|(count, place, creator)| Group {
                count: *count,
                state: "waiting".into(),
                wait_reason: "chan receive".into(),
                stack: vec![*place],
                created_by: Some(*creator),
                ..Group::default()
            })
            .collect();
        let total = groups.iter().map(|g| g.count).sum();
        let goroutines = Goroutines { total, stack_bytes: 400_000_000, groups, ..Goroutines::default() };
        let window = Window { end_bytes: 500_000_000, end_ms: 1000, ..Window::default() };
        (Facts { frames, goroutines, ..Facts::default() }, window)
    }

    #[test]
    fn two_halves_of_one_leak_are_named_by_who_started_them() {
        let (f, w) = facts(&[(30_000, 1, 0), (29_000, 2, 0), (10, 3, 3)]);
        let found = rule(&f, &Growth::default(), Some(&w)).unwrap();
        assert!(
            found.sentence.starts_with("59,000 of 59,010 goroutines were started by main.handle (svc/main.go:4)"),
            "{}",
            found.sentence
        );
        assert!(found.confidence() > 0.75);
    }

    #[test]
    fn a_few_goroutines_are_no_finding() {
        let (f, w) = facts(&[(500, 1, 0)]);
        assert_eq!(rule(&f, &Growth::default(), Some(&w)), None);
    }
}
