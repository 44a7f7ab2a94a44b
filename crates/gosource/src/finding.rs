//! What is found in source, and how sure that is.

use serde::{Deserialize, Serialize};

/// How much it matters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Costs something only where evidence says so: shown when asked for.
    #[default]
    Hint,
    /// Will hurt under load or after time.
    Warning,
    /// Hurts as soon as the line is reached, or was seen hurting.
    Critical,
}

impl Level {
    /// The word of the level, as in the JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Hint => "hint",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What a finding rests on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// The text of one package, read without types.
    #[default]
    Syntactic,
    /// The types of the user's own toolchain agree.
    Typed,
    /// A capture or a profile shows it at this line.
    Seen,
}

impl Certainty {
    /// The word of the certainty, as in the JSON.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Syntactic => "syntactic",
            Self::Typed => "typed",
            Self::Seen => "seen",
        }
    }
}

/// A stretch of a source file. Lines and columns count from 1, columns in bytes, as Go's own tools do.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// Path from the folder that was asked about, with forward slashes.
    pub file: String,
    /// First line.
    pub line: u32,
    /// Column of its first byte.
    pub column: u32,
    /// Last line.
    pub end_line: u32,
    /// Column after its last byte.
    pub end_column: u32,
}

/// Another place that belongs to a finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Related {
    /// Where.
    pub place: Place,
    /// What is there.
    pub note: String,
}

/// Something known about a finding that is not in its line: of the source, or of a capture.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// In words.
    pub text: String,
    /// Where it is from: `source`, `compiler`, `capture`, `profile`.
    pub source: String,
}

/// One finding.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// Code of the rule; `lastgasp explain CODE` has its page.
    pub code: String,
    /// Level.
    pub level: Level,
    /// Certainty.
    pub certainty: Certainty,
    /// The line that is to be read.
    #[serde(flatten)]
    pub place: Place,
    /// Import path of the package.
    pub package: String,
    /// Function that the line is in, as profiles name it: `main.(*Server).ugcTab`, `main.run.func1`; empty at
    /// package level.
    pub function: String,
    /// What is wrong, in one sentence.
    pub sentence: String,
    /// Why it is believed, and what would make it wrong.
    pub why: String,
    /// What to do.
    pub cure: String,
    /// What else is known.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// Other places that belong to it.
    #[serde(default)]
    pub related: Vec<Related>,
    /// Hash by which the finding is known again when lines above it move: code, file, function, text of the
    /// line, and which of several alike it is.
    pub fingerprint: String,
}
