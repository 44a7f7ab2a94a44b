//! Memory that was reserved before, and is touched now. The page: `touched-late.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::Facts;
use crate::finding::{ConfidenceFactor, Evidence, Finding, Source};
use crate::findings::Findings;
use crate::holder::holder;
use crate::partition::Partition;
use crate::rival::Rival;
use crate::sentence::{growth as growth_of, level, look_for_change, place};
use crate::site_certainty::completeness;
use crate::subject::Subject;
use crate::thresholds::touched_late::{MAX_NEW, MIN_RESERVED};
use crate::units::{bytes, percent};
use crate::window::Window;

/// The rule.
pub(super) struct TouchedLate;

impl Rule for TouchedLate {
    const INFO: RuleInfo = RuleInfo {
        code: "touched-late",
        title: "memory that was reserved before is touched now",
        doc: include_str!("touched-late.md"),
    };

    fn check(case: &Case<'_>, out: &mut Findings) {
        if let (Some(w), Some(parts)) = (case.window, case.parts) {
            out.found(find(case.facts, w, parts));
        }
    }
}

fn find(facts: &Facts, w: &Window, parts: Partition) -> Option<Finding> {
    // The heap had it in use already, and it was not resident.
    let onset = facts.timeline.samples.iter().rev().find(|s| s.t_ms <= w.onset_ms)?;
    let reserved = onset.heap_live_bytes.saturating_sub(onset.rss_bytes);
    let enough = parts.share(reserved) >= MIN_RESERVED && onset.rss_bytes > 0;
    let others = parts.heap.saturating_add(parts.stacks).saturating_add(parts.others);
    if !enough || parts.share(others) > MAX_NEW {
        return None;
    }
    let held = holder(facts);
    let by = held.map_or_else(String::new, |(f, n)| format!("; {} of it is of {}", bytes(n), place(f)));
    Some(Finding {
        code: TouchedLate::INFO.code,
        subject: held.map_or(Subject::Process, |(f, _)| Subject::site(f)),
        level: level(facts, w.end_bytes),
        title: "memory that was reserved before is touched now".into(),
        sentence: format!(
            "the Go heap hardly grew in {}: {} of it had been allocated before and never touched, and were written to now{by}.",
            growth_of(facts, w),
            bytes(reserved)
        ),
        factors: vec![
            ConfidenceFactor {
                name: "part of the growth that was reserved before",
                value: parts.share(reserved).sqrt(),
            },
            ConfidenceFactor { name: "part of the growth that is nothing new", value: 1.0 - parts.share(others) },
            completeness(facts),
        ],
        rivals: vec![Rival::tested(
            "memory outside of Go",
            facts
                .residency
                .filter(|r| r.elsewhere < w.growth() / 4)
                .map(|r| format!("{} are outside of Go", bytes(r.elsewhere))),
            "the mappings of the process while it lives (a capture of it)",
        )],
        evidence: vec![Evidence {
            text: format!(
                "Go heap in use {} when the growth began, of {} resident; new heap since: {} of the growth",
                bytes(onset.heap_live_bytes),
                bytes(onset.rss_bytes),
                percent(parts.share(parts.heap))
            ),
            source: Source::Exact,
        }],
        cure:
            "Reserve less at once, or count what is reserved against the limit: what a program may touch it will touch."
                .into(),
        site: None,
        do_now: vec![look_for_change(facts, w)],
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;
    use crate::facts::{Amount, Frame, Gc, Residency, Sample, Site};

    #[test]
    fn a_buffer_that_is_filled_late_is_no_allocation() {
        let mut facts = Facts::default();
        let sample = |i: u64| Sample {
            t_ms: i * 20,
            usage_bytes: 20_000_000 + i * 4_000_000,
            rss_bytes: 20_000_000 + i * 4_000_000,
            heap_live_bytes: 400_000_000,
            ..Sample::default()
        };
        facts.timeline.samples = (0..=80).map(sample).collect();
        facts.gc = Gc { heap_in_use: 402_000_000, ..Gc::default() };
        facts.residency = Some(Residency { go_heap: 330_000_000, ..Residency::default() });
        facts.frames = vec![Frame { function: "main.reserve".into(), file: "svc/main.go".into(), line: 4 }];
        facts.profile.sites =
            vec![Site { stack: vec![0], current: Amount { bytes: 400_000_000, objects: 1 }, ..Site::default() }];
        let d = diagnose(&facts);
        let v = d.verdict().unwrap();
        assert_eq!((v.code, v.subject.to_string().as_str()), ("touched-late", "main.reserve"));
        assert!(v.confidence() > 0.8, "{v:?}");
        // A heap that grows is another matter.
        facts.timeline.samples.iter_mut().for_each(|s| s.heap_live_bytes = s.rss_bytes);
        assert!(diagnose(&facts).findings.iter().all(|f| f.code != "touched-late"));
    }
}
