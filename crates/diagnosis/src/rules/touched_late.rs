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
use crate::suspects::suspects;
use crate::thresholds::touched_late::{LONG_BEFORE_MS, MAX_NEW, MIN_RESERVED};
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
    // The heap had it in use already, and it was not resident; not only since a moment: what is allocated at
    // once is touched at once.
    let onset = facts.timeline.samples.iter().rev().find(|s| s.t_ms.saturating_add(LONG_BEFORE_MS) <= w.onset_ms)?;
    let reserved = onset.heap_live_bytes.saturating_sub(onset.rss_bytes);
    // A collection in between has freed it, and what is touched now is another allocation's.
    let inside = facts.timeline.samples.iter().filter(|s| s.t_ms >= onset.t_ms && s.t_ms <= w.end_ms);
    let least = inside.map(|s| s.heap_live_bytes).min().unwrap_or(0);
    if least < onset.heap_live_bytes / 10 * 9 {
        return None;
    }
    let enough = parts.share(reserved) >= MIN_RESERVED && onset.rss_bytes > 0;
    let others = parts.heap.saturating_add(parts.stacks).saturating_add(parts.others);
    if !enough || parts.share(others) > MAX_NEW {
        return None;
    }
    let held = holder(facts).filter(|(_, n)| *n >= reserved / 2);
    // Without a profile whoever is at work now may be who touches it.
    let suspects = suspects(facts, Some(w));
    let suspect = suspects.first().filter(|_| held.is_none());
    let by = match (held, suspect) {
        (Some((f, n)), _) => format!("; {} of it is of {}", bytes(n), place(f)),
        (None, Some(s)) => format!("; who allocated it is not recorded, a suspect of touching it is {}", s.text()),
        (None, None) => String::new(),
    };
    Some(Finding {
        code: TouchedLate::INFO.code,
        subject: held.map(|(f, _)| f).or(suspect.map(|s| s.at)).map_or(Subject::Process, Subject::site),
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
            ConfidenceFactor { name: "certainty of the place", value: suspect.map_or(1.0, |s| s.weight) },
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
        facts
            .timeline
            .samples
            .iter_mut()
            .take(40)
            .for_each(|s| (s.usage_bytes, s.rss_bytes) = (20_000_000, 20_000_000));
        facts.timeline.samples.iter_mut().skip(40).for_each(|s| {
            let late = (s.t_ms - 800) * 400_000;
            (s.usage_bytes, s.rss_bytes) = (20_000_000 + late, 20_000_000 + late);
        });
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
