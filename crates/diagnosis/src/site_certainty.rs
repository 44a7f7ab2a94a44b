//! How sure it is where memory was allocated: the factors of the site in a confidence.

use crate::facts::Facts;
use crate::finding::ConfidenceFactor;
use crate::growth::{Culprit, Growth};
use crate::heap_cause::{HeapCause, Origin};
use crate::thresholds::heap_growth::{CERTAIN_EXPLAINED, CERTAIN_SHARE, CERTAIN_WAY, INCOMPLETE, MAX_BASELINE_GROWTH};
use crate::thresholds::unprofiled_heap::NO_SUSPECT;
use crate::window::Window;

/// Factors of where the growth of a heap was allocated.
pub(crate) fn of_origin(facts: &Facts, growth: &Growth, w: &Window, cause: &HeapCause<'_>) -> Vec<ConfidenceFactor> {
    match &cause.origin {
        Origin::Profiled(culprit) => of_culprit(facts, growth, w, culprit),
        Origin::Suspects(suspects) => vec![ConfidenceFactor {
            name: "a suspect by what goroutines did: no profile says who allocated",
            value: suspects.first().map_or(NO_SUSPECT, |s| s.weight),
        }],
    }
}

/// Name of the factor that a mere wrapper has.
pub(crate) const ONE_WAY: &str = "part of it by this function itself and by one of its calls";

/// Factors of a culprit by the profile.
pub(crate) fn of_culprit(facts: &Facts, growth: &Growth, w: &Window, c: &Culprit) -> Vec<ConfidenceFactor> {
    vec![
        ConfidenceFactor {
            name: "share of the growth that this function allocated",
            value: (c.share / CERTAIN_SHARE).min(1.0),
        },
        ConfidenceFactor { name: ONE_WAY, value: (c.one_way / CERTAIN_WAY).min(1.0) },
        ConfidenceFactor {
            name: "share of the process's growth that the profile explains",
            value: (explained(growth, w) / CERTAIN_EXPLAINED).min(1.0),
        },
        ConfidenceFactor {
            name: "certainty of the sampled number",
            value: 1.0 - c.error_bytes as f64 / c.current.bytes.max(1) as f64,
        },
        ConfidenceFactor { name: "nearness of the baseline to the onset", value: nearness(facts, w) },
        completeness(facts),
    ]
}

/// What gaps take away.
pub(crate) fn completeness(facts: &Facts) -> ConfidenceFactor {
    ConfidenceFactor {
        name: "completeness of the capture",
        value: if facts.capture.is_whole() { 1.0 } else { INCOMPLETE },
    }
}

/// Part of what the process grew by that the sites which grew have.
pub(crate) fn explained(growth: &Growth, w: &Window) -> f64 {
    growth.total.bytes as f64 / w.growth().max(1) as f64
}

/// Sites are compared with the baseline, the process with the onset: far apart they are not the same growth.
fn nearness(facts: &Facts, w: &Window) -> f64 {
    let since_baseline = facts.at_baseline().map_or(0, |(_, s)| w.end_bytes.saturating_sub(s.usage_bytes));
    if since_baseline as f64 > w.growth() as f64 * MAX_BASELINE_GROWTH {
        w.growth() as f64 / since_baseline as f64
    } else {
        1.0
    }
}
