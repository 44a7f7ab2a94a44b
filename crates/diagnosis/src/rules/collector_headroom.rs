//! A collector that would have run too late. The page: `collector-headroom.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::Facts;
use crate::finding::{ConfidenceFactor, Evidence, Finding, Source};
use crate::findings::Findings;
use crate::heap_cause::{HeapCause, Mechanism, Origin};
use crate::sentence::{ending, level, memory_limit_for, place, service, set_memory_limit};
use crate::site_certainty::completeness;
use crate::subject::Subject;
use crate::suspects::Why;
use crate::units::{bytes, seconds};
use crate::window::Window;

/// The rule.
pub(super) struct CollectorHeadroom;

impl Rule for CollectorHeadroom {
    const INFO: RuleInfo = RuleInfo {
        code: "collector-headroom",
        title: "the collector's goal lies beyond the limit",
        doc: include_str!("collector-headroom.md"),
    };

    fn check(case: &Case<'_>, out: &mut Findings) {
        if let (Some(w), Some(heap)) = (case.window, case.heap.filter(|h| h.mechanism == Mechanism::Headroom)) {
            out.found(find(case.facts, w, heap));
        }
    }
}

fn find(facts: &Facts, w: &Window, heap: &HeapCause<'_>) -> Option<Finding> {
    let (limit, goal) = (facts.target.limit_bytes?, facts.gc.heap_goal?);
    let (subject, site) = match &heap.origin {
        Origin::Profiled(c) => (Subject::site(&c.frame), Some(c.site)),
        Origin::Suspects(_) => (Subject::Process, None),
    };
    // The cause is sure; who allocates what the collector does not come to is a guess, and no part of it.
    let suspect = match &heap.origin {
        // Who only was at work may be anybody (seen from outside: restic's display of its progress).
        Origin::Suspects(s) => s
            .first()
            .filter(|s| s.why == Why::Allocating)
            .map(|s| format!("; a suspect of allocating it is {}", s.text())),
        Origin::Profiled(_) => None,
    };
    let (live, beside) = (heap.collector.marked, heap.collector.beside);
    let value = memory_limit_for(limit);
    let grows = heap.collector.live_grows && heap.collector.standing_marks == 0;
    let set = match facts.gc.memory_limit {
        Some(m) => format!("GOMEMLIMIT is {}, beyond the limit of {}: it never acts", bytes(m), bytes(limit)),
        None => "there is no GOMEMLIMIT".to_owned(),
    };
    let mut evidence = vec![
        Evidence {
            text: format!(
                "{} alive at the last mark, goal {} (GOGC {}), {} beside the heap, limit {}",
                bytes(live),
                bytes(goal),
                facts.gc.percent,
                bytes(beside),
                bytes(limit)
            ),
            source: Source::Exact,
        },
        Evidence { text: set, source: Source::Exact },
    ];
    if let Origin::Profiled(c) = &heap.origin {
        evidence.push(Evidence {
            text: format!("most of the new memory was allocated in {}", place(&c.frame)),
            source: Source::Sampled,
        });
    }
    Some(Finding {
        code: CollectorHeadroom::INFO.code,
        subject,
        level: level(facts, w.end_bytes),
        title: "the collector's goal lies beyond the limit".into(),
        sentence: format!(
            "{} had {} alive, and the collector would not have finished before the heap had {}: with {} beside the heap that is beyond the limit of {}, which it reached in {}{}{}.",
            service(facts),
            bytes(live),
            bytes(goal),
            bytes(beside),
            bytes(limit),
            seconds(w.seconds()),
            ending(facts, w),
            suspect.unwrap_or_default()
        ),
        factors: vec![
            ConfidenceFactor { name: "share of the growth that is Go heap", value: heap.parts.share(heap.parts.heap) },
            completeness(facts),
        ],
        rivals: heap.rivals.clone(),
        evidence,
        cure: format!(
            "Set GOMEMLIMIT={value} (or a lower GOGC): the collector then runs before the limit is reached, at the price of running more often."
        ),
        site,
        do_now: vec![(
            set_memory_limit(facts, &value),
            format!(
                "with {} alive and {} beside the heap it fits{}",
                bytes(live),
                bytes(beside),
                if grows { " for now, and what is alive grows: what then still comes is a leak" } else { "" }
            ),
        )],
    })
}
