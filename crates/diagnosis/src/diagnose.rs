//! Findings, ranked into a verdict, with what it is not and what to do.

use crate::facts::Facts;
use crate::finding::{Finding, Level, Source};
use crate::findings::Findings;
use crate::garbage_beside::garbage_beside;
use crate::goroutine_verdicts::{self, GoroutineVerdicts};
use crate::growth::Growth;
use crate::heap_cause::HeapCause;
use crate::heap_use::HeapUse;
use crate::last_straw::LastStraw;
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
    /// Verdicts on blocked goroutines.
    pub goroutines: GoroutineVerdicts,
    /// How the heap was used up; absent where it was not the heap.
    pub heap: Option<HeapUse>,
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
    let goroutines = GoroutineVerdicts::of(facts, window.as_ref());
    let last_straw = window.as_ref().and_then(|w| LastStraw::of(facts, w));
    let case = Case {
        facts,
        growth: &growth,
        window: window.as_ref(),
        parts,
        heap: heap.as_ref(),
        limits: &limits,
        goroutines: &goroutines,
        last_straw: last_straw.as_ref(),
    };
    let mut findings = rules::check(&case);
    beside(&mut findings, &goroutines);
    let Findings { mut found, ruled_out, mut unknown } = findings;
    let is_beside = |code: &str| rules::is_beside(code) || goroutine_verdicts::is_of_goroutines(code);
    if let Some(straw) = last_straw {
        found.iter_mut().filter(|f| !is_beside(f.code)).for_each(|f| straw.temper(f));
    }
    found.sort_by(|a, b| {
        let beside = is_beside(a.code).cmp(&is_beside(b.code));
        let surest = || b.confidence().total_cmp(&a.confidence()).then(a.code.cmp(b.code));
        beside.then(b.level.cmp(&a.level)).then_with(surest)
    });
    if let (Some(heap), Some(verdict)) = (&heap, found.first_mut())
        && let Some((evidence, act)) = garbage_beside(facts, heap.collector.pace, verdict.code, &verdict.cure)
    {
        verdict.evidence.push(evidence);
        verdict.do_now.push(act);
    }
    unknown.extend(unknown::of_capture(facts));
    let heap = heap.as_ref().map(HeapCause::in_a_word);
    Diagnosis {
        findings: found,
        ruled_out,
        unknown: unknown::in_order(unknown),
        limits,
        window,
        growth,
        goroutines,
        heap,
    }
}

/// What is said of goroutines beside the verdict: those that are blocked for good, where its sentence has not
/// named them already; and that their pile is a consequence, where it is.
fn beside(findings: &mut Findings, goroutines: &GoroutineVerdicts) {
    let said = |cause: &str| !cause.is_empty() && findings.found.iter().any(|f| f.sentence.contains(cause));
    let told: Vec<bool> = goroutines.groups.iter().map(|g| said(&g.cause)).collect();
    let mut more = goroutine_verdicts::beside(goroutines, &told);
    if !findings.found.is_empty() {
        more.iter_mut().for_each(|f| f.level = f.level.min(Level::Info));
    }
    // Where goroutines are the growth their order says nothing against them.
    let blamed = ["goroutine-growth", "waiting-calls", "deep-stacks"];
    let of_them = findings.found.iter().any(|f| blamed.contains(&f.code));
    findings.found.append(&mut more);
    if let Some(o) = goroutines.onsets.as_ref().filter(|o| o.consequence && !of_them) {
        findings.rule_out("goroutines that piled up first", o.sentence.clone(), Source::Exact);
    }
}
