//! A finding: what a rule says, with evidence, confidence and cure.

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing found.
    None,
    /// Worth knowing.
    Info,
    /// Will hurt.
    Warning,
    /// Hurts.
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

/// Where a number comes from.
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
    /// The sentence.
    pub text: String,
    /// Where its numbers come from.
    pub source: Source,
}

/// A factor of a confidence, 0 to 1; the confidence is their product.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What it weighs.
    pub term: &'static str,
    /// The factor.
    pub value: f64,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq)]
pub struct Finding {
    /// The rule.
    pub code: &'static str,
    /// How bad.
    pub level: Level,
    /// A few words.
    pub title: String,
    /// One sentence with numbers.
    pub sentence: String,
    /// Factors of the confidence.
    pub terms: Vec<Term>,
    /// Why.
    pub evidence: Vec<Evidence>,
    /// What would end it.
    pub cure: String,
    /// Index of the site that it is about.
    pub site: Option<usize>,
    /// What to do now: act and effect.
    pub do_now: Vec<(String, String)>,
}

impl Finding {
    /// Product of its terms.
    #[must_use]
    pub fn confidence(&self) -> f64 {
        self.terms.iter().map(|t| t.value.clamp(0.0, 1.0)).product()
    }
}
