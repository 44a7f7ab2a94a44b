//! A collector that is switched off. The page: `collector-off.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::Facts;
use crate::finding::{ConfidenceFactor, Evidence, Finding, Source};
use crate::findings::Findings;
use crate::heap_cause::{HeapCause, Mechanism, Origin};
use crate::sentence::{growth as growth_of, level, memory_limit_for, place, set_memory_limit};
use crate::site_certainty::completeness;
use crate::subject::Subject;
use crate::units::{bytes, percent};
use crate::unknown::About;
use crate::window::Window;

/// The rule.
pub(super) struct CollectorOff;

impl Rule for CollectorOff {
    const INFO: RuleInfo = RuleInfo {
        code: "collector-off",
        title: "the collector is off, and nothing is ever freed",
        doc: include_str!("collector-off.md"),
    };

    fn check(case: &Case<'_>, out: &mut Findings) {
        if let (Some(w), Some(heap)) = (case.window, case.heap.filter(|h| h.mechanism == Mechanism::CollectorOff)) {
            if heap.reach.is_none() {
                out.not_known(About::Retention, "what of the heap is alive: no collection has run that could tell");
            }
            out.found(Some(find(case.facts, w, heap)));
        }
    }
}

fn find(facts: &Facts, w: &Window, heap: &HeapCause<'_>) -> Finding {
    let limit = facts.gc.memory_limit;
    let no_limit = match limit {
        Some(m) => format!("GOMEMLIMIT ({}) lies beyond the limit", bytes(m)),
        None => "there is no GOMEMLIMIT".to_owned(),
    };
    let most = match &heap.origin {
        Origin::Profiled(c) => format!("; {} allocated most of it", place(&c.frame)),
        Origin::Suspects(s) => s.first().map_or_else(String::new, |s| format!("; a suspect is {}", s.text())),
    };
    let (subject, site) = match &heap.origin {
        Origin::Profiled(c) => (Subject::site(&c.frame), Some(c.site)),
        Origin::Suspects(s) => (s.first().map_or(Subject::Process, |s| Subject::site(s.at)), None),
    };
    let gomemlimit = facts.target.limit_bytes.map(memory_limit_for);
    Finding {
        code: CollectorOff::INFO.code,
        subject,
        level: level(facts, w.end_bytes),
        title: "the collector is off, and garbage fills the memory".into(),
        sentence: format!(
            "GOGC is off and {no_limit}, so that {} of {}, whether it is alive or garbage{most}.",
            if heap.collector.marks == 0 {
                "nothing was freed"
            } else {
                "nothing is freed unless the program asks for it"
            },
            growth_of(facts, w)
        ),
        factors: vec![
            ConfidenceFactor { name: "share of the growth that is Go heap", value: heap.parts.share(heap.parts.heap) },
            completeness(facts),
        ]
        .into_iter()
        // What is alive would have stayed, and grown on.
        .chain(heap.reach.as_ref().map(|reach| ConfidenceFactor {
            name: "share of the heap that is garbage, by its references (its root)",
            value: (1.0 - reach.live_part()).sqrt(),
        }))
        .collect(),
        rivals: heap.rivals.clone(),
        evidence: vec![
            Evidence {
                text: format!(
                    "Go heap in use: {}, {} of the growth; {} collections since the start",
                    bytes(facts.gc.heap_in_use),
                    percent(heap.parts.share(heap.parts.heap)),
                    facts.gc.cycles
                ),
                source: Source::Exact,
            },
            Evidence { text: "GOGC=off (in the environment, or by debug.SetGCPercent)".into(), source: Source::Exact },
        ]
        .into_iter()
        .chain(heap.reach.iter().map(|reach| Evidence { text: reach.split(), source: Source::Exact }))
        .collect(),
        cure: match &gomemlimit {
            Some(value) => format!(
                "Set GOMEMLIMIT={value}: with GOGC off the collector then runs when the heap comes near it; or set GOGC back to 100."
            ),
            None => "Set GOGC back to 100, or a GOMEMLIMIT below the memory that there is.".into(),
        },
        site,
        do_now: vec![(
            match gomemlimit {
                Some(value) => set_memory_limit(facts, &value),
                None => "Start it with GOGC=100 in its environment".into(),
            },
            "what is garbage will be freed, and what then still grows is alive".into(),
        )],
    }
}
