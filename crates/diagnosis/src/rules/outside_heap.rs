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
use crate::finding::{Evidence, Finding, Level, Source, Term};
use crate::growth::Growth;
use crate::units::{bytes, percent};
use crate::window::Window;

pub(super) fn rule(facts: &Facts, _: &Growth, window: Option<&Window>) -> Option<Finding> {
    let w = window?;
    // What is not known to be Go's is not known to be anybody else's where Go's own numbers are missing.
    let rss = facts.rss.filter(|_| facts.gc.is_known())?;
    let outside = rss.anon.saturating_sub(facts.gc.known());
    // What was there before the growth is not the growth: a cache outside the heap may be large and constant.
    let before = facts.at_baseline().map(|(gc, sample)| {
        sample.rss_bytes.saturating_sub(rss.file.saturating_add(rss.shmem)).saturating_sub(gc.known())
    });
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Gc, Rss};

    fn facts(heap_in_use: u64) -> (Facts, Window) {
        let gc = Gc { heap_in_use, ..Gc::default() };
        let rss = Rss { rss: 400_000_000, anon: 390_000_000, file: 10_000_000, ..Rss::default() };
        let window = Window { end_bytes: 400_000_000, end_ms: 1000, ..Window::default() };
        (Facts { gc, rss: Some(rss), ..Facts::default() }, window)
    }

    #[test]
    fn memory_that_is_not_gos_is_named() {
        let (f, w) = facts(5_000_000);
        assert!(rule(&f, &Growth::default(), Some(&w)).is_some());
    }

    /// Seen on a starved machine: the process was dead before its gauges were copied, and the verdict was "outside the Go heap, confidence 1.00".
    #[test]
    fn without_gos_own_numbers_nothing_is_said() {
        let (f, w) = facts(0);
        assert_eq!(rule(&f, &Growth::default(), Some(&w)), None);
    }
}
