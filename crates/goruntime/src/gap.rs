//! What could not be read, for people.

/// Something that could not be read or made no sense, and why. Analyses go on without it and say so.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// What is missing, with its number where there is one: `memory profile`, `12 goroutines`.
    pub what: String,
    /// Cause in words: which read failed, which bound was met, what made no sense.
    pub why: String,
}

impl Gap {
    /// A gap: what is missing, and why.
    pub fn new(what: impl Into<String>, why: impl Into<String>) -> Self {
        Self { what: what.into(), why: why.into() }
    }
}
