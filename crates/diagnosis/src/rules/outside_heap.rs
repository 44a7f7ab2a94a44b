//! Growth outside the Go heap. The page: `outside-heap.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::{Facts, Reason, Rss};
use crate::finding::{ConfidenceFactor, Evidence, Finding, Level, Source};
use crate::findings::Findings;
use crate::subject::Subject;
use crate::thresholds::outside_heap::{MIN_BYTES, MIN_SHARE, RULED_OUT_SHARE};
use crate::units::{bytes, percent};
use crate::window::Window;

/// The rule.
pub(super) struct OutsideHeap;

impl Rule for OutsideHeap {
    const INFO: RuleInfo = RuleInfo {
        code: "outside-heap",
        title: "the growth is outside the Go heap",
        doc: include_str!("outside-heap.md"),
    };

    fn check(case: &Case<'_>, out: &mut Findings) {
        // What is not known to be Go's is not known to be anybody else's where Go's own numbers are missing.
        let rss = case.facts.rss.filter(|_| case.facts.gc.is_known());
        if let (Some(w), Some(rss)) = (case.window, rss) {
            rule_out(case.facts, rss, out);
            out.found(find(case.facts, rss, w));
        }
    }
}

fn rule_out(facts: &Facts, rss: Rss, out: &mut Findings) {
    let outside = rss.anon.saturating_sub(facts.gc.known());
    let share = outside as f64 / rss.rss.max(1) as f64;
    if share < RULED_OUT_SHARE {
        let because =
            format!("{} ({}) of the RSS is anonymous memory outside the Go runtime", bytes(outside), percent(share));
        out.rule_out("cgo or memory mapped by hand", because, Source::Estimated);
    }
}

fn find(facts: &Facts, rss: Rss, w: &Window) -> Option<Finding> {
    let outside = rss.anon.saturating_sub(facts.gc.known());
    // What was there before the growth is not the growth: a cache outside the heap may be large and constant.
    let before = facts.at_baseline().map(|(gc, sample)| {
        sample.rss_bytes.saturating_sub(rss.file.saturating_add(rss.shmem)).saturating_sub(gc.known())
    });
    let grown = outside.saturating_sub(before.unwrap_or(0));
    let share = grown as f64 / w.growth().max(1) as f64;
    if share < MIN_SHARE || grown < MIN_BYTES {
        return None;
    }
    Some(Finding {
        code: OutsideHeap::INFO.code,
        subject: Subject::Process,
        level: if facts.capture.reason == Reason::OomKill { Level::Critical } else { Level::Warning },
        title: "the growth is outside the Go heap".into(),
        sentence: format!(
            "{} of new anonymous memory ({} of the growth) is not the Go runtime's: cgo, or memory mapped by the program.",
            bytes(grown),
            percent(share.min(1.0))
        ),
        factors: vec![ConfidenceFactor { name: "share of the growth", value: share.min(1.0) }],
        rivals: Vec::new(),
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
    use crate::facts::Gc;
    use crate::growth::Growth;

    fn facts(heap_in_use: u64) -> (Facts, Window) {
        let gc = Gc { heap_in_use, ..Gc::default() };
        let rss = Rss { rss: 400_000_000, anon: 390_000_000, file: 10_000_000, ..Rss::default() };
        let window = Window { end_bytes: 400_000_000, end_ms: 1000, ..Window::default() };
        (Facts { gc, rss: Some(rss), ..Facts::default() }, window)
    }

    fn check(f: &Facts, w: &Window) -> Findings {
        let mut out = Findings::default();
        OutsideHeap::check(
            &Case { facts: f, growth: &Growth::default(), window: Some(w), parts: None, heap: None, limits: &[] },
            &mut out,
        );
        out
    }

    #[test]
    fn memory_that_is_not_gos_is_named() {
        let (f, w) = facts(5_000_000);
        let out = check(&f, &w);
        assert_eq!((out.found.len(), out.ruled_out.len()), (1, 0));
    }

    #[test]
    fn memory_that_is_gos_is_ruled_out() {
        let (f, w) = facts(380_000_000);
        let out = check(&f, &w);
        assert_eq!((out.found.len(), out.ruled_out.len()), (0, 1));
    }

    /// Seen on a starved machine: the process was dead before its gauges were copied, and the verdict was
    /// "outside the Go heap, confidence 1.00".
    #[test]
    fn without_gos_own_numbers_nothing_is_said() {
        let (f, w) = facts(0);
        let out = check(&f, &w);
        assert_eq!((out.found.len(), out.ruled_out.len()), (0, 0));
    }
}
