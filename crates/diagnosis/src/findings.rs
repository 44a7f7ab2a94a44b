//! What the rules say of a case, gathered: findings, what is ruled out, what could not be known.

use crate::finding::{Finding, Source};
use crate::ruled_out::RuledOut;
use crate::shapes::shortened;
use crate::unknown::{About, Unknown};

/// Taken from each rule in turn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    /// In the order of the rules.
    pub(crate) found: Vec<Finding>,
    /// In the order of the rules.
    pub(crate) ruled_out: Vec<RuledOut>,
    /// In the order of the rules.
    pub(crate) unknown: Vec<Unknown>,
}

impl Findings {
    /// Takes a finding, if there is one.
    pub(crate) fn found(&mut self, finding: Option<Finding>) {
        self.found.extend(finding.map(shortened));
    }

    /// Takes all that others have gathered.
    pub(crate) fn append(&mut self, others: Self) {
        self.found.extend(others.found);
        self.ruled_out.extend(others.ruled_out);
        self.unknown.extend(others.unknown);
    }

    /// Takes what speaks against a suspect.
    pub(crate) fn rule_out(&mut self, suspect: &'static str, because: String, source: Source) {
        self.ruled_out.push(RuledOut { suspect, because, source });
    }

    /// Takes what could not be known.
    pub(crate) fn not_known(&mut self, about: About, text: impl Into<String>) {
        self.unknown.push(Unknown { about, text: text.into() });
    }
}
