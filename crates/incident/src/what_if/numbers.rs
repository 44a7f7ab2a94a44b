//! The few numbers that what-ifs are reckoned from: of the captures that know them, the middle.

use crate::causes::Scene;
use crate::evidence::CaptureSummary;
use crate::sized::BY_SIZE;
use crate::statistics::robust::{median, quantile};

/// The numbers; each absent where no capture knows it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Numbers {
    /// Limit in bytes.
    pub limit: Option<f64>,
    /// Growth in bytes per second, the middle of all.
    pub rate: Option<f64>,
    /// Its 10th and 90th percentile over all captures and their parts.
    pub rate_between: (f64, f64),
    /// Usage before it grew.
    pub base_usage: Option<f64>,
    /// Live heap before it grew.
    pub base_live: Option<f64>,
    /// Live heap at the end.
    pub live_now: Option<f64>,
    /// Garbage at the end.
    pub garbage: Option<f64>,
    /// What counts against the limit and is no heap: stacks, tables, the program.
    pub beside: Option<f64>,
    /// All that could not be freed at the end.
    pub held: Option<f64>,
    /// Bytes that a call in flight holds.
    pub each: Option<f64>,
    /// Calls in flight at the end.
    pub calls: Option<f64>,
    /// Calls that arrive in a second.
    pub arrivals: Option<f64>,
    /// Bytes of a copy, and copies.
    pub copy_bytes: Option<f64>,
    /// Copies of one content.
    pub copies: Option<f64>,
    /// 1 + GOGC / 100; absent where the collector is off.
    pub gogc_factor: Option<f64>,
    /// Whether what is alive still grew at the end.
    pub grows_on: bool,
}

impl Numbers {
    /// Of a scene.
    #[must_use]
    pub(crate) fn of(scene: &Scene<'_>) -> Self {
        let all = &scene.captures;
        // Of the notes' kind restarted processes grow from their start: those that rested tell the base.
        let rested: Vec<&CaptureSummary> =
            all.iter().copied().filter(|c| c.window.is_some_and(|w| w.was_at_rest)).collect();
        let mine: Vec<&CaptureSummary> = if rested.is_empty() { all.clone() } else { rested };
        let of =
            |f: &dyn Fn(&CaptureSummary) -> Option<f64>| median(&mine.iter().filter_map(|c| f(c)).collect::<Vec<_>>());
        let low = mine.iter().filter_map(|c| c.window).map(|w| w.rate_low).filter(|r| *r > 0.0).collect::<Vec<_>>();
        let high = mine.iter().filter_map(|c| c.window).map(|w| w.rate_high).collect::<Vec<_>>();
        let rate = of(&|c| c.window.map(|w| w.rate).filter(|r| *r > 0.0));
        // Of parts of a window one may stand still: slower than a quarter of the middle says nothing.
        let floor = rate.unwrap_or(0.0) / 4.0;
        let copies = |c: &CaptureSummary| {
            c.copies.iter().filter(|k| k.copies > 1 && k.equal != BY_SIZE).max_by_key(|k| k.total_bytes).cloned()
        };
        let is_growth = |c: &CaptureSummary, total: u64| {
            c.window.is_some_and(|w| total as f64 > 0.3 * w.end_bytes.saturating_sub(w.start_bytes) as f64)
        };
        let base_live = of(&|c| c.heap.base_bytes.map(|n| n as f64))
            .or_else(|| of(&|c| c.window.map(|w| w.start_bytes as f64 * 0.8)));
        let live_now = of(&|c| c.heap.reachable_bytes.or(c.heap.marked_bytes).filter(|n| *n > 0).map(|n| n as f64));
        let base_usage = of(&|c| c.window.map(|w| w.start_bytes as f64));
        let in_use = of(&|c| c.heap.live_bytes.map(|n| n as f64));
        let end = of(&|c| c.window.map(|w| w.end_bytes as f64));
        let beside = end.zip(in_use).map(|(e, l)| (e - l).max(0.0));
        let copy = of(&|c| copies(c).filter(|k| is_growth(c, k.total_bytes)).map(|k| k.bytes_each as f64));
        let calls = of(&|c| Some(c.calls.total as f64).filter(|n| *n >= 2.0));
        // What each holds: the copy that it builds; else what the capture reckons.
        let each = copy.or_else(|| of(&|c| c.calls.bytes_each.map(|n| n as f64)));
        // Since the onset so many have been built as were allocated: they had arrived.
        let arrivals = of(&|c| {
            let (k, w) = (copies(c).filter(|k| is_growth(c, k.total_bytes))?, c.window?);
            let s = (w.end_unix_ms.saturating_sub(w.onset_unix_ms)) as f64 / 1e3;
            (s > 0.5).then(|| k.copies as f64 / s)
        });
        let gogc = of(&|c| c.heap.gogc.filter(|g| *g > 0).map(f64::from));
        let held = live_now.zip(beside).map(|(l, b)| l + b);
        Self {
            limit: of(&|c| c.limit_bytes.filter(|l| *l > 0).map(|l| l as f64)),
            rate,
            rate_between: (
                quantile(&low, 0.1).unwrap_or(floor).max(floor),
                quantile(&high, 0.9).unwrap_or(0.0).max(rate.unwrap_or(0.0)),
            ),
            base_usage,
            base_live,
            live_now,
            garbage: of(&|c| c.heap.garbage_bytes.map(|n| n as f64)),
            beside,
            held,
            each,
            calls,
            arrivals,
            copy_bytes: copy,
            copies: of(&|c| copies(c).filter(|k| is_growth(c, k.total_bytes)).map(|k| k.copies as f64)),
            gogc_factor: gogc.map(|g| 1.0 + g / 100.0),
            grows_on: scene.part(|c| matches!(c.how.as_str(), "calls-at-work" | "stays-alive" | "waiting-calls")) > 0.5,
        }
    }

    /// What all calls in flight need together, with the collector's room: rest + GOGC factor * (base heap +
    /// calls * bytes a call).
    #[must_use]
    pub fn demand(&self) -> Option<f64> {
        Some(self.beside.unwrap_or(0.0) + self.gogc_factor? * (self.base_live? + self.calls? * self.each?))
    }
}
