//! # outside-heap
//!
//! ## What it finds
//! Usage grew, and neither the Go heap nor stacks account for most of it.
//!
//! ## Why it matters
//! The heap profile is then the wrong place to look: cgo, memory mapped by hand, files.
//!
//! ## Known problems
//! The RSS is read a moment apart from the runtime's numbers; a very fast growth in between looks like memory outside.

use crate::facts::Facts;
use crate::growth::Growth;
use crate::units::{bytes, percent};
use crate::verdict::{Evidence, Finding, Level, Source, Term};
use crate::window::Window;

pub(super) fn rule(facts: &Facts, _: &Growth, window: Option<&Window>) -> Option<Finding> {
    let w = window?;
    let rss = facts.rss?;
    let outside = rss.anon.saturating_sub(facts.gc.known());
    // What was there before the growth is not the growth: a cache outside the heap may be large and constant.
    let before = facts
        .at_baseline()
        .map(|(gc, sample)| sample.rss_bytes.saturating_sub(rss.file + rss.shmem).saturating_sub(gc.known()));
    let grown = outside.saturating_sub(before.unwrap_or(0));
    let share = grown as f64 / w.growth().max(1) as f64;
    if share < 0.5 || grown < 64_000_000 {
        return None;
    }
    Some(Finding {
        code: "outside-heap",
        level: if facts.capture.reason == "oom-kill" { Level::Critical } else { Level::Warning },
        title: "the growth is outside the Go heap".into(),
        sentence: format!(
            "{} of new anonymous memory ({} of the growth) is not the Go runtime's: cgo, or memory mapped by the program.",
            bytes(grown),
            percent(share.min(1.0))
        ),
        terms: vec![Term { term: "share of the growth", value: share.min(1.0) }],
        evidence: vec![Evidence {
            text: format!("anonymous RSS {}, Go heap in use {}", bytes(rss.anon), bytes(facts.gc.heap_in_use)),
            source: Source::Exact,
        }],
        cure: "Look at the C allocator's own statistics, and at calls of mmap.".into(),
        site: None,
        do_now: Vec::new(),
    })
}
