//! Growth outside the Go heap. The page: `outside-heap.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::{Facts, Gc, Rss};
use crate::finding::{ConfidenceFactor, Evidence, Finding, Source};
use crate::findings::Findings;
use crate::in_c::in_c;
use crate::made::called;
use crate::rival::Rival;
use crate::sentence::{level, look_for_change};
use crate::subject::Subject;
use crate::thresholds::outside_heap::{MIN_BYTES, MIN_SHARE, RULED_OUT_SHARE, SAME_MOMENT_MS};
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
        let outside = Outside::of(case.facts);
        if let (Some(w), Some(outside)) = (case.window, outside) {
            rule_out(&outside, out);
            out.found(find(case.facts, &outside, w));
        }
    }
}

/// Anonymous memory that is not the Go runtime's.
struct Outside {
    bytes: u64,
    rss: Rss,
    gc: Gc,
    /// Whether RSS and gauges are of one moment.
    of_one_moment: bool,
    /// Whether it is known mapping by mapping, and not only as what is left.
    by_mapping: bool,
}

impl Outside {
    fn of(facts: &Facts) -> Option<Self> {
        let rss = facts.rss?;
        let gc = facts.gauges_at_rss.unwrap_or(facts.gc);
        if !gc.is_known() {
            return None;
        }
        let left = rss.anon.saturating_sub(gc.known());
        // Pages that Go gave back and the kernel has kept are Go's: its mappings tell.
        let elsewhere = facts.residency.map(|r| {
            let tables = if r.go_named > 0 { 0 } else { gc.metadata };
            r.elsewhere.saturating_sub(tables)
        });
        let of_one_moment =
            facts.gauges_at_rss.is_some() || facts.capture.t_ms.abs_diff(rss.as_of_ms) <= SAME_MOMENT_MS;
        Some(Self {
            bytes: elsewhere.map_or(left, |e| e.min(left.max(e / 2))),
            rss,
            gc,
            of_one_moment,
            by_mapping: elsewhere.is_some(),
        })
    }
}

fn rule_out(outside: &Outside, out: &mut Findings) {
    let share = outside.bytes as f64 / outside.rss.rss.max(1) as f64;
    // Of an RSS from before the last of the growth nothing is ruled out (seen: 785 ms before, at 553 MB/s).
    if share < RULED_OUT_SHARE && outside.of_one_moment {
        let because = format!(
            "{} ({}) of the RSS is anonymous memory outside the Go runtime",
            bytes(outside.bytes),
            percent(share)
        );
        out.rule_out("cgo or memory mapped by hand", because, Source::Estimated);
    }
}

fn find(facts: &Facts, outside: &Outside, w: &Window) -> Option<Finding> {
    let rss = outside.rss;
    // What was there before the growth is not the growth: a cache outside the heap may be large and constant.
    let before = facts.at_baseline().map(|(gc, sample)| {
        sample.rss_bytes.saturating_sub(rss.file.saturating_add(rss.shmem)).saturating_sub(gc.known())
    });
    let grown = outside.bytes.saturating_sub(before.unwrap_or(0));
    let share = grown as f64 / w.growth().max(1) as f64;
    if share < MIN_SHARE || grown < MIN_BYTES.min(w.growth()) {
        return None;
    }
    let race = facts.target.race;
    let (title, what, cure) = if race {
        (
            "the growth is the race detector's shadow memory",
            "the race detector's shadow memory, which is several times what the program uses",
            "It was built with -race: build it without, or give it a limit that is five to ten times as large.",
        )
    } else {
        (
            "the growth is outside the Go heap",
            "cgo, or memory mapped by the program",
            "Look at what maps memory by itself (calls of mmap, as syscall.Mmap, a library's arenas): each mapping needs its Munmap. In a program with cgo look at the C allocator's own statistics too.",
        )
    };
    let in_c = in_c(facts).filter(|_| !race);
    let in_code = called(facts, "mmap").filter(|_| !race && in_c.is_none());
    let in_code = in_code.map_or_else(String::new, |at| format!("; in its code memory is mapped in {at}"));
    let who = in_c.as_ref().map_or(in_code, |c| format!("; {}", c.text()));
    Some(Finding {
        code: OutsideHeap::INFO.code,
        subject: Subject::Process,
        level: level(facts, w.end_bytes),
        title: title.into(),
        sentence: format!(
            "{} of new anonymous memory ({} of the growth) is not the Go runtime's: {what}{who}.",
            bytes(grown),
            percent(share.min(1.0))
        ),
        factors: vec![ConfidenceFactor { name: "share of the growth", value: share.min(1.0) }],
        rivals: rivals(facts, outside, grown),
        evidence: vec![Evidence {
            text: format!("anonymous RSS {}, Go heap in use {}", bytes(rss.anon), bytes(outside.gc.heap_in_use)),
            source: Source::Exact,
        }],
        cure: cure.into(),
        site: None,
        do_now: std::iter::once(look_for_change(facts, w))
            .chain(in_c.map(|c| {
                (format!("See what {} has C work on, and what of it is never freed", c.caller.function), String::new())
            }))
            .collect(),
    })
}

