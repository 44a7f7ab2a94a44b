//! Growth that no other rule explains. The page: `unexplained-growth.md`.

use super::rule::{Case, Rule, RuleInfo};
use crate::facts::{Facts, Reason};
use crate::finding::{ConfidenceFactor, Evidence, Finding, Source};
use crate::findings::Findings;
use crate::growth::Growth;
use crate::partition::Partition;
use crate::rival::Rival;
use crate::sentence::{growth as growth_of, level, look_for_change, place};
use crate::subject::Subject;
use crate::thresholds::unexplained_growth::{MAX_CONFIDENCE, MIN_PART};
use crate::units::{bytes, percent};
use crate::window::Window;

/// The rule.
pub(super) struct UnexplainedGrowth;

impl Rule for UnexplainedGrowth {
    const INFO: RuleInfo = RuleInfo {
        code: "unexplained-growth",
        title: "memory grew, and no single thing explains it",
        doc: include_str!("unexplained-growth.md"),
    };
    const LAST_RESORT: bool = true;

    fn check(case: &Case<'_>, out: &mut Findings) {
        // Who is well is left alone: growth by itself is no finding.
        let in_danger = matches!(case.facts.capture.reason, Reason::OomKill | Reason::Forecast);
        if let (Some(w), Some(parts)) = (case.window.filter(|_| in_danger), case.parts) {
            out.found(Some(find(case.facts, case.growth, w, parts)));
        }
    }
}

fn find(facts: &Facts, growth: &Growth, w: &Window, parts: Partition) -> Finding {
    let named = [("Go heap", parts.heap), ("stacks", parts.stacks), ("other processes or the kernel", parts.others)];
    let mut shares: Vec<(&str, u64)> = named.into_iter().filter(|(_, n)| parts.share(*n) >= MIN_PART).collect();
    shares.sort_by_key(|(name, n)| (std::cmp::Reverse(*n), *name));
    let of =
        |(name, n): &(&str, u64)| format!("{} {} ({})", bytes((*n).min(parts.whole)), name, percent(parts.share(*n)));
    let made_of = if shares.is_empty() {
        "and what it is made of was not seen".to_owned()
    } else {
        format!("of which as far as it is known {}", shares.iter().map(of).collect::<Vec<_>>().join(", "))
    };
    let most = growth.culprit.as_ref().filter(|_| growth.has_baseline && parts.share(parts.heap) >= MIN_PART);
    let by = most.map_or_else(String::new, |c| {
        format!(
            "; the function that allocated most is {}, {} of what grew in the profile",
            place(&c.frame),
            percent(c.share)
        )
    });
    Finding {
        code: UnexplainedGrowth::INFO.code,
        subject: most.map_or(Subject::Process, |c| Subject::site(&c.frame)),
        level: level(facts, w.end_bytes),
        title: match shares.first().filter(|(_, n)| parts.share(*n) > 0.5) {
            Some((name, _)) => format!("{name}: most of the growth, and why is not known"),
            None => "memory grew, and no single thing explains it".into(),
        },
        sentence: format!("no rule explains {}, {made_of}{by}.", growth_of(facts, w)),
        factors: vec![ConfidenceFactor { name: "nothing explains most of it", value: MAX_CONFIDENCE }],
        rivals: vec![Rival::open(
            "each of the causes that have a rule",
            "a capture from before and one from after, whole",
        )],
        evidence: vec![Evidence {
            text: format!("the sites that grew did so by {} together", bytes(growth.total.bytes)),
            source: Source::Sampled,
        }],
        cure: "Take another capture when it has grown again, and compare the ledger, the sites and the goroutines."
            .into(),
        site: most.map(|c| c.site),
        do_now: vec![look_for_change(facts, w)],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnose::diagnose;
    use crate::facts::{Gc, Sample};

    #[test]
    fn a_death_is_never_without_a_word() {
        let mut facts = Facts::default();
        let sample = |i: u64| Sample { t_ms: i * 20, usage_bytes: 20_000_000 + i * 2_000_000, ..Sample::default() };
        facts.timeline.samples = (0..=100).map(sample).collect();
        facts.gc = Gc { heap_in_use: 60_000_000, stacks: 20_000_000, ..Gc::default() };
        facts.capture.reason = Reason::OomKill;
        let d = diagnose(&facts);
        let v = d.verdict().unwrap();
        assert_eq!((v.code, d.findings.len()), ("unexplained-growth", 1));
        assert!(v.sentence.contains("60.0 MB Go heap (30 %)") && v.confidence() < 0.5, "{}", v.sentence);
        facts.capture.reason = Reason::Manual;
        assert_eq!(diagnose(&facts).verdict(), None, "growth by itself is no finding");
    }
}
