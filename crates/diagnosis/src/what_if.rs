//! What larger limits would buy.

use crate::facts::Facts;
use crate::heap_cause::{HeapCause, Mechanism};
use crate::sentence::never_touched;
use crate::window::Window;

/// What a larger limit would buy.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LimitWhatIf {
    /// The larger limit in bytes.
    pub limit: u64,
    /// Seconds until it would have been reached too, at the rate of the whole window; infinite where it would
    /// not have been: the collector would have run before.
    pub seconds: f64,
    /// The same at the highest rate.
    pub low: f64,
    /// The same at the lowest rate, and at most four times `seconds`.
    pub high: f64,
}

/// 1.5, 2, 4 and 8 times the limit.
pub(crate) fn limits(facts: &Facts, window: Option<&Window>, heap: Option<&HeapCause<'_>>) -> Vec<LimitWhatIf> {
    let (Some(limit), Some(w)) = (facts.target.limit_bytes, window) else {
        return Vec::new();
    };
    // What is alive fits, and beyond its peak the process would not have grown: "482 MB would have bought 4.2
    // s" was said of one whose peak is 303 MB.
    let peak = heap.and_then(|h| match &h.mechanism {
        Mechanism::Headroom if !h.collector.live_grows => h.collector.peak(facts),
        // It is all there, and was not touched yet. Several are of as many calls, which go on (tried from
        // outside: bodies of requests under a limit that was "not reached", and it was).
        Mechanism::HugeObjects(huge) if huge.sizes.len() == 1 && never_touched(facts, window?).is_some() => {
            Some(facts.gc.heap_in_use.saturating_add(h.collector.beside))
        }
        _ => None,
    });
    let buys = |more: u64, rate: f64| if rate > 0.0 { more as f64 / rate } else { f64::INFINITY };
    let of = |tenths: u64| {
        let wished = (limit / 10).saturating_mul(tenths).max(limit);
        if peak.is_some_and(|peak| wished > peak) {
            return LimitWhatIf { limit: wished, seconds: f64::INFINITY, low: f64::INFINITY, high: f64::INFINITY };
        }
        let more = wished - limit;
        LimitWhatIf {
            limit: wished,
            seconds: buys(more, w.rate),
            low: buys(more, w.rate_high),
            high: buys(more, w.rate_low).min(buys(more, w.rate / 4.0)),
        }
    };
    [15, 20, 40, 80].map(of).to_vec()
}
