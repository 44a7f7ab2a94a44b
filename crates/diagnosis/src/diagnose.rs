//! Findings, ranked into a verdict, with what it is not and what to do.

use crate::facts::Facts;
use crate::finding::{Finding, Level};
use crate::growth::Growth;
use crate::ruled_out::{NotIt, not_it};
use crate::rules;
use crate::unknown::unknown;
use crate::what_if::{LimitWhatIf, limits};
use crate::window::{Window, window};

/// All that the rules say.
#[derive(Clone, Debug, Default)]
pub struct Diagnosis {
    /// The worst and surest first: the verdict.
    pub findings: Vec<Finding>,
    /// What it is not.
    pub not_it: Vec<NotIt>,
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
    let mut findings: Vec<Finding> =
        rules::ALL.iter().filter_map(|rule| rule(facts, &growth, window.as_ref())).collect();
    findings
        .sort_by(|a, b| b.level.cmp(&a.level).then(b.confidence().total_cmp(&a.confidence())).then(a.code.cmp(b.code)));
    let limits = limits(facts, window.as_ref());
    Diagnosis {
        not_it: not_it(facts, &growth, window.as_ref(), &limits),
        unknown: unknown(facts, &growth),
        findings,
        limits,
        window,
        growth,
    }
}
