//! A cause: its kind, its key, and the terms that speak for it and against it.

use crate::evidence::UnixMs;

/// Kind of a cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A configuration, or data that a platform published.
    Config,
    /// Another version of the service.
    Release,
    /// Its own code, by what it was asked; what set it off is not known.
    CodePath,
    /// More requests, first attempts or retries.
    Traffic,
    /// A service that it calls.
    Dependency,
    /// Its memory limit was lowered, or is too small for what it always used.
    Limit,
    /// The collector is off, or aims too high.
    Gc,
    /// Memory that is kept for good.
    Leak,
    /// Goroutines that nothing will wake.
    GoroutineLeak,
    /// Memory outside the Go heap.
    OffHeap,
    /// The node, or neighbours.
    Node,
    /// Not known.
    Unknown,
}

impl Kind {
    /// As in JSON.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Release => "release",
            Self::CodePath => "code-path",
            Self::Traffic => "traffic",
            Self::Dependency => "dependency",
            Self::Limit => "limit",
            Self::Gc => "gc",
            Self::Leak => "leak",
            Self::GoroutineLeak => "goroutine-leak",
            Self::OffHeap => "off-heap",
            Self::Node => "node",
            Self::Unknown => "unknown",
        }
    }
}

/// A term of a cause's log-odds.
#[derive(Clone, Debug, PartialEq)]
pub struct Term {
    /// What it weighs: `time`, `size`, `in the heaps`.
    pub name: &'static str,
    /// Log-odds: positive speaks for it.
    pub log_odds: f64,
    /// In words, with its numbers.
    pub text: String,
}

/// A cause with its terms.
#[derive(Clone, Debug, PartialEq)]
pub struct Cause {
    /// Kind.
    pub kind: Kind,
    /// What: the key of a configuration, a version, a function, a dependency.
    pub key: String,
    /// When it began, as far as is known.
    pub at: Option<UnixMs>,
    /// In a sentence.
    pub sentence: String,
    /// Terms, the base first.
    pub terms: Vec<Term>,
    /// Their sum.
    pub log_odds: f64,
    /// Confidence, 0 to 1.
    pub confidence: f64,
    /// Whether the evidence excludes its rivals: only then is it more than the most of an undecided one.
    pub decisive: bool,
    /// The change that it is, an index into the scene's changes.
    pub change: Option<usize>,
    /// What undoes it: act, and to which revision.
    pub undo: String,
}

impl Cause {
    pub(crate) fn new(kind: Kind, key: impl Into<String>, base: f64) -> Self {
        let text = format!("how often {} is it before anything is known", kind.name());
        Self {
            kind,
            key: key.into(),
            at: None,
            sentence: String::new(),
            terms: vec![Term { name: "base", log_odds: base, text }],
            log_odds: 0.0,
            confidence: 0.0,
            decisive: false,
            change: None,
            undo: String::new(),
        }
    }

    /// Adds a term. One of nothing is kept too where it says that something is not known.
    pub(crate) fn term(&mut self, name: &'static str, log_odds: f64, text: impl Into<String>) {
        self.terms.push(Term { name, log_odds, text: text.into() });
    }

    /// The sum of terms but the base.
    pub(crate) fn evidence(&self) -> f64 {
        self.terms.iter().skip(1).map(|t| t.log_odds).sum()
    }
}
