//! Memory of a process that climbs steadily and has not reached its limit, as the watch sees it go by.

use serde::{Deserialize, Serialize};

use super::UnixMs;
use super::between::Between;

/// A steady climb of one process's memory, up to the last look at it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Climb {
    /// The last look at which it had not begun.
    pub since_unix_ms: UnixMs,
    /// The first look at which a part of it can be seen.
    pub begun_unix_ms: UnixMs,
    /// The newest look.
    pub seen_unix_ms: UnixMs,
    /// Whether memory had been seen at rest before it.
    pub was_at_rest: bool,
    /// Bytes that count against the limit, when it began.
    pub from_bytes: u64,
    /// The same at the newest look.
    pub to_bytes: u64,
    /// Bytes of the Go heap, live at the last mark and allocated since, when it began; 0 if that was not
    /// read.
    pub heap_from_bytes: u64,
    /// The same at the newest look.
    pub heap_to_bytes: u64,
    /// Goroutine structures when it began; 0 if that was not read.
    pub goroutines_from: u64,
    /// In the middle of its time.
    pub goroutines_half: u64,
    /// At the newest look.
    pub goroutines_to: u64,
}

impl Climb {
    /// When it began.
    #[must_use]
    pub fn onset(&self) -> Between {
        Between { earliest: self.since_unix_ms, latest: self.begun_unix_ms.max(self.since_unix_ms) }
    }

    /// How long it has gone on, in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.seen_unix_ms.saturating_sub(self.since_unix_ms).max(0) as f64 / 1e3
    }

    /// Bytes a second over all of it; 0 of none.
    #[must_use]
    pub fn rate(&self) -> f64 {
        let grown = self.to_bytes.saturating_sub(self.from_bytes) as f64;
        if self.seconds() > 0.0 { grown / self.seconds() } else { 0.0 }
    }

    /// Seconds from the newest look until a limit is reached, at this pace; `None` if it does not grow.
    #[must_use]
    pub fn seconds_left(&self, limit: u64) -> Option<f64> {
        let rate = self.rate();
        (rate > 0.0).then(|| limit.saturating_sub(self.to_bytes) as f64 / rate)
    }

    /// Part of the growth that is growth of the Go heap; `None` where that was not read.
    #[must_use]
    pub fn of_heap(&self) -> Option<f64> {
        let grown = self.to_bytes.saturating_sub(self.from_bytes);
        let known = self.heap_from_bytes > 0 && self.heap_to_bytes > 0 && grown > 0;
        known.then(|| (self.heap_to_bytes.saturating_sub(self.heap_from_bytes) as f64 / grown as f64).min(1.0))
    }

    /// Whether goroutines rose with it all the time: by half as many again and by fifty at the least, and in
    /// its second half too (those of a start come in the first).
    #[must_use]
    pub fn goroutines_rose(&self) -> bool {
        let rose = self.goroutines_to.saturating_sub(self.goroutines_from);
        let late = self.goroutines_to.saturating_sub(self.goroutines_half);
        self.goroutines_from > 0 && rose >= 50 && rose >= self.goroutines_from / 2 && late >= rose / 4
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn climb() -> Climb {
        Climb {
            since_unix_ms: 10_000,
            begun_unix_ms: 15_000,
            seen_unix_ms: 50_000,
            from_bytes: 100 << 20,
            to_bytes: 300 << 20,
            heap_from_bytes: 60 << 20,
            heap_to_bytes: 250 << 20,
            goroutines_from: 80,
            goroutines_half: 160,
            goroutines_to: 240,
            ..Climb::default()
        }
    }

    #[test]
    fn the_pace_tells_what_is_left() {
        let c = climb();
        assert_eq!(c.seconds_left(500 << 20).map(f64::round), Some(40.0));
        assert_eq!(c.seconds_left(200 << 20), Some(0.0), "it is past it");
        assert_eq!(Climb::default().seconds_left(500), None);
        assert!((0.94..0.96).contains(&c.of_heap().unwrap()));
        assert_eq!(Climb { heap_from_bytes: 0, ..c }.of_heap(), None);
    }

    #[test]
    fn goroutines_of_a_start_did_not_rise_with_it() {
        assert!(climb().goroutines_rose());
        assert!(!Climb { goroutines_half: 238, ..climb() }.goroutines_rose(), "they came at its begin");
        assert!(!Climb { goroutines_from: 0, ..climb() }.goroutines_rose(), "it is not known");
        assert!(!Climb { goroutines_from: 10, goroutines_half: 20, goroutines_to: 40, ..climb() }.goroutines_rose());
    }
}
