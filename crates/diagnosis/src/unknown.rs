//! What is not known, and what to say where nothing was found.

use crate::facts::{Facts, Phase};

/// Subject of something that is not known. In the order of the report: what keeps a reader from the cause
/// comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum About {
    /// Code that allocated.
    Allocation,
    /// What grew.
    Growth,
    /// What keeps memory reachable.
    Retention,
    /// The heap by size.
    HeapBySize,
    /// The RSS.
    Rss,
    /// Where goroutines were.
    Place,
}

/// How the sentence begins that says why nobody knows what keeps the memory.
pub const RETENTION: &str = "what keeps the memory reachable: ";

/// Something that is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Unknown {
    /// Its subject.
    pub(crate) about: About,
    /// What it is, and why it is not known.
    pub(crate) text: String,
}

/// What a capture does not tell, whatever the rule.
pub(crate) fn of_capture(facts: &Facts) -> Vec<Unknown> {
    let mut out = Vec::new();
    if facts.heap.is_none() && facts.gc.is_known() {
        out.push(Unknown { about: About::HeapBySize, text: "the heap by size: its spans were not read".into() });
    }
    if facts.rss.is_none() {
        let why = if facts.capture.phase == Phase::Core {
            "a core file does not tell it"
        } else {
            "the process was not seen alive"
        };
        out.push(Unknown { about: About::Rss, text: format!("the RSS: {why}") });
    }
    out
}

/// Sentences, in the order of the report.
pub(crate) fn in_order(mut unknown: Vec<Unknown>) -> Vec<String> {
    // Stable: what one rule says of one subject stays in its order.
    unknown.sort_by_key(|u| u.about);
    unknown.into_iter().map(|u| u.text).collect()
}

/// Sentence for a capture in which no rule found anything.
#[must_use]
pub fn nothing_found(facts: &Facts) -> &'static str {
    if facts.nothing_was_copied() {
        "who held its memory is not known: it died before anything of it could be copied"
    } else if facts.timeline.samples.len() < 3 {
        "no finding: one moment cannot tell what grows (lastgasp watch looks on at what runs, lastgasp run from the start)"
    } else {
        "no finding: memory did not grow in a way that one of the rules knows"
    }
}
