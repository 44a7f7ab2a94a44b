//! A finding: what a rule says, with evidence, confidence and cure.

use crate::rival::{Rival, Told};
use crate::subject::{Subject, fingerprint};

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing found.
    None,
    /// Worth knowing: nothing hurts. The verdict only if nothing else was found.
    Info,
    /// Will hurt if nothing is done.
    Warning,
    /// Hurts: it has killed the process, or is about to.
    Critical,
}

impl Level {
    /// As in JSON and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// Origin of a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Read as it is.
    Exact,
    /// From the sampled profile.
    Sampled,
    /// Computed with assumptions.
    Estimated,
}

impl Source {
    /// As in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Sampled => "sampled",
            Self::Estimated => "estimated",
        }
    }
}

/// A sentence of evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// Sentence with its numbers.
    pub text: String,
    /// Origin of its numbers.
    pub source: Source,
}

/// The highest confidence of a cause that was not tested against each of its rivals.
pub const UNTESTED: f64 = 0.6;

/// A factor of a confidence, 0 to 1; the confidence is their product.
#[derive(Clone, Debug, PartialEq)]
pub struct ConfidenceFactor {
    /// What it weighs, in a few words.
    pub name: &'static str,
    /// Value from 0 to 1.
    pub value: f64,
}

/// A finding of a rule.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// Code of the rule.
    pub code: &'static str,
    /// What it is about.
    pub subject: Subject,
    /// Severity.
    pub level: Level,
    /// Title of a few words.
    pub title: String,
    /// Sentence with the numbers that matter.
    pub sentence: String,
    /// Factors of the confidence, of the site and of the cause.
    pub factors: Vec<ConfidenceFactor>,
    /// Other causes that would look the same: those that were ruled out, and those that stand.
    pub rivals: Vec<Rival>,
    /// Evidence for it.
    pub evidence: Vec<Evidence>,
    /// What would end it.
    pub cure: String,
    /// Index in `facts.profile.sites` of the site that it is about.
    pub site: Option<usize>,
    /// What to do now: act and effect, in the order to try.
    pub do_now: Vec<(String, String)>,
}

impl Finding {
    /// The same for every finding of this rule about this subject, in whichever capture, process or build.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(self.code, &self.subject)
    }

    /// How sure the whole sentence is, site and cause: the product of its factors; where a rival of the cause
    /// could not be told apart at most [`UNTESTED`].
    #[must_use]
    pub fn confidence(&self) -> f64 {
        let product: f64 = self.factors.iter().map(|f| f.value.clamp(0.0, 1.0)).product();
        if self.open_rivals().next().is_some() { product.min(UNTESTED) } else { product }
    }

    /// Rivals that the evidence does not speak against.
    pub fn open_rivals(&self) -> impl Iterator<Item = &Rival> {
        self.rivals.iter().filter(|r| r.told == Told::NotApart)
    }
}
