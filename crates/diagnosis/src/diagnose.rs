//! Findings, ranked into a verdict, with what it is not and what to do.

use crate::facts::Facts;
use crate::finding::{Finding, Level};
use crate::findings::Findings;
use crate::growth::Growth;
use crate::heap_cause::HeapCause;
use crate::partition::Partition;
use crate::ruled_out::RuledOut;
use crate::rules::{self, Case};
use crate::unknown;
use crate::what_if::{LimitWhatIf, limits};
use crate::window::{Window, window};

/// All that the rules say of a capture.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// Findings, the worst and surest first: that one is the verdict. Those that only say who holds memory
    /// come after those that say why it grew.
    pub findings: Vec<Finding>,
    /// Suspects that the evidence speaks against.
    pub ruled_out: Vec<RuledOut>,
    /// What larger limits would buy.
    pub limits: Vec<LimitWhatIf>,
    /// What is not known, in sentences.
    pub unknown: Vec<String>,
    /// The growth that led here; absent if memory did not grow.
    pub window: Option<Window>,
    /// Growth by site since the baseline.
    pub growth: Growth,
}

impl Diagnosis {
    /// The first finding.
    #[must_use]
    pub fn verdict(&self) -> Option<&Finding> {
        self.findings.first()
    }

    /// The verdict's level.
    #[must_use]
    pub fn level(&self) -> Level {
        self.verdict().map_or(Level::None, |f| f.level)
    }
}

/// Applies every rule to the facts.
#[must_use]
pub fn diagnose(facts: &Facts) -> Diagnosis {
    let window = window(facts);
    let growth = Growth::of(facts);
    let parts = window.as_ref().map(|w| Partition::of(facts, w));
    let heap = window.as_ref().zip(parts).and_then(|(w, parts)| HeapCause::of(facts, &growth, w, parts));
    let limits = limits(facts, window.as_ref(), heap.as_ref());
    let case = Case { facts, growth: &growth, window: window.as_ref(), parts, heap: heap.as_ref(), limits: &limits };
    let Findings { mut found, ruled_out, mut unknown } = rules::check(&case);
    found.sort_by(|a, b| {
        let beside = rules::is_beside(a.code).cmp(&rules::is_beside(b.code));
        let surest = || b.confidence().total_cmp(&a.confidence()).then(a.code.cmp(b.code));
        beside.then(b.level.cmp(&a.level)).then_with(surest)
    });
    unknown.extend(unknown::of_capture(facts));
    Diagnosis { findings: found, ruled_out, unknown: unknown::in_order(unknown), limits, window, growth }
}
