//! Findings, ranked into a verdict, with what it is not and what to do.

use crate::facts::Facts;
use crate::finding::{Finding, Level};
use crate::findings::Findings;
use crate::growth::Growth;
use crate::ruled_out::RuledOut;
use crate::rules::{self, Case};
use crate::unknown;
use crate::what_if::{LimitWhatIf, limits};
use crate::window::{Window, window};

/// All that the rules say.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// The worst and surest first: the verdict.
    pub findings: Vec<Finding>,
    /// What it is not.
    pub ruled_out: Vec<RuledOut>,
    /// What other limits would buy.
    pub limits: Vec<LimitWhatIf>,
    /// What is not known.
    pub unknown: Vec<String>,
    /// The growth that led here.
    pub window: Option<Window>,
    /// What grew.
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
    let limits = limits(facts, window.as_ref());
    let case = Case { facts, growth: &growth, window: window.as_ref(), limits: &limits };
    let Findings { mut found, ruled_out, mut unknown } = rules::check(&case);
    found
        .sort_by(|a, b| b.level.cmp(&a.level).then(b.confidence().total_cmp(&a.confidence())).then(a.code.cmp(b.code)));
    unknown.extend(unknown::of_capture(facts));
    Diagnosis { findings: found, ruled_out, unknown: unknown::in_order(unknown), limits, window, growth }
}