fn rivals(facts: &Facts, outside: &Outside, grown: u64) -> Vec<Rival> {
    let released = outside.gc.heap_released;
    let kept = if outside.by_mapping {
        Some("it was told apart mapping by mapping".to_owned())
    } else {
        (released < grown / 2).then(|| format!("Go has given back {} in all", bytes(released)))
    };
    let mut out = vec![Rival::tested(
        "pages that Go gave back and the kernel has kept (huge pages)",
        kept,
        "the mappings of the process while it lives (a capture of it)",
    )];
    if !facts.target.race {
        let moment = outside.of_one_moment.then(|| "RSS and gauges are of one moment".to_owned());
        out.push(Rival::tested("a Go heap that grew between the two readings", moment, "RSS and gauges of one moment"));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{GraphCalls, GraphFacts, GraphPlace};
    use crate::goroutine_verdicts::GoroutineVerdicts;
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
            &Case {
                facts: f,
                growth: &Growth::default(),
                window: Some(w),
                parts: None,
                heap: None,
                limits: &[],
                goroutines: &GoroutineVerdicts::default(),
                last_straw: None,
            },
            &mut out,
        );
        out
    }

    #[test]
    fn memory_that_is_not_gos_is_named() {
        let (f, w) = facts(5_000_000);
        let out = check(&f, &w);
        assert_eq!((out.found.len(), out.ruled_out.len()), (1, 0));
        let (mut f, w) = facts(5_000_000);
        let place = GraphPlace { function: "main.(*store).publish".into(), at: "svc/store.go:41".into() };
        let calls = GraphCalls { call: "mmap".into(), places: vec![place] };
        f.graph = Some(GraphFacts { library_calls: vec![calls], ..GraphFacts::default() });
        let out = check(&f, &w);
        let said = "; in its code memory is mapped in main.(*store).publish (svc/store.go:41).";
        assert!(out.found.first().is_some_and(|f| f.sentence.ends_with(said)), "{:?}", out.found);
    }

    #[test]
    fn memory_that_is_gos_is_ruled_out() {
        let (f, w) = facts(380_000_000);
        let out = check(&f, &w);
        assert_eq!((out.found.len(), out.ruled_out.len()), (0, 1));
    }

    /// The shadow memory of -race was once "look at the C allocator".
    #[test]
    fn the_race_detector_is_named() {
        let (mut f, w) = facts(5_000_000);
        f.target.race = true;
        assert!(check(&f, &w).found.first().is_some_and(|f| f.title.contains("race detector")));
    }

    #[test]
    fn an_rss_of_another_moment_rules_nothing_out() {
        let (mut f, w) = facts(380_000_000);
        f.capture.t_ms = 785;
        assert_eq!(check(&f, &w).ruled_out.len(), 0);
        f.gauges_at_rss = Some(f.gc);
        assert_eq!(check(&f, &w).ruled_out.len(), 1);
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
