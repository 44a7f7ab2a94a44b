//! What `/debug/pprof/heap` would have shown in the moment of the capture, against what the runtime held.

use crate::facts::{Facts, Site};
use crate::growth::Growth;
use crate::units::bytes;

/// Both, in bytes in use.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PprofView {
    /// All sites, as pprof would have shown them.
    pub total_published: u64,
    /// All sites.
    pub total_current: u64,
    /// The function that grew most; absent if nothing grew.
    pub culprit: Option<CulpritView>,
}

/// What pprof would have shown of one function.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CulpritView {
    /// Both numbers, in a sentence.
    pub sentence: String,
    /// As pprof would have shown it.
    pub published: u64,
    /// In use.
    pub current: u64,
}

/// Sums up both.
#[must_use]
pub fn pprof_view(facts: &Facts, growth: &Growth) -> PprofView {
    let sum = |of: fn(&Site) -> u64| facts.profile.sites.iter().map(of).fold(0, u64::saturating_add);
    let culprit = growth.culprit.as_ref().map(|c| CulpritView {
        sentence: format!(
            "/debug/pprof/heap would have shown {} for {} in this moment; the runtime already held {}.",
            bytes(c.published.bytes),
            c.frame.function,
            bytes(c.current.bytes)
        ),
        published: c.published.bytes,
        current: c.current.bytes,
    });
    PprofView { total_published: sum(|s| s.published.bytes), total_current: sum(|s| s.current.bytes), culprit }
}
