//! What it is not: a suspect, with the evidence that speaks against it. The false leads that cost hours in
//! the incident of the notes; each is stated by the rule that would have named it.

use crate::finding::Source;

/// A suspect that the evidence speaks against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuledOut {
    /// Suspect, in a few words.
    pub suspect: &'static str,
    /// Evidence, in one sentence with numbers.
    pub because: String,
    /// Where its numbers come from.
    pub source: Source,
}
